"""Controls and promised events: what an answer needs beside it, and what must happen within a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fixtures.errors import Inconclusive, TimedOut

T = TypeVar("T")


def control(holds: bool, what: str) -> None:  # noqa: FBT001 - reads like `assert`
    """Raise Inconclusive unless `holds`. what: the control, as a sentence.

    A control that fails is no verdict on the requirement: "the write is refused" says nothing where no write succeeds. So it is
    never an `assert`.
    """
    if not holds:
        raise Inconclusive(f"the control failed: {what} is not the case", missing="a working control")


def in_time(wait: Callable[[], T]) -> T | None:
    """What `wait` returns, or None where its deadline passes.

    For what the requirement itself promises to happen: that it doesn't is then an answer, to be asserted. A wait for anything
    else keeps its TimedOut and is inconclusive.
    """
    try:
        return wait()
    except TimedOut:
        return None
