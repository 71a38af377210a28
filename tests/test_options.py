"""conformance.options: what a run was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.options import Options, near, read_options, split
from conformance.verdict import Profile

pytest_plugins = ["pytester"]


def read(pytester: pytest.Pytester, *arguments: str, **environment: str) -> Options:
    """The options of a command line."""
    return read_options(pytester.parseconfig("-p", "conformance.plugin", *arguments), environment)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_nothing_is_chosen_by_default(pytester: pytest.Pytester) -> None:
    """Without options no cluster is named, everything is selected, and the report lies in `report`."""
    assert read(pytester) == Options(report=pytester.path / "report")


def test_the_command_line_wins_over_the_environment(pytester: pytest.Pytester) -> None:
    """An option beats its variable, and the variable the default."""
    environment = {
        "IV_CONTEXT": "from-variable",
        "IV_NODES": "a, b,a",
        "IV_PROFILE": "must",
        "IV_REPORT": "there",
    }
    options = read(pytester, "--context=from-option", "--report=here/x", **environment)
    assert options.context == "from-option"
    assert options.nodes == ("a", "b")
    assert options.profile is Profile.MUST
    assert options.report == pytester.path / "here" / "x"


def test_patience_is_a_number_of_seconds(pytester: pytest.Pytester) -> None:
    """By option or variable; without either nobody is said to be patient."""
    assert read(pytester, "--patience=330").patience == 330
    assert read(pytester, IV_PATIENCE="2.5").patience == 2.5
    assert read(pytester).patience is None


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan"])
def test_what_is_no_patience(pytester: pytest.Pytester, text: str) -> None:
    """Anything else is a usage error that repeats it."""
    with pytest.raises(pytest.UsageError, match=text):
        read(pytester, f"--patience={text}")


def test_a_kubeconfig_variable_names_no_cluster(pytester: pytest.Pytester) -> None:
    """KUBECONFIG alone chooses nothing here: whoever starts the run passes it on purpose."""
    assert read(pytester, KUBECONFIG="somewhere").kubeconfig is None


def test_paths_stay_out_of_the_report(pytester: pytest.Pytester) -> None:
    """What the report tells of the options names no file of the machine."""
    told = read(pytester, "--kubeconfig=secret/place", "--requirement=RO-01").to_json()
    assert "secret" not in str(told)
    assert str(Path.home()) not in str(told)
    assert told["requirements"] == ["RO-01"]


@given(st.lists(st.text(alphabet="ab1-", min_size=1), max_size=5))
def test_lists_may_be_given_in_any_way(words: list[str]) -> None:
    """Commas, repetitions of the option and blanks all come to the same: each word once, in order."""
    expected = tuple(dict.fromkeys(words))
    assert split(*words) == split(" , ".join(words)) == expected


def test_a_mistyped_id_finds_the_nearest() -> None:
    """Lower case and missing zeros are understood as what they mean."""
    assert near("sub-3", ["SUB-03", "API-01"]) == ["SUB-03"]
    assert near("nonsense", ["SUB-03"]) == []
