"""conformance.report.traceability: claims, gaps and bugs on the page and in the terminal."""

from __future__ import annotations

from typing import Any

from conformance.report.traceability import lines, sections


def trace(name: str, verdict: str, **more: Any) -> dict[str, Any]:
    """One trace of a report."""
    empty = {"documents": "", "note": "", "versions": "", "links": [], "reproduced": "", "requirements": {}}
    return {"id": name, "says": f"says <{name}>", "verdict": verdict} | empty | more


def kind(*traces: dict[str, Any]) -> dict[str, Any]:
    """A kind of traces."""
    return {"name": "claims", "title": "Claims", "summary": "What is said.", "traces": list(traces)}


def test_the_terminal_counts_each_kind() -> None:
    """One line tells how the claims stand, those that no cluster can show included."""
    told = lines([kind(trace("A01", "pass"), trace("A02", "pass"), trace("A14", "no requirement"))])
    assert told == ["Claims: 2 pass, 1 no requirement"]


def test_the_terminal_leaves_out_what_was_not_looked_at() -> None:
    """A run of one requirement does not speak of claims."""
    assert lines([kind(trace("A01", "not selected"), trace("A14", "no requirement"))]) == []


def test_the_page_shows_each_trace_with_its_requirements() -> None:
    """Id, verdict, and each requirement with a link and its own verdict; what is said is text, not HTML."""
    page = sections([kind(trace("A07", "fail", requirements={"SUB-01": "fail"}, versions="2.1"))])
    assert '<li class="fail" id="A07"><span class="verdict">fail</span><span class="id">A07</span>' in page
    assert 'href="#SUB-01" title="fail"' in page
    assert "says &lt;A07&gt;" in page
    assert "In 2.1." in page
