"""Programs of a few dozen bytes, written as machine code: they need no interpreter, no library and no shell.

So they run in whatever container mounts the volume, and show that a volume's files can be executed and what a setuid
bit does there. Linux on amd64 and arm64.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

GREETING = "hello\n"

_BASE = 0x400000
_HEADERS = 64 + 56


def hello(architecture: str) -> bytes:
    """An ELF program that prints GREETING and ends with 0; KeyError naming the known ones for another architecture."""
    return _program(architecture, _HELLO[_known(architecture)](GREETING.encode()))


def effective_user(architecture: str) -> bytes:
    """An ELF program that prints `root` if its effective user is 0, else `user`, and ends with 0."""
    return _program(architecture, _EFFECTIVE_USER[_known(architecture)](b"root\n", b"user\n"))


def attribute(architecture: str, path: str, name: str) -> bytes:
    """An ELF program that prints the value of an extended attribute, or prints nothing and ends with the errno."""
    return _program(
        architecture, _ATTRIBUTE[_known(architecture)](path.encode() + b"\0", name.encode() + b"\0")
    )


def _known(architecture: str) -> str:
    if architecture not in _MACHINES:
        raise KeyError(f"no program for {architecture}: there is one for {', '.join(_MACHINES)}")
    return architecture


def _program(architecture: str, code: bytes) -> bytes:
    """An ELF file (System V ABI) of one segment, readable and executable, that starts at its first instruction."""
    size = _HEADERS + len(code)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    machine, entry = _MACHINES[architecture], _BASE + _HEADERS
    header = struct.pack("<16sHHIQQQIHHHHHH", identity, 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    # 64 KiB: the largest page that an arm64 kernel may have
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)
    return header + segment + code


def _amd64_hello(text: bytes) -> bytes:
    rest = _amd64_write_and_exit(len(text))
    return _amd64_lea_rsi(len(rest)) + rest + text


def _amd64_effective_user(root: bytes, user: bytes) -> bytes:
    rest = _amd64_write_and_exit(len(root))
    to_user = _amd64_lea_rsi(len(rest) + len(root))
    skip = b"\x74" + bytes([len(to_user)])  # je: over the next instruction
    to_root = _amd64_lea_rsi(2 + len(skip) + len(to_user) + len(rest))
    return (
        b"\xb8\x6b\0\0\0\x0f\x05" + to_root + b"\x85\xc0" + skip + to_user + rest + root + user
    )  # geteuid; test eax


def _amd64_attribute(path: bytes, name: bytes) -> bytes:
    done = b"\x31\xff\xb8\x3c\0\0\0\x0f\x05"  # exit(0)
    failed = b"\xf7\xd8\x89\xc7\xb8\x3c\0\0\0\x0f\x05"  # exit(-eax)
    # prints what the call has put there: eax bytes at rsp
    write = b"\x89\xc2\x48\x89\xe6\xbf\x01\0\0\0\xb8\x01\0\0\0\x0f\x05" + done
    # rdx = rsp; r10 = 512; lgetxattr; test eax; jle: over write
    call = b"\x48\x89\xe2\x41\xba\0\x02\0\0\xb8\xc0\0\0\0\x0f\x05\x85\xc0\x7e" + bytes([len(write)])
    rest = call + write + failed
    to_name = _amd64_lea_rsi(len(rest) + len(path))
    to_path = b"\x48\x8d\x3d" + struct.pack("<i", len(to_name) + len(rest))  # lea rdi, [rip + …]
    return b"\x48\x81\xec\0\x02\0\0" + to_path + to_name + rest + path + name  # sub rsp, 512


def _amd64_lea_rsi(ahead: int) -> bytes:
    return b"\x48\x8d\x35" + struct.pack("<i", ahead)  # lea rsi, [rip + ahead]


def _amd64_write_and_exit(length: int) -> bytes:
    write = (
        b"\xbf\x01\0\0\0" + b"\xba" + struct.pack("<I", length) + b"\xb8\x01\0\0\0\x0f\x05"
    )  # write(1, rsi, length)
    return write + b"\x31\xff\xb8\x3c\0\0\0\x0f\x05"  # exit(0)


def _arm64_hello(text: bytes) -> bytes:
    rest = _arm64_write_and_exit(len(text))
    return _arm64(_adr(1, 4 + len(rest))) + rest + text


def _arm64_effective_user(root: bytes, user: bytes) -> bytes:
    rest = _arm64_write_and_exit(len(root))
    to_root, to_user = 12 + len(rest), 4 + len(rest) + len(root)
    # geteuid; x1 = root; cbz x0: over the next instruction; x1 = user
    start = _arm64(_movz(8, 175), _SVC, _adr(1, to_root), 0xB4000000 | 2 << 5, _adr(1, to_user))
    return start + rest + root + user


def _arm64_attribute(path: bytes, name: bytes) -> bytes:
    failed = (0xCB0003E0, _movz(8, 93), _SVC)  # exit(-x0)
    done = (_movz(0, 0), _movz(8, 93), _SVC)
    write = (0xAA0003E2, 0x910003E1, _movz(0, 1), _movz(8, 64), _SVC, *done)  # write(1, sp, x0)
    skip = 0x5400000D | (len(write) + 1) << 5  # b.le: over write
    # x2 = sp; x3 = 512; lgetxattr; cmp x0, 0
    rest = (0x910003E2, _movz(3, 512), _movz(8, 9), _SVC, 0xF100001F, skip, *write, *failed)
    to_path, to_name = 4 * (len(rest) + 2), 4 * (len(rest) + 1) + len(path)
    return _arm64(0xD10803FF, _adr(0, to_path), _adr(1, to_name), *rest) + path + name  # sub sp, sp, 512


def _arm64_write_and_exit(length: int) -> bytes:
    write = (_movz(0, 1), _movz(2, length), _movz(8, 64), _SVC)  # write(1, x1, length)
    return _arm64(*write, _movz(0, 0), _movz(8, 93), _SVC)  # exit(0)


def _arm64(*instructions: int) -> bytes:
    return struct.pack(f"<{len(instructions)}I", *instructions)


def _movz(register: int, value: int) -> int:
    return 0xD2800000 | value << 5 | register


def _adr(register: int, ahead: int) -> int:
    return 0x10000000 | (ahead & 3) << 29 | (ahead >> 2) << 5 | register


_SVC = 0xD4000001
_MACHINES = {"amd64": 62, "arm64": 183}
_HELLO: dict[str, Callable[[bytes], bytes]] = {"amd64": _amd64_hello, "arm64": _arm64_hello}
_EFFECTIVE_USER: dict[str, Callable[[bytes, bytes], bytes]] = {
    "amd64": _amd64_effective_user,
    "arm64": _arm64_effective_user,
}
_ATTRIBUTE: dict[str, Callable[[bytes, bytes], bytes]] = {
    "amd64": _amd64_attribute,
    "arm64": _arm64_attribute,
}
