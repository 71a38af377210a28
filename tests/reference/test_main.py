"""`python -m fixtures.reference`: start, the ready line, the end that leaves nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "fixtures.reference"]
CANNOT_RUN = 3


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A reference cluster as a process, and what it said when it was ready."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line and process.wait(10) == CANNOT_RUN and process.stderr:
                pytest.skip(process.stderr.read().strip())
            yield process, json.loads(line)
        finally:
            process.kill()


def test_it_tells_when_it_is_ready_and_ends_with_its_input() -> None:
    """The ready line names kubeconfig, server and nodes; the end of the input ends it, and the kubeconfig is gone."""
    with started("--nodes", "2", "--until-stdin-closes") as (process, told):
        assert told["nodes"] == ["node-1", "node-2"]
        assert told["server"].startswith("https://127.0.0.1:")
        kubeconfig = Path(told["kubeconfig"])
        assert kubeconfig.is_file()
        if process.stdin:
            process.stdin.close()
        assert process.wait(20) == 0
        assert not kubeconfig.parent.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end it; a folder that was given stays, without the kubeconfig."""
    with started("--state", str(tmp_path)) as (process, told):
        assert Path(told["kubeconfig"]).parent == tmp_path.resolve()
        process.send_signal(number)
        assert process.wait(20) == 0
        assert list(tmp_path.iterdir()) == []


def test_faults_are_listed() -> None:
    """--list-faults shows every fault and what it does."""
    done = subprocess.run(
        [*COMMAND, "--list-faults"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert "writable  (runtime) mounts the volume writable" in done.stdout


def test_unknown_fault_is_refused() -> None:
    """A fault that there is not is refused with the way to see those that there are."""
    done = subprocess.run(
        [*COMMAND, "--fault", "writeable"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no fault 'writeable'" in done.stderr
    assert "--list-faults" in done.stderr
