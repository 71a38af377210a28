"""A tar stream of exactly the members it is told: POSIX ustar headers, pax records where those are too small.

Written here and not with `tarfile` because the bytes must not change with the Python that writes them, and because a
member may be one that `tarfile` would tidy up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from images.oci.content import Bytes, Content

BLOCK = 512

MTIME = 1_767_225_600
"""The time that members bear unless they say another: 2026-01-01T00:00:00Z."""

TYPE_FLAGS: Mapping[str, bytes] = {
    "file": b"0",
    "hard link": b"1",
    "symlink": b"2",
    "character device": b"3",
    "block device": b"4",
    "directory": b"5",
    "fifo": b"6",
}
"""The letter in the header for each type of member (POSIX.1-2017, pax, ustar interchange format, typeflag)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member, as its header says it. `name` and `target` are written byte by byte: `../x`, absolute, anything.

    The functions of `images.oci.layer` make members that make sense; this class makes any.
    """

    name: str
    """Bytes that are not UTF-8 stand as surrogate escapes."""
    type: str
    """A key of TYPE_FLAGS."""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = MTIME
    """Whole seconds since the epoch."""
    content: Content = Bytes(b"")  # noqa: RUF009 - frozen, so it can be shared
    target: str = ""
    """Where a symlink points; the name of the member that a hard link links to."""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device."""
    xattrs: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    pax: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Further pax records."""


def raw(text: str) -> bytes:
    """The bytes of a name: UTF-8, and surrogate escapes as the bytes that they stand for."""
    return text.encode("utf-8", "surrogateescape")


def stream(members: Iterable[Member]) -> Iterator[bytes]:
    """The tar archive of `members`, in their order, in pieces."""
    for member in members:
        yield header(member)
        if member.type == "file":
            yield from member.content.chunks()
            yield bytes(-member.content.size % BLOCK)
    yield bytes(2 * BLOCK)


def header(member: Member) -> bytes:
    """The header blocks of one member: a pax header if one is needed, then the ustar header."""
    name, target = raw(member.name), raw(member.target)
    size = member.content.size if member.type == "file" else 0
    texts = {"path": name, "linkpath": target}
    records = {key: value for key, value in texts.items() if len(value) > 100 or not value.isascii()}
    for key, number, digits in (
        ("uid", member.uid, 7),
        ("gid", member.gid, 7),
        ("size", size, 11),
        ("mtime", member.mtime, 11),
    ):
        if not 0 <= number < 8**digits:
            records[key] = str(number).encode()
    records |= {f"SCHILY.xattr.{key}": value for key, value in member.xattrs.items()}
    records |= {key: raw(value) for key, value in member.pax.items()}
    if not all(_is_utf8(records[key]) for key in ("path", "linkpath") if key in records):
        records["hdrcharset"] = b"BINARY"  # pax: without it a reader may take the names for broken UTF-8
    plain = _ustar(
        name=_ascii(name),
        flag=TYPE_FLAGS[member.type],
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        size=size,
        mtime=member.mtime,
        target=_ascii(target),
        device=member.device,
    )
    return _pax(_ascii(name), records) + plain if records else plain


def _pax(name: bytes, records: Mapping[str, bytes]) -> bytes:
    body = b"".join(_record(key.encode(), records[key]) for key in sorted(records))
    about = b"PaxHeaders/" + name.rstrip(b"/").rsplit(b"/", 1)[-1][:80]
    return _ustar(name=about, flag=b"x", mode=0o644, size=len(body)) + body + bytes(-len(body) % BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):  # the length counts its own digits
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _ustar(
    *,
    name: bytes,
    flag: bytes,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    target: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    fields = [
        name[:100].ljust(100, b"\0"),
        _octal(mode, 7),
        _octal(uid, 7),
        _octal(gid, 7),
        _octal(size, 11),
        _octal(mtime, 11),
        b" " * 8,
        flag,
        target[:100].ljust(100, b"\0"),
        b"ustar\0" + b"00",
        bytes(32 + 32),  # owner's and group's name: only the numbers count
        _octal(device[0], 7),
        _octal(device[1], 7),
        bytes(155 + 12),
    ]
    block = b"".join(fields)
    return block[:148] + f"{sum(block):06o}\0 ".encode() + block[156:]


def _octal(number: int, digits: int) -> bytes:
    """`number` in octal; what does not fit stands in a pax record and is zero here."""
    return f"{number if 0 <= number < 8**digits else 0:0{digits}o}\0".encode()


def _ascii(value: bytes) -> bytes:
    return bytes(byte if byte < 128 else ord("_") for byte in value)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
