"""images/oci/layer.py: members that make sense, and the blob that a layer becomes."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from images.oci import layer
from images.oci.content import Noise
from images.oci.layer import Compression, Layer, directory, file, hardlink, opaque, symlink, whiteout

COMPRESSIONS: tuple[Compression, ...] = ("gzip", "zstd", "none")


def plain(data: bytes, compression: Compression) -> bytes:
    """`data` as it was before its compression, by somebody else's reader."""
    if compression == "gzip":
        return gzip.decompress(data)
    if compression == "zstd":
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as reader:
            return reader.read()
    return data


@settings(deadline=None, max_examples=40, database=None)
@given(st.lists(st.binary(max_size=2000), max_size=5), st.sampled_from(COMPRESSIONS))
def test_compression_loses_nothing(chunks: list[bytes], compression: Compression) -> None:
    """Whatever the pieces, a reader gets the same bytes back."""
    assert plain(b"".join(layer.compressed(chunks, compression)), compression) == b"".join(chunks)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_digests_are_those_of_the_bytes(compression: Compression) -> None:
    """Digest and size are the blob's, diff_id is that of the tar inside, and both readings give the same bytes."""
    made = Layer([file("a", "text" * 1000), symlink("b", "a")], compression=compression)
    data = made.data
    assert made.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert made.size == len(data) == len(b"".join(made.chunks()))
    assert made.diff_id == f"sha256:{hashlib.sha256(plain(data, compression)).hexdigest()}"
    assert made.blob().data == data


def test_bytes_do_not_depend_on_the_machine() -> None:
    """The tar of the same members is the same on every machine and Python: this is its digest, once and for all."""
    members = [
        file("dir/file", "text", uid=1000, mtime=1),
        symlink("dir/link", "file"),
        file("ü", mode=0o4755),
    ]
    assert Layer(members).diff_id == "sha256:c73ea971efaab9397728f7947192b05c290cf535f9b9dcfc031e7d644771077e"


def test_gzip_header_says_nothing_about_its_maker() -> None:
    """No time, no name, no operating system: RFC 1952's ten bytes are constant."""
    assert Layer([file("a")]).data[:10].hex() == "1f8b08000000000000ff"


def test_large_layers_are_made_again_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer beyond the limit keeps no bytes, and gives the same ones each time it is read."""
    monkeypatch.setattr(layer, "_KEPT", 1 << 20)
    large = Layer([file("large", Noise((2 << 20) + 1, "x"))], compression="none")
    assert large._made.kept is None
    assert (
        hashlib.sha256(large.data).hexdigest() == hashlib.sha256(large.data).hexdigest() == large.digest[7:]
    )


def test_parents_get_headers() -> None:
    """Every directory that a member lies in has a header, once, before what lies in it; explicit ones stay as they are."""
    made = Layer([file("a/b/c"), file("a/d"), directory("e", mode=0o700), file("e/f")])
    assert [member.name for member in made.written] == ["a/", "a/b/", "a/b/c", "a/d", "e/", "e/f"]
    assert made.written[4].mode == 0o700


def test_parents_can_be_left_out() -> None:
    """A layer that is wrong on purpose has exactly the members it was given."""
    members = [file("a/b"), file("../x"), file("/abs")]
    assert Layer(members, parents=False).written == tuple(members)


def test_a_hard_link_has_its_targets_header() -> None:
    """Runtimes apply a link's header to the file, so it must say what the file's says, through other links too."""
    one = file("one", mode=0o600, uid=7, gid=8, mtime=9)
    for member in Layer([one, hardlink("two", "one"), hardlink("three", "two")]).written:
        assert (member.mode, member.uid, member.gid, member.mtime) == (0o600, 7, 8, 9)


def test_whiteouts_have_the_names_of_the_specification() -> None:
    """`.wh.NAME` beside the hidden name, `.wh..wh..opq` inside the opaque directory; both empty files."""
    assert whiteout("dir/file").name == "dir/.wh.file"
    assert whiteout("top/").name == ".wh.top"
    assert opaque("dir/").name == "dir/.wh..wh..opq"
    assert whiteout("a").type == opaque("a").type == "file"
    assert whiteout("a").content.size == 0


@pytest.mark.parametrize(
    ("compression", "oci", "docker"),
    [
        (
            "gzip",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ),
        (
            "zstd",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.diff.tar.zstd",
        ),
        ("none", "application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"),
    ],
)
def test_media_types(compression: Compression, oci: str, docker: str) -> None:
    """The media type names the compression, in both families."""
    made = Layer([], compression=compression)
    assert (made.media_type(), made.media_type(docker=True)) == (oci, docker)
    assert (made.blob().media_type, made.blob(docker=True).media_type) == (oci, docker)


def test_a_folder_has_neither_umask_nor_times(tmp_path: Path) -> None:
    """Files of a checkout become the same members whatever modes and times they have there."""
    (tmp_path / "sub").mkdir(mode=0o700)
    (tmp_path / "sub" / "b").write_text("b")
    (tmp_path / "a").write_text("a")
    (tmp_path / "a").chmod(0o600)
    found = layer.folder(tmp_path, below="site")
    assert [(member.name, member.mode, member.mtime) for member in found] == [
        ("site/a", 0o644, layer.MTIME),
        ("site/sub/", 0o755, layer.MTIME),
        ("site/sub/b", 0o644, layer.MTIME),
    ]


def test_all_kinds_of_members_can_be_read() -> None:
    """Each constructor makes the kind of member that its name says."""
    members = [
        file("file"),
        directory("directory"),
        symlink("symlink", "file"),
        hardlink("hard link", "file"),
        layer.fifo("fifo"),
        layer.device("character device", "character device", 1, 3),
        layer.device("block device", "block device", 7, 0),
    ]
    with tarfile.open(fileobj=io.BytesIO(Layer(members, compression="none").data)) as archive:
        found = archive.getmembers()
    tests = ("isreg", "isdir", "issym", "islnk", "isfifo", "ischr", "isblk")
    assert [getattr(info, test)() for info, test in zip(found, tests, strict=True)] == [True] * 7


def test_padding_is_no_content() -> None:
    """Zero bytes after the archive's end make the layer larger and hold no member."""
    plain, padded = (Layer([file("a", "b")], compression="none", padding=size) for size in (0, 3 << 20))
    assert padded.size - plain.size == 3 << 20
    assert padded.data == plain.data + bytes(3 << 20)
    with tarfile.open(fileobj=io.BytesIO(padded.data)) as archive:
        assert archive.getnames() == ["a"]
