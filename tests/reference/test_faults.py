"""The faults file, and asking for faults by id."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fixtures.reference.faults import COMPONENTS, VARIANTS, Fault, Faults, UnknownFaultError, load


def test_every_fault_has_component_and_deed() -> None:
    """Each record of faults.toml names a component that there is, and what it does."""
    for identifier, fault in load().items():
        assert fault.id == identifier
        assert fault.component in COMPONENTS
        assert fault.does


def test_id_with_a_dot_is_one_fault() -> None:
    """`[containerd-1.7]` is one id, although TOML reads a bare dotted header as nested tables."""
    assert load()["containerd-1.7"].component == "runtime"


def test_no_fault_by_default() -> None:
    """A cluster without faults has none of the known ones."""
    assert not any(identifier in Faults() for identifier in load())


def test_chosen_fault_is_in() -> None:
    """Code finds a chosen fault by its id, and no other."""
    faults = Faults(["writable"])
    assert "writable" in faults
    assert "no-exec" not in faults


def test_unknown_id_is_refused_when_chosen() -> None:
    """A fault that does not exist cannot be asked for."""
    with pytest.raises(UnknownFaultError, match="writeable"):
        Faults(["writeable"])


def test_unknown_id_is_refused_when_looked_for() -> None:
    """A switch with a misspelt id is an error, and not dead for ever."""
    with pytest.raises(UnknownFaultError, match="writeable"):
        "writeable" in Faults()  # noqa: B015  # the look-up is what is tested


@pytest.mark.parametrize("text", ['[a]\ncomponent = "moon"\ndoes = "x"\n', '[a]\ncomponent = "kubelet"\n'])
def test_incomplete_record_is_named(tmp_path: Path, text: str) -> None:
    """A record without a known component or a deed is refused by name."""
    file = tmp_path / "faults.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"\[a\] needs a component"):
        load(file)


def test_quoted_and_bare_ids_are_alike(tmp_path: Path) -> None:
    """An id with a dot may be quoted or not."""
    file = tmp_path / "faults.toml"
    file.write_text('["b-1.2"]\ncomponent = "kubelet"\ndoes = "x"\n', encoding="utf-8")
    assert load(file) == {"b-1.2": Fault(id="b-1.2", component="kubelet", does="x")}


def test_every_switch_in_the_code_is_a_fault_or_a_variant() -> None:
    """A switch that no file names breaks the cluster at the moment it is asked for: found here, not in a run."""
    asked = re.compile(r'"([a-z0-9][a-z0-9.-]*)"\s+(?:not\s+)?in\s+(?:\w+\.)*_?faults\b')
    folder = Path(__file__).parents[2] / "fixtures" / "reference"
    used = {
        (name, file.name)
        for file in folder.rglob("*.py")
        for name in asked.findall(file.read_text(encoding="utf-8"))
    }
    known = {*load(), *load(VARIANTS)}
    assert len(used) > 50
    assert sorted(one for one in used if one[0] not in known) == []
