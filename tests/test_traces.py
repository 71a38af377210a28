"""conformance.traces: claims, gaps and bugs, and what a run says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import catalogue
from conformance.traces import FOLDER, NAMES, TraceError, behind, bugs_as_markdown, load, report, verdict
from conformance.verdict import Verdict

ROOT = Path(__file__).parents[1]


def folder_with(tmp_path: Path, **texts: str) -> Path:
    """A folder of traces in which some files are replaced."""
    for name in NAMES:
        shipped = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.toml").write_text(texts.get(name, shipped), encoding="utf-8")
    return tmp_path


def test_every_claim_gap_and_bug_of_the_design_is_there() -> None:
    """31 claims, 25 gaps, 32 reported bugs and 9 that were read in sources."""
    claims, gaps, bugs = load(catalogue.load())
    assert [one.id for one in claims.traces] == [f"A{number:02}" for number in range(1, 32)]
    assert [one.id for one in gaps.traces] == [f"G{number:02}" for number in range(1, 26)]
    reported = [f"B{number:02}" for number in range(1, 33)]
    assert [one.id for one in bugs.traces] == reported + [f"D{number:02}" for number in range(1, 10)]


def test_every_gap_is_closed_by_a_requirement() -> None:
    """What other suites leave open is verified here, every item."""
    _, gaps, _ = load(catalogue.load())
    assert [one.id for one in gaps.traces if not one.requirements] == []


def test_the_page_of_bugs_is_drawn_from_the_records() -> None:
    """docs/bugs.md says what bugs.toml says: `python -m conformance list --bugs > docs/bugs.md`."""
    drawn = bugs_as_markdown(load(catalogue.load()))
    assert (ROOT / "docs" / "bugs.md").read_text(encoding="utf-8") == drawn


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ('[trace]\ntitle="t"\nsummary="s"\n[A1]\nsays="x"\nnote="n"', "A1: is not an id"),
        (
            '[trace]\ntitle="t"\nsummary="s"\n[A01]\nsays="x"\nrequirements=["RO-99"]',
            "'RO-99' is not in the catalogue",
        ),
        ('[trace]\ntitle="t"\nsummary="s"\n[A01]\nsays="x"', "names none, and no note says why"),
        ('[A01]\nsays="x"\nnote="n"', "[trace]: is missing, not a table"),
    ],
)
def test_a_record_that_is_wrong_is_refused(tmp_path: Path, claims: str, told: str) -> None:
    """The error names file, record and what to do."""
    with pytest.raises(TraceError) as raised:
        load(["RO-01"], folder_with(tmp_path, claims=claims))
    assert told in str(raised.value)
    assert "claims.toml" in str(raised.value)


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        ((), "no requirement"),
        (("pass", "not selected"), "pass"),
        (("not selected",), "not selected"),
        (("pass", "observed", "fail", "waived"), "fail"),
        (("pass", "waived", "inconclusive"), "waived"),
        (("pass", "not verified"), "not verified"),
    ],
)
def test_a_trace_is_as_strong_as_its_weakest_requirement(verdicts: tuple[str, ...], together: str) -> None:
    """One requirement that fails or was not looked at is enough to say no more."""
    ids = [f"RO-{number:02}" for number in range(len(verdicts))]
    assert verdict(ids, dict(zip(ids, verdicts, strict=True))) == together


def test_the_report_tells_each_trace_with_its_requirements() -> None:
    """A reader sees of each claim which requirements stand behind it, with their verdicts."""
    demanded = catalogue.load()
    told = report(load(demanded), dict.fromkeys(demanded, str(Verdict.PASS)))
    assert [kind["name"] for kind in told] == list(NAMES)
    claim = told[0]["traces"][0]
    assert (claim["id"], claim["verdict"], claim["requirements"]) == (
        "A01",
        "pass",
        {"API-01": "pass", "API-25": "pass"},
    )


def test_a_requirement_knows_what_it_stands_behind() -> None:
    """Whoever reads a requirement sees which claims, gaps and bugs it is there for."""
    assert behind("SUB-03", load(catalogue.load())) == ["A18", "G09", "B03", "B04", "B05"]
