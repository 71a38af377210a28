"""The run as a whole, in the process that controls it: the target is made ready, shared, swept, reported."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest

from conformance.plugin import allure
from conformance.plugin.checks import PROPERTY, Checks
from conformance.plugin.gate import read_platform
from conformance.plugin.hooks import Session
from conformance.plugin.interrupt import sweeping, terminate_as_interrupt
from conformance.report import FILES, JSON_FILE, terminal, write
from conformance.report.model import Run, build, released
from conformance.report.record import CheckRecord
from conformance.verdict import EXIT_CODES, ExitCode, Finding, Verdict, Word
from fixtures.errors import Inconclusive, PreflightRefused, UsageError

_WORDS = {int(code): word for word, code in EXIT_CODES.items()}


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of xdist."""
    return hasattr(config, "workerinput")


class Controller:
    """The hooks around the session as a whole."""

    def __init__(self, config: pytest.Config, checks: Checks) -> None:
        self.config = config
        self.checks = checks
        self.session: Session | None = None
        self.records: list[CheckRecord] = []
        self.report: Mapping[str, Any] | None = None
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._pytest: pytest.Session | None = None
        self._prepared = False
        self._collected = False
        self._broken: list[str] = []
        self._cut: tuple[Word, str] | None = None
        self._leftovers: list[str] = []
        self._swept = False
        self._turns: Path | None = None
        self._restore = terminate_as_interrupt()

    # --- before the checks

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionstart(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Prepare the run, after every other plugin is ready."""
        self._pytest = session
        self._quieten_xdist()
        answer = yield
        if not self._prepared:
            self._prepare()
        return answer

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_setupnodes(self) -> None:
        """Prepare the run, just before xdist starts its workers."""
        self._prepare()

    def _quieten_xdist(self) -> None:
        """With -q, keep xdist from telling of workers, which it calls nodes: nodes are the target's."""
        plugins = self.config.pluginmanager
        if self.config.option.verbose < 0 and plugins.hasplugin("dsession"):
            plugins.getplugin("dsession").terminal = None
            plugins.unregister(name="terminaldistreporter")

    def _prepare(self) -> None:
        """Collect the checks, so that mistakes show before a cluster is touched; make the target ready."""
        self._prepared = True
        session = self._pytest
        if session is None:
            raise RuntimeError("there is no session of pytest")
        if self.config.pluginmanager.hasplugin("dsession"):
            session.perform_collect()  # workers collect for themselves; the controller must know the same
        else:
            session.config.hook.pytest_collection(session=session)
        self._collected = True
        if self._broken:
            self._abort(Word.INTERNAL_ERROR, "a check cannot be collected:\n" + "\n".join(self._broken))
        if self.checks.collected and not any(one.selected for one in self.checks.collected):
            raise pytest.UsageError("no check is selected; see: python -m conformance list")
        self._make_room()
        self._start()

    def _make_room(self) -> None:
        """Make the report's folder, and remove an earlier report: nobody shall take it for this run's."""
        folder = self.checks.options.report
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
            (folder / JSON_FILE).touch()
            (folder / JSON_FILE).unlink()
            if self.checks.allure_folder:
                allure.clear(self.checks.allure_folder)
        except OSError as error:
            raise pytest.UsageError(f"the report cannot be written to {folder}: {error.strerror}") from error

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> bool | None:
        """Collect once."""
        return True if self._collected else None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self._broken.append(f"{report.nodeid}: {str(report.longrepr).strip()}")

    def _abort(self, word: Word, why: str) -> NoReturn:
        """End the run before a check is run, with a UsageError: pytest prints no traceback for one."""
        self._cut = (word, why)
        raise pytest.UsageError(why)

    def _start(self) -> None:
        """Make the target ready. pytest.UsageError with the one message that says why not."""
        try:
            session = self.config.hook.pytest_conformance_session(options=self.checks.options)
        except (UsageError, Inconclusive) as error:
            code = getattr(error, "exit_code", None)
            if code is None and isinstance(error, UsageError) and not isinstance(error, PreflightRefused):
                raise pytest.UsageError(str(error)) from error
            self._abort(_WORDS.get(code or int(ExitCode.REFUSED), Word.REFUSED), str(error))
        self.session = session
        file, name = tempfile.mkstemp(prefix="image-volume-turns-")
        os.close(file)
        self._turns = Path(name)
        read_platform(session.connection)
        self.checks.connect(self.payload())
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if reporter:
            for line in terminal.header(session.target):
                reporter.write_line(self.checks.redactor.text(line))

    def payload(self) -> dict[str, Any]:
        """What every worker is told, as JSON."""
        if self.session is None:
            raise RuntimeError("the session is not started")
        return {
            "connection": dict(self.session.connection),
            "node_class": node_class(self.session.target),
            "components": released(self.session.target),
            "secrets": list(self.session.secrets),
            "turns": str(self._turns),
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist what it needs to know."""
        node.workerinput["conformance"] = json.dumps(self.payload())

    # --- while the checks run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the records of the checks, also of one that took its worker with it."""
        text = dict(report.user_properties).get(PROPERTY)
        if text is not None:
            # Nobody after this needs it, and pytest's own JUnit writer would copy it into its file.
            report.user_properties = [one for one in report.user_properties if one[0] != PROPERTY]
            self.records.append(CheckRecord.from_json(json.loads(str(text))))
        elif report.when not in ("setup", "call", "teardown"):
            self.records.append(self._crashed(report))

    def _crashed(self, report: pytest.TestReport) -> CheckRecord:
        """The record of a check during which its worker died (xdist's report of that has no phase)."""
        check = report.nodeid
        known = {one.check: one.requirements for one in self.checks.collected}
        requirements = known.get(check) or known.get(check.rpartition("@")[0], ())
        finding = Finding(verdict=Verdict.INCONCLUSIVE, reason=f"the suite failed: {report.longreprtext}")
        return CheckRecord(check=check, findings=dict.fromkeys(requirements, finding))

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Keep why the suite itself failed."""
        lines = [line for line in str(excrepr).splitlines() if line.strip()]
        self._cut = (Word.INTERNAL_ERROR, lines[-1].removeprefix("E").strip() if lines else "")

    # --- after the checks

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """Sweep and report, after xdist has ended its workers and before the terminal prints its summary."""
        with sweeping():
            answer = yield
            stopped = session.shouldfail or session.shouldstop  # by -x or --maxfail
            if exitstatus == ExitCode.INTERRUPTED or stopped:
                self._cut = self._cut or (Word.INTERRUPTED, str(stopped or ""))
            elif exitstatus == ExitCode.INTERNAL_ERROR:
                self._cut = self._cut or (Word.INTERNAL_ERROR, "")
            self._finish()
        session.exitstatus = self._exit_code()
        return answer

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what a person wants to know."""
        if self.report is not None:
            width = min(100, terminalreporter._screen_width)  # noqa: SLF001 - pytest has no other way to ask
            terminalreporter.write_line(
                "\n".join(terminal.summary(self.report, width=width, introduced=True))
            )

    def failed(self, error: BaseException) -> int:
        """End a run that an exception ended early. Returns the exit code, or raises what pytest tells."""
        if isinstance(error, pytest.UsageError) and self._cut:
            word, why = self._cut
            self._say(why)
            self._cut = (word, why.splitlines()[0])
        elif isinstance(error, KeyboardInterrupt):
            self._cut = (Word.INTERRUPTED, "")
        elif isinstance(error, pytest.UsageError):
            self._sweep()
            raise error
        else:
            self._cut = (Word.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
            self.ended(int(ExitCode.INTERNAL_ERROR))
            raise error
        return self.ended(int(EXIT_CODES[self._cut[0]]))

    def ended(self, code: int) -> int:
        """See to it that the target is clean and the reports are written. Returns the exit code."""
        if self.report is None:
            self._cut = self._cut or (_WORDS.get(code, Word.INTERNAL_ERROR), "")
            self._finish()
        self._restore()
        print(terminal.final_line(self.report or {}), flush=True)  # noqa: T201 - after all that pytest prints
        return self._exit_code()

    def _exit_code(self) -> int:
        return int(self.report["result"]["exit_code"]) if self.report else int(ExitCode.INTERNAL_ERROR)

    def _sweep(self) -> None:
        """Close the session, whoever interrupts; what it could not remove is told."""
        session = self.session
        if session is None or self._swept:
            return
        self._swept = True
        if self._turns:
            self._turns.unlink(missing_ok=True)
        with sweeping():
            try:
                self._leftovers = list(session.close())
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the report must be written all the same
                self._leftovers = [f"the sweep did not end: {type(error).__name__}: {error}"]
        self.checks.redactor.add(*session.secrets)

    def _finish(self) -> None:
        """Sweep, and write the reports, once."""
        if self.report is not None:
            return
        self._sweep()
        session = self.session
        run = Run(
            options=self.checks.options.to_json(),
            whole=self.checks.whole,
            started=self._started,
            duration=time.monotonic() - self._clock,
            connection=dict(session.connection) if session else {},
            target=dict(session.target) if session else {},
            collected=self.checks.collected,
            records=self._in_order(),
            selected=self.checks.selected,
            cut=self._cut,
            leftovers=self._leftovers,
        )
        self.report = self.checks.redactor.value(
            build(run, self.checks.catalogue, self.checks.defects, self.checks.traces)
        )
        write(self.report, self.checks.options.report)
        if self.checks.allure_folder:
            allure.write_surroundings(self.report, self.checks.allure_folder)
        self.config.hook.pytest_conformance_report(report=self.report)

    def _in_order(self) -> list[CheckRecord]:
        """The records in the order of collection, however the checks were spread over workers."""
        place = {one.check: number for number, one in enumerate(self.checks.collected)}
        return sorted(self.records, key=lambda record: place.get(record.check, len(place)))

    def _say(self, message: str) -> None:
        print(f"ERROR: {self.checks.redactor.text(message)}", file=sys.stderr)  # noqa: T201 - as pytest does


def node_class(target: Mapping[str, Any]) -> str:
    """The node class that is judged: that of the first node under test."""
    names = target.get("nodes_under_test") or []
    nodes = {node["name"]: node for node in target.get("nodes") or []}
    return str(nodes[names[0]]["class"]) if names and names[0] in nodes else ""
