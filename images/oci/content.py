"""Bytes that a layer or a registry gets: held in memory, or made while they are read."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

CHUNK = 1 << 20
"""How many bytes pass at a time, so that memory does not grow with the size of what is written."""

ZEROS = bytes(CHUNK)
"""A piece of nothing: what comes as this very object is compressed once and not again."""


class Content(Protocol):
    """Something with a size in bytes that can be read, from the start, as often as needed."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of the bytes."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces of at most a few MiB."""


@dataclasses.dataclass(frozen=True)
class Bytes:
    """Content that is held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    @functools.cached_property
    def sha256(self) -> str:
        """The hex SHA-256 of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in one piece."""
        if self.data:
            yield self.data


@dataclasses.dataclass(frozen=True)
class Noise:
    """`size` bytes that look random, don't compress, and depend on `seed` alone; never all in memory."""

    size: int
    seed: str

    @functools.cached_property
    def sha256(self) -> str:
        """The hex SHA-256 of the bytes."""
        return sha256(self.chunks())[0]

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces of one MiB."""
        for start in range(0, self.size, CHUNK):
            block = hashlib.shake_256(f"{self.seed}:{start}".encode())
            yield block.digest(min(CHUNK, self.size - start))


@dataclasses.dataclass(frozen=True)
class Sparse:
    """`size` bytes of zeros, with a line in the first and the last piece and in every `every`-th that tells its place and `seed`.

    It travels in a thousandth of its size, and a piece that is lost, moved or cut shows in its hash.
    """

    size: int
    seed: str
    every: int = 64

    @functools.cached_property
    def sha256(self) -> str:
        """The hex SHA-256 of the bytes."""
        return sha256(self.chunks())[0]

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces of one MiB."""
        for start in range(0, self.size, CHUNK):
            size = min(CHUNK, self.size - start)
            if (start // CHUNK) % self.every and start + size < self.size:
                yield ZEROS
            else:
                yield f"{self.seed} at {start}\n".encode().ljust(size, b"\0")[:size]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """One blob of a registry or layout: what its descriptor says of it, and how to read it."""

    media_type: str
    digest: str
    size: int
    """Bytes, as they travel (compressed)."""
    chunks: Callable[[], Iterable[bytes]]
    """Reads the blob from the start; may be called again and again."""

    @property
    def data(self) -> bytes:
        """The whole blob; only for blobs that are known to be small."""
        return b"".join(self.chunks())


def sha256(chunks: Iterable[bytes]) -> tuple[str, int]:
    """The hex SHA-256 of the bytes in `chunks`, and how many bytes they are."""
    hashing, size = hashlib.sha256(), 0
    for chunk in chunks:
        hashing.update(chunk)
        size += len(chunk)
    return hashing.hexdigest(), size


def digest(data: bytes) -> str:
    """The digest of `data` as OCI writes it: `sha256:` and hex."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blob(data: bytes, media_type: str) -> Blob:
    """The blob that holds exactly `data`."""
    return Blob(media_type=media_type, digest=digest(data), size=len(data), chunks=lambda: [data])
