"""What one check hands over from worker to controller: the verdicts on its requirements, the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.verdict import Finding, Kind, Outcome, Verdict

# Of several requirements of one check, the worst gives the check's word in the terminal; of the phases of one
# check, the worst is its finding, so that a check which was not run does not pass by being torn down well.
_WORST_FIRST = (
    Verdict.FAIL,
    Verdict.INCONCLUSIVE,
    Verdict.UNSUPPORTED,
    Verdict.NOT_SELECTED,
    Verdict.PASS,
    Verdict.OBSERVED,
)


def word(finding: Finding) -> str:
    """A finding in a word or two: `fail (ignored)`."""
    violated = finding.kind in (None, Kind.VIOLATED)
    return str(finding.verdict) if violated else f"{finding.verdict} ({finding.kind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """One check that was run, or that could not be.

    check: its id (`conformance/checks/test_x.py::test_y[parameter]`). description: its docstring. duration:
    seconds, with set-up and tear-down. observed: values that were seen, each with a text. evidence: as
    `fixtures.evidence.Evidence.to_json` gives it.
    """

    check: str
    description: str = ""
    findings: Mapping[str, Finding]
    node_class: str = ""
    duration: float = 0.0
    observed: Sequence[Mapping[str, Any]] = ()
    evidence: Sequence[Mapping[str, Any]] = ()
    worker: str = ""

    @property
    def worst(self) -> Finding:
        """The finding that stands for the check as a whole."""
        return min(self.findings.values(), key=lambda finding: _WORST_FIRST.index(finding.verdict))

    def outcome(self, requirement: str) -> Outcome:
        """What the check says of one of its requirements."""
        finding = self.findings[requirement]
        return Outcome(
            verdict=finding.verdict,
            kind=finding.kind,
            reason=finding.reason,
            lacks=finding.lacks,
            check=self.check,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as a JSON object."""
        return {
            "check": self.check,
            "description": self.description,
            "findings": {
                requirement: {
                    "verdict": str(finding.verdict),
                    "kind": None if finding.kind is None else str(finding.kind),
                    "reason": finding.reason,
                    "lacks": finding.lacks,
                }
                for requirement, finding in self.findings.items()
            },
            "node_class": self.node_class,
            "duration": self.duration,
            "observed": list(self.observed),
            "evidence": list(self.evidence),
            "worker": self.worker,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CheckRecord:
        """Read what `to_json` gave."""
        findings = {
            requirement: Finding(
                verdict=Verdict(one["verdict"]),
                kind=None if one["kind"] is None else Kind(one["kind"]),
                reason=one["reason"],
                lacks=one["lacks"],
            )
            for requirement, one in data["findings"].items()
        }
        return cls(**{**data, "findings": findings})


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """One check that exists. selected: whether the run was to run it."""

    check: str
    requirements: tuple[str, ...]
    selected: bool = field(default=True)
