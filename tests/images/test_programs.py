"""images/oddities/programs.py: the hand-written programs are what a kernel runs."""

from __future__ import annotations

import errno
import os
import platform
import struct
import subprocess
from pathlib import Path

import pytest

from images.oddities import programs
from images.probe import elf

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
runnable = pytest.mark.skipif(ARCHITECTURE is None, reason="there is no program for this machine")


def written(folder: Path, data: bytes, mode: int = 0o755) -> Path:
    """An executable file with these bytes."""
    path = folder / "program"
    path.write_bytes(data)
    path.chmod(mode)
    return path


@runnable
def test_hello_says_hello(tmp_path: Path) -> None:
    """The program prints its greeting and ends with 0."""
    result = subprocess.run(
        [written(tmp_path, programs.hello(str(ARCHITECTURE)))], capture_output=True, check=True
    )
    assert result.stdout == b"hello\n"


@runnable
def test_effective_user_tells_root_from_others(tmp_path: Path) -> None:
    """The program prints `root` for user 0 and `user` for another."""
    path = written(tmp_path, programs.effective_user(str(ARCHITECTURE)))
    expected = b"root\n" if os.geteuid() == 0 else b"user\n"
    assert subprocess.run([path], capture_output=True, check=True).stdout == expected


@runnable
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_effective_user_follows_the_setuid_bit(tmp_path: Path) -> None:
    """Started by user 1000 the program prints `user`, and with its setuid bit `root`."""
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    path = written(tmp_path, programs.effective_user(str(ARCHITECTURE)))
    assert subprocess.run([path], user=1000, capture_output=True, check=True).stdout == b"user\n"
    path.chmod(0o4755)
    assert subprocess.run([path], user=1000, capture_output=True, check=True).stdout == b"root\n"


@runnable
def test_attribute_prints_a_value_or_ends_with_the_errno(tmp_path: Path) -> None:
    """The program prints the attribute's bytes; for one that isn't there it prints nothing and ends with ENODATA."""
    file = tmp_path / "file"
    file.touch()
    try:
        os.setxattr(file, "user.comment", b"kept")
    except OSError as error:
        pytest.skip(f"this file system has no user attributes: {error.strerror}")
    seen = []
    for name in ("user.comment", "user.absent"):
        program = written(tmp_path, programs.attribute(str(ARCHITECTURE), str(file), name))
        done = subprocess.run([program], capture_output=True, check=False)
        seen.append((done.returncode, done.stdout))
    assert seen == [(0, b"kept"), (errno.ENODATA, b"")]


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_programs_are_of_their_machine(architecture: str, machine: int) -> None:
    """The ELF header names the machine, the program is static and small."""
    for data in (programs.hello(architecture), programs.effective_user(architecture)):
        assert struct.unpack_from("<H", data, 18) == (machine,)
        assert elf.read(data).interpreter is None
        assert elf.read(data).end == len(data) < 300


def test_arm64_instructions() -> None:
    """The instructions for arm64 are those that its manual gives (checked under qemu when they were written)."""
    assert (
        programs.hello("arm64")[120:].hex()
        == "01010010200080d2c20080d2080880d2010000d4000080d2a80b80d2010000d468656c6c6f0a"
    )
    assert (
        programs.effective_user("arm64")[120:].hex()
        == "e81580d2010000d441010010400000b421010030200080d2a20080d2080880d2010000d4000080d2a80b80d2010000d4726f6f740a757365720a"
    )
    assert (
        programs.attribute("arm64", "/p", "n")[120:].hex()
        == "ff0308d16002001041020070e2030091034080d2280180d2010000d41f0000f12d010054e20300aae1030091200080d2080880d2010000d4"
        "000080d2a80b80d2010000d4e00300cba80b80d2010000d42f70006e00"
    )


def test_other_machines_are_named() -> None:
    """For a machine without a program the error says which have one."""
    with pytest.raises(KeyError, match=r"s390x: there is one for amd64, arm64"):
        programs.hello("s390x")
