"""Ctrl-C and SIGTERM: the run ends early, and what it made on the cluster is removed all the same."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE_SECONDS = 90.0
"""For so long an interrupt does not end the sweep."""

Handler = Callable[[int, FrameType | None], None]


def terminate_as_interrupt() -> Callable[[], None]:
    """Let SIGTERM, which CI sends, do what Ctrl-C does. Returns the function that undoes it."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt("SIGTERM")

    before = signal.signal(signal.SIGTERM, interrupt)
    return lambda: _restore(signal.SIGTERM, before)


@contextmanager
def sweeping(
    *, seconds: float = PATIENCE_SECONDS, say: Callable[[str], None] | None = None
) -> Iterator[None]:
    """While the block cleans up, answer interrupts by asking for patience; only after `seconds` one ends the
    block.

    say: writes a line; by default to standard error.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    started = time.monotonic()
    tell = say or (lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201 - for the person who pressed Ctrl-C

    def answer(_signal: int, _frame: FrameType | None) -> None:
        passed = time.monotonic() - started
        if passed >= seconds:
            raise KeyboardInterrupt
        tell(
            f"cleaning up the cluster, {passed:.0f} s so far; "
            f"an interrupt ends it after {seconds:.0f} s, and leaves behind what is not removed by then"
        )

    before = {number: signal.signal(number, answer) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            _restore(number, handler)


def _restore(number: int, handler: Handler | int | signal.Handlers | None) -> None:
    # None: the handler was not installed from Python, and cannot be put back.
    if handler is not None:
        signal.signal(number, handler)
