"""conformance.report.junit: read back as CI systems read it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from conformance.report.junit import document
from conformance.verdict import Finding, Kind, Verdict
from tests.report.sample import NASTY, report


def read(text: str) -> ET.Element:
    """The document as a reader of UTF-8 files sees it."""
    return ET.fromstring(text.encode("utf-8"))  # noqa: S314 - the suite wrote it a moment ago


def case(root: ET.Element, requirement: str) -> ET.Element:
    """The test case of a requirement."""
    return next(one for one in root.iter("testcase") if str(one.get("name")).startswith(requirement))


def test_each_verdict_has_its_element() -> None:
    """A fail is a failure with its kind, a doubt an error, what was not judged a skip of that type."""
    root = read(document(report()))
    found = {
        str(one.get("name")).split()[0]: [(child.tag, child.get("type")) for child in one]
        for one in root.iter("testcase")
    }
    assert found == {
        "API-01": [],
        "API-02": [("failure", "violated")],
        "API-03": [("system-out", None)],
        "API-04": [("skipped", "not verified")],
        "SUB-01": [("failure", "ignored")],
        "SUB-02": [("skipped", "unsupported")],
        "SUB-03": [("skipped", "not verified")],
        "SUB-04": [("error", "inconclusive")],
    }


def test_the_counts_are_those_of_the_children() -> None:
    """Readers that trust attributes and readers that count children come to the same numbers."""
    root = read(document(report()))
    for element in (root, *root.iter("testsuite")):
        for attribute, tag in (
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert int(str(element.get(attribute))) == len(list(element.iter(tag)))
        assert float(str(element.get("time"))) == sum(
            float(str(one.get("time"))) for one in element.iter("testcase")
        )
    assert [suite.get("name") for suite in root] == ["API", "subPath"]


def test_texts_of_the_target_do_not_break_the_file() -> None:
    """Control characters, lone surrogates and markup in a reason leave well-formed XML."""
    text = document(report())
    root = read(text)
    message = str(case(root, "SUB-01").find("failure").get("message"))  # type: ignore[union-attr]  # it is there
    assert message == NASTY.replace("\x00", "\\x00").replace("\x1b", "\\x1b").replace(
        "\ud800", "\\xd800"
    ).replace("\ufffe", "\\xfffe")


@given(st.text(alphabet=st.characters(), max_size=30))
def test_any_text_is_well_formed(text: str) -> None:
    """Whatever is put into a reason, the file can be read."""
    finding = Finding(verdict=Verdict.FAIL, kind=Kind.VIOLATED, reason=text)
    assert case(read(document(report({"API-01": finding}))), "API-01").find("failure") is not None


def test_a_case_tells_what_is_demanded_and_by_what() -> None:
    """The text of a failure holds statement, source and check, so that CI shows enough to begin with."""
    root = read(document(report()))
    text = case(root, "API-02").findtext("failure")
    assert text is not None
    for part in (
        "fail: not what it should be",
        "SHOULD: The target SHOULD do API-02.",
        "a document",
        "test_API-02",
    ):
        assert part in text
