"""From what a check raised to what that says: the one place where an exception becomes a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.verdict import Finding, Verdict, kind_of
from fixtures.errors import Inapplicable, Inconclusive, Lacking, Unsupported

_REASON_LENGTH = 400


def judge(excinfo: pytest.ExceptionInfo[BaseException] | None, *, when: str, folder: Path) -> Finding:
    """What one phase of a check says.

    Only an assertion that the check itself states, in its own file and in its call, blames the target.
    Unsupported is the target's refusal; Inapplicable means that the requirement speaks of other targets.
    Everything else (also an assertion in a fixture or in a library, also a skip) means that the check cannot
    tell.

    when: "setup", "call" or "teardown". folder: where the checks lie.
    """
    if excinfo is None:
        return Finding(verdict=Verdict.PASS)
    error = excinfo.value
    if isinstance(error, Unsupported):
        return Finding(verdict=Verdict.UNSUPPORTED, reason=one_line(error.reason), lacks=error.need)
    if isinstance(error, Inapplicable):
        return Finding(verdict=Verdict.NOT_SELECTED, reason=one_line(error.reason))
    if isinstance(error, AssertionError) and when == "call" and _raised_in(excinfo, folder):
        kind, text = kind_of(str(error))
        return Finding(
            verdict=Verdict.FAIL, kind=kind, reason=one_line(text) or "the check's assertion failed"
        )
    lacks = error.need if isinstance(error, Lacking) else ""
    return Finding(verdict=Verdict.INCONCLUSIVE, reason=_doubt(error, when), lacks=lacks)


def _doubt(error: BaseException, when: str) -> str:
    """Why the check cannot tell, for a person."""
    during = {"setup": "while preparing: ", "teardown": "while cleaning up: "}.get(when, "")
    if isinstance(error, Inconclusive):
        return during + one_line(str(error))
    if isinstance(error, pytest.skip.Exception):
        return f"{during}the check skipped itself, which is no verdict: {one_line(str(error))}"
    if isinstance(error, AssertionError):
        return f"{during}an assertion failed outside the check: {one_line(str(error))}"
    return f"{during}{type(error).__name__}: {one_line(str(error))}".rstrip(": ")


def _raised_in(excinfo: pytest.ExceptionInfo[BaseException], folder: Path) -> bool:
    """Whether the innermost frame, the one that raised, belongs to a file of the folder."""
    return Path(excinfo.traceback[-1].path).is_relative_to(folder)


def one_line(text: str) -> str:
    """The first line of a text that says something, at most 400 characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _REASON_LENGTH else line[: _REASON_LENGTH - 1] + "…"
