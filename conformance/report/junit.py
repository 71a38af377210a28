"""JUnit XML for CI systems: a test suite an area, a test case a requirement.

fail is a <failure> whose type is its kind, inconclusive an <error>, and what was not judged, or is waived, a
<skipped> whose type is the verdict. The counts on <testsuites> and <testsuite> are those of the children,
because readers use either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET  # only written with; nothing is parsed here

from conformance.verdict import Kind, Verdict

Json = Mapping[str, Any]

_CHILDREN = {
    Verdict.FAIL: "failure",
    Verdict.INCONCLUSIVE: "error",
    Verdict.UNSUPPORTED: "skipped",
    Verdict.WAIVED: "skipped",
    Verdict.NOT_SELECTED: "skipped",
    Verdict.NOT_VERIFIED: "skipped",
}
# What XML 1.0 can't hold, not even escaped, and lone surrogates.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(report: Json) -> str:
    """Draw the report as JUnit XML."""
    root = ET.Element("testsuites", name=f"image volume conformance: {clean(report['result']['word'])}")
    for area in report["areas"]:
        requirements = [one for one in report["requirements"] if one["area"] == area["name"]]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=clean(area["title"]),
            timestamp=report["run"]["started"][:19],
            hostname="target",
        )
        for one in requirements:
            suite.append(_case(one, area["name"]))
        _count(suite, [suite])
    _count(root, root.findall("testsuite"))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="utf-8"?>\n', "\n")
    )


def clean(text: str) -> str:
    """A text that XML can hold: characters that it can't are written as their numbers."""
    return _FORBIDDEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _count(element: ET.Element, suites: list[ET.Element]) -> None:
    """Put onto an element how many cases of each kind its suites hold, and their time."""
    cases = [case for suite in suites for case in suite.findall("testcase")]
    element.set("tests", str(len(cases)))
    for attribute, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(child) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")


def _case(one: Json, area: str) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=clean(f"conformance.{area}"),
        name=clean(f"{one['id']} {one['title']}"),
        time=f"{one['duration']:.3f}",
    )
    verdict = Verdict(one["verdict"])
    child = _CHILDREN.get(verdict)
    if child:
        kind = one["kind"] or str(Kind.VIOLATED)
        found = ET.SubElement(
            case, child, type=kind if verdict is Verdict.FAIL else str(verdict), message=clean(one["reason"])
        )
        found.text = clean(_told(one))
    elif one["reason"] or one["stale"]:
        ET.SubElement(case, "system-out").text = clean(_told(one))
    return case


def _told(one: Json) -> str:
    """What a person needs, as a text."""
    lines = [f"{one['verdict']}: {one['reason']}", "", f"{one['strength']}: {one['statement']}"]
    lines += [f"source: {source}" for source in one["source"]]
    lines += [f"known defect{' (stale)' if one['stale'] else ''}: {defect}" for defect in one["defects"]]
    lines += [f"{check['verdict']}: {check['check']}: {check['reason']}" for check in one["checks"]]
    return "\n".join(lines)
