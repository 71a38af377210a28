"""Container logs."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from fixtures.reference.node.logs import Log, Wanted, tail_of

pytestmark = pytest.mark.asyncio
NOTHING_SPECIAL = Wanted()


async def text(log: Log, wanted: Wanted = NOTHING_SPECIAL, *, follow: bool = False) -> bytes:
    """What is read from a log."""
    return b"".join([piece async for piece in log.read(wanted, follow=follow)])


def written(log: Log, *pieces: bytes, stream: str = "stdout") -> None:
    """Let a container write, and end."""
    reader, writer = os.pipe()
    log.attach(reader, stream)
    for piece in pieces:
        os.write(writer, piece)
    os.close(writer)
    log.close()


async def test_lines_are_kept_with_time_and_stream(tmp_path: Path) -> None:
    """The file has the CRI's format; the reader gets what was written."""
    log = Log(tmp_path / "0.log")
    written(log, b"one\ntw", b"o\nthree")
    line = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stdout F "
    assert re.fullmatch(line + b"one\n" + line + b"two\n" + line + b"three\n", log.path.read_bytes())
    assert await text(log) == b"one\ntwo\nthree\n"


async def test_a_long_line_comes_back_whole(tmp_path: Path) -> None:
    """It is parted in the file and put together for the reader."""
    log = Log(tmp_path / "0.log")
    written(log, b"x" * 50_000 + b"\nend\n")
    assert b" P " in log.path.read_bytes()
    assert await text(log) == b"x" * 50_000 + b"\nend\n"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(tail=2), b"3\n4\n"),
        (Wanted(tail=0), b""),
        (Wanted(limit=3), b"1\n2"),
        (Wanted(since=0.0), b"1\n2\n3\n4\n"),
        (Wanted(since=4_000_000_000.0), b""),
        (Wanted(stream="Stderr"), b""),
    ],
)
async def test_a_part_can_be_asked_for(tmp_path: Path, wanted: Wanted, expected: bytes) -> None:
    """tailLines, limitBytes, sinceTime, stream."""
    log = Log(tmp_path / "0.log")
    written(log, b"1\n2\n3\n4\n")
    assert await text(log, wanted) == expected


async def test_timestamps_can_be_shown(tmp_path: Path) -> None:
    """One before each line."""
    log = Log(tmp_path / "0.log")
    written(log, b"one\n")
    assert re.fullmatch(rb"\S+Z one\n", await text(log, Wanted(timestamps=True)))


async def test_following_ends_with_the_container(tmp_path: Path) -> None:
    """Lines come as they are written, and the end is the container's."""
    log = Log(tmp_path / "0.log")
    reader, writer = os.pipe()
    log.attach(reader, "stdout")
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def follow() -> None:
        async for piece in log.read(NOTHING_SPECIAL, follow=True):
            seen.put_nowait(piece)

    following = asyncio.create_task(follow())
    os.write(writer, b"one\n")
    assert await asyncio.wait_for(seen.get(), 5) == b"one\n"
    os.write(writer, b"two\n")
    assert await asyncio.wait_for(seen.get(), 5) == b"two\n"
    os.close(writer)
    log.close()
    await asyncio.wait_for(following, 5)
    assert seen.empty()


async def test_the_end_of_a_log_makes_a_termination_message(tmp_path: Path) -> None:
    """FallbackToLogsOnError: the last lines, at most so many bytes."""
    log = Log(tmp_path / "0.log")
    written(log, b"first\nsecond\nthird\n")
    assert tail_of(log.path, lines=2, size=100) == "second\nthird\n"
    assert tail_of(log.path, lines=2, size=6) == "third\n"
    assert tail_of(tmp_path / "absent", lines=2, size=6) == ""
