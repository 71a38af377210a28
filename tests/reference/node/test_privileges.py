"""What a node gets from the kernel, and that nothing of it outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.reference.node import linux, privileges
from fixtures.reference.node.privileges import PrivilegesError
from tests.reference.node.lab import CHECKOUT, NOT_GRANTED

BEGINNING = """
import json, os, sys, time
from pathlib import Path
from fixtures.reference.node.privileges import PrivilegesError, enter
try:
    granted = enter()
except PrivilegesError as error:
    print(error, file=sys.stderr)
    sys.exit(77)
"""


class Entered:
    """A program that has become privileged and does what its code says."""

    def __init__(self, code: str, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", BEGINNING + code],
            cwd=CHECKOUT,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])}
            | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """Its next line. Skips where the kernel does not grant it."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text and self.process.wait() == NOT_GRANTED:
            assert self.process.stderr is not None
            pytest.skip(self.process.stderr.read())
        return text.strip()

    def end(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(10)


@pytest.fixture
def started() -> Iterator[list[Entered]]:
    """Programs to be ended after the test."""
    programs: list[Entered] = []
    yield programs
    for program in programs:
        program.process.kill()
        program.process.communicate()


def test_a_node_can_mount_and_nobody_else_sees_it(started: list[Entered]) -> None:
    """Its state is on a file system of its own, which is not in sight from outside."""
    code = """
(granted.state / "file").touch()
print(json.dumps([str(granted.state), os.path.ismount(granted.state), os.getpid()]), flush=True)
time.sleep(60)
"""
    program = Entered(code)
    started.append(program)
    place, mounted, number = json.loads(program.line())
    assert mounted
    assert number == 1
    assert not (Path(place) / "file").exists()


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_comes_out(started: list[Entered], code: int) -> None:
    """Whoever started the program learns how it ended."""
    program = Entered(f"print('up', flush=True)\nsys.exit({code})")
    started.append(program)
    program.line()
    assert program.end() == code


def test_a_signal_goes_in(started: list[Entered]) -> None:
    """SIGTERM to what was started reaches the program itself, which may end as it likes."""
    code = """
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
print("up", flush=True)
time.sleep(60)
"""
    program = Entered(code)
    started.append(program)
    program.line()
    program.process.terminate()
    assert program.end() == 5


def test_everything_dies_with_the_guard(started: list[Entered]) -> None:
    """Also what the program has started, however the guard dies."""
    code = """
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("up", flush=True)
time.sleep(60)
"""
    program = Entered(code)
    started.append(program)
    program.line()
    before = _descendants(program.process.pid)
    assert len(before) == 2
    os.kill(program.process.pid, signal.SIGKILL)
    program.end()
    deadline = time.monotonic() + 5
    while (left := [one for one in before if _alive(one)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


def _descendants(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    found = [int(child) for child in children]
    return found + [one for child in found for one in _descendants(child)]


def _alive(process: int) -> bool:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def test_the_labels_tell_what_was_granted(started: list[Entered]) -> None:
    """How many ids, whether devices can be made, whether files can have attributes."""
    program = Entered("print(json.dumps(granted.labels()), flush=True)")
    started.append(program)
    labels = json.loads(program.line())
    assert set(labels) == {f"image-volume.reference/{name}" for name in ("ids", "devices", "user-xattrs")}
    assert labels["image-volume.reference/ids"] in ("all", "many", "one")
    if os.geteuid() == 0:
        assert labels["image-volume.reference/ids"] != "one"


def test_an_ordinary_user_without_newuidmap_has_one_id(started: list[Entered]) -> None:
    """Which the label says."""
    if os.geteuid() == 0:
        pytest.skip("this is for ordinary users")
    program = Entered("print(granted.ids, flush=True)", {"PATH": "/nowhere"})
    started.append(program)
    assert program.line() == "one"


def test_a_refusal_says_what_was_tried_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """One message with everything."""

    def refuse(_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(linux, "unshare", refuse)
    with pytest.raises(PrivilegesError) as refused:
        privileges.enter()
    text = str(refused.value)
    assert text.startswith("The reference cluster cannot start containers here. Tried: ")
    assert "a user namespace with mount and process namespaces: Operation not permitted" in text
    assert ("as root: " in text) == (os.geteuid() == 0)
    assert "sysctl user.max_user_namespaces" in text
