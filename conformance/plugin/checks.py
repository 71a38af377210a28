"""Runs in every process that runs checks: selects them, gates them, and makes a record of each."""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import allure_commons
import pytest

from conformance.catalogue import Catalogue
from conformance.known_defects import KnownDefects
from conformance.options import Options
from conformance.plugin import allure
from conformance.plugin.gate import Gated, gate, read_platform
from conformance.plugin.judge import judge
from conformance.plugin.markers import (
    is_check,
    is_disruptive,
    longest_first,
    mistakes,
    requirements_of,
    unknown_requirements,
)
from conformance.plugin.turns import Turns
from conformance.report.record import CheckRecord, Collected, word
from conformance.report.redact import Redactor
from conformance.traces import Traces
from conformance.verdict import Finding, Strength, Verdict, selects, weigh
from fixtures.errors import Unsupported
from fixtures.evidence import Evidence

PROPERTY = "conformance"
"""The name of the user property that carries a check's record."""

VERDICT_PROPERTY = "verdict"

Phase = pytest.CallInfo[None]

_TRACEBACK_LENGTH = 20_000


@dataclass(slots=True)
class State:
    """What is known of a check while it runs."""

    evidence: Evidence = field(default_factory=Evidence)
    observed: list[dict[str, Any]] = field(default_factory=list)
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    traces: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)


STATE = pytest.StashKey[State]()


