"""conformance.verdict: how outcomes become verdicts, and verdicts a result."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.verdict import (
    ExitCode,
    Finding,
    Judgement,
    Kind,
    Outcome,
    Profile,
    Row,
    Strength,
    Verdict,
    Word,
    combine,
    conclude,
    cut_short,
    ignored,
    kind_of,
    selects,
    unstable,
    waive,
    weigh,
)

SAID = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED, Verdict.PASS)


@dataclass(frozen=True)
class KnownDefect:
    """As much of a known defect as a verdict needs."""

    component: str = "containerd"
    link: str = "https://example.org/1"
    summary: str = "drops it"


def outcome(
    verdict: Verdict, kind: Kind | None = None, reason: str = "", check: str = "a", *, lacks: str = ""
) -> Outcome:
    """An outcome of a check."""
    return Outcome(verdict=verdict, kind=kind, reason=reason, check=check, lacks=lacks)


def row(
    name: str,
    verdict: Verdict,
    strength: Strength = Strength.MUST,
    reason: str = "",
    *,
    deselected: bool = False,
) -> Row:
    """A requirement of a run."""
    judgement = Judgement(verdict=verdict, reason=reason)
    return Row(id=name, strength=strength, judgement=judgement, deselected=deselected)


# --- messages of assertions


def test_the_message_is_empty_when_it_does_not_apply() -> None:
    """An assertion whose failure is an ordinary one gets no prefix."""
    assert ignored(when=False, what="the subPath") == ""
    assert unstable(when=False, what="2 of 10 differ") == ""


def test_the_prefix_names_the_kind() -> None:
    """What `ignored` and `unstable` write is read back as that kind, without the prefix."""
    assert kind_of(ignored(when=True, what="the subPath")) == (
        Kind.IGNORED,
        "the subPath was accepted and had no effect",
    )
    assert kind_of(unstable(when=True, what="2 of 10 differ")) == (Kind.UNSTABLE, "2 of 10 differ")


@pytest.mark.parametrize(
    "message", ["assert 1 == 2", "", "the ignored: part is not in front", "ignored without a colon"]
)
def test_any_other_message_means_violated(message: str) -> None:
    """Only the exact prefix makes a failure anything but violated."""
    assert kind_of(message)[0] is Kind.VIOLATED


# --- combining


def lacking(*needs: str, declared: tuple[str, ...] = ("node shell", "two nodes", "mount")) -> Row:
    """A required row that could not be judged for want of some needs."""
    judgement = combine([outcome(Verdict.INCONCLUSIVE, lacks=need) for need in needs])
    return Row(id="LIFE-06", strength=Strength.MUST, judgement=judgement, needs=declared)


def test_a_need_that_a_target_need_not_offer_does_not_hinder_and_is_named() -> None:
    """A cluster without a second node can be conformant, and the result says what was not judged for that."""
    result = conclude([row("RO-01", Verdict.PASS), lacking("two nodes"), lacking("node shell", "two nodes")])
    assert result.word is Word.CONFORMANT
    assert "2 required requirements not judged for want of: two nodes (2), node shell (1)" in result.sentence


@pytest.mark.parametrize(
    "doubtful",
    [
        pytest.param(lacking("two nodes", declared=("mount",)), id="the record does not declare it"),
        pytest.param(lacking("mount"), id="every conformant target offers it"),
        pytest.param(lacking("two nodes", ""), id="another check could not tell for another reason"),
    ],
)
def test_no_other_doubt_is_excused(doubtful: Row) -> None:
    """Only what the record declares, and no target must offer, lets a required requirement stay open."""
    assert conclude([row("RO-01", Verdict.PASS), doubtful]).word is Word.INCONCLUSIVE


def test_a_failure_is_never_excused() -> None:
    """A check that fails although another of the requirement lacked something makes the run fail."""
    failed = combine([outcome(Verdict.FAIL), outcome(Verdict.INCONCLUSIVE, lacks="two nodes")])
    judged = Row(id="UPD-03", strength=Strength.MUST, judgement=failed, needs=("two nodes",))
    assert conclude([row("RO-01", Verdict.PASS), judged]).word is Word.NOT_CONFORMANT


def test_no_check_is_not_verified() -> None:
    """A requirement without a check never looks judged."""
    assert combine([]).verdict is Verdict.NOT_VERIFIED


@given(st.lists(st.sampled_from(SAID), min_size=1, max_size=6))
def test_the_worst_outcome_is_the_verdict(verdicts: list[Verdict]) -> None:
    """Fail outweighs inconclusive, that unsupported, that pass; so only passes make a pass."""
    judged = combine([outcome(verdict) for verdict in verdicts])
    assert judged.verdict is min(verdicts, key=SAID.index)


def test_the_order_of_checks_does_not_matter() -> None:
    """Whichever worker finishes first, the verdict and its kind are the same."""
    said = [
        outcome(Verdict.FAIL, Kind.UNSTABLE, "u", "1"),
        outcome(Verdict.FAIL, Kind.IGNORED, "i", "2"),
        outcome(Verdict.PASS, None, "", "3"),
    ]
    judged = {combine(order).kind for order in permutations(said)}
    assert judged == {Kind.IGNORED}


def test_only_the_decisive_checks_are_named() -> None:
    """A failure is explained by the checks that failed, and says how many further reasons there are."""
    said = [
        outcome(Verdict.PASS, check="1"),
        outcome(Verdict.FAIL, Kind.VIOLATED, "writable", "2"),
        outcome(Verdict.FAIL, Kind.VIOLATED, "removable", "3"),
    ]
    judged = combine(said)
    assert judged.decisive == ("2", "3")
    assert judged.reason == "writable (and 1 more)"


def test_what_does_not_apply_is_left_aside() -> None:
    """A check that does not apply to the target changes nothing beside one that does."""
    said = [outcome(Verdict.NOT_SELECTED, reason="not here"), outcome(Verdict.PASS)]
    assert combine(said).verdict is Verdict.PASS
    assert combine(said[:1]).verdict is Verdict.NOT_SELECTED


def test_nobody_is_blamed_for_what_nobody_promised() -> None:
    """OBSERVED behaviour neither passes nor fails, but a doubt stays one."""
    failed = weigh(Finding(verdict=Verdict.FAIL, kind=Kind.IGNORED, reason="b"), Strength.OBSERVED)
    assert failed == Finding(verdict=Verdict.OBSERVED, reason="differs: b")
    passed = weigh(Finding(verdict=Verdict.PASS), Strength.OBSERVED)
    assert passed == Finding(verdict=Verdict.OBSERVED)
    doubt = Finding(verdict=Verdict.INCONCLUSIVE, reason="c")
    assert weigh(doubt, Strength.OBSERVED) == doubt


@pytest.mark.parametrize("strength", [Strength.MUST, Strength.SHOULD, Strength.MAY])
def test_what_is_promised_can_fail(strength: Strength) -> None:
    """Whatever the strength of a promise, breaking it is a failure."""
    failed = Finding(verdict=Verdict.FAIL, kind=Kind.VIOLATED, reason="b")
    assert weigh(failed, strength) == failed


# --- waiving


def test_a_known_failure_is_waived_and_keeps_its_reason() -> None:
    """A waived failure still says what was seen, and names the defect that explains it."""
    failed = Judgement(verdict=Verdict.FAIL, kind=Kind.IGNORED, reason="root mounted", decisive=("a",))
    waived = waive(failed, [KnownDefect()])
    assert (waived.verdict, waived.kind, waived.reason) == (Verdict.WAIVED, Kind.IGNORED, "root mounted")
    assert waived.defects == ("containerd: drops it (https://example.org/1)",)


def test_a_defect_that_does_not_show_is_stale() -> None:
    """A pass of what is known to fail stays a pass, and the entry is marked as stale."""
    passed = waive(Judgement(verdict=Verdict.PASS), [KnownDefect()])
    assert passed.verdict is Verdict.PASS
    assert passed.stale


@pytest.mark.parametrize("verdict", [v for v in Verdict if v not in (Verdict.PASS, Verdict.FAIL)])
def test_nothing_but_a_failure_is_waived(verdict: Verdict) -> None:
    """A doubt or a refusal is not explained away by a known defect."""
    judged = Judgement(verdict=verdict)
    assert waive(judged, [KnownDefect()]) == judged


def test_no_defect_changes_nothing() -> None:
    """Without a matching defect a failure is a failure."""
    failed = Judgement(verdict=Verdict.FAIL)
    assert waive(failed, []) == failed


# --- selection


def test_the_profile_must_selects_nothing_else() -> None:
    """Profile all selects every strength, profile must only what is required."""
    assert all(selects(Profile.ALL, strength) for strength in Strength)
    assert [strength for strength in Strength if selects(Profile.MUST, strength)] == [Strength.MUST]


# --- the result


def test_all_required_requirements_pass() -> None:
    """A run in which everything required passes is conformant, with exit code 0."""
    result = conclude([row("A-01", Verdict.PASS), row("A-02", Verdict.NOT_VERIFIED)])
    assert (result.word, result.exit_code, result.sentence) == (
        Word.CONFORMANT,
        ExitCode.CONFORMANT,
        "conformant, 1 required requirement not verified yet",
    )
    assert conclude([row("A-01", Verdict.PASS)]).sentence == "conformant"


def test_waived_requirements_are_named_in_the_result() -> None:
    """A conformant run says which known defects it overlooks."""
    rows = [row("A-01", Verdict.PASS), row("PULL-14", Verdict.WAIVED), row("UPD-05", Verdict.WAIVED)]
    assert conclude(rows).sentence == "conformant, 2 known upstream defects: PULL-14, UPD-05"
    assert conclude(rows).exit_code == ExitCode.CONFORMANT


def test_a_recommendation_that_is_not_met_is_named_and_does_not_hinder() -> None:
    """A failed SHOULD leaves the run conformant and stands in the sentence; so does a MAY."""
    rows = [row("A-01", Verdict.PASS), row("SHARE-02", Verdict.FAIL, Strength.SHOULD)]
    assert conclude(rows).sentence == "conformant, 1 recommendation not met: SHARE-02"
    assert conclude([*rows, row("A-03", Verdict.FAIL, Strength.MAY)]).word is Word.CONFORMANT


def test_a_required_failure_outweighs_all() -> None:
    """One failed MUST makes the run not conformant, whatever else is unclear."""
    rows = [row("A-01", Verdict.PASS), row("A-02", Verdict.INCONCLUSIVE), row("A-03", Verdict.FAIL)]
    result = conclude(rows)
    assert (result.word, result.exit_code) == (Word.NOT_CONFORMANT, ExitCode.NOT_CONFORMANT)
    assert result.sentence == "not conformant: 1 required requirement fails: A-03"


def test_a_required_doubt_leaves_the_run_inconclusive() -> None:
    """What could not be judged is neither conformant nor not."""
    result = conclude([row("A-01", Verdict.PASS), row("A-02", Verdict.INCONCLUSIVE)])
    assert (result.word, result.exit_code) == (Word.INCONCLUSIVE, ExitCode.INCONCLUSIVE)
    assert "A-02" in result.sentence


def test_a_refusing_runtime_is_named_with_its_words() -> None:
    """Where the runtime refuses image volumes, the result says so in the runtime's own words."""
    rows = [row("A-01", Verdict.PASS), row("A-02", Verdict.UNSUPPORTED, reason="mkdir: no such file")]
    result = conclude(rows, runtime_refusal="mkdir: no such file")
    assert result.word is Word.INCONCLUSIVE
    assert result.sentence == "inconclusive: unsupported runtime, refused with: mkdir: no such file"


