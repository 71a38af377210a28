"""images/oci/merge.py: the tree of layers, by the specification's rules and against a real directory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from images.oci.layer import Layer, Member, directory, fifo, file, hardlink, opaque, symlink, whiteout
from images.oci.merge import UndefinedTreeError, merged
from images.tree import Tree
from tests.images.walk import walk


def tree(*layers: Sequence[Member]) -> Tree:
    """The tree of layers with these members."""
    return merged([Layer(members) for members in layers])


def content(text: str) -> Tree:
    """The tree of one file `f` with this text."""
    return tree([file("f", text)])


def test_the_higher_layer_wins() -> None:
    """A file in two layers is the upper one's, with all its fields."""
    assert tree([file("f", "low", mode=0o600, uid=1)], [file("f", "high")]) == content("high")


def test_a_file_has_what_its_header_says() -> None:
    """Mode, owner, time, size, hash and attributes come from the member."""
    entry = tree([file("f", "x", mode=0o4755, uid=1, gid=2, mtime=3, xattrs={"user.a": b"\0\xff"})])["f"]
    assert (entry.mode, entry.uid, entry.gid, entry.mtime, entry.size, entry.nlink) == (0o4755, 1, 2, 3, 1, 1)
    assert entry.sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert entry.xattrs == {"user.a": "00ff"}


def test_links_and_pipes_have_no_content() -> None:
    """A symlink has its target and mode 0777, a pipe its mode; neither has size, hash or number of links."""
    seen = tree([symlink("l", "../x"), fifo("p", mode=0o600)])
    assert (seen["l"].target, seen["l"].mode, seen["l"].size, seen["l"].nlink) == ("../x", 0o777, None, None)
    assert (seen["p"].type, seen["p"].mode, seen["p"].sha256) == ("fifo", 0o600, None)


def test_a_whiteout_hides_the_lower_name() -> None:
    """A whited-out file and a whited-out directory with all it holds are gone, their neighbours stay."""
    low = [file("d/f"), file("d/g"), file("d/sub/deep/x"), file("d-other"), file("d/subsidiary")]
    assert list(tree(low, [whiteout("d/f"), whiteout("d/sub")])) == ["d", "d-other", "d/g", "d/subsidiary"]


def test_a_whiteout_hides_nothing_of_its_own_layer() -> None:
    """A name beside its own whiteout stays, whichever comes first in the layer."""
    for members in ([whiteout("f"), file("f", "new")], [file("f", "new"), whiteout("f")]):
        assert tree([file("f", "old")], members) == content("new")


@pytest.mark.parametrize("place", range(4))
def test_an_opaque_directory_hides_only_lower_layers(place: int) -> None:
    """The opaque mark hides all that lower layers have there and nothing of its own layer, wherever it stands in it."""
    high: list[Member] = [directory("d", mode=0o700), file("d/new"), file("d/both", "high")]
    high.insert(place, opaque("d"))
    seen = tree([file("d/old"), file("d/sub/old"), file("d/both", "low"), file("e/old")], high)
    assert list(seen) == ["d", "d/both", "d/new", "e", "e/old"]
    assert seen["d"].mode == 0o700
    assert seen["d/both"].size == 4


def test_an_opaque_root_hides_everything() -> None:
    """The mark at the root hides all lower layers."""
    assert list(tree([file("a/b")], [opaque(""), file("c")])) == ["c"]


def test_what_is_hidden_may_come_back() -> None:
    """A later layer may write a hidden name again, without what was below it."""
    seen = tree([file("d/old")], [whiteout("d")], [file("d/new")])
    assert list(seen) == ["d", "d/new"]


@pytest.mark.parametrize(
    ("low", "high", "left"),
    [
        ([file("x/a"), file("x/b/c")], [file("x")], ["x"]),
        ([file("x/a")], [symlink("x", "y")], ["x"]),
        ([file("x")], [directory("x"), file("x/new")], ["x", "x/new"]),
        ([symlink("x", "y"), file("y/old")], [file("x/new")], ["x", "x/new", "y", "y/old"]),
        ([symlink("x", "y")], [file("x")], ["x"]),
        ([fifo("x")], [file("x")], ["x"]),
    ],
)
def test_a_name_takes_the_upper_layers_type(low: list[Member], high: list[Member], left: list[str]) -> None:
    """When the type changes, nothing of the lower entry is left, and a link that becomes a directory is not followed."""
    seen = tree(low, high)
    assert list(seen) == left
    assert seen["x"].type == ("directory" if "x/new" in left else high[0].type)


def test_the_last_header_of_a_directory_decides() -> None:
    """A directory's header in a later layer gives it mode, owner and time, and leaves what it holds."""
    seen = tree([file("d/f")], [directory("d", mode=0o750, uid=1, gid=2, mtime=3)])
    assert (seen["d"].mode, seen["d"].uid, seen["d"].gid, seen["d"].mtime) == (0o750, 1, 2, 3)
    assert "d/f" in seen