class Checks:
    """The hooks around the collection and the run of checks.

    collected: the checks that exist, once they were collected; selected or not. whole: whether all of the
    folder is collected.
    """

    def __init__(self, options: Options, catalogue: Catalogue, defects: KnownDefects, folder: Path) -> None:
        self.options = options
        self.catalogue = catalogue
        self.defects = defects
        self.folder = folder
        self.traces: Sequence[Traces] = ()
        self.redactor = Redactor()
        self.turns = Turns()
        self.connection: Mapping[str, Any] = {}
        self.node_class = ""
        self.worker = ""
        self.workers = 1
        self.whole = True
        self.allure_folder: Path | None = None
        self._allure: allure.Results | None = None
        self._found: dict[str, tuple[str, ...]] = {}
        self._selected: set[str] = set()

    def connect(self, payload: Mapping[str, Any]) -> None:
        """Take what the controller knows: `connection`, `node_class`, `components`, `secrets`, `turns`."""
        self.connection = payload["connection"]
        self.turns = Turns(Path(payload["turns"]))
        self.node_class = payload["node_class"]
        self.redactor.add(*payload["secrets"])
        if self.allure_folder:
            self._allure = allure.Results(
                self.allure_folder, self.catalogue, self.defects, payload["components"], self._clean
            )
            allure_commons.plugin_manager.register(self._allure)

    def pytest_unconfigure(self) -> None:
        """Leave allure as it was."""
        if self._allure:
            allure_commons.plugin_manager.unregister(self._allure)

    @property
    def collected(self) -> list[Collected]:
        """The checks that exist, in order."""
        return [
            Collected(check=check, requirements=requirements, selected=check in self._selected)
            for check, requirements in self._found.items()
        ]

    # --- collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Refuse checks that are written wrongly and ids that don't exist; leave what is selected: long checks first, disruptive ones last."""
        checks = [item for item in items if is_check(item, self.folder)]
        wrong = unknown_requirements(self.options.requirements, self.catalogue) + mistakes(
            checks, self.catalogue
        )
        if wrong:
            raise pytest.UsageError("\n".join(wrong))
        self._found = {check_id(item): requirements_of(item) for item in checks}
        left = [item for item in checks if not self._selects(requirements_of(item))]
        if left:
            gone = set(left)
            items[:] = [item for item in items if item not in gone]
            config.hook.pytest_deselected(items=left)
        if self.workers > 1:
            items[:] = longest_first(items, self.workers)
        items.sort(key=lambda item: is_check(item, self.folder) and is_disruptive(item))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep which checks are left after every filter, also pytest's own -k and -m."""
        self._selected = {check_id(item) for item in session.items if is_check(item, self.folder)}

    def _selects(self, requirements: Iterable[str]) -> bool:
        return any(self.selected(one) for one in requirements)

    def selected(self, requirement: str) -> bool:
        """Whether the profile and --requirement select a requirement."""
        strength = Strength(self.catalogue[requirement].strength)
        asked = self.options.requirements
        return selects(self.options.profile, strength) and (not asked or requirement in asked)

    # --- the run of one check

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let a check run when it is its turn: a disruptive one alone."""
        with self.turns.take(alone=is_disruptive(item)):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Decide by what the target lacks, before any fixture is made."""
        if is_check(item, self.folder):
            item.stash[STATE] = State()
            needs = {one: tuple(self.catalogue[one].needs) for one in requirements_of(item)}
            gate(needs, read_platform(self.connection))

    @pytest.hookimpl(wrapper=True, trylast=True)  # so that all other plugins see the verdict, and no secret
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: Phase
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn what was raised into a verdict, and pytest's outcome into that which stands for it."""
        report = yield
        if not is_check(item, self.folder):
            return report
        state = item.stash.setdefault(STATE, State())
        found = self._findings(item, call)
        for requirement, finding in found.items():
            state.findings.setdefault(requirement, []).append(finding)
        worst = CheckRecord(check="", findings=found).worst
        if call.excinfo is not None and isinstance(call.excinfo.value, Gated):
            report.longrepr = worst.reason
        elif call.excinfo is not None and not isinstance(call.excinfo.value, Unsupported):
            state.traces.append(
                {"kind": "traceback", "title": f"traceback ({call.when})", "data": traceback(call.excinfo)}
            )
        restate(report, item, worst)
        self._redact(report)
        report.user_properties.append((VERDICT_PROPERTY, self.redactor.text(word(worst))))
        if call.when == "teardown":
            text = json.dumps(self.redactor.value(self._record(item, state).to_json()))
            report.user_properties.append((PROPERTY, text))
            if self._allure:
                self._allure.record = CheckRecord.from_json(json.loads(text))
        return report

    def _findings(self, item: pytest.Item, call: Phase) -> Mapping[str, Finding]:
        """What one phase of a check says of each of its requirements."""
        if call.excinfo is not None and isinstance(call.excinfo.value, Gated):
            found = call.excinfo.value.findings
        else:
            found = dict.fromkeys(
                requirements_of(item), judge(call.excinfo, when=call.when, folder=self.folder)
            )
        return {one: weigh(finding, Strength(self.catalogue[one].strength)) for one, finding in found.items()}

    def _clean(self, text: str) -> str:
        """A text without secrets, and without lone surrogates (of file names), which no stream carries."""
        return self.redactor.text(text).encode(errors="backslashreplace").decode()

    def _redact(self, report: pytest.TestReport) -> None:
        """Leave no secret in what pytest itself prints of a check."""
        text = report.longreprtext
        if report.longrepr and not isinstance(report.longrepr, tuple) and self._clean(text) != text:
            report.longrepr = self._clean(text)
        report.sections = [(title, self._clean(text)) for title, text in report.sections]

    def _record(self, item: pytest.Item, state: State) -> CheckRecord:
        """The check's record, when it has ended."""
        seen = "; ".join(f"{one['text']}: {brief(one['value'])}" for one in state.observed)
        findings = {one: decisive(found) for one, found in state.findings.items()}
        return CheckRecord(
            check=check_id(item),
            description=inspect.cleandoc(getattr(getattr(item, "function", None), "__doc__", None) or ""),
            findings={
                one: replace(finding, reason=seen)
                if finding.verdict is Verdict.OBSERVED and not finding.reason
                else finding
                for one, finding in findings.items()
            },
            node_class=self.node_class,
            duration=round(time.monotonic() - state.started, 3),
            observed=[as_json(one) for one in state.observed],
            evidence=[as_json(one) for one in (*state.evidence.to_json(), *state.traces)],
            worker=self.worker,
        )


