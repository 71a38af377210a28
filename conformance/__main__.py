"""`python -m conformance`: see `conformance.command`."""

from __future__ import annotations

import os
import signal
import sys


def _interrupted_early(*_: object) -> None:
    os.write(1, b"\nresult: interrupted (exit code 2)\n")
    os._exit(2)


if __name__ == "__main__":
    # Until the command's work begins, nothing has been made that would have to be removed.
    signal.signal(signal.SIGINT, _interrupted_early)
    from conformance.command import main

    sys.exit(main())
