"""The HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def page(report: Json) -> str:
    """Draw the report as one page."""
    return f"<!doctype html><title>{report['result']['word']}</title>"
