"""What a mutant's report says, against what the catalogue expects of its fault. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.catalogue import Catalogue

Json = Mapping[str, Any]
JUDGED = ("pass", "fail", "observed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One mutant. All are ids of requirements.

    killed: failed, as they must. survived: passed although they name the fault. false: failed without naming it. unclear: could not be
    judged on the mutant, though on the reference they can. changed: those that only record a value and recorded another.
    """

    fault: str
    killed: tuple[str, ...]
    survived: tuple[str, ...]
    false: tuple[str, ...]
    unclear: tuple[str, ...]
    result: str

    @property
    def right(self) -> bool:
        """Whether the run failed in the requirements that name the fault, and in no others."""
        return bool(self.killed) and not self.survived and not self.false


def verdicts(report: Json) -> dict[str, str]:
    """The verdict of every requirement in a report."""
    return {one["id"]: one["verdict"] for one in report["requirements"]}


def recorded(report: Json) -> dict[str, Any]:
    """The values that requirements without a promise recorded."""
    return {
        one["id"]: [v.get("value") for v in one["observed"]]
        for one in report["requirements"]
        if one["observed"]
    }


def compare(fault: str, mutant: Json, conformant: Json, catalogue: Catalogue) -> Outcome:
    """Compare a mutant's report with that of the conformant reference. Requirements that the latter could not judge don't count."""
    before, after = verdicts(conformant), verdicts(mutant)
    judged = {one for one, verdict in before.items() if verdict in JUDGED}
    named = {one for one in catalogue.hit_by(fault) if one in judged or after.get(one) == "fail"}
    changed = {one for one, value in recorded(mutant).items() if value != recorded(conformant).get(one)}
    failed = {one for one, verdict in after.items() if verdict == "fail" != before.get(one)}
    dead = failed | {one for one in named if after.get(one) == "unsupported"} | changed

    def ordered(ids: Collection[str]) -> tuple[str, ...]:
        return tuple(one for one in catalogue if one in ids)

    return Outcome(
        fault=fault,
        killed=ordered(named & dead),
        survived=ordered({one for one in named - dead if after.get(one) in JUDGED}),
        false=ordered(dead - named),
        unclear=ordered({one for one in judged if after.get(one) not in JUDGED} - dead),
        result=str(mutant["result"]["sentence"]),
    )


def as_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """The matrix as text: a mutant a paragraph, what is wrong first to be seen."""
    lines: list[str] = []
    for one in outcomes:
        word = "ok   " if one.right else "WRONG"
        lines.append(f"{word} {one.fault}: kills {', '.join(one.killed) or 'nothing'}")
        if one.survived:
            lines.append(f"        SURVIVED BY {', '.join(one.survived)}")
        if one.false:
            lines.append(f"        FALSE KILLS {', '.join(one.false)}")
        if one.unclear:
            lines.append(f"        inconclusive: {', '.join(one.unclear)}")
    wrong = [one.fault for one in outcomes if not one.right]
    tally = f"{len(outcomes)} mutants, {len(outcomes) - len(wrong)} as the catalogue says"
    lines += ["", f"{tally}; not: {', '.join(wrong)}" if wrong else tally]
    return lines


def as_markdown(outcomes: Sequence[Outcome], does: Mapping[str, str]) -> str:
    """The matrix as a Markdown table. does: what each fault does, in words."""
    rows = ["| fault | what it does | killed | survived | false kills |", "| --- | --- | --- | --- | --- |"]
    for one in outcomes:
        cells = (
            f"`{one.fault}`",
            does.get(one.fault, ""),
            *(", ".join(ids) or "-" for ids in (one.killed, one.survived, one.false)),
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"
