"""One layer: its members, and the blob that they make."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import posixpath
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import zstandard

from images.oci import tar
from images.oci.content import ZEROS, Blob, Bytes, Content
from images.oci.tar import MTIME, Member

__all__ = [
    "MTIME",
    "OPAQUE",
    "WHITEOUT",
    "Compression",
    "Layer",
    "Member",
    "compressed",
    "device",
    "directory",
    "fifo",
    "file",
    "folder",
    "hardlink",
    "opaque",
    "symlink",
    "whiteout",
]

Compression = Literal["gzip", "zstd", "none"]

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
"""OCI image specification 1.1, layer.md, Whiteouts and Opaque Whiteout."""

_SUFFIXES: Mapping[Compression, tuple[str, str]] = {
    "gzip": ("+gzip", ".gzip"),
    "zstd": ("+zstd", ".zstd"),
    "none": ("", ""),
}

_KEPT = 32 << 20
"""A layer up to this many bytes is kept in memory once it has been made; a larger one is made again at each reading."""


def file(
    path: str,
    data: bytes | str | Content = b"",
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    mtime: int = MTIME,
    xattrs: Mapping[str, bytes] | None = None,
) -> Member:
    """A regular file; text is written as UTF-8."""
    if isinstance(data, str):
        data = data.encode()
    content = Bytes(data) if isinstance(data, bytes) else data
    return Member(
        name=path, type="file", mode=mode, uid=uid, gid=gid, mtime=mtime, content=content, xattrs=xattrs or {}
    )


def directory(
    path: str,
    *,
    mode: int = 0o755,
    uid: int = 0,
    gid: int = 0,
    mtime: int = MTIME,
    xattrs: Mapping[str, bytes] | None = None,
) -> Member:
    """A directory's own header; what lies in it are members of their own."""
    name = path.rstrip("/") + "/"
    return Member(name=name, type="directory", mode=mode, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs or {})


def symlink(path: str, target: str, *, uid: int = 0, gid: int = 0, mtime: int = MTIME) -> Member:
    """A symbolic link; `target` is written as it is."""
    return Member(name=path, type="symlink", mode=0o777, uid=uid, gid=gid, mtime=mtime, target=target)


def hardlink(path: str, target: str) -> Member:
    """A further name for the file `target`. `Layer` gives it the target's mode, owner and time if the target is in the layer.

    Runtimes apply a link's header to the file that it links to, so a link with a header of its own would change that.
    """
    return Member(name=path, type="hard link", target=target)


def whiteout(path: str) -> Member:
    """Hides `path` of the layers below."""
    parent, name = posixpath.split(path.rstrip("/"))
    return Member(name=posixpath.join(parent, WHITEOUT + name), type="file")


def opaque(path: str) -> Member:
    """Hides everything that the layers below have in the directory `path`."""
    return Member(name=posixpath.join(path.rstrip("/"), OPAQUE), type="file")


def fifo(path: str, *, mode: int = 0o644, uid: int = 0, gid: int = 0, mtime: int = MTIME) -> Member:
    """A named pipe."""
    return Member(name=path, type="fifo", mode=mode, uid=uid, gid=gid, mtime=mtime)


def device(
    path: str,
    kind: Literal["character device", "block device"],
    major: int,
    minor: int,
    *,
    mode: int = 0o666,
    uid: int = 0,
    gid: int = 0,
    mtime: int = MTIME,
) -> Member:
    """A device node."""
    return Member(name=path, type=kind, mode=mode, uid=uid, gid=gid, mtime=mtime, device=(major, minor))


