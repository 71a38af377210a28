"""Layers unpacked into directories of their own, seen as a stack."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.reference.node.stack import Stack
from fixtures.reference.node.unpack import Manner, UnpackError, unpack
from images import hostile
from images.oci.content import Sparse
from images.oci.layer import Layer, Member, device, directory, fifo, file, hardlink, opaque, symlink, whiteout

HERE = Manner(owners=False)


class Layers:
    """Unpacks layers one upon the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: list[bytes] = []

    def add(self, *members: Member, manner: Manner = HERE) -> Path:
        """Unpack a layer of these members; its directory."""
        return self.add_tar(Layer(members, compression="none", parents=False).data, manner)

    def add_tar(self, tar: bytes, manner: Manner = HERE) -> Path:
        """Unpack a tar; its directory."""
        place = self.folder / str(len(self.places))
        place.mkdir()
        unpack(io.BytesIO(tar), os.fsencode(place), Stack(tuple(self.places)), manner)
        self.places.insert(0, os.fsencode(place))
        return place

    @property
    def stack(self) -> Stack:
        """What an overlay of them would show."""
        return Stack(tuple(self.places))


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    """No layers yet."""
    return Layers(tmp_path)


def names(layers: Layers, folder: bytes = b"") -> set[str]:
    """What is seen in a directory."""
    return {name.decode() for name in layers.stack.names(folder)}


def test_entries_are_as_their_headers_say(layers: Layers) -> None:
    """Modes whatever the umask, times of directories after their contents, targets of links verbatim."""
    place = layers.add(
        directory("folder", mode=0o1777, mtime=5),
        file("folder/file", "text", mode=0o4751, mtime=0),
        symlink("folder/link", "/absolute"),
        fifo("folder/pipe", mode=0o604),
    )
    assert stat.S_IMODE((place / "folder").stat().st_mode) == 0o1777
    assert (place / "folder").stat().st_mtime == 5
    assert stat.S_IMODE((place / "folder/file").stat().st_mode) == 0o4751
    assert (place / "folder/file").stat().st_mtime == 0
    assert (place / "folder/link").readlink() == Path("/absolute")
    assert stat.S_ISFIFO((place / "folder/pipe").stat().st_mode)


def test_names_of_any_bytes_and_lengths_survive(layers: Layers) -> None:
    """255 bytes, spaces, what is not UTF-8, and twenty levels of directories."""
    odd = ["n" * 255, "a b", "caf\udce9", "/".join(["d" * 60] * 20) + "/leaf"]
    layers.add(*(file(name, "x") for name in odd))
    for name in odd:
        assert layers.stack.find(name.encode("utf-8", "surrogateescape")) is not None


def test_whiteouts_hide_lower_entries_only(layers: Layers) -> None:
    """A whiteout says nothing about the entry of that name in its own layer, wherever it stands in it."""
    layers.add(file("gone"), file("replaced", "old"), file("folder/old"))
    layers.add(
        whiteout("gone"),
        file("replaced", "new"),
        whiteout("replaced"),
        whiteout("folder"),
        file("folder/new"),
        whiteout("never-there"),
    )
    assert names(layers) == {"replaced", "folder"}
    assert names(layers, b"folder") == {"new"}


def test_an_opaque_directory_hides_everything_below_it(layers: Layers) -> None:
    """Deep entries too, and only lower ones; without extended attributes."""
    layers.add(file("folder/old"), file("folder/deep/old"), file("folder/deep/deeper/old"))
    layers.add(directory("folder"), opaque("folder"), file("folder/deep/new"))
    assert names(layers, b"folder") == {"deep"}
    assert names(layers, b"folder/deep") == {"new"}


def test_upper_types_win(layers: Layers) -> None:
    """A file for a directory, a directory for a file, a link for a directory."""
    layers.add(file("a/inner"), file("b"), file("c/inner"))
    layers.add(file("a", "file"), directory("b"), file("b/inner"), symlink("c", "b"))
    assert layers.stack.find(b"a/inner") is None
    assert layers.stack.is_directory(b"b")
    assert names(layers, b"c") == set()


def test_a_directory_in_between_keeps_what_it_was(layers: Layers) -> None:
    """A layer that only passes through a directory does not change its mode and time."""
    layers.add(directory("folder", mode=0o2750, mtime=9))
    place = layers.add(file("folder/file"))
    assert stat.S_IMODE((place / "folder").stat().st_mode) == 0o2750
    assert (place / "folder").stat().st_mtime == 9


def test_hard_links_share_an_inode_across_layers_too(layers: Layers) -> None:
    """A link to a file of a lower layer brings the file up with it."""
    layers.add(file("one", "text", mode=0o640), hardlink("two", "one"))
    place = layers.add(hardlink("three", "one"))
    assert (place / "three").read_text() == "text"
    assert (place / "three").stat().st_ino == (place / "one").stat().st_ino
    assert stat.S_IMODE((place / "one").stat().st_mode) == 0o640


def test_a_link_to_nothing_is_an_error(layers: Layers) -> None:
    """Containerd fails the pull too."""
    with pytest.raises(UnpackError, match="no such file"):
        layers.add(hardlink("a", "absent"))


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../../outside", "./../outside"])
def test_names_stay_inside(layers: Layers, tmp_path: Path, name: str) -> None:
    """`..` and a leading slash stop at the layer's root."""
    place = layers.add(file(name, "x"))
    assert (place / "outside").exists()
    assert not (tmp_path / "outside").exists()


