"""Allure results: allure-pytest writes them, and each bears our verdict, evidence and labels, and no secret.

allure-pytest judges by exceptions and knows neither requirements nor evidence. So every result is completed
just before it is written: fail is *failed*, inconclusive *broken*, unsupported, not selected and waived are
*skipped*.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import allure_commons
import attr
import pytest
from allure_commons.model2 import Attachment, Label, Link, StatusDetails, TestStepResult
from allure_commons.utils import md5, uuid4

from conformance.catalogue import Catalogue, Requirement
from conformance.known_defects import KnownDefects
from conformance.report.record import CheckRecord, word
from conformance.verdict import Finding, Strength, Verdict

FOLDER = "allure-results"
EPIC = "Image volumes"

_STATUSES = {
    Verdict.PASS: "passed",
    Verdict.OBSERVED: "passed",
    Verdict.FAIL: "failed",
    Verdict.INCONCLUSIVE: "broken",
    Verdict.UNSUPPORTED: "skipped",
    Verdict.NOT_SELECTED: "skipped",
    Verdict.WAIVED: "skipped",
}
_SEVERITIES = {
    Strength.MUST: "critical",
    Strength.SHOULD: "normal",
    Strength.MAY: "minor",
    Strength.OBSERVED: "trivial",
}
# What allure-pytest guesses from files and functions, and we know better; and the name of the machine.
_OUR_LABELS = ("epic", "feature", "story", "severity", "parentSuite", "suite", "subSuite", "host")

CATEGORIES = [
    {"name": "Violated", "matchedStatuses": ["failed"], "messageRegex": "(?s)fail: .*"},
    {"name": "Silently ignored", "matchedStatuses": ["failed"], "messageRegex": r"(?s)fail \(ignored\): .*"},
    {"name": "Unstable", "matchedStatuses": ["failed"], "messageRegex": r"(?s)fail \(unstable\): .*"},
    {"name": "Inconclusive", "matchedStatuses": ["broken"]},
    {"name": "Unsupported", "matchedStatuses": ["skipped"], "messageRegex": "(?s)unsupported: .*"},
    {"name": "Known upstream defect", "matchedStatuses": ["skipped"], "messageRegex": "(?s)waived: .*"},
    {"name": "Not selected", "matchedStatuses": ["skipped"], "messageRegex": "(?s)not selected: .*"},
]


def active(config: pytest.Config) -> bool:
    """Whether allure-pytest takes part."""
    return hasattr(config.option, "allure_report_dir")


def choose_folder(config: pytest.Config, report: Path) -> Path | None:
    """Let allure-pytest write to the report's folder, unless --alluredir names another.

    None where it takes no part.
    """
    if not active(config):
        return None
    if config.option.allure_report_dir is None:
        config.option.allure_report_dir = str(report / FOLDER)
    return Path(config.option.allure_report_dir)


def clear(folder: Path) -> None:
    """Remove the results of an earlier run; nothing else that may lie in the folder."""
    for pattern in ("*-result.json", "*-container.json", "*-attachment*", "*-globals.json"):
        for file in folder.glob(pattern):
            file.unlink()


class Results:
    """Completes what allure-pytest is about to write. Registered with allure's own plugin manager.

    record: the check that has just ended. clean: makes a text fit to be written.
    """

    def __init__(
        self,
        folder: Path,
        catalogue: Catalogue,
        defects: KnownDefects,
        components: Mapping[str, str],
        clean: Callable[[str], str],
    ) -> None:
        self.record: CheckRecord | None = None
        self._folder = folder
        self._catalogue = catalogue
        self._defects = defects
        self._components = components
        self._clean = clean

    @allure_commons.hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]  # allure has no types
    def report_result(self, result: Any) -> None:
        """Complete the result of a check."""
        record, self.record = self.record, None
        if record is not None:
            self._complete(result, record)
        _clean_all(result, self._clean)

    @allure_commons.hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]  # allure has no types
    def report_container(self, container: Any) -> None:
        """Hide what fixtures say when they fail."""
        _clean_all(container, self._clean)

    def _complete(self, result: Any, record: CheckRecord) -> None:
        requirements = [self._catalogue[name] for name in record.findings]
        finding = self._waived(record)
        case = record.check.partition("[")[2]
        result.name = f"{requirements[0].id} {requirements[0].title}" + (f" [{case}" if case else "")
        result.description = record.description
        result.historyId = md5(record.check)
        result.status = _STATUSES[finding.verdict]
        traces = [str(item["data"]) for item in record.evidence if item["kind"] == "traceback"]
        result.statusDetails = StatusDetails(
            message=f"{word(finding)}: {finding.reason}" if finding.reason else None,
            trace="\n".join(traces) or None,
        )
        others = [label for label in result.labels if label.name not in _OUR_LABELS]
        result.labels = [*others, *self._labels(requirements)]
        result.links = [*result.links, *_links(requirements)]
        result.steps = [*result.steps, *(self._step(item) for item in record.evidence)]

    def _waived(self, record: CheckRecord) -> Finding:
        """The finding of a check; waived, if known defects explain all of its failures."""
        failed = [name for name, finding in record.findings.items() if finding.verdict is Verdict.FAIL]
        explained = [self._defects.match(name, self._components) for name in failed]
        if failed and all(explained):
            reason = "; ".join(dict.fromkeys(defect.summary for found in explained for defect in found))
            return Finding(verdict=Verdict.WAIVED, reason=f"{reason} ({record.worst.reason})")
        return record.worst

    def _labels(self, requirements: Iterable[Requirement]) -> list[Any]:
        areas = {area.name: area.title for area in self._catalogue.areas}
        labels = [("epic", EPIC), ("parentSuite", EPIC)]
        strengths = []
        for one in requirements:
            area = areas[one.area]
            labels += [
                ("feature", area),
                ("story", f"{one.id} {one.title}"),
                ("suite", area),
                ("tag", one.owner),
            ]
            strengths.append(Strength(one.strength))
        labels.append(("severity", _SEVERITIES[min(strengths, key=list(Strength).index)]))
        return [Label(name=name, value=value) for name, value in dict.fromkeys(labels)]

    def _step(self, item: Mapping[str, Any]) -> Any:
        """One piece of evidence as a step, its data as an attachment."""
        seconds = f" ({item['seconds']:.1f} s)" if item.get("seconds") is not None else ""
        step = TestStepResult(name=f"{item['kind']}: {item['title']}{seconds}", status="passed")
        data = item.get("data")
        if data is not None:
            plain = isinstance(data, str)
            text = data if plain else json.dumps(data, indent=1)
            source = f"{uuid4()}-attachment.{'txt' if plain else 'json'}"
            (self._folder / source).write_text(self._clean(text), encoding="utf-8")
            kind = "text/plain" if plain else "application/json"
            step.attachments.append(Attachment(name=item["title"], source=source, type=kind))
        return step


def _links(requirements: Iterable[Requirement]) -> list[Any]:
    found = dict.fromkeys(link for one in requirements for link in one.links)
    return [Link(type="issue" if "/issues/" in link else "link", url=link, name=link) for link in found]


def _clean_all(item: Any, clean: Callable[[str], str]) -> None:
    """Clean every text of an allure object, in place."""
    for field in attr.fields(type(item)):
        value = getattr(item, field.name)
        if isinstance(value, str):
            setattr(item, field.name, clean(value))
        elif isinstance(value, list):
            setattr(item, field.name, [clean(one) if isinstance(one, str) else one for one in value])
            for one in value:
                if attr.has(type(one)):
                    _clean_all(one, clean)
        elif attr.has(type(value)):
            _clean_all(value, clean)


def write_surroundings(report: Mapping[str, Any], folder: Path) -> None:
    """Write what allure shows beside the results: the environment, and the categories of failures."""
    if not folder.is_dir():
        return
    target, run = report["target"], report["run"]
    facts = {
        "Result": report["result"]["sentence"],
        "Target": target.get("server"),
        "Judges.a.real.cluster": "no: the reference cluster" if target.get("reference") else "yes",
        "Kubernetes": target.get("kubernetes"),
        "Node.class": ", ".join(run["node_classes"]),
        "Suite": run["suite_version"],
        "Requirements": run["catalogue_digest"],
        "Profile": run["options"].get("profile"),
    }
    lines = [f"{name}={_property(str(value))}" for name, value in facts.items() if value]
    (folder / "environment.properties").write_text("\n".join(lines) + "\n", encoding="ascii")
    (folder / "categories.json").write_text(json.dumps(CATEGORIES, indent=1) + "\n", encoding="utf-8")


def _property(value: str) -> str:
    """A value as a Java properties file holds it."""
    escaped = value.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    units = escaped.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2)]
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)
