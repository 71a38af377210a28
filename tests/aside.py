"""An event loop on a thread, for servers that tests talk to with blocking clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

PATIENCE = 30  # seconds for what runs aside to come up or to end

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Aside:
    """A loop that runs on a thread of its own."""

    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for its result; TimeoutError after 30 s."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)


@contextmanager
def aside() -> Iterator[Aside]:
    """A loop on a thread for the length of a block.

    At the end what is left on it is cancelled and closed: a connection that was being accepted at that moment would else be
    reported as an unclosed socket, in whatever test runs then.
    """
    runner = asyncio.Runner()
    loop = runner.get_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Aside(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        runner.close()
