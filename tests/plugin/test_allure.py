"""conformance.plugin.allure: the results that allure-pytest writes for us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.plugin.allure import clear
from tests.plugin.suite import Suite

pytest_plugins = ["pytester"]


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """The results by name."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*-result.json")]
    return {one["name"]: one for one in found}


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_result_bears_verdict_labels_and_evidence(suite: Suite, arguments: tuple[str, ...]) -> None:
    """A check's result has our status and words, its requirement's labels and links, and its evidence."""
    suite.target(defects=[["SUB-02", "containerd", ">=2.1"]])
    suite.checks("""
        @verifies("API-01")
        def test_a(): pass
        @verifies("SUB-01")
        @pytest.mark.parametrize("policy", ["Always"])
        def test_b(evidence, policy):
            '''Given a, then b.'''
            evidence.add("manifest", "the Pod", {"kind": "Pod"})
            assert 0, ignored(when=True, what="the subPath")
        @verifies("API-04")
        def test_c(): raise Inconclusive("unclear")
        @verifies("API-02")
        def test_d(): raise Unsupported("refused")
        @verifies("SUB-02")
        def test_e(): assert 0, "known"
        @verifies("API-03")
        def test_f(observe): observe(1, "one")
    """)
    suite.run(*arguments, apart=True)
    folder = suite.folder / "report" / "allure-results"
    found = results(folder)
    assert {name.split()[0]: one["status"] for name, one in found.items()} == {
        "API-01": "passed",
        "SUB-01": "failed",
        "API-04": "broken",
        "API-02": "skipped",
        "SUB-02": "skipped",
        "API-03": "passed",
    }
    one = found["SUB-01 The fact that SUB-01 states [Always]"]
    assert one["statusDetails"]["message"] == "fail (ignored): the subPath was accepted and had no effect"
    assert one["description"] == "Given a, then b."
    labels = {(label["name"], label["value"]) for label in one["labels"]}
    assert labels >= {
        ("epic", "Image volumes"),
        ("feature", "subPath"),
        ("story", "SUB-01 The fact that SUB-01 states"),
        ("severity", "critical"),
    }
    assert "host" not in {name for name, _ in labels}
    assert one["links"][0]["url"] == "https://example.org/SUB-01"
    assert [step["name"] for step in one["steps"]] == ["manifest: the Pod", "traceback: traceback (call)"]
    attached = folder / one["steps"][0]["attachments"][0]["source"]
    assert json.loads(attached.read_text(encoding="utf-8")) == {"kind": "Pod"}
    waived = found["SUB-02 The fact that SUB-02 states"]["statusDetails"]["message"]
    assert waived == "waived: known to be wrong (known)"


def test_allure_knows_environment_and_categories(suite: Suite) -> None:
    """The target and the run stand in the environment, and every kind of what is not passed is a category."""
    suite.checks('@verifies("API-01")\ndef test_a(): pass')
    suite.run(apart=True)
    folder = suite.folder / "report" / "allure-results"
    properties = (folder / "environment.properties").read_text(encoding="ascii")
    assert "Kubernetes=v1.36.2\n" in properties
    assert "Judges.a.real.cluster=yes\n" in properties
    names = {one["name"] for one in json.loads((folder / "categories.json").read_text(encoding="utf-8"))}
    assert {"Violated", "Silently ignored", "Inconclusive", "Unsupported", "Known upstream defect"} <= names


def test_the_same_check_has_the_same_history(suite: Suite) -> None:
    """Two runs of a check are joined in allure's history, and the results of the first are gone."""
    suite.checks("""
        @verifies("API-01")
        @pytest.mark.parametrize("thing", [object()], ids=["thing"])
        def test_a(thing): pass
    """)
    folder = suite.folder / "report" / "allure-results"
    suite.run(apart=True)
    before = [one["historyId"] for one in results(folder).values()]
    suite.run(apart=True)
    assert len(list(folder.glob("*-result.json"))) == 1
    assert [one["historyId"] for one in results(folder).values()] == before


def test_without_allure_there_is_the_rest(suite: Suite) -> None:
    """The suite does not need allure-pytest to be loaded."""
    suite.checks('@verifies("API-01", "SUB-01")\ndef test_a(): pass')
    done = suite.run("-p", "no:allure_pytest", apart=True)
    assert done.code == 0
    assert not (suite.folder / "report" / "allure-results").exists()


def test_clearing_leaves_what_is_not_a_result(tmp_path: Path) -> None:
    """Only results are removed from a folder that somebody named."""
    for name in ("a-result.json", "b-container.json", "c-attachment.txt", "notes.txt"):
        (tmp_path / name).touch()
    clear(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
