"""`@verifies`: which requirements a check verifies; `disruptive`; and what a check must not carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from conformance.catalogue import Catalogue
from conformance.options import near

NAME = "verifies"
_HELP = f"{NAME}(*ids): the requirements of the catalogue that the check verifies"
DISRUPTIVE = "disruptive"
_DISRUPTIVE_HELP = f"{DISRUPTIVE}: disturbs the whole node, so it runs after all other checks, and alone"
TAKES = "takes"
_TAKES_HELP = f"{TAKES}(seconds): about how long the check takes on a real node, where that is long; the longest begin first"

# A skip is never a pass, an expected failure is the list of known defects, and a subtest has no verdict of
# its own.
_FORBIDDEN_MARKERS = ("skip", "skipif", "xfail")
_FORBIDDEN_FIXTURES = ("subtests",)


def verifies(*requirements: str) -> pytest.MarkDecorator:
    """Mark a check with the ids of the requirements that it verifies, one at least.

    Also usable for one case of a parameterized check: `pytest.param(..., marks=verifies("API-06"))`.
    """
    if not requirements or not all(isinstance(one, str) for one in requirements):
        raise TypeError('verifies needs the ids of requirements: @verifies("SUB-03")')
    decorator: pytest.MarkDecorator = getattr(pytest.mark, NAME)
    return decorator.with_args(*requirements)


def declare(config: pytest.Config) -> None:
    """Make the markers known to pytest."""
    for text in (_HELP, _DISRUPTIVE_HELP, _TAKES_HELP):
        config.addinivalue_line("markers", text)


def seconds_of(item: pytest.Item) -> float:
    """About how long a check takes; 0 where it says nothing."""
    mark = item.get_closest_marker(TAKES)
    return float(mark.args[0]) if mark else 0.0


def longest_first(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The checks in the order in which so many workers should begin them: the longest first, each on a worker of its own.

    What waits long costs a run nothing as long as others run beside it. xdist gives each worker one check, and then each a second one,
    which waits until the first is done: so after the longest ones come as many that don't take long.
    """
    long = sorted((item for item in items if seconds_of(item)), key=seconds_of, reverse=True)
    short = [item for item in items if not seconds_of(item)]
    return [*long[:workers], *short[:workers], *long[workers:], *short[workers:]]


def requirements_of(item: pytest.Item) -> tuple[str, ...]:
    """The ids that a check verifies, each once; those of the function first."""
    marks = reversed(list(item.iter_markers(NAME)))
    return tuple(dict.fromkeys(one for mark in marks for one in mark.args))


def is_check(item: pytest.Item, folder: Path) -> bool:
    """Whether a collected item lies in the folder of the checks."""
    return item.path.is_relative_to(folder)


def is_disruptive(item: pytest.Item) -> bool:
    """Whether a check disturbs the whole node."""
    return item.get_closest_marker(DISRUPTIVE) is not None


def mistakes(items: Iterable[pytest.Item], catalogue: Catalogue) -> list[str]:
    """What is wrong with the checks as they are written, one line each."""
    found: dict[str, None] = {}
    for item in items:
        place = item.nodeid.partition("[")[0]
        requirements = requirements_of(item)
        if not requirements:
            found[f"{place}: verifies no requirement; say which: @verifies(...)"] = None
        for one in requirements:
            if one not in catalogue:
                meant = near(one, list(catalogue))
                hint = f"; did you mean {' or '.join(meant)}?" if meant else ""
                found[f"{place}: verifies {one}, which is not in the catalogue{hint}"] = None
        for name in _FORBIDDEN_MARKERS:
            if item.get_closest_marker(name):
                found[
                    f"{place}: is marked {name}, but a skip is no verdict: raise Unsupported or Inconclusive"
                ] = None
        for name in _FORBIDDEN_FIXTURES:
            if name in getattr(item, "fixturenames", ()):
                found[f"{place}: uses {name}, which have no verdict of their own: parameterize the check"] = (
                    None
                )
    return list(found)


def unknown_requirements(asked: Iterable[str], catalogue: Catalogue) -> list[str]:
    """A line for each id that was asked for and does not exist, with those that may be meant."""
    found = []
    for one in asked:
        if one not in catalogue:
            meant = near(one, list(catalogue))
            hint = f"; did you mean {' or '.join(meant)}?" if meant else "; see: python -m conformance list"
            found.append(f"there is no requirement {one}{hint}")
    return found
