"""`make mutants`: runs the suite against the conformant reference cluster, then against mutants of it, and prints who died of what.

    python -m tests.mutants [--report FOLDER] [--at-once N] [--all | FAULT...]

Ends with 0 when every mutant failed in the requirements that name its fault and in no others.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance import catalogue
from fixtures.reference import faults as reference_faults
from tests.mutants.matrix import Outcome, as_lines, as_markdown, compare

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS = 600
SAMPLE = (
    "writable",
    "refuses-only-creation",
    "read-only-only-if-asked",
    "sub-path-ignored",
    "sub-path-created",
    "sub-path-escapes",
    "always-does-not-pull",
    "if-not-present-pulls",
    "never-pulls",
    "first-secret-only",
    "matches-host-only",
    "credential-to-wrong-registry",
    "present-image-for-anyone",
    "credentials-in-messages",
    "live-update",
    "reference-cached-forever",
    "restart-resolves-again",
    "copies-per-pod",
    "pulls-into-each-pod",
    "layers-reversed",
    "whiteouts-ignored",
    "modes-masked",
    "no-zstd",
    "first-of-index",
    "no-exec",
    "no-back-off",
    "failed-pull-fails-pod",
    "api-drops-image-volumes",
    "api-accepts-empty-reference",
    "api-allows-image-change",
    "empty-directory",
    "silent-without-support",
)
"""The mutants that are run when none is named."""


def run(faults: Sequence[str], folder: Path, *, workers: int) -> dict[str, Any]:
    """Run the suite against a mutant (or the conformant reference: no fault) and return its report. SystemExit if there is none."""
    cluster = f"reference:{','.join(faults)}" if faults else "reference"
    report = folder / ("+".join(faults) or "conformant")
    command = [
        sys.executable,
        "-m",
        "conformance",
        "run",
        f"--cluster={cluster}",
        f"--report={report}",
        f"--workers={workers}",
    ]
    done = subprocess.run(command, cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=SECONDS)
    file = report / "conformance.json"
    if done.returncode not in (0, 1, 10) or not file.is_file():
        raise SystemExit(
            f"the run with {', '.join(faults) or 'no fault'} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants that are named and print the matrix."""
    parser = argparse.ArgumentParser(
        prog="make mutants", description="Which requirement dies of which fault."
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"default: {len(SAMPLE)} of them")
    parser.add_argument("--all", action="store_true", help="every fault that the reference cluster knows")
    parser.add_argument(
        "--report", type=Path, default=Path("report"), help="the matrix goes to FOLDER/mutants"
    )
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="mutants at the same time (2)")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="workers of each run (4)")
    options = parser.parse_args(arguments)
    known = reference_faults.load()
    chosen = list(known) if options.all else (options.faults or list(SAMPLE))
    unknown = [fault for fault in chosen if fault not in known]
    if unknown:
        parser.error(
            f"the reference cluster has no fault {', '.join(unknown)}; see fixtures/reference/faults.toml"
        )
    folder = options.report.absolute() / "mutants"
    folder.mkdir(parents=True, exist_ok=True)
    demanded = catalogue.load()
    started = time.monotonic()
    without: dict[str, dict[str, Any]] = {}
    for beside in ("", *sorted({known[fault].beside for fault in chosen} - {""})):
        without[beside] = run([beside] if beside else [], folder, workers=options.workers)
        print(
            f"the reference itself{beside and f', {beside}'}: {without[beside]['result']['sentence']}",
            flush=True,
        )

    def judged(fault: str) -> Outcome:
        beside = known[fault].beside
        report = run([*filter(None, [beside]), fault], folder, workers=options.workers)
        outcome = compare(fault, report, without[beside], demanded)
        print("\n".join(as_lines([outcome])[:-2]), flush=True)
        return outcome

    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        outcomes = list(pool.map(judged, chosen))
    does = {name: fault.does for name, fault in known.items()}
    (folder / "matrix.md").write_text(as_markdown(outcomes, does), encoding="utf-8")
    print(
        "\n"
        + as_lines(outcomes)[-1]
        + f", in {time.monotonic() - started:.0f} s; matrix: {options.report}/mutants/matrix.md"
    )
    return int(not all(outcome.right for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
