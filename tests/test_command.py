"""conformance.command: the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import catalogue, inventory
from conformance.command import main
from conformance.report import listing, write
from conformance.verdict import Finding, Kind, Verdict
from tests.report.sample import report

ROOT = Path(__file__).parent.parent


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m conformance` as a person does, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The conformance.json of a run."""
    return write(report(), tmp_path / "a")[0]


def test_report_draws_the_summary_again(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report FILE` prints what the run printed, down to the last line, and leaves the files alone."""
    assert main(["report", str(file)]) == 0
    out = capsys.readouterr().out
    assert "not conformant: 1 required requirement fails: SUB-01" in out
    assert out.splitlines()[-1] == "result: not conformant (exit code 1)"


def test_report_draws_the_files_again(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report FILE --to FOLDER` writes HTML and JUnit, from the JSON alone."""
    folder = tmp_path / "b"
    assert main(["report", str(file), "--to", str(folder)]) == 0
    assert sorted(one.name for one in folder.iterdir()) == ["junit.xml", "report.html"]
    assert str(folder / "report.html") in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["report", "FILE"], ["diff", "FILE", "FILE"]])
def test_a_file_that_is_no_report_is_told_without_a_traceback(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong file is a usage error that names the file."""
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"schema_version": 7}', encoding="utf-8")
    assert main([str(wrong) if part == "FILE" else part for part in arguments]) == 4
    assert f"ERROR: {wrong}: has schema version 7" in capsys.readouterr().err


def test_diff_ends_with_1_when_something_is_worse(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A nightly job can tell by the exit code whether anything got worse."""
    worse = report({"API-01": Finding(verdict=Verdict.FAIL, kind=Kind.VIOLATED, reason="since today")})
    other = write(worse, tmp_path / "b")[0]
    assert main(["diff", str(file), str(other)]) == 1
    assert "API-01   pass -> fail (violated)" in capsys.readouterr().out
    assert main(["diff", str(file), str(file)]) == 0


def test_list_names_every_requirement_and_its_checks(tmp_path: Path) -> None:
    """`list` needs no cluster, and shows what verifies each requirement, what that mounts, and who promises it."""
    done = command("list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name, one in catalogue.load().items():
        assert f"{name:<8}  {one.strength:<8} {one.title}\n          checks   " in done.stdout
        assert f"          source   {one.source[0]}\n" in done.stdout
    assert "conformance/checks/test_read_only.py::test_" in done.stdout
    assert "          images   subpaths\n" in done.stdout
    assert done.stderr == ""


def test_list_as_markdown(tmp_path: Path) -> None:
    """`list --markdown` is the catalogue's own page, with the checks beside."""
    done = command("list", "--markdown", cwd=tmp_path)
    assert done.stdout == listing.markdown(catalogue.load(), inventory.read())


def test_list_as_json(tmp_path: Path) -> None:
    """`list --json` gives a machine the same."""
    done = command("list", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == listing.as_json(catalogue.load(), inventory.read())


def test_run_refuses_an_unknown_requirement(tmp_path: Path) -> None:
    """A mistyped id ends the run before anything is started, and the last line names the exit code."""
    done = command("run", "--requirement", "RO-1", "--workers", "0", cwd=tmp_path)
    assert done.returncode == 4
    assert "there is no requirement RO-1; did you mean RO-01" in done.stderr
    assert done.stdout.splitlines()[-1] == "result: usage error (exit code 4)"
    assert "Traceback" not in done.stdout + done.stderr


def test_run_tells_of_a_target_that_cannot_be_reached(tmp_path: Path) -> None:
    """A kubeconfig that leads nowhere is one message and exit code 11, and the report says so."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "x", "user": {}}],
    }
    (tmp_path / "config").write_text(json.dumps(kubeconfig), encoding="utf-8")
    done = command("run", "--kubeconfig", "config", "--workers", "2", "--report", "out", cwd=tmp_path)
    assert done.returncode == 11, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "http://127.0.0.1:9" in done.stderr
    found = json.loads((tmp_path / "out" / "conformance.json").read_text(encoding="utf-8"))
    assert found["result"]["word"] == "refused"
    assert done.stdout.splitlines()[-1] == "result: refused (exit code 11)"


@pytest.mark.parametrize(
    "arguments", [["run", "--workers", "-1"], ["run", "--profile", "most"], ["what"], []]
)
def test_wrong_arguments_are_told_by_argparse(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Options that make no sense end with a usage message and a code that is no verdict."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 4
    assert "usage: python -m conformance" in capsys.readouterr().err


def test_only_run_takes_arguments_for_pytest(file: Path) -> None:
    """What stands after -- is not swallowed where nobody reads it."""
    with pytest.raises(SystemExit):
        main(["report", str(file), "--", "-x"])


def test_clean_wants_a_cluster_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is removed from a cluster that nobody named."""
    assert main(["clean"]) == 4
    assert "name the cluster to clean" in capsys.readouterr().err
