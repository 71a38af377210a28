"""The JSON document that is the truth of a run: every report is drawn from it.

schema_version   1; a reader refuses any other
result           word, sentence, exit_code
target           what was judged: reference (whether it is no real cluster), server, kubernetes, components,
                 nodes, nodes_under_test, lacks (need to kind and text), remark; empty if it was not reached
run              id, started (RFC 3339), duration (seconds), suite_version, catalogue_digest, options,
                 node_classes, checks, pods, longest_wait, leftovers
counts           verdict to number, of all requirements
areas            name, title, counts
requirements     in the catalogue's order: id, title, statement, strength, owner, area, source, links,
                 verdict, kind, reason, lacks, stale, defects, duration, observed, checks, evidence and
                 traces (the ids below that it stands behind)
traceability     claims, gaps and bugs: name, title, summary and traces (id, says, verdict, requirements with
                 their verdicts, documents, note, versions, links, reproduced)
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from conformance.catalogue import Catalogue, Requirement
from conformance.known_defects import KnownDefects
from conformance.report.record import CheckRecord, Collected
from conformance.traces import Traces, behind
from conformance.traces import report as traces_report
from conformance.verdict import (
    Judgement,
    Outcome,
    Result,
    Row,
    Strength,
    Verdict,
    Word,
    combine,
    conclude,
    cut_short,
    waive,
)
from conformance.version import VERSION

SCHEMA_VERSION = 1

Json = dict[str, Any]


class ReportError(ValueError):
    """A file that is not a report of this suite; the text says what it is and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run gave, before it is judged as a whole.

    options: as the report tells them. connection, target: of the session, empty if there was none. collected:
    the checks that exist. whole: whether all checks were collected, not only those of some files. selected:
    whether the profile and the filters select a requirement. cut: how and why the run did not come to its
    end, if so. leftovers: what the sweep could not remove.
    """

    options: Mapping[str, Any]
    started: datetime
    duration: float
    connection: Mapping[str, Any]
    target: Mapping[str, Any]
    collected: Sequence[Collected]
    whole: bool
    records: Sequence[CheckRecord]
    selected: Callable[[str], bool]
    cut: tuple[Word, str] | None
    leftovers: Sequence[str]


def build(run: Run, catalogue: Catalogue, defects: KnownDefects, traces: Sequence[Traces] = ()) -> Json:
    """Make the report of a run."""
    components = released(run.target)
    rows = []
    for requirement in catalogue.values():
        judgement, deselected = _judge(run, requirement)
        rows.append(
            Row(
                id=requirement.id,
                strength=Strength(requirement.strength),
                judgement=waive(judgement, defects.match(requirement.id, components)),
                needs=requirement.needs,
                deselected=deselected,
            )
        )
    requirements = [
        _requirement(run, catalogue[row.id], row.judgement) | {"traces": behind(row.id, traces)}
        for row in rows
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "result": _result(run, rows).to_json(),
        "target": dict(run.target),
        "run": _run(run, catalogue),
        "counts": counts(requirements),
        "areas": [
            {
                "name": area.name,
                "title": area.title,
                "counts": counts(one for one in requirements if one["area"] == area.name),
            }
            for area in catalogue.areas
        ],
        "requirements": requirements,
        "traceability": traces_report(traces, {one["id"]: one["verdict"] for one in requirements}),
    }


def released(target: Mapping[str, Any]) -> dict[str, str]:
    """The released components of a target that may have known defects, with their versions.

    The reference cluster has none: it is no release of anything, and what its faults break is never waived.
    """
    return {} if target.get("reference") else dict(target.get("components") or {})


def counts(requirements: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many requirements have each verdict; every verdict is a key."""
    counted = Counter(one["verdict"] for one in requirements)
    return {str(verdict): counted[str(verdict)] for verdict in Verdict}


def _result(run: Run, rows: Sequence[Row]) -> Result:
    if run.cut:
        word, why = run.cut
        return cut_short(word, why, rows)
    mount = (run.connection.get("platform") or {}).get("mount") or {}
    return conclude(rows, runtime_refusal=mount["text"] if mount.get("kind") == "refused" else "")


