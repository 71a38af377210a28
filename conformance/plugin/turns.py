"""Turns: a check that disturbs a whole node has the target for itself, while the others share it.

The workers are processes, so the turns are those of a lock on a file: shared for ordinary checks, exclusive for disruptive ones.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """The turns of one run. file: the same for every worker; None where there is only one process."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    @contextmanager
    def take(self, *, alone: bool) -> Iterator[None]:
        """Wait until it is this check's turn. alone: no other check runs meanwhile."""
        if self._file is None:
            yield
            return
        lock = os.open(self._file, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(lock)
