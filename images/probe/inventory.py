"""Prints, as JSON, what the running interpreter consists of once it has imported the modules named in its arguments.

Run as a program of its own, `python -I -S inventory.py MODULE...`: another process would have imported more than these.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import json
import os
import sys


def warm_up() -> None:
    """Uses what is loaded only at its first use: codecs, name look-ups, the library that ends threads."""
    import argparse  # noqa: PLC0415 - only after the modules are named
    import ctypes  # noqa: PLC0415
    import pwd  # noqa: PLC0415
    import socket  # noqa: PLC0415
    import traceback  # noqa: PLC0415

    for codec in ("utf-8", "ascii", "latin-1", "idna", "utf-8-sig", "unicode_escape", "punycode"):
        "warm".encode(codec)
    "wärm".encode("idna")
    argparse.ArgumentParser().format_help()
    traceback.format_exception(ValueError("warm"))
    pwd.getpwuid(0)
    socket.getaddrinfo("localhost", 80)
    for library in ("libgcc_s.so.1", "libnss_files.so.2"):
        # glibc loads the first to end a thread, and kills the process if it is not there; before 2.34 it loads the
        # second to read /etc/hosts and /etc/passwd. musl needs neither.
        try:
            ctypes.CDLL(library)
        except OSError:
            continue


def module_files() -> list[str]:
    """The files of the modules that were imported, each once."""
    files = {getattr(module, "__file__", None) for module in sys.modules.values()}
    for name in [*sys.modules]:
        # A module may stand in for another: since 3.13 collections/abc.py puts _collections_abc in its own place.
        parent = sys.modules.get(name.rpartition(".")[0])
        place = getattr(parent, "__path__", None) if "." in name else sys.path
        spec = importlib.machinery.PathFinder.find_spec(name, place) if place else None
        files.add(spec.origin if spec is not None else None)
    return sorted(file for file in files if file)


def mapped() -> list[str]:
    """The files that are mapped into this process, each once."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:  # noqa: PTH123 - pathlib would count
        fields = [line.rstrip("\n").split(maxsplit=5) for line in maps]
    return sorted({field[5] for field in fields if len(field) == 6 and field[5].startswith("/")})


def main() -> None:
    """Imports the named modules and prints the inventory."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    warm_up()
    stdlib = os.path.dirname(os.__file__)  # noqa: PTH120 - pathlib would count
    answer = {
        "executable": os.path.realpath(f"/proc/{os.getpid()}/exe"),
        "stdlib": stdlib,
        "stdlib_below_prefix": os.path.relpath(stdlib, sys.base_prefix),
        "module_files": [file for file in module_files() if file.startswith(stdlib + os.sep)],
        "mapped_files": mapped(),
    }
    print(json.dumps(answer))  # noqa: T201 - its one result


if __name__ == "__main__":
    main()