def test_a_directory_without_a_header() -> None:
    """It is 0755 and root's, its time is nobody's promise; one that a lower layer describes stays as that says."""
    seen = merged([Layer([directory("a", mode=0o700)]), Layer([file("a/x"), file("b/y")], parents=False)])
    assert seen["a"].mode == 0o700
    assert (seen["b"].mode, seen["b"].uid, seen["b"].mtime) == (0o755, 0, None)


def test_links_within_a_layer_are_counted() -> None:
    """Names of one file in one layer share its fields and its count."""
    seen = tree([file("a", "x", mode=0o600), hardlink("d/b", "a"), hardlink("c", "d/b"), file("other")])
    assert seen["a"] == seen["d/b"] == seen["c"]
    assert (seen["a"].nlink, seen["other"].nlink) == (3, 1)


def test_a_name_written_twice_in_a_layer_is_no_further_link() -> None:
    """What a later member of the same layer replaces never was."""
    assert tree([file("a"), hardlink("b", "a"), file("b", "new")])["a"].nlink == 1


@pytest.mark.parametrize("high", [[whiteout("b")], [file("b", "new")], [hardlink("c", "a")], [whiteout("d")]])
def test_links_that_layers_break_are_not_counted(high: list[Member]) -> None:
    """When a later layer hides one name of a file or adds another, overlays and copies disagree: no count is promised."""
    seen = tree([file("a"), hardlink("b", "a"), hardlink("d/e", "a")], high)
    assert seen["a"].nlink is None


def test_a_link_to_a_lower_layer_is_that_file() -> None:
    """A hard link to a file of a lower layer has its content and fields."""
    seen = tree([file("a", "x", mode=0o600)], [hardlink("b", "a")])
    assert seen["b"] == seen["a"]


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([[file("../x")]], "not a path inside"),
        ([[file("a/../../x")]], "not a path inside"),
        ([[file("/x")]], "not a path inside"),
        ([[symlink("l", "d"), file("l/x")]], "behind 'l', which is a symlink"),
        ([[file("f"), file("f/x")]], "behind 'f', which is a file"),
        ([[hardlink("b", "nope")]], "no file here"),
        ([[hardlink("b", "../x")]], "not a path inside"),
        ([[file("a")], [whiteout("a"), hardlink("b", "a")]], "no file here"),
    ],
)
def test_what_the_specification_leaves_open_has_no_tree(layers: list[list[Member]], text: str) -> None:
    """Where nothing can be expected, asking for the tree is an error that says why."""
    with pytest.raises(UndefinedTreeError, match=text):
        merged([Layer(members, parents=False) for members in layers])


def test_spellings_of_a_path_are_one_path() -> None:
    """`./a`, `a/` and `a//b` name what they look like; the root's own header is no entry."""
    assert list(merged([Layer([directory("."), file("./a/b"), file("c//d")], parents=False)])) == [
        "a",
        "a/b",
        "c",
        "c/d",
    ]


names = st.sampled_from("abc")
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
members = st.one_of(
    st.builds(file, paths, st.text("xy", max_size=2)),
    st.builds(directory, paths),
    st.builds(symlink, paths, names),
    st.builds(whiteout, paths),
    st.builds(opaque, paths),
)


@settings(deadline=None, max_examples=4000, database=None)
@given(st.lists(st.lists(members, max_size=5), min_size=1, max_size=4))
def test_merging_is_what_a_directory_becomes(layers: list[list[Member]]) -> None:
    """Layers applied to a real directory, one system call at a time, leave the tree that was computed."""
    written = [Layer(members) for members in layers]
    try:
        expected = merged(written)
    except UndefinedTreeError:
        assume(False)  # noqa: FBT003 - hypothesis' own signature
    with tempfile.TemporaryDirectory() as root:
        for layer in written:
            apply(Path(root), layer)
        seen = walk(Path(root))
    assert expected.without("mode", "uid", "gid", "mtime").differences(seen) == []


def apply(root: Path, layer: Layer) -> None:
    """The layer unpacked over `root`: first what it hides, then what it brings."""
    marks = [root / member.name for member in layer.written if "/.wh." in f"/{member.name}"]
    for mark in (mark for mark in marks if mark.parent.is_dir() and not behind_a_link(root, mark)):
        opaque = mark.name == ".wh..wh..opq"
        for child in mark.parent.iterdir() if opaque else [mark.with_name(mark.name.removeprefix(".wh."))]:
            remove(child)
    for member in layer.written:
        path = root / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path in marks:
            continue
        if member.type != "directory" or path.is_symlink() or not path.is_dir():
            remove(path)
        if member.type == "directory":
            path.mkdir(exist_ok=True)
        elif member.type == "symlink":
            path.symlink_to(member.target)
        else:
            path.write_bytes(b"".join(member.content.chunks()))


def behind_a_link(root: Path, path: Path) -> bool:
    """Whether one of the directories above `path` is a symlink, through which nothing is hidden."""
    above = path.relative_to(root).parents
    return any((root / parent).is_symlink() for parent in above)


def remove(path: Path) -> None:
    """Removes whatever is at `path`, if anything."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
