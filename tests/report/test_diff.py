"""conformance.report.diff: what changed between two runs."""

from __future__ import annotations

from typing import Any

from conformance.report.diff import compare
from conformance.verdict import Finding, Kind, Verdict
from tests.report.sample import report


def run(**verdicts: Verdict) -> dict[str, Any]:
    """A report in which requirements (API_01=...) have these verdicts."""
    findings = {
        name.replace("_", "-"): Finding(
            verdict=verdict, kind=Kind.VIOLATED if verdict is Verdict.FAIL else None, reason="because"
        )
        for name, verdict in verdicts.items()
    }
    return report(findings)


def test_nothing_changed() -> None:
    """Two runs with the same verdicts have no difference, whatever else differs."""
    comparison = compare(run(API_01=Verdict.PASS), run(API_01=Verdict.PASS))
    assert comparison.changes == ()
    assert not comparison.worse
    assert comparison.lines()[-1] == "No verdict changed."


def test_a_regression_is_worse() -> None:
    """A pass that became a failure is worse and says why."""
    comparison = compare(run(API_01=Verdict.PASS), run(API_01=Verdict.FAIL))
    assert comparison.worse
    text = "\n".join(comparison.lines())
    assert "worse\n  API-01   pass -> fail (violated)  The fact that API-01 states\n      because" in text


def test_a_repair_is_better() -> None:
    """A failure that became a pass is better, and the comparison not worse."""
    comparison = compare(run(API_01=Verdict.FAIL), run(API_01=Verdict.PASS))
    assert [change.direction for change in comparison.changes] == ["better"]
    assert not comparison.worse


def test_what_was_not_judged_is_neither() -> None:
    """A requirement that a check verifies now, and one that left the catalogue, have only changed."""
    before, after = run(API_01=Verdict.PASS), run(API_01=Verdict.PASS, API_04=Verdict.FAIL)
    after["requirements"] = [one for one in after["requirements"] if one["id"] != "API-01"]
    comparison = compare(before, after)
    assert [(change.id, change.before, change.after, change.direction) for change in comparison.changes] == [
        ("API-04", "not verified", "fail (violated)", "changed"),
        ("API-01", "pass", None, "changed"),
    ]


def test_another_catalogue_is_told() -> None:
    """Where the requirements are not the same ones the comparison says so."""
    before, after = run(API_01=Verdict.PASS), run(API_01=Verdict.PASS)
    after["run"] = {**after["run"], "catalogue_digest": "sha256:other"}
    assert "The requirements are not the same in both." in compare(before, after).lines()
