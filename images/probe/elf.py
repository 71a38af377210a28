"""The few facts of an ELF file that decide where it must lie so that the dynamic linker finds it."""

from __future__ import annotations

import dataclasses
import struct

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_LOAD, _DYNAMIC_SEGMENT, _INTERPRETER = 1, 2, 3
_STRING_TABLE, _SONAME = 5, 14


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """What an ELF file says of itself."""

    interpreter: str | None
    """The dynamic linker that the kernel starts for a program."""
    soname: str | None
    """The name under which other files need a shared library."""
    end: int
    """Where the last segment ends; what follows (symbols, debug information, section names) is never loaded."""


def is_elf(data: bytes) -> bool:
    """Whether `data` starts as an ELF file of 64 bit, little endian: all that Python runs on nowadays, but s390x."""
    return data[:6] == b"\x7fELF\x02\x01"


def read(data: bytes) -> Elf:
    """The facts of an ELF file; ValueError if it is none."""
    if not is_elf(data):
        raise ValueError("no 64-bit little-endian ELF file")
    header = _HEADER.unpack_from(data)
    start, step, count = header[5], header[9], header[10]
    segments = [_SEGMENT.unpack_from(data, start + number * step) for number in range(count)]
    interpreter = None
    for kind, _, offset, _, _, size, *_ in segments:
        if kind == _INTERPRETER:
            interpreter = data[offset : offset + size].rstrip(b"\0").decode()
    end = max(segment[2] + segment[5] for segment in segments)
    return Elf(interpreter=interpreter, soname=_soname(data, segments), end=max(end, start + step * count))


def stripped(data: bytes) -> bytes:
    """The file without what is never loaded. A Python built from source carries four times its size in symbols."""
    header = list(_HEADER.unpack_from(data))
    header[6] = header[11] = header[12] = header[13] = 0  # no section headers: they lie behind the end
    return _HEADER.pack(*header) + data[_HEADER.size : read(data).end]


def _soname(data: bytes, segments: list[tuple[int, ...]]) -> str | None:
    for kind, _, offset, _, _, size, *_ in segments:
        if kind == _DYNAMIC_SEGMENT:
            entries = dict(
                _DYNAMIC.iter_unpack(data[offset : offset + size // _DYNAMIC.size * _DYNAMIC.size])
            )
            if _SONAME in entries and _STRING_TABLE in entries:
                start = _file_offset(entries[_STRING_TABLE], segments) + entries[_SONAME]
                return data[start : data.index(b"\0", start)].decode()
    return None


def _file_offset(address: int, segments: list[tuple[int, ...]]) -> int:
    for kind, _, offset, virtual, _, size, *_ in segments:
        if kind == _LOAD and virtual <= address < virtual + size:
            return offset + address - virtual
    raise ValueError(f"no segment holds the address {address:#x}")