@pytest.mark.parametrize(
    "verdict", [Verdict.OBSERVED, Verdict.WAIVED, Verdict.NOT_SELECTED, Verdict.NOT_VERIFIED]
)
def test_nothing_passed_is_never_conformant(verdict: Verdict) -> None:
    """A run that shows nothing is inconclusive, also when nothing failed."""
    assert conclude([row("A-01", verdict)]).word is Word.INCONCLUSIVE
    assert conclude([]).word is Word.INCONCLUSIVE
    assert conclude([row("A-01", Verdict.PASS, Strength.SHOULD)]).word is Word.INCONCLUSIVE


def test_a_selection_is_named_as_such() -> None:
    """A run of a part of the requirements doesn't pass itself off as a run of all."""
    rows = [row("A-01", Verdict.PASS), row("A-02", Verdict.NOT_SELECTED, deselected=True)]
    sentence = "conformant, as far as the 1 required requirement judged; 1 not selected"
    assert conclude(rows).sentence == sentence


def test_what_does_not_apply_is_no_selection() -> None:
    """A requirement for targets without the feature is not missing on one that has it."""
    rows = [row("A-01", Verdict.PASS), row("ERR-16", Verdict.NOT_SELECTED)]
    assert conclude(rows).sentence == "conformant"


@given(st.lists(st.tuples(st.sampled_from(Verdict), st.sampled_from(Strength)), max_size=8))
def test_conformant_means_that_every_required_requirement_holds(said: list[tuple[Verdict, Strength]]) -> None:
    """No mixture is conformant with a required failure, doubt or refusal in it, or without a pass."""
    rows = [row(f"A-{number:02}", verdict, strength) for number, (verdict, strength) in enumerate(said)]
    required = {verdict for verdict, strength in said if strength is Strength.MUST}
    spoilt = required & {Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED}
    conformant = conclude(rows).word is Word.CONFORMANT
    assert conformant == (Verdict.PASS in required and not spoilt)


def test_long_lists_are_cut() -> None:
    """The sentence stays readable when a hundred requirements fail."""
    sentence = conclude([row(f"A-{number:02}", Verdict.FAIL) for number in range(99)]).sentence
    assert sentence.endswith("A-11 and 87 more")


@pytest.mark.parametrize(
    ("word", "code"),
    [(Word.INTERRUPTED, 2), (Word.INTERNAL_ERROR, 3), (Word.REFUSED, 11), (Word.HELD, 12)],
)
def test_a_run_that_is_cut_short_says_why_and_what_had_failed(word: Word, code: int) -> None:
    """The cause decides the exit code; failures that were seen are still told."""
    result = cut_short(word, "because", [row("A-01", Verdict.FAIL), row("A-02", Verdict.PASS)])
    assert result.exit_code == code
    assert result.sentence == f"{word}: because; 1 required requirement had failed: A-01"
    assert result.to_json() == {"word": str(word), "sentence": result.sentence, "exit_code": code}
