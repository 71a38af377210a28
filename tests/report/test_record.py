"""What crosses from a worker to the controller."""

from __future__ import annotations

import json

from conformance.report.record import CheckRecord
from conformance.verdict import Finding, Kind, Verdict


def test_a_record_crosses_whole() -> None:
    """Nothing that a check found is lost on the way, not even the need for want of which it could not tell."""
    record = CheckRecord(
        check="checks/test_a.py::test_b",
        description="Given, when, then.",
        findings={
            "ART-05": Finding(verdict=Verdict.UNSUPPORTED, reason="refused", lacks="artifacts"),
            "SUB-01": Finding(verdict=Verdict.FAIL, kind=Kind.IGNORED, reason="the root"),
        },
        node_class="linux/amd64 containerd 2.3.4",
        duration=1.5,
        observed=[{"text": "a value", "value": 1}],
        evidence=[{"kind": "fact", "title": "seen", "data": None}],
        worker="gw1",
    )
    assert CheckRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
