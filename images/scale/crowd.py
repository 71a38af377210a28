"""A layer of a hundred thousand small files, written in a second: their headers differ in name and check sum alone."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from images.oci import tar
from images.oci.layer import Layer, Member, directory, file
from images.tree import JSONValue, summary

PER_DIRECTORY = 1000
NAME = slice(0, 100)
SUM = slice(148, 154)
"""Where a ustar header has its name and its check sum."""


class Crowd(Layer):
    """`files` files of a line each, PER_DIRECTORY to a directory: `0007/007042.txt`.

    It is the layer of `Numbered(files, build)`, which would take ten times as long to write, and whose tree nobody wants to hold.
    """

    def __init__(self, files: int, build: str) -> None:
        super().__init__(Numbered(files, build))

    def tar(self) -> Iterator[bytes]:
        """The same bytes as the plain layer's, a directory at a time."""
        numbered = self.members
        if not isinstance(numbered, Numbered):
            raise TypeError("a crowd consists of numbered files")
        for first in range(0, numbered.files, PER_DIRECTORY):
            folder, sample = numbered.folder(first), numbered.file(first)
            pieces = [tar.header(folder)]
            template = tar.header(sample)
            rest = template[100:148], template[154:]
            constant = _sum(template) - sum(template[NAME])
            padding = bytes(-sample.content.size % tar.BLOCK)
            for number in range(first, min(first + PER_DIRECTORY, numbered.files)):
                name = numbered.name(number).encode()
                check = b"%06o" % (constant + sum(name))
                pieces += [name.ljust(100, b"\0"), rest[0], check, rest[1], numbered.text(number), padding]
            yield b"".join(pieces)
        yield bytes(2 * tar.BLOCK)

    def summary(self, *fields: str) -> dict[str, JSONValue]:
        """What the probe's look `summary` answers with for a mount of it; fields: type, mode, size, sha256, mtime."""
        numbered = self.members
        if not isinstance(numbered, Numbered):
            raise TypeError("a crowd consists of numbered files")
        return summary(numbered.entries(fields))


@dataclasses.dataclass(frozen=True)
class Numbered(Sequence[Member]):
    """The members of a crowd, each made when it is asked for."""

    files: int
    build: str

    def __len__(self) -> int:
        return self.files + -(-self.files // PER_DIRECTORY)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, int):
            raise TypeError("a crowd is not sliced")
        block, place = divmod(index, PER_DIRECTORY + 1)
        if not 0 <= index < len(self):
            raise IndexError(index)
        first = block * PER_DIRECTORY
        return self.folder(first) if place == 0 else self.file(first + place - 1)

    def folder(self, number: int) -> Member:
        """The directory in which a file is."""
        return directory(f"{number // PER_DIRECTORY:04}")

    def name(self, number: int) -> str:
        """The path of a file."""
        return f"{number // PER_DIRECTORY:04}/{number:06}.txt"

    def text(self, number: int) -> bytes:
        """The content of a file; all are of one length."""
        return f"file {number:06} of build {self.build}\n".encode()

    def file(self, number: int) -> Member:
        """A file as a member."""
        return file(self.name(number), self.text(number))

    def entries(self, fields: Sequence[str]) -> Iterator[tuple[str, list[JSONValue]]]:
        """Path and fields of each entry, in the order of the paths."""
        for first in range(0, self.files, PER_DIRECTORY):
            numbers = range(first, min(first + PER_DIRECTORY, self.files))
            yield self.name(first).split("/", 1)[0], _fields(self.folder(first), b"", fields)
            shape = _fields(self.file(first), self.text(first), fields)
            hashes = [place for place, field in enumerate(fields) if field == "sha256"]
            for number in numbers:
                for place in hashes:
                    shape[place] = hashlib.sha256(self.text(number)).hexdigest()
                yield self.name(number), shape


def _fields(member: Member, text: bytes, fields: Sequence[str]) -> list[JSONValue]:
    regular = member.type == "file"
    known: dict[str, JSONValue] = {
        "type": member.type,
        "mode": member.mode,
        "mtime": member.mtime,
        "size": len(text) if regular else None,
        "sha256": hashlib.sha256(text).hexdigest() if regular else None,
    }
    return [known[field] for field in fields]


def _sum(header: bytes) -> int:
    """The check sum of a header: of its bytes, with spaces in the sum's own place."""
    return sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
