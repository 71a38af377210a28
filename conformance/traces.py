"""Why the requirements are what they are: claims, gaps of other suites and bugs, each with the requirements that show it.

A file of `traceability/` holds one table `[trace]` with a title and a summary, and one table for each trace, headed by its id:

    [B05]
    says = "…"                           # the claim, the gap, the bug, in a sentence
    documents = "right"                  # of a claim: what KEP, documentation and code say of it
    note = "…"                           # what is so; needed where no requirement shows it
    requirements = ["SUB-01"]
    versions = "…"                       # of a bug: who has it
    links = ["https://…"]
    reproduced = "…"                     # of a bug: on which real component it was shown, or why not
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.records import Record, RecordError, read, suggestion
from conformance.verdict import Verdict

FOLDER = Path(__file__).with_name("traceability")
NAMES = ("claims", "gaps", "bugs")
DOCUMENTS = ("right", "qualified", "wrong", "not testable")
NO_REQUIREMENT = "no requirement"

# A chain is as strong as its weakest link: the first of these that a requirement has is said of the trace.
_WEAKEST_FIRST = (
    Verdict.FAIL,
    Verdict.WAIVED,
    Verdict.INCONCLUSIVE,
    Verdict.UNSUPPORTED,
    Verdict.NOT_VERIFIED,
    Verdict.OBSERVED,
    Verdict.PASS,
    Verdict.NOT_SELECTED,
)
_ID = re.compile(r"[A-Z][0-9]{2}")
_FIELDS = ("says", "documents", "note", "requirements", "versions", "links", "reproduced")


class TraceError(RecordError):
    """The traces cannot be used; the text names the file, the record, the field, the mistake and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One claim, gap or bug. requirements: ids of the catalogue; without any, `note` says why. Other fields may be empty."""

    id: str
    says: str
    documents: str
    note: str
    requirements: tuple[str, ...]
    versions: str
    links: tuple[str, ...]
    reproduced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """All traces of one kind. name: claims, gaps or bugs."""

    name: str
    title: str
    summary: str
    traces: tuple[Trace, ...]


def load(requirements: Collection[str], folder: Path = FOLDER) -> tuple[Traces, ...]:
    """The traces, kind by kind; each must name ids of `requirements` (a catalogue will do). TraceError."""
    return tuple(_read(folder / f"{name}.toml", requirements) for name in NAMES)


def _read(file: Path, requirements: Collection[str]) -> Traces:
    tables = read(file, TraceError)
    head = Record(file, "[trace]", tables.pop("trace", None), TraceError)
    head.only(("title", "summary"))
    return Traces(
        name=file.stem,
        title=head.text("title"),
        summary=head.text("summary"),
        traces=tuple(_trace(file, name, values, requirements) for name, values in tables.items()),
    )


def _trace(file: Path, name: str, values: object, requirements: Collection[str]) -> Trace:
    record = Record(file, name, values, TraceError)
    if not _ID.fullmatch(name):
        raise record.wrong("", "is not an id", "Head it with a letter and two digits: [A01]")
    record.only(_FIELDS)
    shown_by = record.texts("requirements")
    for one in shown_by:
        if one not in requirements:
            raise record.wrong(
                "requirements", f"{one!r} is not in the catalogue", suggestion(one, requirements)
            )
    trace = Trace(
        id=name,
        says=record.text("says"),
        documents=record.choice("documents", DOCUMENTS) if record.has("documents") else "",
        note=record.text("note", default=""),
        requirements=shown_by,
        versions=record.text("versions", default=""),
        links=record.links("links"),
        reproduced=record.text("reproduced", default=""),
    )
    if not trace.requirements and not trace.note:
        raise record.wrong("requirements", "names none, and no note says why", "Name one, or add a note")
    return trace


def verdict(requirements: Iterable[str], verdicts: Mapping[str, str]) -> str:
    """What the requirements of a trace say together: the weakest of their verdicts, or `no requirement`.

    verdicts: of the run, by requirement. One that was not selected says nothing beside others.
    """
    found = [Verdict(verdicts[one]) for one in requirements]
    return str(min(found, key=_WEAKEST_FIRST.index)) if found else NO_REQUIREMENT


def report(kinds: Iterable[Traces], verdicts: Mapping[str, str]) -> list[dict[str, Any]]:
    """The traces for the report, as JSON: what each kind is, and for each trace its verdict and those of its requirements."""
    return [
        {
            "name": kind.name,
            "title": kind.title,
            "summary": kind.summary,
            "traces": [
                {
                    "id": one.id,
                    "says": one.says,
                    "documents": one.documents,
                    "note": one.note,
                    "versions": one.versions,
                    "links": list(one.links),
                    "reproduced": one.reproduced,
                    "verdict": verdict(one.requirements, verdicts),
                    "requirements": {name: verdicts[name] for name in one.requirements},
                }
                for one in kind.traces
            ],
        }
        for kind in kinds
    ]


def behind(requirement: str, kinds: Iterable[Traces]) -> list[str]:
    """The ids of the claims, gaps and bugs that a requirement stands behind."""
    return [one.id for kind in kinds for one in kind.traces if requirement in one.requirements]


_BUGS_PREFACE = """\
# Bugs that reached users

Reported of released components (B), or read in their sources (D), and the requirement of this suite that catches each. Drawn from
`conformance/traceability/bugs.toml`: change it there.

| bug | versions | what is wrong | requirements | reproduced by this suite |
| --- | --- | --- | --- | --- |"""


def bugs_as_markdown(kinds: Sequence[Traces]) -> str:
    """The bugs as a Markdown page."""
    bugs = next(kind for kind in kinds if kind.name == "bugs")
    return "\n".join([_BUGS_PREFACE, *(_row(one) for one in bugs.traces)]) + "\n"


def _row(one: Trace) -> str:
    links = " ".join(f"[{number}]({link})" for number, link in enumerate(one.links, 1))
    names = " ".join(part for part in (one.id, links) if part)
    shown_by = ", ".join(one.requirements) or f"none: {one.note}"
    cells = (
        names,
        one.versions,
        one.says,
        shown_by,
        one.reproduced or ("not yet" if one.requirements else ""),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