def traceback(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """How an exception came about, without pytest's own frames and without the places of this machine."""

    def ours(entry: Any) -> bool:  # pytest does not export the type
        return not {"_pytest", "pluggy"} & set(Path(entry.path).parts)

    shown = excinfo.getrepr(style="short", tbfilter=lambda info: info.traceback.filter(ours))
    return str(shown).replace(f"{sys.prefix}/", "")[-_TRACEBACK_LENGTH:]


def as_json(item: dict[str, Any]) -> dict[str, Any]:
    """What a check recorded, as text where JSON can't hold it: that must not cost the verdict."""
    try:
        text = json.dumps(item, default=repr)
    except (TypeError, ValueError):  # a key that is no text, or a value that contains itself
        text = json.dumps(
            {name: value if isinstance(value, str) else repr(value) for name, value in item.items()}
        )
    found: dict[str, Any] = json.loads(text)
    return found


def brief(value: Any) -> str:
    """A value in a line of at most 120 characters."""
    text = value if isinstance(value, str) else json.dumps(as_json({"value": value})["value"])
    return text if len(text) <= 120 else text[:119] + "…"


def check_id(item: pytest.Item) -> str:
    """The name of a check: pytest's, without the group that xdist appends to it."""
    group = item.get_closest_marker("xdist_group")
    if group is None:
        return item.nodeid
    name = str(group.args[0] if group.args else group.kwargs.get("name", "default"))
    return item.nodeid.removesuffix(f"@{name}")


def decisive(findings: Sequence[Finding]) -> Finding:
    """The finding of a check's phases that counts: the worst, and of equals the first that gives a reason."""
    explained_first = sorted(findings, key=lambda finding: not finding.reason)
    return CheckRecord(
        check="", findings={str(number): one for number, one in enumerate(explained_first)}
    ).worst


def restate(report: pytest.TestReport, item: pytest.Item, finding: Finding) -> None:
    """Give a phase's report the outcome that stands for its finding.

    A fail counts as pytest's failure and a doubt as its error, whatever the phase, so that everybody who
    reads pytest's reports, its own JUnit writer too, counts them so.
    """
    match finding.verdict:
        case Verdict.FAIL:
            report.outcome, report.when = "failed", "call"
        case Verdict.INCONCLUSIVE:
            report.outcome = "failed"
            report.when = "setup" if report.when == "call" else report.when
        case Verdict.UNSUPPORTED | Verdict.NOT_SELECTED:
            report.outcome = "skipped"
            line = (item.location[1] or 0) + 1
            report.longrepr = (str(item.path), line, f"{finding.verdict}: {finding.reason}")
        case _:
            if report.failed:  # an assertion about what nobody promised
                report.outcome, report.longrepr = "passed", None
    if report.outcome == "failed" and (not report.longrepr or isinstance(report.longrepr, tuple)):
        report.longrepr = finding.reason


_LETTERS = {
    Verdict.FAIL: ("failed", "F"),
    Verdict.INCONCLUSIVE: ("error", "E"),
    Verdict.UNSUPPORTED: (str(Verdict.UNSUPPORTED), "u"),
    Verdict.NOT_SELECTED: (str(Verdict.NOT_SELECTED), "-"),
    Verdict.PASS: ("passed", "."),
    Verdict.OBSERVED: (str(Verdict.OBSERVED), "o"),
}


def status(report: pytest.TestReport) -> tuple[str, str, tuple[str, Mapping[str, bool]]] | None:
    """Pytest's category, letter and word of a check's report; None for what is not a check's."""
    said = dict(report.user_properties).get(VERDICT_PROPERTY)
    if said is None:
        return None
    verdict = Verdict(str(said).partition(" (")[0])
    if verdict in (Verdict.PASS, Verdict.OBSERVED) and report.when != "call":
        return None
    category, letter = _LETTERS[verdict]
    colour = {"failed": "red", "error": "yellow", "passed": "green"}.get(category, "cyan")
    return category, letter, (str(said).upper(), {colour: True})
