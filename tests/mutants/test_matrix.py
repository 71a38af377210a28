"""tests.mutants.matrix: what counts as killed, survived and falsely killed."""

from __future__ import annotations

from typing import Any

from conformance import catalogue
from tests.mutants.matrix import as_lines, as_markdown, compare

FAULT = "sub-path-created"


def report(**verdicts: str) -> dict[str, Any]:
    """A report with these verdicts, by id with an underscore for the dash; all others pass."""
    given = {name.replace("_", "-"): verdict for name, verdict in verdicts.items()}
    return {
        "result": {"sentence": "-"},
        "requirements": [
            {"id": one, "verdict": given.get(one, "pass"), "observed": []} for one in catalogue.load()
        ],
    }


def test_named_requirements_must_fail() -> None:
    """A fault that fails exactly the requirements that name it is as the catalogue says."""
    demanded = catalogue.load()
    dead = {one.replace("-", "_"): "fail" for one in demanded.hit_by(FAULT)}
    outcome = compare(FAULT, report(**dead), report(), demanded)
    assert set(outcome.killed) == set(demanded.hit_by(FAULT))
    assert outcome.right


def test_survivor_and_false_kill_stand_out() -> None:
    """A named requirement that passes has survived, and another one that fails was killed falsely: both make the mutant wrong."""
    outcome = compare(FAULT, report(RO_01="fail"), report(), catalogue.load())
    assert "SUB-03" in outcome.survived
    assert outcome.false == ("RO-01",)
    assert not outcome.right
    text = "\n".join(as_lines([outcome]))
    assert "FALSE KILLS RO-01" in text
    assert FAULT in as_markdown([outcome], {FAULT: "creates a missing subPath"})


def test_inconclusive_is_neither() -> None:
    """A requirement that cannot be judged on the mutant is listed as such and counts neither way."""
    outcome = compare(
        FAULT, report(SUB_03="fail", SUB_13="fail", PULL_01="inconclusive"), report(), catalogue.load()
    )
    assert outcome.unclear == ("PULL-01",)
    assert outcome.false == ()


def test_what_the_reference_cannot_judge_does_not_count() -> None:
    """A requirement that no check verifies yet cannot survive."""
    demanded = catalogue.load()
    open_one, *others = (one.replace("-", "_") for one in demanded.hit_by(FAULT))
    unverified = {open_one: "not verified"}
    mutant = report(**dict.fromkeys(others, "fail"), **unverified)
    outcome = compare(FAULT, mutant, report(**unverified), demanded)
    assert outcome.survived == ()
    assert outcome.right
