"""conformance.report.terminal: what a person reads."""

from __future__ import annotations

import pytest

from conformance.report import terminal
from conformance.report.terminal import final_line, header, ranges, summary, table
from conformance.verdict import Finding, Kind, Verdict
from tests.plugin.fakes import TARGET
from tests.report.sample import report


@pytest.mark.parametrize("width", [80, 100])
def test_it_fits_the_terminal(width: int) -> None:
    """No line is wider than the terminal, except for words that can't be broken."""
    assert not [line for line in summary(report(), width=width) if len(line) > width and " " in line.strip()]


def test_everything_that_did_not_pass_is_told() -> None:
    """Each requirement that is not passed stands there with its id, its verdict's heading and its reason."""
    text = "\n".join(summary(report()))
    for part in ("Failed", "SUB-02", "mount.HostPath is empty", "API-02", "not what it should be"):
        assert part in text
    assert "Inconclusive: the environment or the suite could not tell" in text
    assert "2 not verified: no check yet: API-04, SUB-03" in text
    assert "API-01" not in text


def test_a_target_cannot_write_to_the_terminal() -> None:
    """Control characters in what a target said are shown as their numbers."""
    lines = summary(report())
    assert not [line for line in lines if not line.isprintable()]
    assert "\\x00\\x1b[31m\\ud800" in "\n".join(lines)


def test_a_shared_reason_is_told_once() -> None:
    """When several fail for the same reason each has its line, and the reason stands once below them."""
    names = ("API-01", "API-02", "SUB-01", "SUB-02", "SUB-04")
    reason = "the registry is down"
    text = "\n".join(
        summary(report({name: Finding(verdict=Verdict.INCONCLUSIVE, reason=reason) for name in names}))
    )
    assert text.count(reason) == 1
    for name in names:
        assert f"  {name}   The fact that {name} states" in text


def test_a_reason_of_very_many_names_their_ids_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """When everything is refused for one reason the summary stays short."""
    monkeypatch.setattr(terminal, "_MANY", 3)
    names = ("SUB-01", "SUB-02", "SUB-04")
    text = "\n".join(
        summary(report({name: Finding(verdict=Verdict.UNSUPPORTED, reason="no") for name in names}))
    )
    assert "3 requirements: SUB-01, SUB-02, SUB-04" in text
    assert "The fact that" not in text


def test_the_target_is_introduced_once() -> None:
    """The target's facts, which stand above, are not repeated at the end; that it is no real one is."""
    found = report(target={**TARGET, "reference": True})
    text = "\n".join(summary(found, introduced=True))
    assert "target:" not in text
    assert "judges no real cluster" in text


def test_cases_of_a_check_are_counted() -> None:
    """A parameterized check that fails in many cases is one line, and a single case is named."""
    found = report({"SUB-01": Finding(verdict=Verdict.FAIL, kind=Kind.VIOLATED, reason="wrong")})
    one = next(one for one in found["requirements"] if one["id"] == "SUB-01")
    check = one["checks"][0]
    one["checks"] = [{**check, "check": f"test_a[{case}]"} for case in "xyz"] + [
        {**check, "check": "test_b[x]"}
    ]
    lines = summary(found)
    assert "      test_a (3 cases)" in lines
    assert "      test_b[x]" in lines


def test_the_reference_cluster_is_named_first() -> None:
    """The first line says that no real cluster was judged."""
    assert "judges no real cluster" in header({**TARGET, "reference": True})[0]
    assert "judges no real cluster" not in "".join(header(TARGET))


def test_the_last_line_names_word_and_exit_code() -> None:
    """Make turns every failure into 2, so the line tells the code."""
    assert final_line(report()) == "result: not conformant (exit code 1)"


def test_the_table_adds_up() -> None:
    """Each area's line and the total show the counts; verdicts that don't occur have no column."""
    found = report()
    lines = table(found["areas"], found["counts"], width=80)
    assert lines[0].split() == ["pass", "fail", "inconcl.", "unsup.", "observed", "not", "ver."]
    assert lines[1].split() == ["API", "1", "1", "·", "·", "1", "1"]
    assert lines[-1].split() == ["total", "1", "2", "1", "1", "1", "2"]


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        ([], ""),
        (["A-01"], "A-01"),
        (["A-01", "A-02"], "A-01, A-02"),
        (["A-01", "A-03", "A-04", "A-05", "B-06"], "A-01, A-03 to A-05, B-06"),
        (["A-09", "A-10", "A-11"], "A-09 to A-11"),
    ],
)
def test_many_ids_are_told_as_ranges(ids: list[str], told: str) -> None:
    """A hundred requirements without a check are a few lines, and each can still be found."""
    assert ranges(ids) == told
