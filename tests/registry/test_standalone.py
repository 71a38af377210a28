"""The server is one file that any Python from 3.9 on can run."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys

import pytest

from fixtures.registry.process import SERVER
from fixtures.registry.server import TOKEN_VARIABLE


def test_only_the_standard_library_is_imported() -> None:
    """The server can be handed into a container as one file: it imports nothing of ours and nothing foreign."""
    tree = ast.parse(SERVER.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or ".").partition(".")[0])
    assert names - {"__future__"} <= set(sys.stdlib_module_names)


def test_syntax_is_of_python_3_9() -> None:
    """No syntax that came after 3.9, and no arguments of dataclass that came after it."""
    tree = ast.parse(SERVER.read_text(), feature_version=(3, 9))
    keywords = {
        keyword.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dataclass"
        for keyword in node.keywords
    }
    assert keywords <= {"frozen", "order", "eq"}


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13"])
def test_runs_on(version: str) -> None:
    """The server starts, says where it listens, and ends with its standard input, on this Python too."""
    python = shutil.which(f"python{version}")
    probe = [python or "", "-I", "-c", "import http.server"]
    if python is None or subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip(f"python{version} is not on PATH")
    done = subprocess.run(
        [python, "-I", str(SERVER), "--until-stdin-closes", "--listen", "127.0.0.1:0"],
        input="",
        env={**os.environ, TOKEN_VARIABLE: "t"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["listening"] == [json.loads(done.stdout)["control"]]


def test_fits_into_a_config_map() -> None:
    """A ConfigMap holds 1 MiB, and etcd's and kubectl's limits are near: the file must stay far below."""
    assert SERVER.stat().st_size < 200_000
