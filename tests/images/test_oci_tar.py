"""images/oci/tar.py: what is written is what a reader finds."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from images.oci import tar
from images.oci.content import Bytes, Noise, sha256
from images.oci.tar import Member

KINDS = {
    "file": tarfile.REGTYPE,
    "hard link": tarfile.LNKTYPE,
    "symlink": tarfile.SYMTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "directory": tarfile.DIRTYPE,
    "fifo": tarfile.FIFOTYPE,
}

names = st.one_of(
    st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=120),
    st.binary(min_size=1, max_size=255)
    .filter(lambda raw: not set(raw) & {0, 47})
    .map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
xattrs = st.dictionaries(
    st.sampled_from(["user.a", "user.b", "security.capability"]), st.binary(max_size=40), max_size=2
)


@st.composite
def members(draw: st.DrawFn) -> Member:
    """Any member that a tar can hold."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    return Member(
        name=draw(paths),
        type=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**32 - 2)),
        gid=draw(st.integers(0, 2**32 - 2)),
        mtime=draw(st.integers(-(2**33), 2**34)),
        content=Bytes(draw(st.binary(max_size=1100)) if kind == "file" else b""),
        target=draw(paths) if kind in ("symlink", "hard link") else "",
        device=draw(st.tuples(st.integers(0, 4095), st.integers(0, 2**20)))
        if kind.endswith("device")
        else (0, 0),
        xattrs=draw(xattrs),
    )


def read(written: Sequence[Member]) -> list[tuple[tarfile.TarInfo, bytes]]:
    """What Python's reader finds in the archive of `written`."""
    data = b"".join(tar.stream(written))
    assert len(data) % tar.BLOCK == 0
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        return [(info, _content(archive, info)) for info in archive.getmembers()]


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info) if info.isreg() else None
    return file.read() if file else b""


@settings(deadline=None, max_examples=80, database=None)
@given(st.lists(members(), max_size=4))
def test_a_reader_finds_what_was_written(written: list[Member]) -> None:
    """Every field of every member comes back, long and odd names, large numbers and attributes with them."""
    found = read(written)
    assert len(found) == len(written)
    for member, (info, data) in zip(written, found, strict=True):
        assert info.name == member.name
        assert info.type == KINDS[member.type]
        assert (info.mode, info.uid, info.gid, info.mtime) == (
            member.mode,
            member.uid,
            member.gid,
            member.mtime,
        )
        assert info.linkname == member.target
        assert data == (member.content.data if isinstance(member.content, Bytes) else b"")
        assert (info.devmajor, info.devminor) == member.device
        for name, value in member.xattrs.items():
            assert info.pax_headers[f"SCHILY.xattr.{name}"].encode("utf-8", "surrogateescape") == value


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "./x", "a//b", "."])
def test_names_are_written_as_they_are(name: str) -> None:
    """A name that a sane builder would not write is not tidied up."""
    assert b"".join(tar.stream([Member(name=name, type="file")]))[:100].rstrip(b"\0") == name.encode()


def test_pax_records_only_where_they_are_needed() -> None:
    """A member that fits its ustar header gets no other; so a plain layer can be read by the simplest reader."""
    assert len(tar.header(Member(name="n" * 100, type="file", uid=8**7 - 1, mtime=8**11 - 1))) == tar.BLOCK
    assert len(tar.header(Member(name="n" * 101, type="file"))) == 3 * tar.BLOCK


def test_binary_names_are_announced() -> None:
    """Names that are not UTF-8 come with `hdrcharset=BINARY`, as pax wants; others don't."""
    assert b"hdrcharset=BINARY" in tar.header(Member(name="\udcff", type="file"))
    assert b"hdrcharset" not in tar.header(Member(name="ü", type="file"))


@pytest.mark.parametrize("digits", range(1, 12))
def test_pax_lengths_count_their_own_digits(digits: int) -> None:
    """The length in front of a record is right where it gets a digit longer."""
    for size in range(85, 100) if digits == 1 else range(980 + digits, 982 + digits):
        value = "v" * size
        ((info, _),) = read([Member(name="x", type="file", pax={"comment": value})])
        assert info.pax_headers["comment"] == value


def test_large_content_is_never_whole_in_memory() -> None:
    """A large file passes in pieces, and its bytes are those that its hash promises."""
    noise = Noise((3 << 20) + 5, "seed")
    pieces = list(tar.stream([Member(name="large", type="file", content=noise)]))
    assert max(map(len, pieces)) <= 1 << 20
    data = b"".join(pieces)[tar.BLOCK :][: noise.size]
    assert sha256([data]) == (noise.sha256, noise.size)
