"""conformance.plugin.turns: checks that disturb the node run last and alone."""

from __future__ import annotations

import json
from pathlib import Path

from tests.plugin.suite import Suite

pytest_plugins = ["pytester"]

CHECKS = """
import json, os, time
from pathlib import Path

def spend(name, seconds):
    began = time.monotonic()
    time.sleep(seconds)
    Path(f"{name}.span").write_text(json.dumps([began, time.monotonic()]))

@verifies("API-01")
@pytest.mark.disruptive
@pytest.mark.parametrize("n", range(2))
def test_alone(n): spend(f"alone-{n}", 0.05)

@verifies("API-02")
@pytest.mark.parametrize("n", range(4))
def test_shared(n): spend(f"shared-{n}", 0.05)
"""


def spans(folder: Path) -> dict[str, tuple[float, float]]:
    """When each check began and ended."""
    return {file.stem: tuple(json.loads(file.read_text())) for file in folder.glob("*.span")}


def test_disruptive_checks_run_alone(suite: Suite) -> None:
    """With several workers no other check runs while a disruptive one does."""
    suite.checks(CHECKS)
    suite.run("-n2", apart=True)
    found = spans(suite.folder)
    assert len(found) == 6
    for name, (began, ended) in found.items():
        if name.startswith("alone"):
            others = [span for other, span in found.items() if other != name]
            assert all(ended <= other_began or other_ended <= began for other_began, other_ended in others)


def test_disruptive_checks_run_last(suite: Suite) -> None:
    """In one process they come after all others, in their order."""
    suite.checks(CHECKS)
    suite.run()
    found = spans(suite.folder)
    order = sorted(found, key=lambda name: found[name])
    assert order == [*(f"shared-{n}" for n in range(4)), "alone-0", "alone-1"]
