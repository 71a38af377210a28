"""Verdicts, profiles, the result of a run and its exit code: values and pure functions.

One check has one `Outcome` for each requirement that it verifies; `combine` makes one `Judgement` a
requirement of them, `waive` lays the known upstream defects over it, and `conclude` makes the `Result` of
the run of all judgements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any, Protocol


class Verdict(StrEnum):
    """What the evidence says of one requirement. The words are those of every report."""

    PASS = "pass"  # noqa: S105 - the word, not a password
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    INCONCLUSIVE = "inconclusive"
    OBSERVED = "observed"
    WAIVED = "waived"
    NOT_SELECTED = "not selected"
    NOT_VERIFIED = "not verified"


class Kind(StrEnum):
    """How a requirement fails."""

    VIOLATED = "violated"
    IGNORED = "ignored"
    UNSTABLE = "unstable"


class Strength(StrEnum):
    """How strongly a requirement is demanded (RFC 2119); OBSERVED: nobody promised it."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"
    OBSERVED = "OBSERVED"


class Profile(StrEnum):
    """Which requirements a run selects."""

    ALL = "all"
    MUST = "must"


class ExitCode(IntEnum):
    """What the process ends with."""

    CONFORMANT = 0
    NOT_CONFORMANT = 1
    INTERRUPTED = 2
    INTERNAL_ERROR = 3
    USAGE = 4
    INCONCLUSIVE = 10
    REFUSED = 11
    HELD = 12


class Word(StrEnum):
    """The result of a run in one word."""

    CONFORMANT = "conformant"
    NOT_CONFORMANT = "not conformant"
    INCONCLUSIVE = "inconclusive"
    INTERRUPTED = "interrupted"
    INTERNAL_ERROR = "internal error"
    REFUSED = "refused"
    HELD = "held"


CORE_NEEDS = ("mount", "sub-path", "registry", "exec", "no image volumes")
"""What every target that is conformant offers, and every run: a lack of these is no excuse. All else is hardware, rights,
configuration or an optional feature that one target has and another has not."""

EXIT_CODES: Mapping[Word, ExitCode] = {
    Word.CONFORMANT: ExitCode.CONFORMANT,
    Word.NOT_CONFORMANT: ExitCode.NOT_CONFORMANT,
    Word.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Word.INTERRUPTED: ExitCode.INTERRUPTED,
    Word.INTERNAL_ERROR: ExitCode.INTERNAL_ERROR,
    Word.REFUSED: ExitCode.REFUSED,
    Word.HELD: ExitCode.HELD,
}

# The first of these that any check says is the requirement's verdict. Where none applies, no check was
# selected.
_PRECEDENCE = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED, Verdict.OBSERVED, Verdict.PASS)
_KIND_PRECEDENCE = (Kind.VIOLATED, Kind.IGNORED, Kind.UNSTABLE)


# --- what a check says with its assertion's message


def ignored(*, when: bool, what: str) -> str:
    """Return the message for `assert` that makes a failure *ignored* when `when` holds, otherwise an empty
    one.

    what: the part of the request that was accepted and had no effect, such as "the subPath".
    """
    return f"{Kind.IGNORED}: {what} was accepted and had no effect" if when else ""


def unstable(*, when: bool, what: str) -> str:
    """Return the message for `assert` that makes a failure *unstable* when `when` holds, otherwise an empty
    one.

    what: what disagreed between repetitions, such as "2 of 10 Pods show the old content".
    """
    return f"{Kind.UNSTABLE}: {what}" if when else ""


def kind_of(message: str) -> tuple[Kind, str]:
    """Split an assertion's message into the kind that its prefix names (default: violated) and the rest."""
    text = message.lstrip()
    for kind in (Kind.IGNORED, Kind.UNSTABLE, Kind.VIOLATED):
        prefix = f"{kind}:"
        if text.startswith(prefix):
            return kind, text.removeprefix(prefix).lstrip()
    return Kind.VIOLATED, text


# --- one check's word on one requirement, and all of them together


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check finds of one requirement.

    reason: one line for the person who reads it. lacks: the need that the target or the run does not offer, where that
    is why the verdict is *inconclusive* or *unsupported*.
    """

    verdict: Verdict
    kind: Kind | None = None
    reason: str = ""
    lacks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Finding):
    """A finding with the check whose it is."""

    check: str = ""


def weigh(finding: Finding, strength: Strength) -> Finding:
    """Weigh a finding by the strength of its requirement.

    For behaviour that nobody promised (OBSERVED) there is neither a pass nor a failure: both are *observed*,
    and a failed assertion says that it differs from what was seen elsewhere.
    """
    if strength is not Strength.OBSERVED:
        return finding
    if finding.verdict is Verdict.PASS:
        return replace(finding, verdict=Verdict.OBSERVED)
    if finding.verdict is Verdict.FAIL:
        return replace(finding, verdict=Verdict.OBSERVED, kind=None, reason=f"differs: {finding.reason}")
    return finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one requirement.

    decisive: the checks whose outcomes gave it. lacks: the needs that are not offered, where nothing else is why the
    verdict is *inconclusive* or *unsupported*. defects: the known upstream defects that match; with
    *waived* they are why, with `stale` they are on the list although the requirement passes.
    """

    verdict: Verdict
    kind: Kind | None = None
    reason: str = ""
    decisive: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    stale: bool = False
    lacks: tuple[str, ...] = ()


