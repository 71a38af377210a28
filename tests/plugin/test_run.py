"""The run as a whole: selection, exit codes, workers, the sweep, and whatever ends a run early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.plugin.suite import Done, Suite

pytest_plugins = ["pytester"]

MIXED = """
@verifies("API-01")
def test_pass(): pass
@verifies("API-02")
def test_should(): assert False, "recommended"
@verifies("API-03")
def test_observed(observe): observe([1, 2], "list")
@verifies("API-04")
def test_option(): raise Inconclusive("unclear")
@verifies("SUB-01")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_cases(n): assert n != 2, ignored(when=True, what="the subPath")
@verifies("SUB-02")
@pytest.mark.xdist_group("serial")
def test_refused(): raise Unsupported("no such thing")
@verifies("SUB-03")
def test_not_here(): pass
"""

CONFORMANT = """
@verifies("API-01", "SUB-01", "SUB-02", "SUB-04")
def test_pass(): pass
"""


def without_time(report: Mapping[str, Any]) -> Any:
    """A report without what differs between any two runs."""
    return json.loads(
        json.dumps(report), object_hook=lambda held: {k: v for k, v in held.items() if k not in VARIES}
    )


VARIES = ("duration", "started", "id", "workers", "longest_wait")


@pytest.mark.parametrize("arguments", [("-n2",), ("-n2", "--dist=loadgroup"), ("-n0",)])
def test_workers_change_nothing(suite: Suite, arguments: tuple[str, ...]) -> None:
    """The report of a run is the same with and without workers, however the checks are spread over them."""
    suite.checks(MIXED)
    alone = suite.run()
    spread = suite.run(*arguments, apart=True)
    assert [one["id"] for one in spread.report["requirements"]]
    requirements = [{**run.report, "run": None} for run in (alone, spread)]
    for run in requirements:
        for one in run["requirements"]:
            for item in one["evidence"]:
                item.pop("data", None)  # tracebacks name the worker
    assert without_time(requirements[0]) == without_time(requirements[1])
    assert alone.code == spread.code == 1
    assert (alone.sweeps, spread.sweeps) == (1, 1)


@pytest.mark.parametrize(
    ("source", "code", "word"),
    [
        (CONFORMANT, 0, "conformant"),
        ('@verifies("SUB-01")\ndef test_it(): assert False', 1, "not conformant"),
        ('@verifies("SUB-01")\ndef test_it(): raise Inconclusive("no")', 10, "inconclusive"),
        ('@verifies("SUB-01")\ndef test_it(): raise Unsupported("no")', 10, "inconclusive"),
        ('@verifies("API-02")\ndef test_it(): pass', 10, "inconclusive"),
        ("", 10, "inconclusive"),
    ],
)
def test_the_result_is_the_exit_code_and_the_last_line(
    suite: Suite, source: str, code: int, word: str
) -> None:
    """Whatever pytest thinks, the process ends with the code of the result, and says so at the very end."""
    suite.checks("\n".join(source.splitlines()))
    done = suite.run()
    assert done.code == code
    assert done.report["result"] | {"sentence": ""} == {"word": word, "exit_code": code, "sentence": ""}
    assert done.out.splitlines()[-1] == f"result: {word} (exit code {code})"
    assert done.sweeps == 1


def test_requirements_without_checks_are_counted_and_do_not_hinder(suite: Suite) -> None:
    """What no check verifies yet is named, and leaves the result of the others as it is."""
    suite.checks('@verifies("SUB-01")\ndef test_it(): pass')
    done = suite.run()
    assert done.code == 0
    assert done.verdict("API-01") == "not verified"
    assert done.report["counts"]["not verified"] == 7
    assert "7 not verified" in done.out


# --- selection


def test_requirements_are_selected_by_id(suite: Suite) -> None:
    """--requirement runs the checks of those ids; the rest is not selected, and the result says so."""
    suite.checks(MIXED)
    done = suite.run("--requirement=API-01,API-03", "--requirement=API-02")
    assert [one["id"] for one in done.report["requirements"] if one["verdict"] != "not selected"] == [
        "API-01",
        "API-02",
        "API-03",
    ]
    assert done.code == 0
    assert "as far as the 1 required requirement judged" in done.report["result"]["sentence"]


def test_an_unknown_id_is_a_usage_error_with_a_hint(suite: Suite) -> None:
    """A mistyped id ends the run before the target is touched, and names what may be meant."""
    suite.checks(MIXED)
    done = suite.run("--requirement=SUB-1")
    assert done.code == 4
    assert "there is no requirement SUB-1; did you mean SUB-01" in done.err
    assert not done.report


def test_the_profile_must_leaves_recommendations_out(suite: Suite) -> None:
    """With --profile must only what is required is judged."""
    suite.checks(MIXED)
    done = suite.run("--profile=must")
    left_out = {one["strength"] for one in done.report["requirements"] if one["verdict"] == "not selected"}
    assert left_out - {"MUST"} == {"SHOULD", "MAY", "OBSERVED"}
    assert done.verdict("SUB-01") == "fail, ignored"


def test_the_environment_gives_defaults(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """IV_PROFILE stands for --profile; a word that is no profile is refused."""
    suite.checks(MIXED)
    monkeypatch.setenv("IV_PROFILE", "must")
    assert suite.run().report["run"]["options"]["profile"] == "must"
    monkeypatch.setenv("IV_PROFILE", "most")
    done = suite.run()
    assert done.code == 4
    assert "there is no profile 'most'" in done.err


def test_deselecting_by_keyword_is_no_pass(suite: Suite) -> None:
    """What is left of a requirement's cases after -k is no pass of it; nothing left is not selected."""
    suite.checks(MIXED)
    done = suite.run("-k", "test_pass or test_cases and 1")
    assert done.verdict("SUB-01") == "inconclusive"
    assert done.requirement("SUB-01")["reason"] == "2 of its 3 checks were deselected"
    assert done.verdict("API-02") == "not selected"
    assert done.verdict("API-01") == "pass"


