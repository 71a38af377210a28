"""The suite, run as people run it, on the reference cluster and on mutants of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance import catalogue

CHECKOUT = Path(__file__).resolve().parents[1]
SECONDS = 400


def run(report: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Run `python -m conformance run` and return its exit code, output and report."""
    command = [sys.executable, "-m", "conformance", "run", f"--report={report}", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=SECONDS)
    file = report / "conformance.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return done.returncode, done.stdout + done.stderr, found


def failing(report: dict[str, Any]) -> set[str]:
    """The ids of the requirements that fail."""
    return {one["id"] for one in report["requirements"] if one["verdict"] == "fail"}


@pytest.mark.whole
def test_reference_is_conformant(tmp_path: Path) -> None:
    """The whole suite finds the reference cluster conformant, in nearly all requirements, and says that it is none."""
    code, output, report = run(tmp_path)
    assert code == 0, output
    assert report["counts"]["pass"] >= 180
    assert report["counts"]["fail"] == report["counts"]["not verified"] == 0
    unjudged = [one for one in report["requirements"] if one["verdict"] in ("inconclusive", "not selected")]
    assert [one["id"] for one in unjudged if one["verdict"] == "inconclusive" and not one["lacks"]] == []
    assert all(one["reason"] for one in unjudged)
    assert len(unjudged) <= 15, [one["id"] for one in unjudged]
    assert report["target"]["reference"] is True
    assert output.rstrip().splitlines()[-1] == "result: conformant (exit code 0)"
    assert report["run"]["leftovers"] == []


KILLS = {
    "sub-path-created": ("SUB-03", "SUB-01"),
    "never-pulls": ("PULL-09", "PULL-05"),
    "first-secret-only": ("AUTH-10", "AUTH-02"),
    "layers-reversed": ("IMG-03", "IMG-01"),
    "writable": ("RO-02", "IMG-22"),
}
"""By fault: a requirement that names it, and one that does not."""


@pytest.mark.whole
@pytest.mark.parametrize("fault", KILLS)
def test_mutant_fails_where_its_fault_is_named(tmp_path: Path, fault: str) -> None:
    """A reference cluster with one fault fails a requirement that names the fault and passes one that does not."""
    named, other = KILLS[fault]
    assert named in catalogue.load().hit_by(fault)
    code, output, report = run(
        tmp_path, f"--cluster=reference:{fault}", f"--requirement={named},{other}", "--workers=2"
    )
    assert code == 1, output
    assert failing(report) == {named}


@pytest.mark.whole
def test_unsupported_runtime_is_told_at_once(tmp_path: Path) -> None:
    """On a runtime that refuses image volumes nothing waits: what needs them is unsupported, in the runtime's own words."""
    code, output, report = run(tmp_path, "--cluster=reference:containerd-1.7")
    assert code == 10, output
    assert "unsupported runtime, refused with: CreateContainerError" in report["result"]["sentence"]
    assert report["counts"]["fail"] == 0
    assert report["counts"]["unsupported"] > 90
