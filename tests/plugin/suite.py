"""Checks, a fake target, and pytest run on them with the plugin."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent

PLUGINS = ("xdist", "allure_pytest", "conformance.plugin", "tests.plugin.fakes")

HEAD = """
import pytest
from conformance.plugin import verifies
from conformance.verdict import ignored, unstable
from fixtures.errors import Inapplicable, Inconclusive, Lacking, Unsupported
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A run that has ended. report: conformance.json, or empty. sweeps: how often the session was closed."""

    code: int
    out: str
    err: str
    report: Mapping[str, Any]
    sweeps: int

    def verdict(self, requirement: str) -> str:
        """The verdict of a requirement, with its kind if it has one."""
        one = self.requirement(requirement)
        return f"{one['verdict']}, {one['kind']}" if one["kind"] else str(one["verdict"])

    def requirement(self, name: str) -> Mapping[str, Any]:
        """A requirement of the report."""
        found: Mapping[str, Any] = next(one for one in self.report["requirements"] if one["id"] == name)
        return found


@dataclass(frozen=True, slots=True)
class Suite:
    """A folder with checks."""

    pytester: pytest.Pytester

    @property
    def folder(self) -> Path:
        """Where pytest runs."""
        return self.pytester.path

    def checks(self, source: str, name: str = "test_one") -> None:
        """Write a file of checks; the usual imports stand above it."""
        folder = self.folder / "checks"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(HEAD + textwrap.dedent(source), encoding="utf-8")

    def target(self, **settings: Any) -> None:
        """Say what the fake session does: see tests.plugin.fakes."""
        (self.folder / "fake.json").write_text(json.dumps(settings), encoding="utf-8")

    def run(self, *arguments: str, apart: bool = False) -> Done:
        """Run pytest on the checks; apart: in a process of its own."""
        run = self.pytester.runpytest_subprocess if apart else self.pytester.runpytest_inprocess
        given = [argument for argument in arguments if argument.startswith("checks")] or ["checks"]
        options = [argument for argument in arguments if not argument.startswith("checks")]
        result = run(*self.options, *given, *options)
        return self.done(int(result.ret), result.stdout.str(), result.stderr.str())

    @property
    def options(self) -> list[str]:
        """The options that put the plugin and its fakes into a run of pytest."""
        plugins = [part for name in PLUGINS for part in ("-p", name)]
        return [*plugins, "--import-mode=importlib", "-p", "no:cacheprovider"]

    def done(self, code: int, out: str, err: str) -> Done:
        """Read what a run left."""
        file = self.folder / "report" / "conformance.json"
        report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        trace = self.folder / "closed.txt"
        sweeps = len(trace.read_text(encoding="utf-8").splitlines()) if trace.exists() else 0
        trace.unlink(missing_ok=True)
        return Done(code=code, out=out, err=err, report=report, sweeps=sweeps)