def combine(outcomes: Sequence[Outcome]) -> Judgement:
    """Make one judgement of what the checks of one requirement say.

    A failure outweighs a doubt, a doubt a refusal, a refusal a pass; all must pass for a pass. What does not
    apply (*not selected*) is left aside beside anything else. No outcome at all is *not verified*.
    """
    if not outcomes:
        return Judgement(verdict=Verdict.NOT_VERIFIED, reason="no check verifies it yet")
    for verdict in _PRECEDENCE:
        decisive = [outcome for outcome in outcomes if outcome.verdict is verdict]
        if decisive:
            return _judge(decisive)
    return _judge(outcomes)


def _judge(decisive: Sequence[Outcome]) -> Judgement:
    """The judgement of outcomes that agree in their verdict."""
    kinds = [kind for kind in _KIND_PRECEDENCE if any(outcome.kind is kind for outcome in decisive)]
    first = next((outcome for outcome in decisive if not kinds or outcome.kind is kinds[0]), decisive[0])
    reasons = dict.fromkeys(outcome.reason for outcome in decisive if outcome.reason)
    others = len(reasons) - (first.reason in reasons)
    more = f" (and {others} more)" if first.reason and others else ""
    return Judgement(
        verdict=first.verdict,
        kind=kinds[0] if kinds else None,
        reason=(first.reason or next(iter(reasons), "")) + more,
        decisive=tuple(dict.fromkeys(outcome.check for outcome in decisive)),
        lacks=_lacks(decisive),
    )


def _lacks(decisive: Sequence[Outcome]) -> tuple[str, ...]:
    """The needs that are not offered, if all of the outcomes come of such."""
    lacks = tuple(dict.fromkeys(outcome.lacks for outcome in decisive))
    return lacks if all(lacks) else ()


class Defect(Protocol):
    """A known upstream defect, as far as a verdict is concerned."""

    @property
    def component(self) -> str:
        """Which component has it."""

    @property
    def link(self) -> str:
        """Where it is described."""

    @property
    def summary(self) -> str:
        """What it is, in a line."""


def waive(judgement: Judgement, defects: Iterable[Defect]) -> Judgement:
    """Lay the known defects that match the requirement and the target's versions over its judgement.

    A failure becomes *waived* and keeps its kind, reason and checks; a pass stays a pass and is marked
    stale: what was known to fail here doesn't. Anything else stays as it is.
    """
    named = tuple(f"{defect.component}: {defect.summary} ({defect.link})" for defect in defects)
    if not named:
        return judgement
    if judgement.verdict is Verdict.FAIL:
        return replace(judgement, verdict=Verdict.WAIVED, defects=named)
    if judgement.verdict is Verdict.PASS:
        return replace(judgement, stale=True, defects=named)
    return judgement


# --- selection and the run as a whole


