"""conformance.report: the files of a report, written and read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.report import draw, read, write
from conformance.report.model import ReportError
from tests.report.sample import report


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """The JSON is the whole truth: it survives the file, and everything else can be drawn from it again."""
    found = report(evidence={"name": "bad\udcff"})
    folder = tmp_path / "new" / "report"
    written = write(found, folder)
    assert [file.name for file in written] == ["conformance.json", "report.html", "junit.xml"]
    again = read(folder / "conformance.json")
    assert again == json.loads(json.dumps(found))
    before = {file: file.read_bytes() for file in written[1:]}
    draw(again, folder)
    assert {file: file.read_bytes() for file in written[1:]} == before
    assert sorted(file.name for file in folder.iterdir()) == ["conformance.json", "junit.xml", "report.html"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ("[]", "is not a report of this suite"),
        ("{}", "is not a report of this suite"),
        ('{"schema_version": 99}', "has schema version 99, and this suite reads 1"),
        ('{"schema_version": 1, "result": {}}', "is not whole: it has no target"),
    ],
)
def test_a_file_that_is_no_report_is_named(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    """Whatever is wrong with a file, the error says which file and what to do, and is no traceback."""
    file = tmp_path / "conformance.json"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ReportError, match=message) as caught:
        read(file)
    assert str(file) in str(caught.value)