def test_links_on_the_way_are_followed_inside(layers: Layers, tmp_path: Path) -> None:
    """An entry behind a link of its own layer, or of a lower one, goes where the link leads within the image."""
    layers.add(symlink("lib", "usr/lib"), directory("usr/lib"), symlink("evil", str(tmp_path)))
    place = layers.add(
        file("lib/file", "x"), file("evil/file", "x"), symlink("up", "../../.."), file("up/file2", "x")
    )
    assert (place / "usr/lib/file").exists()
    assert not (place / "lib").exists()
    assert not (tmp_path / "file").exists()
    assert (place / "file2").exists()


def test_an_entry_behind_a_file_is_an_error(layers: Layers) -> None:
    """It has nowhere to go."""
    with pytest.raises(UnpackError, match="not a directory"):
        layers.add(file("file"), file("file/inner"))


def test_the_last_entry_of_a_name_counts(layers: Layers) -> None:
    """A tar may hold a name twice."""
    place = layers.add(file("a/b/c"), file("a", "file"), symlink("l", "x"), file("l", "file"))
    assert (place / "a").read_text() == "file"
    assert (place / "l").read_text() == "file"
    assert not (place / "l").is_symlink()


def test_fractions_of_a_second_are_kept(layers: Layers) -> None:
    """They come as PAX text; floats would round them."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("file")
        member.pax_headers = {"mtime": "1700000000.123456789"}
        archive.addfile(member)
    place = layers.add_tar(data.getvalue())
    assert (place / "file").stat().st_mtime_ns == 1700000000123456789


@pytest.mark.parametrize("tar", [b"", bytes(1024), bytes(10240)], ids=["nothing", "zeros", "padded"])
def test_an_empty_layer_is_an_empty_directory(layers: Layers, tar: bytes) -> None:
    """It is neither an error nor does it hang."""
    assert list(layers.add_tar(tar).iterdir()) == []


def test_what_is_no_tar_is_an_error(layers: Layers) -> None:
    """A layer of other bytes fails cleanly."""
    with pytest.raises(UnpackError):
        layers.add_tar(b"not a tar" * 200)


def test_a_cut_tar_is_an_error(layers: Layers) -> None:
    """No file is left short without a word."""
    tar = Layer([file("big", b"x" * 5000)], compression="none").data
    with pytest.raises(UnpackError):
        layers.add_tar(tar[:3000])


# --- size, holes, faults


def test_zeros_of_a_large_file_become_holes(layers: Layers) -> None:
    """A file that is mostly zeros has its size and bytes and takes next to no room."""
    content = Sparse(8 << 20, "build")
    place = layers.add(file("large", content))
    status = (place / "large").stat()
    assert hashlib.sha256((place / "large").read_bytes()).hexdigest() == content.sha256
    assert (status.st_size, status.st_blocks * 512 < 3 << 20) == (8 << 20, True)


def test_a_directory_that_gives_way_is_not_remembered(layers: Layers) -> None:
    """A name that was a directory with entries and becomes a file, and a directory again, holds what came last."""
    place = layers.add(
        file("thing/old"), directory("elsewhere"), symlink("thing", "elsewhere"), file("thing/new")
    )
    assert sorted(path.name for path in (place / "elsewhere").iterdir()) == ["new"]


@pytest.mark.parametrize(
    ("manner", "members", "text"),
    [
        (Manner(owners=False, devices=False), [device("null", "character device", 1, 3)], "mknod null"),
        (Manner(owners=False, nothing=False), [], "unexpected EOF"),
        (Manner(owners=False, most_entries=2), [file("1"), file("2"), file("3")], "more than 2 entries"),
    ],
)
def test_what_faults_refuse(layers: Layers, manner: Manner, members: list[Member], text: str) -> None:
    """Device nodes, layers of nothing and too many entries are refused where a fault says so."""
    with pytest.raises(UnpackError, match=text):
        layers.add(*members, manner=manner)


def test_copies_in_place_of_hard_links(layers: Layers) -> None:
    """The fault makes an inode of each name, with the same content."""
    place = layers.add(file("one", "text"), hardlink("two", "one"), manner=replace(HERE, share_inodes=False))
    assert (place / "two").read_text() == "text"
    assert (place / "two").stat().st_nlink == 1


@pytest.mark.parametrize("way", hostile.WAYS)
@pytest.mark.parametrize("careless", [False, True], ids=["right", "fault"])
def test_layers_stay_inside_but_for_a_fault(tmp_path: Path, way: hostile.Way, *, careless: bool) -> None:
    """No way leads out of the layer's directory; with the fault every one does, and no further than the node's root."""
    node = tmp_path / "node"
    target = node / "aim"
    target.mkdir(parents=True)
    canary = target / hostile.CANARY
    if way in ("hard link", "whiteout", "whiteout through symlink"):
        canary.write_text("the node's")
    layers = Layers(node)
    image = hostile.image(way=way, target="aim")
    manner = replace(HERE, node=os.fsencode(node)) if careless else HERE
    before = (canary.exists(), canary.exists() and canary.stat().st_nlink)
    with suppress(UnpackError):
        layers.add_tar(b"".join(image.layers[0].tar()), manner)
    after = (canary.exists(), canary.exists() and canary.stat().st_nlink)
    assert (before == after) is not careless
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node"]
