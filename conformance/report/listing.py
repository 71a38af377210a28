"""The catalogue beside the checks: every requirement with its strength, its sources, what verifies it, and what that mounts."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conformance import catalogue
from conformance.catalogue import Catalogue, Requirement
from conformance.inventory import Check, by_requirement, images_of

_INDENT = " " * 10
_LABELS = ("checks", "images", "source")
NO_CHECK = "no check"


def lines(demanded: Catalogue, checks: Iterable[Check], *, width: int | None = None) -> list[str]:
    """The list as a person reads it, a block a requirement. width: in columns; None leaves lines as long as they are."""
    known = by_requirement(checks)
    found: list[str] = []
    for area in demanded.areas:
        found += [area.title, ""]
        for name in area.requirements:
            found += _block(demanded[name], known.get(name, ()), width)
        found.append("")
    verified = sum(name in known for name in demanded)
    return [
        *found,
        f"{len(demanded)} requirements, {verified} with a check, {len(demanded) - verified} without",
    ]


def _block(one: Requirement, checks: Sequence[Check], width: int | None) -> list[str]:
    found = [f"{one.id:<8}  {one.strength:<8} {one.title}"]
    images = ", ".join(images_of(checks))
    for label, values in zip(
        _LABELS,
        ([check.name for check in checks] or [NO_CHECK], [images] if images else [], one.source),
        strict=True,
    ):
        for number, value in enumerate(values):
            found += _wrapped(f"{_INDENT}{'' if number else label:<8} ", value, width)
    return found


def _wrapped(head: str, text: str, width: int | None) -> list[str]:
    if width is None:
        return [head + text]
    return textwrap.wrap(
        text,
        max(width, 60),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_json(demanded: Catalogue, checks: Iterable[Check]) -> dict[str, Any]:
    """The same for machines. `checks` of a requirement is empty where it has none."""
    known = by_requirement(checks)
    return {
        "catalogue": demanded.digest,
        "requirements": [
            {
                "id": one.id,
                "area": one.area,
                "title": one.title,
                "statement": one.statement,
                "strength": one.strength,
                "owner": one.owner,
                "needs": list(one.needs),
                "source": list(one.source),
                "links": list(one.links),
                "checks": [
                    {"name": check.name, "images": list(check.images)} for check in known.get(one.id, ())
                ],
                "images": list(images_of(known.get(one.id, ()))),
            }
            for one in demanded.values()
        ],
    }


def markdown(demanded: Catalogue, checks: Iterable[Check]) -> str:
    """The catalogue as a Markdown page, with a column that links each requirement's checks and names their images."""
    known = by_requirement(checks)
    cells: Mapping[str, str] = {name: _cell(known.get(name, ())) for name in demanded}
    return catalogue.as_markdown(demanded, verified=cells)


def _cell(checks: Sequence[Check]) -> str:
    return "<br>".join(
        f"[{check.function.removeprefix('test_').replace('_', ' ')}](../{check.file})"
        + (f" ({', '.join(check.images)})" if check.images else "")
        for check in checks
    )
