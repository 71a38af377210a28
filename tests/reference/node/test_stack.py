"""A stack of layers, seen without a mount."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fixtures.reference.node.stack import EscapeError, Stack


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Two layers: the upper one hides a file, replaces a directory by a link, and adds to another."""
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    for path in ("both", "linked", "only"):
        (lower / path).mkdir(parents=True)
    (lower / "both" / "low").touch()
    (lower / "both" / "gone").touch()
    (lower / "linked" / "hidden").touch()
    (lower / "file").write_text("lower")
    (upper / "both").mkdir(parents=True)
    (upper / "both" / "up").touch()
    os.mknod(upper / "both" / "gone", stat.S_IFCHR, 0)
    (upper / "linked").symlink_to("only")
    (upper / "out").symlink_to("../../outside")
    (upper / "absolute").symlink_to("/only")
    (upper / "loop").symlink_to("loop")
    (upper / "to-file").symlink_to("file")
    return Stack([os.fsencode(upper), os.fsencode(lower)])


def test_directories_are_merged_and_whiteouts_hide(stack: Stack) -> None:
    """The upper layer adds names and hides others."""
    assert set(stack.names(b"both")) == {b"low", b"up"}
    assert stack.find(b"both/gone") is None


def test_what_is_no_directory_hides_what_lies_below_it(stack: Stack) -> None:
    """A link in the place of a lower directory is not followed to look for lower entries."""
    assert stack.find(b"linked/hidden") is None
    assert stack.names(b"linked") == {}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"only", b"only"),
        (b"linked", b"only"),
        (b"./both//", b"both"),
        (b"both/../only", b"only"),
        (b"", b""),
        (b".", b""),
        (b"to-file", b"file"),
    ],
)
def test_links_inside_are_followed(stack: Stack, path: bytes, found: bytes) -> None:
    """A path leads to where its relative links lead."""
    assert stack.resolve(path) == found


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        (b"out", EscapeError, "path escapes from parent"),
        (b"absolute", EscapeError, "path escapes from parent"),
        (b"../x", EscapeError, "path escapes from parent"),
        (b"absent", FileNotFoundError, "no such file or directory"),
        (b"both/gone", FileNotFoundError, "no such file or directory"),
        (b"file/x", NotADirectoryError, "not a directory"),
        (b"loop", OSError, "too many levels of symbolic links"),
    ],
)
def test_what_leads_nowhere_or_out_is_refused(
    stack: Stack, path: bytes, error: type[OSError], words: str
) -> None:
    """The words are those of Go's os.Root, which containerd passes on."""
    with pytest.raises(error) as refused:
        stack.resolve(path)
    assert refused.value.strerror == words


def test_links_can_be_refused(stack: Stack) -> None:
    """For a runtime that does not follow them."""
    with pytest.raises(OSError, match="symbolic links"):
        stack.resolve(b"linked", follow=False)


@pytest.mark.parametrize(
    ("path", "found"), [(b"absolute", b"only"), (b"../only", b"only"), (b"both/../../linked", b"only")]
)
def test_what_leads_out_can_be_kept_inside(stack: Stack, path: bytes, found: bytes) -> None:
    """For a runtime that resolves links as if the image were the root."""
    assert stack.resolve(path, confined=True) == found


def test_what_is_kept_inside_need_not_be_there(stack: Stack) -> None:
    """A link that means a directory of the node means one of the image, which may have none of that name."""
    with pytest.raises(FileNotFoundError):
        stack.resolve(b"out", confined=True)
