"""The shell of a reference node, from outside: the way that the suite's option --node-shell takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fixtures.cluster.reference import ReferenceProcess
from fixtures.errors import PreflightRefused
from fixtures.node_shell import Done, Way, answer, through_command, whole


@pytest.fixture(scope="module")
def cluster() -> Iterator[ReferenceProcess]:
    """A reference cluster with one node and one that collects images."""
    try:
        found = ReferenceProcess.start(nodes=1, collecting=True)
    except PreflightRefused as error:
        pytest.skip(str(error))
    with found:
        yield found


@pytest.fixture
def shell(cluster: ReferenceProcess) -> Way:
    """A shell on its first node."""
    return through_command(cluster.node_shell, "node-1")


def did(shell: Way, command: str) -> Done:
    """What a command does."""
    return answer(shell(whole(command), 20))


def test_a_command_on_a_node(cluster: ReferenceProcess, shell: Way) -> None:
    """A command runs in the node's directory, with its streams and its exit code; each node has its own."""
    assert did(shell, "basename $PWD; echo no >&2; exit 3") == Done(exit_code=3, out="node-1\n", err="no\n")
    other = through_command(cluster.node_shell, "node-2")
    assert did(other, "basename $PWD").out == "node-2\n"


def test_temporary_files_are_the_node_s(shell: Way) -> None:
    """What is made with mktemp lies in the node's directory, which vanishes with the cluster."""
    assert did(shell, "mktemp -d").out.startswith(did(shell, "pwd").out.strip())


def test_administration(shell: Way) -> None:
    """Crictl and systemctl are on the path, and what they say comes back."""
    images = json.loads(did(shell, "crictl images -o json").out)["images"]
    assert [one["repoTags"] for one in images] == [["registry.k8s.io/pause:3.10"]]
    assert did(shell, "systemctl restart kubelet").exit_code == 0
    done = did(shell, "systemctl restart other")
    assert (done.exit_code, done.err) == (
        5,
        "Failed to restart other.service: Unit other.service not found.\n",
    )


def test_what_runs_beside_goes_on(shell: Way) -> None:
    """A command that is left in the background outlives the shell that started it."""
    place = did(shell, "mktemp -d").out.strip()
    did(shell, f"nohup sh -c 'sleep 0.2; echo done > {place}/file' >/dev/null 2>&1 &")
    assert (
        did(
            shell, f"for i in 1 2 3 4 5 6 7 8 9; do [ -e {place}/file ] || sleep 0.2; done; cat {place}/file"
        ).out
        == "done\n"
    )


def test_refusals(cluster: ReferenceProcess, shell: Way) -> None:
    """A node or a command that is not there is told."""
    words = through_command(cluster.node_shell, "node-9")
    assert "no such node: node-9" in words("true", 20).err
    *way, _ = cluster.node_shell.split()
    done = subprocess.run(
        [*way, "node-1", "absent-program"], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 127
    assert "No such file" in done.stderr
    assert sys.executable in cluster.node_shell
    assert did(shell, "true").ok
