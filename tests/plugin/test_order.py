"""In which order checks are begun: the longest first, each on a worker of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.plugin.markers import longest_first


class Item:
    """As much of a check as the order looks at."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        """Its mark, if it takes long."""
        return pytest.Mark(name, (self.seconds,), {}, _ispytest=True) if self.seconds else None


def order(seconds: Mapping[str, float], workers: int) -> list[str]:
    """The names of checks that take so long, in the order in which they are begun."""
    items = [Item(name, taken) for name, taken in seconds.items()]
    return [cast("Item", item).name for item in longest_first(cast("list[pytest.Item]", items), workers)]


def test_no_long_check_waits_for_another() -> None:
    """With two workers: the two longest, two short ones to wait behind them, and then the other long one."""
    seconds = {"a": 0, "b": 10, "c": 0, "d": 30, "e": 20, "f": 0}
    assert order(seconds, 2) == ["d", "e", "a", "c", "b", "f"]


@given(st.dictionaries(st.text(min_size=1), st.sampled_from([0.0, 5.0, 30.0])), st.integers(1, 5))
def test_nothing_is_lost(seconds: dict[str, float], workers: int) -> None:
    """Every check is begun once, and those that say nothing keep their order."""
    found = order(seconds, workers)
    assert sorted(found) == sorted(seconds)
    assert [name for name in found if not seconds[name]] == [name for name in seconds if not seconds[name]]