def test_a_single_file_leaves_the_rest_not_selected(suite: Suite) -> None:
    """Running one file does not make requirements look as if no check verified them."""
    suite.checks('@verifies("SUB-01")\ndef test_it(): pass', "test_one")
    suite.checks('@verifies("SUB-02")\ndef test_it(): pass', "test_two")
    done = suite.run("checks/test_one.py")
    assert done.verdict("SUB-01") == "pass"
    assert done.verdict("SUB-02") == "not selected"


def test_nothing_selected_is_a_usage_error(suite: Suite) -> None:
    """A filter that leaves nothing to do is a mistake, not a green run."""
    suite.checks(MIXED)
    done = suite.run("-k", "no_such_check")
    assert done.code == 4
    assert "no check is selected" in done.err


# --- before the checks


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [("PreflightRefused", 11, "refused"), ("TimedOut", 11, "refused")],
)
@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_refused_preflight_is_one_message(
    suite: Suite, error: str, code: int, word: str, arguments: tuple[str, ...]
) -> None:
    """A target that can't be judged gives one message, exit code 11 and a report, and starts no worker."""
    suite.target(start=[error, "create pods/exec is missing"])
    suite.checks(CONFORMANT)
    done = suite.run(*arguments, apart=True)
    assert done.code == code
    assert done.err.count("create pods/exec is missing") == 1
    assert "Traceback" not in done.out + done.err
    assert "create pods/exec is missing" not in done.out
    assert done.report["result"]["sentence"] == f"{word}: create pods/exec is missing"
    assert done.verdict("SUB-01") == "inconclusive"
    assert done.out.splitlines()[-1] == f"result: {word} (exit code {code})"


def test_a_usage_error_of_the_session_is_one(suite: Suite) -> None:
    """What the session calls a usage error ends with pytest's code for that, and writes no report."""
    suite.target(start=["UsageError", "there is no context x"])
    suite.checks(CONFORMANT)
    done = suite.run()
    assert done.code == 4
    assert "there is no context x" in done.err
    assert not done.report


def test_another_run_holds_the_cluster(suite: Suite) -> None:
    """An exception of the session may name its exit code: 12, another run holds the cluster."""
    suite.target(start=["PreflightRefused", "held by run abc"], exit_code=12)
    suite.checks(CONFORMANT)
    done = suite.run()
    assert done.code == 12
    assert done.report["result"]["word"] == "held"


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_broken_check_is_an_internal_error(suite: Suite, arguments: tuple[str, ...]) -> None:
    """A file of checks that can't be imported ends the run before the target is touched."""
    suite.checks(CONFORMANT)
    suite.checks("import no_such_module", "test_two")
    done = suite.run(*arguments, apart=True)
    assert done.code == 3
    assert "no_such_module" in done.err
    assert done.sweeps == 0


def test_the_reference_cluster_is_named_as_such(suite: Suite) -> None:
    """Whoever sees the output knows that no real cluster was judged: the first line says it."""
    suite.target(target={"reference": True, "server": "http://127.0.0.1:1", "kubernetes": "v1.36.2"})
    suite.checks(CONFORMANT)
    done = suite.run("--no-header", "-q", "-n1", apart=True)
    assert "nodes..." not in done.out
    first = next(line for line in done.out.splitlines() if line.strip())
    assert first == (
        "The target is the reference cluster, a model in this repository: this run judges no real cluster."
    )


def test_an_earlier_report_is_not_taken_for_this_runs(suite: Suite) -> None:
    """A run that dies without a word leaves no report of the day before; other files stay."""
    folder = suite.folder / "report"
    folder.mkdir()
    for name in ("conformance.json", "report.html", "notes.txt"):
        (folder / name).write_text("{}", encoding="utf-8")
    suite.target(start=["UsageError", "no such context"])
    suite.checks(CONFORMANT)
    assert suite.run().code == 4
    assert [file.name for file in folder.iterdir() if file.is_file()] == ["notes.txt"]


