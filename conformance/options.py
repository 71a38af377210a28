"""The options of a run: the command line, then the environment (`IV_…`), then the default."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.verdict import Profile

DEFAULT_REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One option that names something about the target or the run."""

    flag: str
    metavar: str
    help: str

    @property
    def name(self) -> str:
        """Its name in the namespace of options."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable that gives its default."""
        return f"IV_{self.name.upper()}"


CHOICES = (
    Choice(flag="--kubeconfig", metavar="FILE", help="kubeconfig of the cluster to judge"),
    Choice(flag="--context", metavar="NAME", help="context of the kubeconfig"),
    Choice(
        flag="--cluster",
        metavar="NAME",
        help="kind, kind:NAME, reference (a model in this repository, no real cluster) or reference:FAULT,FAULT",
    ),
    Choice(
        flag="--registry",
        metavar="WHERE",
        help="where the test registry runs: runner://HOST:PORT, node or node://FIRST-LAST; by default both are tried",
    ),
    Choice(flag="--probe-image", metavar="IMAGE", help="an image with Python 3 for the probe's containers"),
    Choice(flag="--nodes", metavar="NAMES", help="the node to judge; a run judges one"),
    Choice(
        flag="--node-shell",
        metavar="COMMAND",
        help="a command that runs sh on the node {node} with its own input: docker exec -i {node}, ssh root@{node}; or the word pod",
    ),
    Choice(
        flag="--node-restart-kubelet",
        metavar="COMMAND",
        help="restarts the kubelet, on the node (default: systemctl restart kubelet)",
    ),
    Choice(
        flag="--node-restart-runtime",
        metavar="COMMAND",
        help="restarts the container runtime, on the node (default: systemctl restart containerd, or crio)",
    ),
    Choice(
        flag="--node-reboot",
        metavar="COMMAND",
        help="reboots the node, on the node; by default no node is rebooted",
    ),
    Choice(
        flag="--patience",
        metavar="SECONDS",
        help="how long the runtime may take to give up a pull that stalls; without it, that is judged where it is soon",
    ),
    Choice(flag="--report", metavar="FOLDER", help=f"write reports to FOLDER (default: {DEFAULT_REPORT})"),
)
PROFILE = Choice(flag="--profile", metavar="PROFILE", help="which requirements are selected")
_REQUIREMENT = "--requirement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the run was asked for. patience: seconds. report: an absolute path. workers: how many processes run checks."""

    kubeconfig: str | None = None
    context: str | None = None
    cluster: str | None = None
    registry: str | None = None
    probe_image: str | None = None
    nodes: tuple[str, ...] = ()
    node_shell: str | None = None
    node_restart_kubelet: str | None = None
    node_restart_runtime: str | None = None
    node_reboot: str | None = None
    patience: float | None = None
    profile: Profile = Profile.ALL
    requirements: tuple[str, ...] = ()
    report: Path
    workers: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return what the report tells of the options. Paths and commands stay out: they name the machine, not the run."""
        return {
            "context": self.context,
            "cluster": self.cluster,
            "registry": self.registry,
            "probe_image": self.probe_image,
            "nodes": list(self.nodes),
            "node_shell": bool(self.node_shell),
            "node_reboot": bool(self.node_reboot),
            "patience": self.patience,
            "profile": str(self.profile),
            "requirements": list(self.requirements),
            "workers": self.workers,
        }


def add_options(parser: pytest.Parser) -> None:
    """Declare the options on pytest's command line."""
    group = parser.getgroup("conformance", "image-volume conformance")
    for choice in CHOICES:
        group.addoption(choice.flag, metavar=choice.metavar, help=f"{choice.help} [{choice.variable}]")
    group.addoption(
        PROFILE.flag,
        choices=[str(profile) for profile in Profile],
        help=f"{PROFILE.help}: all (default), or must: the required ones only [{PROFILE.variable}]",
    )
    group.addoption(
        _REQUIREMENT,
        action="append",
        metavar="IDS",
        help="select these requirements only (comma-separated, repeatable)",
    )


def read_options(config: pytest.Config, environment: Mapping[str, str] | None = None) -> Options:
    """Read the options of a run; environment: by default the process's. UsageError for a wrong profile."""
    variables = os.environ if environment is None else environment

    def chosen(choice: Choice) -> str | None:
        return config.getoption(choice.name) or variables.get(choice.variable) or None

    given = {choice.name: chosen(choice) for choice in CHOICES}
    folder = Path(given.pop("report") or DEFAULT_REPORT)
    nodes = given.pop("nodes")
    patience = given.pop("patience")
    return Options(
        **given,
        nodes=split(nodes),
        patience=_seconds(patience),
        profile=_profile(chosen(PROFILE)),
        requirements=split(*(config.getoption("requirement") or ())),
        report=(config.invocation_params.dir / folder).absolute(),
        workers=int(config.getoption("numprocesses", None) or 1),
    )


def split(*texts: str | None) -> tuple[str, ...]:
    """Split comma-separated texts into their parts, each once, in order."""
    parts = (part.strip() for text in texts if text for part in text.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise pytest.UsageError(f"a patience of {text!r} is no number of seconds above 0")
    return seconds


def _profile(text: str | None) -> Profile:
    try:
        return Profile(text or Profile.ALL)
    except ValueError:
        known = ", ".join(Profile)
        raise pytest.UsageError(f"there is no profile {text!r}; the profiles are: {known}") from None


def near(word: str, known: Sequence[str]) -> list[str]:
    """The known ids that a mistyped one may mean; `sub-3` means SUB-03."""
    area, _, number = word.upper().partition("-")
    if number.isdecimal() and f"{area}-{int(number):02}" in known:
        return [f"{area}-{int(number):02}"]
    return difflib.get_close_matches(word.upper(), known, n=3, cutoff=0.6)
