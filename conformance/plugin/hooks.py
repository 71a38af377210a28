"""The hooks that the plugin asks, so that others can answer in place of the real parts: its own tests do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from conformance.catalogue import Catalogue
from conformance.known_defects import KnownDefects
from conformance.options import Options
from conformance.traces import Traces


class Session(Protocol):
    """A target that is ready to be judged, in the controller only."""

    @property
    def connection(self) -> Mapping[str, Any]:
        """What a worker needs to reach the target, as JSON; handed to checks by the fixture `connection`.

        The plugin itself reads one key of it: `platform`, see conformance.plugin.gate.
        """

    @property
    def target(self) -> Mapping[str, Any]:
        """What the target is, as JSON, for the report: conformance.report.model names the keys."""

    @property
    def secrets(self) -> Sequence[str]:
        """Texts that must never be written."""

    def close(self) -> Sequence[str]:
        """Sweep, and return a line for everything that could not be removed."""


@pytest.hookspec(firstresult=True)
def pytest_conformance_session(options: Options) -> Session | None:
    """Make the target ready. Raises fixtures.errors.UsageError or PreflightRefused if that cannot be."""


@pytest.hookspec(firstresult=True)
def pytest_conformance_catalogue() -> Catalogue | None:
    """Return the requirements."""


@pytest.hookspec(firstresult=True)
def pytest_conformance_defects() -> KnownDefects | None:
    """Return the known upstream defects."""


@pytest.hookspec(firstresult=True)
def pytest_conformance_traces(catalogue: Catalogue) -> Sequence[Traces] | None:
    """Return the claims, gaps and bugs that the requirements stand behind."""


@pytest.hookspec(firstresult=True)
def pytest_conformance_checks_folder() -> Path | None:
    """Return the folder that holds the checks."""


@pytest.hookspec
def pytest_conformance_report(report: Mapping[str, Any]) -> None:
    """The run has ended and its reports are written; `report` is the JSON truth of it."""