def test_a_report_that_cannot_be_written_is_found_first(suite: Suite) -> None:
    """A folder that can't be made is a usage error before the target is touched, not a loss after an hour."""
    (suite.folder / "file").touch()
    suite.checks(CONFORMANT)
    done = suite.run("--report=file/below", "-p", "no:allure_pytest")
    assert done.code == 4
    assert "the report cannot be written to" in done.err
    assert done.sweeps == 0


# --- the end


def test_leftovers_are_told(suite: Suite) -> None:
    """What the sweep could not remove stands in the summary and in the report."""
    suite.target(leftovers=["namespace iv-1: finalizer x"])
    suite.checks(CONFORMANT)
    done = suite.run()
    assert "left behind: namespace iv-1: finalizer x" in done.out
    assert done.report["run"]["leftovers"] == ["namespace iv-1: finalizer x"]


def test_a_worker_that_dies_leaves_its_check_inconclusive(suite: Suite) -> None:
    """A crash of the suite's own process is no verdict on the target; the other checks still get theirs."""
    suite.checks("""
        import os

        @verifies("SUB-01")
        def test_dies(): os._exit(1)
        @verifies("SUB-02")
        def test_lives(): pass
    """)
    done = suite.run("-n1", apart=True)
    assert done.verdict("SUB-01") == "inconclusive"
    assert "crashed" in done.requirement("SUB-01")["reason"]
    assert done.verdict("SUB-02") == "pass"
    assert done.code == 10
    assert done.sweeps == 1


def test_an_internal_error_is_told_and_swept(suite: Suite) -> None:
    """When the suite itself breaks, the exit code is 3, the target is clean and the report says why."""
    suite.checks(CONFORMANT)
    suite.pytester.makeconftest("""
        def pytest_runtest_logreport(report):
            raise RuntimeError("broken plugin")
    """)
    done = suite.run(apart=True)
    assert done.code == 3
    assert done.sweeps == 1
    assert done.report["result"]["word"] == "internal error"
    assert "broken plugin" in done.report["result"]["sentence"]


def test_stopping_at_the_first_failure_is_an_interrupted_run(suite: Suite) -> None:
    """With -x what did not run is inconclusive, what failed is told, and the run counts as interrupted."""
    suite.checks("""
        @verifies("SUB-01")
        def test_a(): assert False, "seen"
        @verifies("SUB-02")
        def test_b(): pass
    """)
    done = suite.run("-x")
    assert done.code == 2
    assert done.verdict("SUB-01") == "fail, violated"
    assert done.verdict("SUB-02") == "inconclusive"
    assert done.requirement("SUB-02")["reason"].startswith("its check did not run")
    assert "1 required requirement had failed: SUB-01" in done.report["result"]["sentence"]


# --- interrupts

SLOW = """
import time
from pathlib import Path

@verifies("API-01")
def test_first(): pass

@verifies("SUB-01")
def test_slow():
    Path("running").touch()
    time.sleep(60)
"""


def interrupted(suite: Suite, *arguments: str, number: int = signal.SIGINT, again: bool = False) -> Done:
    """Run the slow checks in a process group of their own and send it a signal once the second one runs."""
    suite.checks(SLOW)
    # A shell's background job ignores SIGINT, and so would whatever the tests start there.
    command = ["env", "--default-signal=INT"]
    command += [sys.executable, "-m", "pytest", *suite.options, "checks", *arguments]
    process = subprocess.Popen(
        command,
        cwd=suite.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(suite, "running")
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    if again:
        wait_for(suite, "sweeping")
        process.send_signal(signal.SIGINT)
        (suite.folder / "told").touch()
    out, err = process.communicate(timeout=60)
    return suite.done(process.returncode, out, err)


def wait_for(suite: Suite, name: str) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 60
    while not (suite.folder / name).exists():
        assert time.monotonic() < deadline, f"{name} never came"
        time.sleep(0.02)


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_swept_and_reported(
    suite: Suite, arguments: tuple[str, ...], number: int
) -> None:
    """Ctrl-C, or CI's SIGTERM, ends the run with code 2; the target is clean and the report whole."""
    done = interrupted(suite, *arguments, number=number)
    assert done.code == 2
    assert done.sweeps == 1
    assert done.report["result"]["word"] == "interrupted"
    assert done.verdict("SUB-01") == "inconclusive"
    finished = ("pass", "inconclusive") if arguments else ("pass",)  # it may run beside the slow one
    assert done.verdict("API-01") in finished
    assert done.out.splitlines()[-1] == "result: interrupted (exit code 2)"


def test_an_impatient_interrupt_does_not_stop_the_sweep(suite: Suite) -> None:
    """A second Ctrl-C while the cluster is cleaned up is answered with a request to wait."""
    suite.target(slow_close=True)
    done = interrupted(suite, again=True)
    assert done.code == 2
    assert done.sweeps == 1
    assert "cleaning up the cluster" in done.err
