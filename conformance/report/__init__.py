"""Reports: one JSON document is the truth of a run; terminal, JUnit and HTML are drawn from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conformance.report import html, junit
from conformance.report.model import SCHEMA_VERSION, ReportError

JSON_FILE = "conformance.json"
_KEYS = ("result", "target", "run", "counts", "areas", "requirements")

_DRAWN: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "report.html": html.page,
    "junit.xml": junit.document,
}

FILES = (JSON_FILE, *_DRAWN)
"""The names of the files of a report."""


def write(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the JSON of a run, in which no secret is left, and what is drawn from it; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / JSON_FILE
    _write_text(truth, json.dumps(report, indent=1) + "\n")
    return [truth, *draw(report, folder)]


def draw(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw HTML and JUnit into a folder, which is made if need be; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in _DRAWN.items():
        _write_text(folder / name, drawing(report))
    return [folder / name for name in _DRAWN]


def read(file: Path) -> dict[str, Any]:
    """Read a report. ReportError if the file can't be read, is no report, or is of another version."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ReportError(f"{file}: is not JSON: {error}") from error
    if not isinstance(found, dict) or "schema_version" not in found:
        raise ReportError(f"{file}: is not a report of this suite; name a {JSON_FILE}")
    version = found["schema_version"]
    if version != SCHEMA_VERSION:
        raise ReportError(
            f"{file}: has schema version {version}, and this suite reads {SCHEMA_VERSION}; use the suite that wrote it"
        )
    missing = [key for key in _KEYS if key not in found]
    if missing:
        raise ReportError(f"{file}: is not whole: it has no {', '.join(missing)}")
    return found


def _write_text(file: Path, text: str) -> None:
    """Write a file as a whole: a reader never sees half of one."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
    unfinished.replace(file)
