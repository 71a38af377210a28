"""Claims, gaps and bugs as they stand after a run: for the page and for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from conformance.traces import NO_REQUIREMENT
from conformance.verdict import Verdict

Json = Mapping[str, Any]

_WORDS = (*map(str, Verdict), NO_REQUIREMENT)


def sections(kinds: Sequence[Json]) -> str:
    """The HTML of all kinds, each folded, with a line a trace; empty where a report has none."""
    return "".join(_section(kind) for kind in kinds)


def lines(kinds: Sequence[Json]) -> list[str]:
    """For the terminal: `Claims about image volumes: 27 pass, 3 waived, 1 no requirement`, a line a kind.

    A kind of which nothing was selected is left out.
    """
    told = []
    for kind in kinds:
        counted = Counter(one["verdict"] for one in kind["traces"])
        if set(counted) - {str(Verdict.NOT_SELECTED), NO_REQUIREMENT}:
            numbers = ", ".join(f"{counted[word]} {word}" for word in _WORDS if counted[word])
            told.append(f"{kind['title']}: {numbers}")
    return told


def _section(kind: Json) -> str:
    rows = "".join(_trace(one) for one in kind["traces"])
    name = escape(kind["name"])
    return (
        f'<details class="traces" id="{name}"><summary><h2>{escape(kind["title"])}'
        f"<small>{len(kind['traces'])}</small></h2></summary>"
        f"<p>{escape(kind['summary'])}</p><ul>{rows}</ul></details>"
    )


def _trace(one: Json) -> str:
    """One trace: what is said, what the documents say, what stands behind it."""
    shown_by = " ".join(
        f'<a class="{_tone(verdict)}" href="#{escape(name)}" title="{escape(verdict)}">{escape(name)}</a>'
        for name, verdict in one["requirements"].items()
    )
    documents = f"By the documents: {one['documents']}." if one["documents"] else ""
    reproduced = f"Reproduced: {one['reproduced']}." if one["reproduced"] else ""
    versions = f"In {one['versions']}." if one["versions"] else ""
    said = " ".join(part for part in (versions, documents, one["note"], reproduced) if part)
    links = " ".join(
        f'<a href="{escape(link)}">{escape(link.removeprefix("https://"))}</a>' for link in one["links"]
    )
    return (
        f'<li class="{_tone(one["verdict"])}" id="{escape(one["id"])}"><span class="verdict">{escape(one["verdict"])}</span>'
        f'<span class="id">{escape(one["id"])}</span><span>{escape(one["says"])}'
        f'<span class="reason">{escape(said)} {links}</span></span><span class="shown-by">{shown_by}</span></li>'
    )


def _tone(verdict: str) -> str:
    """The class that gives a verdict its colour; what no requirement shows has that of what is not verified."""
    return (str(Verdict.NOT_VERIFIED) if verdict == NO_REQUIREMENT else verdict).replace(" ", "-")
