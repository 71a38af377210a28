r"""What the target lacks decides the verdict before a check is run.

`connection["platform"]` tells it, one entry for each need of the catalogue that is not met:

    {"mount": {"kind": "refused", "text": "CreateContainerError: failed to mkdir \"\": ..."},
     "sub-path": {"kind": "lost", "text": "a Pod with subPath v1 shows the image's root"},
     "two nodes": {"kind": "missing", "text": "the target has one node"}}

refused: the target refuses loudly, so the requirement is *unsupported*, with the refusal's text. lost: the
target accepts the request and does nothing, so the requirement *fails, ignored*. missing: the environment
does not provide it, so it is *inconclusive*. A need that is not named is met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.verdict import Finding, Kind, Verdict

MOUNT = "mount"
NO_IMAGE_VOLUMES = "no image volumes"
REFUSED, LOST, MISSING = "refused", "lost", "missing"
KINDS = (REFUSED, LOST, MISSING)

Platform = Mapping[str, Mapping[str, str]]


class Gated(Exception):
    """The check is not run. findings: what that says of each of its requirements."""

    def __init__(self, findings: Mapping[str, Finding]) -> None:
        self.findings = findings
        super().__init__("; ".join(dict.fromkeys(finding.reason for finding in findings.values())))


def read_platform(connection: Mapping[str, Any]) -> Platform:
    """The platform of a connection. ValueError if it is not of the form that this module documents."""
    platform = connection.get("platform") or {}
    for need, lack in platform.items():
        if lack.get("kind") not in KINDS or not lack.get("text"):
            raise ValueError(
                f"platform: {need}: 'kind' must be one of {', '.join(KINDS)}, with a 'text'; got {lack!r}"
            )
    return platform


def runtime_refusal(platform: Platform) -> str:
    """How the target refuses image volumes altogether, in its own words; empty if it does not."""
    lack = platform.get(MOUNT)
    return lack["text"] if lack and lack["kind"] == REFUSED else ""


def lacking(needs: Sequence[str], platform: Platform) -> Finding | None:
    """What the platform says of a requirement with these needs; None if all are met.

    A refusal explains whatever else is lacking, and an environment that can't provide something is no excuse
    for what is ignored.
    """
    if NO_IMAGE_VOLUMES in needs and MOUNT not in platform:
        return Finding(verdict=Verdict.NOT_SELECTED, reason="applies to targets without image volumes")
    for kind in KINDS:
        for need in needs:
            lack = platform.get(need)
            if lack and lack["kind"] == kind:
                return _finding(need, kind, lack["text"])
    return None


def _finding(need: str, kind: str, text: str) -> Finding:
    if kind == REFUSED:
        return Finding(verdict=Verdict.UNSUPPORTED, reason=text, lacks=need)
    if kind == LOST:
        return Finding(verdict=Verdict.FAIL, kind=Kind.IGNORED, reason=text)
    return Finding(verdict=Verdict.INCONCLUSIVE, reason=f"needs {need}: {text}", lacks=need)


def gate(requirements: Mapping[str, Sequence[str]], platform: Platform) -> None:
    """Let a check pass, or raise Gated. requirements: the ids that it verifies, each with its needs.

    A requirement whose own needs are met, but whose check is not run for the sake of another's, is
    *inconclusive*.
    """
    lacks = {one: lacking(needs, platform) for one, needs in requirements.items()}
    stopping = [(one, finding) for one, finding in lacks.items() if finding]
    if stopping:
        other, because = stopping[0]
        doubt = Finding(
            verdict=Verdict.INCONCLUSIVE,
            reason=f"its check was not run because of {other}: {because.reason}",
        )
        raise Gated({one: finding or doubt for one, finding in lacks.items()})