def _judge(run: Run, requirement: Requirement) -> tuple[Judgement, bool]:
    """The judgement of one requirement, and whether a filter left it out."""
    if not run.selected(requirement.id):
        return Judgement(verdict=Verdict.NOT_SELECTED, reason="left out by --profile or --requirement"), True
    checks = [one for one in run.collected if requirement.id in one.requirements]
    if not checks:
        if run.whole:
            return combine([]), False
        return Judgement(
            verdict=Verdict.NOT_SELECTED, reason="the files that were asked for do not verify it"
        ), True
    chosen = [one for one in checks if one.selected]
    if not chosen:
        return Judgement(verdict=Verdict.NOT_SELECTED, reason="its checks were deselected"), True
    records = {one.check: one for one in run.records if requirement.id in one.findings}
    outcomes = [one.outcome(requirement.id) for one in records.values()]
    outcomes += [_not_run(one.check, run.cut) for one in chosen if one.check not in records]
    judgement = combine(outcomes)
    if judgement.verdict is Verdict.PASS and len(chosen) < len(checks):
        left_out = f"{len(checks) - len(chosen)} of its {len(checks)} checks were deselected"
        return replace(judgement, verdict=Verdict.INCONCLUSIVE, reason=left_out), False
    return judgement, False


def _not_run(check: str, cut: tuple[Word, str] | None) -> Outcome:
    """What a check says that was selected and left no record."""
    why = f": {': '.join(part for part in cut if part)}" if cut else ""
    return Outcome(verdict=Verdict.INCONCLUSIVE, reason=f"its check did not run{why}", check=check)


def _requirement(run: Run, requirement: Requirement, judgement: Judgement) -> Json:
    """One requirement of the report."""
    records = [one for one in run.records if requirement.id in one.findings]
    decisive = [one for one in records if one.check in judgement.decisive]
    return {
        "id": requirement.id,
        "title": requirement.title,
        "statement": requirement.statement,
        "strength": str(requirement.strength),
        "area": requirement.area,
        "owner": requirement.owner,
        "source": list(requirement.source),
        "links": list(requirement.links),
        "verdict": str(judgement.verdict),
        "kind": None if judgement.kind is None else str(judgement.kind),
        "reason": judgement.reason,
        "lacks": list(judgement.lacks),
        "stale": judgement.stale,
        "defects": list(judgement.defects),
        "duration": round(sum(one.duration for one in records), 3),
        "observed": [{"check": one.check, **seen} for one in decisive for seen in one.observed],
        "checks": [_check(one, requirement.id) for one in records],
        "evidence": [{"check": one.check, **item} for one in decisive for item in one.evidence],
    }


def _check(record: CheckRecord, requirement: str) -> Json:
    """One check of a requirement."""
    finding = record.findings[requirement]
    return {
        "check": record.check,
        "description": record.description,
        "verdict": str(finding.verdict),
        "kind": None if finding.kind is None else str(finding.kind),
        "reason": finding.reason,
        "node_class": record.node_class,
        "duration": record.duration,
    }


def _run(run: Run, catalogue: Catalogue) -> Json:
    """What the report tells of the run itself."""
    classes = dict.fromkeys(one.node_class for one in run.records if one.node_class)
    return {
        "id": run.connection.get("run") or uuid.uuid4().hex[:8],
        "started": run.started.isoformat(timespec="seconds"),
        "duration": round(run.duration, 3),
        "suite_version": VERSION,
        "catalogue_digest": catalogue.digest,
        "options": dict(run.options),
        "node_classes": list(classes),
        "checks": len(run.records),
        "pods": _pods(run.records),
        "longest_wait": _longest_wait(run.records),
        "leftovers": list(run.leftovers),
    }


def _pods(records: Sequence[CheckRecord]) -> int:
    """How many Pods the checks sent to the API server."""
    return sum(
        item.get("kind") == "manifest"
        and isinstance(item.get("data"), Mapping)
        and item["data"].get("kind") == "Pod"
        for record in records
        for item in record.evidence
    )


def _longest_wait(records: Sequence[CheckRecord]) -> Json | None:
    """What was waited for longest."""
    waits = [
        {"what": item.get("title", ""), "seconds": item["seconds"], "check": record.check}
        for record in records
        for item in record.evidence
        if item.get("kind") == "wait" and item.get("seconds") is not None
    ]
    return max(waits, key=lambda wait: float(wait["seconds"]), default=None)
