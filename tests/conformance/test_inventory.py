"""conformance.inventory: what is read off the source of the checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import inventory
from conformance.inventory import CHECKS, OWN, Check, by_requirement, images_of
from conformance.plugin.markers import requirements_of

FIXTURES = """
import pytest
from images import site as site_asset, empty as empty_asset

@pytest.fixture
def site(build):
    return site_asset.image(build)

@pytest.fixture(scope="session")
def empty(build):
    return empty_asset.image(build)

@pytest.fixture
def both(site, empty):
    return site, empty
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with asset images and fixtures, and no check."""
    for name in ("site", "empty", "oddities", "oci"):
        (tmp_path / "images" / name).mkdir(parents=True)
    (tmp_path / "images" / "oddities" / "programs.py").touch()
    (tmp_path / CHECKS).mkdir(parents=True)
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures" / "plugin.py").write_text(FIXTURES, encoding="utf-8")
    return tmp_path


def written(checkout: Path, text: str, name: str = "test_some.py") -> list[Check]:
    """The checks of a checkout after a file of that text was added to them."""
    (checkout / CHECKS / name).write_text(text, encoding="utf-8")
    return list(inventory.read(checkout))


def test_a_check_is_named_with_its_requirements(checkout: Path) -> None:
    """All ids of all marks count, in their order; what is no check does not."""
    checks = written(
        checkout,
        '@verifies("RO-02", "RO-01")\n@verifies("API-03")\ndef test_one(): ...\n\ndef helper(): ...\n',
    )
    assert checks == [
        Check(
            name="conformance/checks/test_some.py::test_one",
            requirements=("RO-02", "RO-01", "API-03"),
            images=(),
        )
    ]
    assert (checks[0].file, checks[0].function) == ("conformance/checks/test_some.py", "test_one")


@pytest.mark.parametrize(
    "table",
    [
        'pytest.param(1, marks=verifies("ERR-03")), *(pytest.param(s, marks=verifies("ERR-05")) for s in (5, 6))',
        '*(pytest.param(s, marks=[verifies(name)]) for name, s in (("ERR-03", 1), ("ERR-05", 2)))',
    ],
    ids=["written", "computed"],
)
@pytest.mark.parametrize("place", ["in the mark", "in a constant"])
def test_marks_of_single_cases_count(checkout: Path, table: str, place: str) -> None:
    """The ids of a parameterized check's cases are found, also in a table of the file and where they are computed."""
    constant, used = (f"TABLE = [{table}]\n", "TABLE") if place == "in a constant" else ("", f"[{table}]")
    text = f'{constant}@pytest.mark.parametrize("status", {used})\ndef test_one(status): ...\n'
    assert written(checkout, text)[0].requirements == ("ERR-03", "ERR-05")


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("def test_one(site): ...", ("site",)),
        ("def test_one(both): ...", ("empty", "site")),
        ("@pytest.mark.usefixtures('empty')\ndef test_one(): ...", ("empty",)),
        ("def test_one(request): request.getfixturevalue('empty')", ("empty",)),
        ("from images import oddities as o\ndef test_one(): o.image()", ("oddities",)),
        ("from images.oddities import NAMES\ndef test_one(): print(NAMES)", ("oddities",)),
        ("from images.oddities import programs\ndef test_one(): programs.hello()", ()),
        ("from images.oci.image import Image\ndef test_one(site): Image([])", ("site", OWN)),
        ("from images.oci.image import Image\ndef test_one(given: Image) -> Image: ...", ()),
        ("from images import empty\ndef push(): empty.image()\ndef test_one(): push()", ("empty",)),
        ("from images import empty\ndef unused(): empty.image()\ndef test_one(): ...", ()),
        ("from images import site\nBUILT = site.image()\ndef test_one(): return BUILT", ("site",)),
        (
            "from images import empty as e\n@pytest.fixture\ndef site(): e.image()\ndef test_one(site): ...",
            ("empty",),
        ),
        ("from images import empty\ndef test_one(): empty = 1; return empty", ()),
    ],
)
def test_images_are_those_whose_builders_are_used(checkout: Path, text: str, images: tuple[str, ...]) -> None:
    """A fixture, a fixture's fixture, a builder, a helper and a table lead to images; annotations and local names don't."""
    assert [check.images for check in written(checkout, text)] == [images]


def test_helpers_of_other_checks_are_followed(checkout: Path) -> None:
    """What a check imports from a module beside it counts as its own."""
    (checkout / CHECKS / "helpers.py").write_text(
        "from images import site\ndef push(): site.image()\n", encoding="utf-8"
    )
    found = written(checkout, "from conformance.checks.helpers import push\ndef test_one(): push()\n")
    assert [check.images for check in found] == [("site",)]


def test_checks_by_requirement() -> None:
    """A check stands with each of its requirements; the images of several are told once, asset images first."""
    one = Check(name="a.py::test_a", requirements=("RO-01", "RO-02"), images=("site", OWN))
    two = Check(name="a.py::test_b", requirements=("RO-02",), images=("empty", "site"))
    assert by_requirement([one, two]) == {"RO-01": [one], "RO-02": [one, two]}
    assert images_of([one, two]) == ("empty", "site", OWN)


def test_a_file_that_is_no_python_is_named(checkout: Path) -> None:
    """A checkout in the middle of an edit gives the place, not half a list."""
    with pytest.raises(SyntaxError, match=r"test_some\.py"):
        written(checkout, "def test_one(:\n")


class _Collected:
    """Keeps what pytest collects."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[str, ...]] = {}

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Take an item with the requirements of its marks."""
        name = item.nodeid.partition("[")[0]
        ids = dict.fromkeys((*self.found.get(name, ()), *requirements_of(item)))
        self.found[name] = tuple(ids)


def test_pytest_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read off the source is what pytest collects: every check, with every requirement."""
    monkeypatch.chdir(inventory.ROOT)
    collected = _Collected()
    arguments = ["--collect-only", "-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:xdist"]
    arguments += ["-o", "addopts=--import-mode=importlib", "-c", "pyproject.toml", CHECKS]
    pytest.main(arguments, plugins=[collected])
    assert {name: set(ids) for name, ids in collected.found.items()} == {
        check.name: set(check.requirements) for check in inventory.read()
    }
