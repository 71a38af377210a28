"""A catalogue, a target and known defects for the tests of the plugin, registered in place of the real ones.

A test of the plugin runs pytest in a folder of its own; there, `-p tests.plugin.fakes` answers the plugin's
questions. What a test wants to be different, it writes to `fake.json` in that folder:

    target, connection, secrets   what the session says
    start, exit_code              [class of fixtures.errors, text]: what starting raises; its attribute
    leftovers, slow_close         what closing it returns; whether it waits for a file `told`
    defects                       [[requirement, component, versions]]
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.catalogue import Area, Catalogue, Requirement
from conformance.known_defects import Defect, KnownDefects, Specifier
from conformance.options import Options
from conformance.traces import Traces
from fixtures import errors

SETTINGS = Path("fake.json")
CLOSED = Path("closed.txt")

TARGET = {
    "reference": False,
    "server": "https://127.0.0.1:6443",
    "kubernetes": "v1.36.2",
    "components": {"kubernetes": "1.36.2", "containerd": "2.3.4"},
    "nodes": [
        {"name": "one", "class": "linux/amd64 containerd 2.3.4", "kubelet": "1.36.2", "kernel": "6.18"}
    ],
    "nodes_under_test": ["one"],
}


def requirement(
    name: str, area: str, strength: str = "MUST", needs: Sequence[str] = ("mount",)
) -> Requirement:
    """A requirement of the fake catalogue."""
    return Requirement(
        id=name,
        area=area,
        title=f"The fact that {name} states",
        statement=f"The target {strength} do {name}.",
        strength=strength,
        owner="runtime",
        source=("a document",),
        links=(f"https://example.org/{name}",),
        needs=tuple(needs),
    )


def catalogue() -> Catalogue:
    """Two areas with a requirement of every kind."""
    requirements = [
        requirement("API-01", "api", needs=()),
        requirement("API-02", "api", "SHOULD", needs=()),
        requirement("API-03", "api", "OBSERVED", needs=()),
        requirement("API-04", "api", "MAY", needs=()),
        requirement("SUB-01", "sub_path"),
        requirement("SUB-02", "sub_path", needs=("mount", "sub-path")),
        requirement("SUB-03", "sub_path", needs=("no image volumes",)),
        requirement("SUB-04", "sub_path", needs=("mount", "two nodes")),
    ]
    areas = [
        Area(
            name=name,
            title=title,
            order=order,
            prefix=prefix,
            summary="An area.",
            requirements=tuple(one.id for one in requirements if one.area == name),
        )
        for order, (name, title, prefix) in enumerate([("api", "API", "API"), ("sub_path", "subPath", "SUB")])
    ]
    return Catalogue(areas, {one.id: one for one in requirements})


def settings() -> dict[str, Any]:
    """What the test wrote."""
    return dict(json.loads(SETTINGS.read_text(encoding="utf-8"))) if SETTINGS.exists() else {}


@dataclass
class FakeSession:
    """A session without a cluster."""

    target: Mapping[str, Any] = field(default_factory=lambda: TARGET)
    connection: Mapping[str, Any] = field(default_factory=dict)
    secrets: Sequence[str] = ()
    leftovers: Sequence[str] = ()
    slow_close: bool = False

    def close(self) -> Sequence[str]:
        """Leave a trace of having been closed."""
        if self.slow_close:
            Path("sweeping").touch()
            deadline = time.monotonic() + 30
            while not Path("told").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.1)  # the signal is on its way before the file is there
        with CLOSED.open("a", encoding="utf-8") as file:
            file.write("closed\n")
        return self.leftovers


def pytest_conformance_session(options: Options) -> FakeSession:  # noqa: ARG001 - the hook's signature
    """The fake session."""
    wanted = settings()
    wanted.pop("defects", None)
    if "start" in wanted:
        name, text = wanted["start"]
        error = getattr(errors, name)(text)
        if "exit_code" in wanted:
            error.exit_code = wanted["exit_code"]
        raise error
    return FakeSession(**wanted)


def pytest_conformance_catalogue() -> Catalogue:
    """The fake catalogue."""
    return catalogue()


def pytest_conformance_defects() -> KnownDefects:
    """The fake defects."""
    return KnownDefects(
        Defect(
            requirement=name,
            component=component,
            versions=Specifier.parse(versions),
            link="https://example.org/defect",
            summary="known to be wrong",
        )
        for name, component, versions in settings().get("defects", [])
    )


def pytest_conformance_traces() -> list[Traces]:
    """No traces: those that are shipped name requirements that the fake catalogue has not."""
    return []


def pytest_conformance_checks_folder() -> Path:
    """The folder of the test."""
    return Path("checks")
