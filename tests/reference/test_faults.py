"""The faults file, and asking for faults by id."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.reference.faults import COMPONENTS, Fault, Faults, UnknownFaultError, load


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