def folder(root: Path, *, below: str = "") -> list[Member]:
    """The directories and files under `root` as members under `below`, sorted by path.

    Directories become 0755 and files 0644, root's, with the usual time: a checkout's umask and times must not count.
    """
    members = []
    for path in sorted(root.rglob("*")):
        name = posixpath.join(below, path.relative_to(root).as_posix())
        members.append(directory(name) if path.is_dir() else file(name, path.read_bytes()))
    return members


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of an image. With `parents`, a parent directory that no member names gets a header of its own (0755, root).

    What a runtime does about a parent without a header is not specified (OCI image specification 1.1 is silent, and
    runtimes differ in its mode and time), so only a layer that is wrong on purpose leaves them out.

    padding: zero bytes after the end of the archive, as `tar` itself adds some: a large layer of which little is unpacked.
    """

    members: Sequence[Member]
    _: dataclasses.KW_ONLY
    compression: Compression = "gzip"
    parents: bool = True
    padding: int = 0

    @functools.cached_property
    def written(self) -> tuple[Member, ...]:
        """The members as they are written: with the parents, and hard links with their target's header."""
        members = tuple(_with_parents(self.members)) if self.parents else tuple(self.members)
        return tuple(_with_links(members))

    def media_type(self, *, docker: bool = False) -> str:
        """The layer's media type in an OCI manifest, or in a Docker schema 2 manifest."""
        oci, schema2 = _SUFFIXES[self.compression]
        if docker:
            return f"application/vnd.docker.image.rootfs.diff.tar{schema2}"
        return f"application/vnd.oci.image.layer.v1.tar{oci}"

    def blob(self, *, docker: bool = False) -> Blob:
        """The layer's blob, under its OCI or its Docker media type."""
        return Blob(
            media_type=self.media_type(docker=docker), digest=self.digest, size=self.size, chunks=self.chunks
        )

    def chunks(self) -> Iterator[bytes]:
        """The blob's bytes, in pieces."""
        kept = self._made.kept
        return iter((kept,)) if kept is not None else self._make()

    @property
    def data(self) -> bytes:
        """The whole blob; for layers that are known to be small."""
        return b"".join(self.chunks())

    @property
    def digest(self) -> str:
        """The digest of the blob."""
        return self._made.digest

    @property
    def diff_id(self) -> str:
        """The digest of the uncompressed tar."""
        return self._made.diff_id

    @property
    def size(self) -> int:
        """The blob's size in bytes."""
        return self._made.size

    @functools.cached_property
    def _made(self) -> _Made:
        plain, blob, size = hashlib.sha256(), hashlib.sha256(), 0
        kept: list[bytes] | None = []
        for chunk in self._make(plain):
            blob.update(chunk)
            size += len(chunk)
            if kept is not None:
                kept.append(chunk)
                kept = kept if size <= _KEPT else None
        return _Made(
            digest=f"sha256:{blob.hexdigest()}",
            diff_id=f"sha256:{plain.hexdigest()}",
            size=size,
            kept=None if kept is None else b"".join(kept),
        )

    def tar(self) -> Iterator[bytes]:
        """The layer as a tar archive, in pieces."""
        return tar.stream(self.written)

    def _make(self, plain: _Hash | None = None) -> Iterator[bytes]:
        archive = itertools.chain(self.tar(), _zeros(self.padding))
        return compressed(_watched(archive, plain), self.compression)


def compressed(chunks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """`chunks` compressed, with nothing in the result that depends on time or machine."""
    if compression == "gzip":
        yield from _gzip(chunks)
    elif compression == "zstd":
        yield from _zstd(chunks)
    else:
        yield from chunks


def _zeros(size: int) -> Iterator[bytes]:
    piece = bytes(min(size, len(ZEROS)))
    for start in range(0, size, len(ZEROS)):
        yield piece[: size - start]


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    digest: str
    diff_id: str
    size: int
    kept: bytes | None


def _watched(chunks: Iterable[bytes], hashing: _Hash | None) -> Iterator[bytes]:
    for chunk in chunks:
        if hashing is not None:
            hashing.update(chunk)
        yield chunk


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """RFC 1952 by hand: `gzip` writes another operating system into the header with each version of Python."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    check, size = 0, 0
    yield b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"  # no time, no extra flags, system unknown
    for chunk in chunks:
        check, size = zlib.crc32(chunk, check), size + len(chunk)
        if chunk is ZEROS:
            yield deflate.flush(zlib.Z_FULL_FLUSH) + _deflated_zeros()
        else:
            yield deflate.compress(chunk)
    yield deflate.flush() + struct.pack("<LL", check, size & 0xFFFFFFFF)


@functools.cache
def _deflated_zeros() -> bytes:
    """ZEROS as a run of deflate blocks that refer to nothing before them, so that they fit in behind any full flush."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(ZEROS) + deflate.flush(zlib.Z_FULL_FLUSH)


def _zstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressing = zstandard.ZstdCompressor(level=3).compressobj()
    for chunk in chunks:
        yield compressing.compress(chunk)
    yield compressing.flush()


def _with_parents(members: Iterable[Member]) -> Iterator[Member]:
    members = tuple(members)
    named = {member.name.rstrip("/") for member in members}
    for member in members:
        parts = member.name.rstrip("/").split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            parent = "/".join(parts[:depth])
            if parent not in named and parts[depth - 1] not in ("", ".", ".."):
                named.add(parent)
                yield directory(parent)
        yield member


def _with_links(members: Iterable[Member]) -> Iterator[Member]:
    """Gives each hard link the header of its target, where that is an earlier member."""
    earlier: dict[str, Member] = {}
    for member in members:
        target = earlier.get(member.target) if member.type == "hard link" else None
        if target is not None:
            member = dataclasses.replace(  # noqa: PLW2901 - the same member, completed
                member, mode=target.mode, uid=target.uid, gid=target.gid, mtime=target.mtime
            )
        earlier[member.name] = member
        yield member
