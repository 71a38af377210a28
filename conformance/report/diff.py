"""What changed between two runs: by requirement, from verdict to verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.verdict import Verdict

Json = Mapping[str, Any]

# From best to worst. What was not judged is neither better nor worse than anything.
_ORDER = (Verdict.PASS, Verdict.WAIVED, Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE, Verdict.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One requirement whose verdict changed. before, after: None where the catalogue lacks it."""

    id: str
    title: str
    before: str | None
    after: str | None
    reason: str = ""

    @property
    def direction(self) -> str:
        """`worse`, `better` or `changed`."""
        ranks = {str(verdict): number for number, verdict in enumerate(_ORDER)}
        before, after = (ranks.get((word or "").partition(" (")[0]) for word in (self.before, self.after))
        if before is None or after is None or before == after:
            return "changed"
        return "worse" if after > before else "better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side."""

    before: Json
    after: Json
    changes: tuple[Change, ...]

    @property
    def worse(self) -> bool:
        """Whether any verdict got worse."""
        return any(change.direction == "worse" for change in self.changes)

    def lines(self) -> list[str]:
        """The comparison for a person."""
        lines = [f"A: {_headline(self.before)}", f"B: {_headline(self.after)}"]
        if self.before["run"]["catalogue_digest"] != self.after["run"]["catalogue_digest"]:
            lines.append("The requirements are not the same in both.")
        for direction in ("worse", "better", "changed"):
            group = [change for change in self.changes if change.direction == direction]
            if group:
                lines += ["", direction]
            for change in group:
                lines.append(
                    f"  {change.id:<8} {change.before or 'absent'} -> {change.after or 'absent'}  {change.title}"
                )
                if change.reason:
                    lines.append(f"      {change.reason}")
        if not self.changes:
            lines += ["", "No verdict changed."]
        return lines


def compare(before: Json, after: Json) -> Comparison:
    """Compare two reports requirement by requirement."""
    old = {one["id"]: one for one in before["requirements"]}
    new = {one["id"]: one for one in after["requirements"]}
    changes = []
    for name in dict.fromkeys([*new, *old]):
        was, now = _word(old.get(name)), _word(new.get(name))
        if was != now:
            told = new.get(name) or old[name]
            changes.append(
                Change(
                    id=name,
                    title=told["title"],
                    before=was,
                    after=now,
                    reason=new[name]["reason"] if name in new else "",
                )
            )
    return Comparison(before=before, after=after, changes=tuple(changes))


def _word(requirement: Json | None) -> str | None:
    if requirement is None:
        return None
    kind = f" ({requirement['kind']})" if requirement["kind"] else ""
    return f"{requirement['verdict']}{kind}"


def _headline(report: Json) -> str:
    components = ", ".join(
        f"{name} {version}" for name, version in (report["target"].get("components") or {}).items()
    )
    return f"{report['run']['started']}, {components or 'no target'}: {report['result']['word']}"