def selects(profile: Profile, strength: Strength) -> bool:
    """Whether a profile selects requirements of that strength."""
    return profile is Profile.ALL or strength is Strength.MUST


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One requirement of the run, as far as the result depends on it.

    needs: those that its record declares. deselected: a filter left it out although it applies to the target.
    """

    id: str
    strength: Strength
    judgement: Judgement
    needs: tuple[str, ...] = ()
    deselected: bool = False

    @property
    def excused(self) -> tuple[str, ...]:
        """The needs for want of which alone the target could not be judged; empty if it could, or ought to have been.

        Only what the record declares excuses, and never what every run must offer: else a check that cannot find what
        it looks for would excuse the target.
        """
        lacks = self.judgement.lacks
        excuses = lacks if all(need in self.needs and need not in CORE_NEEDS for need in lacks) else ()
        return excuses if self.judgement.verdict in (Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED) else ()

    @property
    def required(self) -> bool:
        """Whether the run can only be conformant if this requirement holds."""
        return self.strength is Strength.MUST


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a run: a word, a sentence that begins with it, and the exit code."""

    word: Word
    sentence: str

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with."""
        return EXIT_CODES[self.word]

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {"word": str(self.word), "sentence": self.sentence, "exit_code": int(self.exit_code)}


def conclude(rows: Sequence[Row], *, runtime_refusal: str = "") -> Result:
    """Make the result of a run that came to its end.

    runtime_refusal: how the runtime refuses image volumes altogether, in its own words, if it does.

    conformant: every required requirement that was selected and has a check passes or is waived, and at
    least one passes; not conformant: one fails; inconclusive: anything else. A recommendation (SHOULD) or
    an option (MAY) that fails is named and does not hinder; neither does what no check verifies yet, nor what cannot be
    judged for want of something that the requirement declares and a target need not offer (`Row.excused`): that is named, too.
    """
    required = [row for row in rows if row.required]
    failed = _ids(required, Verdict.FAIL)
    if failed:
        return Result(
            word=Word.NOT_CONFORMANT,
            sentence=_sentence(
                Word.NOT_CONFORMANT,
                _counted(failed, "required requirement fails", "required requirements fail"),
            ),
        )
    unclear = _unclear([row for row in required if not row.excused], runtime_refusal)
    if unclear:
        return Result(word=Word.INCONCLUSIVE, sentence=_sentence(Word.INCONCLUSIVE, *unclear))
    if not _ids(required, Verdict.PASS):
        return Result(
            word=Word.INCONCLUSIVE,
            sentence=_sentence(Word.INCONCLUSIVE, "no required requirement passed, so nothing was shown"),
        )
    return Result(word=Word.CONFORMANT, sentence=_sentence(Word.CONFORMANT, *_remarks(rows)))


def _unclear(required: Sequence[Row], runtime_refusal: str) -> list[str]:
    """Why the required requirements leave the result open; empty if they don't."""
    said = []
    unsupported = _ids(required, Verdict.UNSUPPORTED)
    inconclusive = _ids(required, Verdict.INCONCLUSIVE)
    if unsupported and runtime_refusal:
        said.append(f"unsupported runtime, refused with: {runtime_refusal}")
    elif unsupported:
        said.append(
            _counted(
                unsupported, "required requirement is unsupported", "required requirements are unsupported"
            )
        )
    if inconclusive:
        said.append(
            _counted(
                inconclusive,
                "required requirement could not be judged",
                "required requirements could not be judged",
            )
        )
    return said


def _remarks(rows: Sequence[Row]) -> list[str]:
    """What a conformant run still has to say."""
    said = []
    unselected = sum(row.required and row.deselected for row in rows)
    if unselected:
        judged = sum(row.required and row.judgement.verdict in (Verdict.PASS, Verdict.WAIVED) for row in rows)
        judged_ones = f"{judged} required requirement{'s' if judged != 1 else ''}"
        said.append(f"as far as the {judged_ones} judged; {unselected} not selected")
    waived = _ids(rows, Verdict.WAIVED)
    if waived:
        said.append(_counted(waived, "known upstream defect", "known upstream defects"))
    for strength, noun in ((Strength.SHOULD, "recommendation"), (Strength.MAY, "option")):
        failed = _ids([row for row in rows if row.strength is strength], Verdict.FAIL)
        if failed:
            said.append(_counted(failed, f"{noun} not met", f"{noun}s not met"))
    said += _excused([row for row in rows if row.required])
    unverified = len(_ids([row for row in rows if row.required], Verdict.NOT_VERIFIED))
    if unverified:
        said.append(f"{unverified} required requirement{'s' if unverified != 1 else ''} not verified yet")
    return said


def _ids(rows: Iterable[Row], verdict: Verdict) -> list[str]:
    return [row.id for row in rows if row.judgement.verdict is verdict]


def _excused(required: Sequence[Row]) -> list[str]:
    """`14 required requirements not judged for want of: node shell (12), selinux (2)`, if there are any."""
    lacking = [row.excused for row in required if row.excused]
    counts = Counter(need for needs in lacking for need in needs)
    if not lacking:
        return []
    noun = "required requirement" if len(lacking) == 1 else "required requirements"
    wants = ", ".join(f"{need} ({count})" for need, count in counts.most_common())
    return [f"{len(lacking)} {noun} not judged for want of: {wants}"]


_NAMED_IDS = 12


def _counted(ids: Sequence[str], one: str, many: str) -> str:
    """`2 known upstream defects: A, B`; long lists end with how many more there are."""
    named = ", ".join(ids[:_NAMED_IDS])
    more = f" and {len(ids) - _NAMED_IDS} more" if len(ids) > _NAMED_IDS else ""
    return f"{len(ids)} {one if len(ids) == 1 else many}: {named}{more}"


def _sentence(word: Word, *parts: str) -> str:
    """`conformant`, `conformant, this; that` or, for the other words, `word: this; that`."""
    if not parts:
        return str(word)
    return f"{word}{', ' if word is Word.CONFORMANT else ': '}{'; '.join(parts)}"


def cut_short(word: Word, why: str, rows: Sequence[Row]) -> Result:
    """Make the result of a run that did not come to its end (interrupted, internal error, refused, held).

    why: the cause in a sentence. Failures that were already seen are counted in it.
    """
    failed = _ids([row for row in rows if row.required], Verdict.FAIL)
    seen = (
        [_counted(failed, "required requirement had failed", "required requirements had failed")]
        if failed
        else []
    )
    return Result(word=word, sentence=_sentence(word, *([why] if why else []), *seen))
