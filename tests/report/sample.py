"""Reports of runs that never were."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from conformance.known_defects import KnownDefects
from conformance.report.model import Run, build
from conformance.report.record import CheckRecord, Collected
from conformance.verdict import Finding, Kind, Verdict
from tests.plugin.fakes import TARGET, catalogue

NASTY = "\x00\x1b[31m\ud800\ufffe <script>alert(1)</script> & ]]> é 漢"
"""What XML can't hold, what a terminal obeys, what HTML would run, and letters."""

FINDINGS: Mapping[str, Finding] = {
    "API-01": Finding(verdict=Verdict.PASS),
    "API-02": Finding(verdict=Verdict.FAIL, kind=Kind.VIOLATED, reason="not what it should be"),
    "API-03": Finding(verdict=Verdict.OBSERVED, reason="mode: 0755"),
    "SUB-01": Finding(verdict=Verdict.FAIL, kind=Kind.IGNORED, reason=NASTY),
    "SUB-02": Finding(verdict=Verdict.UNSUPPORTED, reason="mount.HostPath is empty"),
    "SUB-04": Finding(verdict=Verdict.INCONCLUSIVE, reason="waited 60 s for the Pod"),
}


def report(
    findings: Mapping[str, Finding] = FINDINGS, evidence: Any = None, target: Mapping[str, Any] = TARGET
) -> dict[str, Any]:
    """The report of a run in which one check each found this; the other requirements have no check."""
    records = [
        CheckRecord(
            check=f"checks/test_it.py::test_{name}",
            description="Given a,\nthen b.",
            findings={name: finding},
            node_class="linux/amd64 containerd 2.3.4",
            duration=1.25,
            evidence=[{"kind": "probe", "title": "tree", "data": evidence}] if evidence is not None else [],
            observed=[{"text": "mode", "value": "0755"}] if finding.verdict is Verdict.OBSERVED else [],
        )
        for name, finding in findings.items()
    ]
    run = Run(
        options={"profile": "all"},
        started=datetime(2026, 11, 23, 21, 0, tzinfo=UTC),
        duration=75.0,
        connection={"run": "abc123"},
        target=target,
        collected=[Collected(check=one.check, requirements=tuple(one.findings)) for one in records],
        whole=True,
        records=records,
        selected=lambda _: True,
        cut=None,
        leftovers=[],
    )
    return build(run, catalogue(), KnownDefects())
