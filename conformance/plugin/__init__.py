"""The pytest plugin: options, `@verifies`, the way from a check's outcome to a verdict, reports.

For whoever writes checks:

    from conformance.plugin import verifies             # @verifies("SUB-03"): what the check verifies
    from conformance.verdict import ignored, unstable   # assert seen, ignored(when=root, what="the subPath")

Only `assert` in the check's own file blames the target. `fixtures.errors.Unsupported` is the target's
refusal. Everything else that is raised anywhere, also an assertion in a fixture, makes the check
*inconclusive*. Skips, expected failures and subtests are refused.

Fixtures of the plugin:

    evidence      this check's fixtures.evidence.Evidence; all that is put into it goes into the report
    observe       observe(value, "text"): record a value; for behaviour that nobody promised
    connection    Session.connection, the same in every worker
    worker_name   a short name of this process, for names on the cluster: "gw0", or "main"
    keep_secret   keep_secret(text): never write that text; for secrets that a check makes itself

What the target lacks (`connection["platform"]`) decides before a check is run: see conformance.plugin.gate.
What the plugin asks of the rest of the suite are the hooks in conformance.plugin.hooks; by default the
answers are those of `conformance.session`, `.catalogue`, `.known_defects` and `.traces`.

`conformance.session.start` may raise UsageError (exit code 4) or PreflightRefused (11); an attribute
`exit_code` of the exception overrides that (12: another run holds the cluster). Anything else that it raises
is an internal error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance import catalogue, known_defects, traces
from conformance.options import Options, add_options, read_options
from conformance.plugin import allure, hooks
from conformance.plugin.checks import STATE, Checks, status
from conformance.plugin.controller import Controller, is_worker
from conformance.plugin.markers import declare, verifies
from conformance.records import RecordError
from conformance.verdict import ExitCode
from fixtures.evidence import Evidence

__all__ = ["verifies"]

_CHECKS = pytest.StashKey[Checks]()
_CONTROLLER = pytest.StashKey[Controller]()
CHECKS_FOLDER = Path(__file__).parent.parent / "checks"


# --- the default answers to the plugin's questions


@pytest.hookimpl(trylast=True)
def pytest_conformance_session(options: Options) -> hooks.Session:
    """The session of the real target."""
    from conformance import session  # noqa: PLC0415 - what it imports takes a second, and only a run needs it

    return session.start(options)


@pytest.hookimpl(trylast=True)
def pytest_conformance_catalogue() -> catalogue.Catalogue:
    """The shipped requirements."""
    return catalogue.load()


@pytest.hookimpl(trylast=True)
def pytest_conformance_defects() -> known_defects.KnownDefects:
    """The shipped list of known upstream defects."""
    return known_defects.load()


@pytest.hookimpl(trylast=True)
def pytest_conformance_traces(catalogue: catalogue.Catalogue) -> Sequence[traces.Traces]:
    """The shipped claims, gaps and bugs."""
    return traces.load(catalogue)


@pytest.hookimpl(trylast=True)
def pytest_conformance_checks_folder() -> Path:
    """The shipped checks."""
    return CHECKS_FOLDER


# --- hooks of pytest


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the plugin's own hooks."""
    pluginmanager.add_hookspecs(hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take part, if checks are to be run; in the tests of the suite itself the plugin does nothing."""
    declare(config)
    folder = config.hook.pytest_conformance_checks_folder().resolve()
    asked, whole = _asked_for(config, folder)
    if not asked:
        return
    try:
        demanded = config.hook.pytest_conformance_catalogue()
        defects = config.hook.pytest_conformance_defects()
        traced = config.hook.pytest_conformance_traces(catalogue=demanded)
    except RecordError as error:
        pytest.exit(str(error), returncode=ExitCode.INTERNAL_ERROR)
    checks = Checks(read_options(config), demanded, defects, folder)
    checks.whole = whole
    checks.traces = traced
    checks.allure_folder = (
        None if config.option.collectonly else allure.choose_folder(config, checks.options.report)
    )
    config.stash[_CHECKS] = checks
    config.pluginmanager.register(checks, "conformance-checks")
    if is_worker(config):
        checks.connect(json.loads(config.workerinput["conformance"]))  # type: ignore[attr-defined]  # xdist adds it
        checks.worker = config.workerinput["workerid"]  # type: ignore[attr-defined]
        checks.workers = config.workerinput["workercount"]  # type: ignore[attr-defined]
    elif not config.option.collectonly:
        controller = Controller(config, checks)
        config.stash[_CONTROLLER] = controller
        config.pluginmanager.register(controller, "conformance-controller")


def _asked_for(config: pytest.Config, folder: Path) -> tuple[bool, bool]:
    """Whether an argument names the checks' folder or something in it, and whether one names all of it."""
    some = whole = False
    for argument in config.args:
        path = (config.invocation_params.dir / argument.partition("::")[0]).resolve()
        whole = whole or folder.is_relative_to(path)
        some = some or path.is_relative_to(folder)
    return some or whole, whole


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Any:
    """Whatever happens, the target is left clean and the reports say what happened."""
    try:
        code = yield
    except BaseException as error:
        controller = config.stash.get(_CONTROLLER, None)
        if controller is None:
            raise
        return controller.failed(error)
    controller = config.stash.get(_CONTROLLER, None)
    return code if controller is None else controller.ended(int(code or 0))


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> Any:
    """The words of the verdicts, instead of pytest's."""
    return status(report) if isinstance(report, pytest.TestReport) else None


# --- fixtures for checks


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """What was sent and seen by this check."""
    return request.node.stash[STATE].evidence  # type: ignore[no-any-return]  # pytest's nodes are untyped here


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Callable[[Any, str], None]:
    """Record a value (JSON-able) that was seen, with a text that says what it is."""
    observed = request.node.stash[STATE].observed

    def record(value: Any, text: str) -> None:
        observed.append({"text": text, "value": value})

    return record


@pytest.fixture(scope="session")
def connection(pytestconfig: pytest.Config) -> Mapping[str, Any]:
    """What the session made known about the target, as JSON."""
    return pytestconfig.stash[_CHECKS].connection


@pytest.fixture(scope="session")
def worker_name(pytestconfig: pytest.Config) -> str:
    """A short name of this process, different from that of every other worker."""
    return pytestconfig.stash[_CHECKS].worker or "main"


@pytest.fixture(scope="session")
def keep_secret(pytestconfig: pytest.Config) -> Callable[[str], str]:
    """Make a text known as a secret, so that no report holds it, and return it."""
    redactor = pytestconfig.stash[_CHECKS].redactor

    def keep(secret: str) -> str:
        redactor.add(secret)
        return secret

    return keep
