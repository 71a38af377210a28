"""`python -m conformance`: run the checks, and read, list and compare what runs gave.

run       run the checks against a target; ends with the exit codes of conformance.verdict.ExitCode
report    draw the reports anew from a conformance.json
list      every requirement with its checks, images and sources
diff      what changed between two reports
clean     remove what runs left on a cluster
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from conformance import catalogue, inventory, traces
from conformance.options import CHOICES, PROFILE, Options, split
from conformance.records import RecordError
from conformance.report import draw, listing, read, terminal
from conformance.report.diff import compare
from conformance.report.model import ReportError
from conformance.verdict import ExitCode, Profile
from fixtures.errors import Inconclusive, UsageError

ROOT = Path(__file__).parent.parent
CHECKS = Path(__file__).parent / "checks"
WORKERS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    parser = _parser()
    given = list(sys.argv[1:] if arguments is None else arguments)
    ours, for_pytest = _split(given)
    options = parser.parse_args(ours)
    if options.command is not run:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if for_pytest and options.command is not run:
        parser.error("only `run` takes arguments for pytest after --")
    try:
        return int(options.command(options, for_pytest))
    except (ReportError, RecordError, UsageError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except Inconclusive as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return ExitCode.INCONCLUSIVE


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what stands after `--`."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return list(arguments[:place]), list(arguments[place + 1 :])


class _Parser(argparse.ArgumentParser):
    """argparse ends with 2 for wrong arguments, which is the exit code of an interrupted run here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(ExitCode.USAGE), f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m conformance", description="Does a cluster do what is documented about image volumes?"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("run", help="run the checks", epilog="Arguments after -- go to pytest.")
    for choice in CHOICES:
        one.add_argument(choice.flag, metavar=choice.metavar, help=f"{choice.help} [{choice.variable}]")
    one.add_argument(
        PROFILE.flag, choices=list(map(str, Profile)), help=f"{PROFILE.help} [{PROFILE.variable}]"
    )
    one.add_argument(
        "--requirement", action="append", default=[], metavar="IDS", help="select these requirements only"
    )
    one.add_argument(
        "--workers",
        type=_count,
        default=WORKERS,
        metavar="N",
        help=f"processes that run checks (default: {WORKERS}; 0: in this one)",
    )
    one.set_defaults(command=run)

    one = commands.add_parser("report", help="draw the reports anew from a conformance.json")
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument("--to", type=Path, metavar="FOLDER", help="also write HTML and JUnit to FOLDER")
    one.set_defaults(command=report)

    one = commands.add_parser("list", help="every requirement with its checks, images and sources")
    form = one.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="the whole catalogue as a Markdown page")
    form.add_argument(
        "--bugs", action="store_true", help="the bugs that reached users, and what catches them"
    )
    form.add_argument("--json", action="store_true", help="for machines")
    one.set_defaults(command=list_requirements)

    one = commands.add_parser("diff", help="what changed between two reports")
    one.add_argument("before", type=Path, metavar="A")
    one.add_argument("after", type=Path, metavar="B")
    one.set_defaults(command=diff)

    one = commands.add_parser("clean", help="remove what runs left on a cluster")
    for choice in CHOICES:
        if choice.name in ("kubeconfig", "context", "cluster"):
            one.add_argument(choice.flag, metavar=choice.metavar, help=choice.help)
    one.set_defaults(command=clean)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


# --- commands: each takes its options and what stands after --, and returns the exit code


def run(options: argparse.Namespace, for_pytest: Sequence[str]) -> int:
    """Run the checks. Whatever pytest prints, the last line is the result."""
    arguments = ["-q", "--no-header", "--tb=no", "-rN"]
    for choice in (*CHOICES, PROFILE):
        value = getattr(options, choice.name)
        if value is not None:
            arguments.append(f"{choice.flag}={value}")
    if options.requirement:
        arguments.append(f"--requirement={','.join(split(*options.requirement))}")
    if options.workers:
        arguments += ["-n", str(options.workers), "--dist", "loadgroup"]
    code = _pytest([*arguments, *for_pytest])
    if code == ExitCode.USAGE:
        print(terminal.result_line("usage error", code), flush=True)
    return code


def report(options: argparse.Namespace, _: Sequence[str]) -> int:
    """Draw the reports of an earlier run anew. Returns 0: the result of that run is in the text."""
    found = read(options.file)
    print("\n".join([*terminal.summary(found), terminal.final_line(found)]))
    if options.to:
        for file in draw(found, options.to):
            print(f"wrote {file}")
    return 0


def list_requirements(options: argparse.Namespace, _: Sequence[str]) -> int:
    """List every requirement with its strength, checks, images and sources. Nothing is run for it."""
    demanded = catalogue.load()
    if options.bugs:
        print(traces.bugs_as_markdown(traces.load(demanded)), end="")
        return 0
    try:
        checks = inventory.read()
    except SyntaxError as error:
        print(f"ERROR: the checks cannot be read: {error}", file=sys.stderr)
        return ExitCode.INTERNAL_ERROR
    if options.markdown:
        print(listing.markdown(demanded, checks), end="")
    elif options.json:
        print(json.dumps(listing.as_json(demanded, checks), indent=2, ensure_ascii=False))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(listing.lines(demanded, checks, width=width)))
    return 0


def diff(options: argparse.Namespace, _: Sequence[str]) -> int:
    """Print what changed between two reports. Returns 1 if a verdict got worse, else 0."""
    comparison = compare(read(options.before), read(options.after))
    print("\n".join(comparison.lines()))
    return int(comparison.worse)


def clean(options: argparse.Namespace, _: Sequence[str]) -> int:
    """Remove every namespace of the suite from a cluster. Returns 0 if nothing is left, else 1."""
    from conformance.session import Opening, reach  # noqa: PLC0415 - what it imports takes a second
    from fixtures.namespaces import sweep_all  # noqa: PLC0415 - likewise

    if not (options.kubeconfig or options.context or options.cluster):
        raise UsageError("name the cluster to clean: --kubeconfig FILE, --context NAME or --cluster kind")
    opening = Opening()
    try:
        named = Options(
            kubeconfig=options.kubeconfig, context=options.context, cluster=options.cluster, report=Path()
        )
        found, left = sweep_all(reach(named, opening).api("clean"))
    finally:
        opening.close()
    print("\n".join(f"removed namespace {name}" for name in found) or "nothing to remove")
    for line in left:
        print(f"left behind: {line}")
    return int(bool(left))


class _Interruptible:
    """A pytest plugin that gives Ctrl-C its ordinary meaning back once pytest can deal with it: see conformance.__main__."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _pytest(arguments: Sequence[str], *plugins: object) -> int:
    """Run pytest on the checks with the suite's own settings."""
    # The root conftest.py registers the plugin, which must not be imported before: pytest rewrites its
    # assertions.
    fixed = ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={ROOT}", str(CHECKS)]
    fixed += ["-p", "no:hypothesispytest"]  # no check uses it, and it takes a second to load
    return int(pytest.main([*fixed, *arguments], plugins=[_Interruptible(), *plugins]))
