"""The registry as a child process: it starts, says so, and never outlives its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fixtures.errors import Inconclusive, UsageError
from fixtures.registry import process
from fixtures.registry.client import Access
from fixtures.registry.process import running, start
from fixtures.registry.server import TOKEN_VARIABLE

ROOT = Path(__file__).parents[2]


def wait_until_gone(pid: int) -> None:
    """Wait until a process that may be nobody's child any more has ended."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} is still there")


def test_start_and_stop(tmp_path: Path) -> None:
    """A registry answers on each address it names until it is stopped, which may be said twice."""
    registry = start("127.0.0.1:0", "127.0.0.1:0=basic", storage=tmp_path)
    assert len(set(registry.hosts)) == 2
    assert [item.challenge for item in registry.control.listeners()] == ["bearer", "basic", "basic"]
    assert [item.control for item in registry.control.listeners()] == [False, False, True]
    registry.stop()
    registry.stop()
    wait_until_gone(registry.pid)


def test_each_start_has_its_own_token() -> None:
    """Two registries don't share a token, and no token shows where a registry is printed."""
    with running() as first, running() as second:
        assert first.token != second.token
        assert first.token not in repr(first) + repr(first.control)


def test_temporary_storage_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was pushed is gone from the disk when the registry has stopped."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running() as registry:
        assert [path.name.startswith("iv-registry-") for path in tmp_path.iterdir()] == [True]
    wait_until_gone(registry.pid)
    assert list(tmp_path.iterdir()) == []


def test_registry_dies_with_its_parent(tmp_path: Path) -> None:
    """A runner that is killed leaves no registry behind."""
    code = "from fixtures.registry.process import start; import time; print(start().pid, flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(pid)
    assert list(tmp_path.iterdir()) == []


def test_ends_on_sigterm() -> None:
    """SIGTERM ends the registry, as a node's kubelet sends it."""
    with running() as registry:
        os.kill(registry.pid, signal.SIGTERM)
        wait_until_gone(registry.pid)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("192.0.2.1:0", r"cannot listen on 192\.0\.2\.1:0: Cannot assign requested address"),
        ("127.0.0.1:99999", "cannot listen on 127.0.0.1:99999"),
        ("127.0.0.1", "cannot listen on 127.0.0.1"),
        ("127.0.0.1:0=magic", "unknown challenge 'magic'"),
    ],
)
def test_address_that_cannot_be_had(address: str, text: str) -> None:
    """A wrong address is the user's to mend: the error names it."""
    with pytest.raises(UsageError, match=text):
        start(address)


def test_address_in_use() -> None:
    """An address that somebody else has is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"{address}: Address already in use"):
            start(address)
        with pytest.raises(UsageError, match=f"{address}: Address already in use"):
            start(control=address)


def test_server_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that dies without a word is inconclusive, with what it printed."""
    broken = tmp_path / "server.py"
    broken.write_text("raise SystemExit('no such thing')")
    monkeypatch.setattr(process, "SERVER", broken)
    with pytest.raises(Inconclusive, match="did not start: no such thing"):
        start()


def test_server_needs_a_token(tmp_path: Path) -> None:
    """Without a run token the server does not start: nobody could control it."""
    environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-I", str(process.SERVER), "--storage", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, f'{{"error": "{TOKEN_VARIABLE} is not set"}}\n')


def test_control_defaults_to_the_first_address(tmp_path: Path) -> None:
    """Run alone without a control address, the first listener serves clients and the run."""
    environment = {**os.environ, TOKEN_VARIABLE: "t"}
    command = [sys.executable, "-I", str(process.SERVER), "--until-stdin-closes", "--storage", str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        with (tmp_path / "log").open("w+b") as errors:
            registry = process._announced(server, "t", errors)
        assert registry.control_url == f"http://{registry.hosts[0]}"
        control = registry.control
        control.set_access("a", Access(users={}))
        assert [item.control for item in control.listeners()] == [True]
        control.close()
        registry.stop()
