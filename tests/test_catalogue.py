"""The catalogue: what is shipped, and what the loader says of files that it cannot use."""

import dataclasses
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.catalogue import (
    FOLDER,
    OWNERS,
    PLATFORM_FAULTS,
    STRENGTHS,
    Catalogue,
    CatalogueError,
    as_markdown,
    fault_ids,
    load,
)

AREAS = {
    "API": 31,
    "RO": 12,
    "SUB": 16,
    "IMG": 23,
    "ART": 9,
    "PULL": 22,
    "UPD": 11,
    "ERR": 23,
    "AUTH": 24,
    "SHARE": 9,
    "LIFE": 16,
    "GC": 6,
    "STAT": 6,
    "MET": 6,
    "SCHED": 3,
    "SEC": 9,
    "CMP": 7,
}
AREA = """
[area]
title = "subPath"
order = 1
prefix = "SUB"
summary = "About subPath."
unsupported = "Refused by the API server."
"""
RECORD = """
[SUB-01]
title = "subPath mounts that directory"
statement = "A subPath MUST mount that directory."
strength = "MUST"
owner = "runtime"
source = ["KEP-4639, Beta"]
"""
FAULTS = """
[sub-path-ignored]
component = "runtime"
does = "mounts the root"
[containerd-1.7]
component = "runtime"
does = "fails"
"""

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    """The catalogue of this repository."""
    return load()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the named areas' files into a folder, and that folder's path."""

    def files(**areas: str) -> Path:
        for name, text in areas.items():
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return files


def failure(folder: Path, **arguments: Path) -> str:
    """What the loader says of the folder."""
    with pytest.raises(CatalogueError) as caught:
        load(folder, **arguments)
    return str(caught.value)


def test_shipped_ids(shipped: Catalogue) -> None:
    """The catalogue holds each of its requirements once, area by area, in order."""
    assert list(shipped) == [f"{area}-{n:02}" for area, count in AREAS.items() for n in range(1, count + 1)]
    assert [area.prefix for area in shipped.areas] == list(AREAS)
    assert [area.order for area in shipped.areas] == list(range(1, len(AREAS) + 1))
    assert [name for area in shipped.areas for name in area.requirements] == list(shipped)


def test_shipped_areas_are_files(shipped: Catalogue) -> None:
    """A requirement's area is the file that it stands in, and every file is an area."""
    assert {area.name for area in shipped.areas} == {file.stem for file in FOLDER.glob("*.toml")}
    for area in shipped.areas:
        assert {shipped[name].area for name in area.requirements} == {area.name}


@pytest.mark.parametrize("field", ["statement", "title"])
def test_shipped_texts_differ(shipped: Catalogue, field: str) -> None:
    """No requirement repeats another's statement or title."""
    texts = [getattr(requirement, field) for requirement in shipped.values()]
    assert len(set(texts)) == len(texts)


def test_shipped_links_are_https(shipped: Catalogue) -> None:
    """Every link can be followed safely, and a GitHub number stands in the address of its thread."""
    links = {link for requirement in shipped.values() for link in requirement.links}
    assert links
    assert all(link.startswith("https://") for link in links)
    threads = [link for link in links if re.search(r"github\.com/[^/]+/[^/]+/(issues|pull)/", link)]
    assert all(re.search(r"/(issues|pull)/\d+$", link) for link in threads)


def test_shipped_texts_are_not_left_empty(shipped: Catalogue) -> None:
    """Every requirement says where it comes from and what a target without the feature does."""
    for requirement in shipped.values():
        assert requirement.source
        assert requirement.unsupported
        assert requirement.since.get("kubernetes")
        assert len(requirement.title) <= 80
        assert requirement.strength in STRENGTHS
        assert requirement.owner in OWNERS


def test_shipped_files_name_no_place_of_ours() -> None:
    """The data holds no path of the machine that it was written on, and no abbreviation of working papers."""
    for file in FOLDER.glob("*.toml"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"/(work|opt/dev|root|home)/", text), file.name
        assert not re.search(r"\[[SDTBI]\]", text), file.name


def test_every_fault_must_be_noticed(shipped: Catalogue) -> None:
    """Every fault of the reference cluster fails at least one requirement, or changes what one records."""
    assert [fault for fault in sorted(fault_ids()) if not shipped.hit_by(fault)] == []
    assert set(PLATFORM_FAULTS) <= fault_ids()


def test_platform_faults_hit_by_need(shipped: Catalogue) -> None:
    """A fault that takes a feature away hits all that need it, without being listed, and what lists it."""
    hit = shipped.hit_by("containerd-1.7")
    assert set(hit) == {requirement.id for requirement in shipped.values() if "mount" in requirement.needs}
    assert "API-01" in shipped.hit_by("api-drops-image-volumes")
    assert "ERR-16" in shipped.hit_by("silent-without-support")
    assert "RO-10" in shipped.hit_by("sub-path-ignored")
    assert "RO-01" not in shipped.hit_by("sub-path-ignored")


def test_other_faults_hit_by_listing(shipped: Catalogue) -> None:
    """A fault that leaves the feature in place hits what lists it and nothing else."""
    listing = tuple(one.id for one in shipped.values() if "always-does-not-pull" in one.faults)
    assert shipped.hit_by("always-does-not-pull") == listing
    assert {"PULL-02", "PULL-03", "UPD-02"} <= set(listing)
    assert shipped.hit_by("no-such-fault") == ()


def test_a_minimal_record(write: Write) -> None:
    """What a record may leave out is empty, or its area's; white space in texts is folded."""
    record = RECORD.replace('"A subPath MUST mount that directory."', '"""\nA subPath MUST\n  mount it."""')
    catalogue = load(write(sub_path=AREA + record))
    requirement = catalogue["SUB-01"]
    assert requirement.statement == "A subPath MUST mount it."
    assert requirement.unsupported == "Refused by the API server."
    assert requirement.area == "sub_path"
    assert (requirement.links, requirement.needs, requirement.faults, requirement.note) == ((), (), (), "")
    assert (dict(requirement.since), dict(requirement.until)) == ({}, {})


def test_a_full_record(write: Write) -> None:
    """Every field of a record arrives as it was written; a fault's id may hold a dot."""
    more = """
    links = ["https://example.org/a"]
    since = { kubernetes = "1.33", gate = "ImageVolume", containerd = "2.2", cri-o = "1.33.1" }
    until = { kubernetes = "1.36" }
    needs = ["mount", "sub-path"]
    unsupported = "Its own."
    note = "A note."
    faults = ["sub-path-ignored", "containerd-1.7"]
    mutant = "A mutant."
    """
    folder = write(sub_path=AREA + RECORD + more)
    faults = write(faults=FAULTS) / "faults.toml"
    known = folder / "known"
    known.mkdir()
    requirement = load(folder_without(faults, known), faults=known / "faults.toml")["SUB-01"]
    assert requirement.links == ("https://example.org/a",)
    assert requirement.since["cri-o"] == "1.33.1"
    assert requirement.until == {"kubernetes": "1.36"}
    assert requirement.needs == ("mount", "sub-path")
    assert requirement.unsupported == "Its own."
    assert requirement.faults == ("sub-path-ignored", "containerd-1.7")
    assert (requirement.note, requirement.mutant) == ("A note.", "A mutant.")


def folder_without(file: Path, elsewhere: Path) -> Path:
    """Move the file elsewhere; the folder that it was in."""
    file.rename(elsewhere / file.name)
    return file.parent


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('strength = "MUST"', 'strength = "HAVE TO"', ["strength", "HAVE TO", "OBSERVED"]),
        ('owner = "runtime"', 'owner = "runtimes"', ["owner", "'runtimes'", "kubectl"]),
        ('owner = "runtime"\n', "", ["owner", "missing"]),
        ('source = ["KEP-4639, Beta"]', "", ["source", "missing or empty"]),
        ('source = ["KEP-4639, Beta"]', "source = []", ["source", "missing or empty"]),
        ('source = ["KEP-4639, Beta"]', 'source = "KEP-4639"', ["source", "a text, not a list"]),
        ('source = ["KEP-4639, Beta"]', "source = [1]", ["source", "a number, not a text"]),
        ('source = ["KEP-4639, Beta"]', 'source = [" "]', ["source", "empty"]),
        ('source = ["KEP-4639, Beta"]', 'source = ["a", "a"]', ["source", "twice"]),
        ("[SUB-01]", "[SUB-1]", ["[SUB-1]", "is not an id", "SUB-01"]),
        ("[SUB-01]", "[sub-01]", ["[sub-01]", "is not an id"]),
        ("[SUB-01]", "[API-01]", ["[API-01]", "area SUB"]),
        ("A subPath MUST mount", "A subPath must mount", ["statement", "none of MUST", "Use MUST"]),
        ("A subPath MUST mount", "A subPath SHOULD mount", ["statement", "says SHOULD", "Use MUST"]),
        ('strength = "MUST"', 'strength = "OBSERVED"', ["statement", "says MUST", "without these words"]),
        ("that directory.", "that directory", ["statement", "full stop"]),
        ('title = "subPath mounts that directory"', 'title = "A title."', ["title", "full stop"]),
        ('title = "subPath mounts that directory"', 'title = ""', ["title", "empty"]),
        ('title = "subPath mounts that directory"', "title = 1", ["title", "a number, not a text"]),
        ("[SUB-01]", "[SUB-01]\nsauce = 1", ["sauce", "not a field", "'source'"]),
        ("[SUB-01]", '[SUB-01]\nneeds = ["mounts"]', ["needs", "'mounts'", "'mount'"]),
        ("[SUB-01]", '[SUB-01]\nneeds = ["zzz"]', ["needs", "'zzz'", "Use one of"]),
        ("[SUB-01]", '[SUB-01]\nfaults = ["sub-path-ignore"]', ["faults", "'sub-path-ignored'"]),
        ("[SUB-01]", '[SUB-01]\nsince = { kernel = "6.3" }', ["since.kernel", "not a key"]),
        ("[SUB-01]", '[SUB-01]\nsince = { kubernetes = "v1.33" }', ["since.kubernetes", "'v1.33'", "form"]),
        ("[SUB-01]", "[SUB-01]\nsince = { kubernetes = 1.33 }", ["since.kubernetes", "not a text"]),
        ("[SUB-01]", '[SUB-01]\nsince = "1.33"', ["since", "a text, not a table"]),
        ("[SUB-01]", '[SUB-01]\nuntil = { gate = "ImageVolume" }', ["until.gate", "not a key"]),
        ("[SUB-01]", '[SUB-01]\nlinks = ["http://example.org/"]', ["links", "https://"]),
        ("[SUB-01]", "[SUB-01]\nnote = 1979-05-27", ["note", "a date or time, not a text"]),
    ],
)
def test_a_wrong_record(write: Write, old: str, new: str, says: list[str]) -> None:
    """A mistake in a record is refused with the file, the record, the field, the mistake and the remedy."""
    assert old in RECORD
    message = failure(write(sub_path=AREA + RECORD.replace(old, new)))
    for part in ["sub_path.toml", *says]:
        assert part in message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[area]", "[aera]", ["[area]", "missing"]),
        ("order = 1", 'order = "1"', ["[area]", "order", "not a whole number"]),
        ("order = 1", "order = true", ["[area]", "order", "not a whole number"]),
        ("order = 1\n", "", ["[area]", "order", "missing"]),
        ('prefix = "SUB"', 'prefix = "sub"', ["[area]", "prefix", "'sub'"]),
        ('summary = "About subPath."', "", ["[area]", "summary", "missing"]),
        ('summary = "About subPath."', 'sumary = "x"', ["[area]", "sumary", "'summary'"]),
    ],
)
def test_a_wrong_area(write: Write, old: str, new: str, says: list[str]) -> None:
    """A mistake in an area's head is refused in the same words as one in a record."""
    assert old in AREA
    message = failure(write(sub_path=AREA.replace(old, new) + RECORD))
    for part in ["sub_path.toml", *says]:
        assert part in message


def test_a_value_in_place_of_a_table(write: Write) -> None:
    """A bare value where a requirement should be is refused."""
    assert "is a number, not a table" in failure(write(sub_path="SUB-01 = 1\n" + AREA))


def test_an_area_without_requirements(write: Write) -> None:
    """An area that demands nothing is refused."""
    assert "holds no requirement" in failure(write(sub_path=AREA))


def test_the_same_id_in_two_files(write: Write) -> None:
    """An id that two files define is refused, and both are named."""
    message = failure(write(one=AREA + RECORD, two=AREA + RECORD))
    for part in ["two.toml", "[SUB-01]", "defined in one.toml", "another id"]:
        assert part in message


@pytest.mark.parametrize("same", ["order", "prefix", "title"])
def test_two_areas_alike(write: Write, same: str) -> None:
    """Two areas with the same order, prefix or title are refused."""
    other = AREA + RECORD.replace("SUB-01", "API-01" if same != "prefix" else "SUB-02")
    for field, (old, new) in {
        "order": ("order = 1", "order = 2"),
        "prefix": ('"SUB"', '"API"'),
        "title": ('"subPath"', '"API"'),
    }.items():
        other = other if field == same else other.replace(old, new)
    message = failure(write(one=AREA + RECORD, two=other))
    for part in ["[area]", same, "is also that of", "its own"]:
        assert part in message


def test_an_id_twice_in_a_file(write: Write) -> None:
    """An id that one file defines twice is refused."""
    assert "not valid TOML" in failure(write(sub_path=AREA + RECORD + RECORD))


def test_records_out_of_order(write: Write) -> None:
    """Records that are not in the order of their ids are refused."""
    message = failure(write(sub_path=AREA + RECORD.replace("SUB-01", "SUB-02") + RECORD))
    assert "[SUB-01]: stands after SUB-02" in message


def test_broken_files(write: Write, tmp_path: Path) -> None:
    """What is not TOML, not UTF-8, or not there is refused with the file's name."""
    assert "holds no *.toml" in failure(tmp_path)
    assert "not valid TOML" in failure(write(sub_path="[area"))
    (tmp_path / "sub_path.toml").write_bytes(b"\xff")
    assert "not UTF-8" in failure(tmp_path)
    (tmp_path / "sub_path.toml").unlink()
    (tmp_path / "sub_path.toml").mkdir()
    assert "cannot be read" in failure(tmp_path)


def test_unusable_faults(write: Write, tmp_path: Path) -> None:
    """Without the list of faults nothing is accepted unchecked."""
    message = failure(write(sub_path=AREA + RECORD), faults=tmp_path / "absent.toml")
    assert "absent.toml" in message


def test_areas_come_by_order(write: Write) -> None:
    """Areas follow their order, whatever their files are called."""
    late = AREA.replace("order = 1", "order = 9").replace("SUB", "API").replace('"subPath"', '"API"')
    catalogue = load(write(a=late + RECORD.replace("SUB-01", "API-01"), b=AREA + RECORD))
    assert list(catalogue) == ["SUB-01", "API-01"]
    assert [area.name for area in catalogue.areas] == ["b", "a"]


def test_digest(write: Write, shipped: Catalogue) -> None:
    """The digest is one of SHA-256, the same for the same content, and another for one word more."""
    first = load(write(sub_path=AREA + RECORD)).digest
    assert re.fullmatch(rf"sha256:[0-9a-f]{{{hashlib.sha256().digest_size * 2}}}", first)
    assert load(write(sub_path=AREA + "# a comment\n" + RECORD)).digest == first
    assert load(write(sub_path=AREA + RECORD + 'note = "x"\n')).digest != first
    assert load(write(sub_path=AREA.replace("About", "On") + RECORD)).digest != first
    assert shipped.digest == load().digest


def test_requirements_can_be_kept_in_sets(shipped: Catalogue) -> None:
    """Requirements are values: equal, hashable, unchangeable."""
    requirement = shipped["SUB-03"]
    assert {requirement, load()["SUB-03"]} == {requirement}
    with pytest.raises(dataclasses.FrozenInstanceError):
        requirement.title = "Another"  # type: ignore[misc]  # the very mistake that must not work


def test_markdown(shipped: Catalogue) -> None:
    """The page has a table an area, a row a requirement, and no cell that breaks a row."""
    page = as_markdown(shipped)
    rows = [line for line in page.splitlines() if re.match(r"\| [A-Z]+-\d\d \|", line)]
    assert len(rows) == len(shipped)
    assert all(len(re.split(r"(?<!\\)\|", row)) == 7 for row in rows)
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == [
        area.title for area in shipped.areas
    ]
    assert shipped["SUB-03"].statement in page


def test_markdown_escapes(write: Write) -> None:
    """A bar in a text does not end its cell, and a note stands below its statement."""
    record = RECORD.replace("that directory.", "a|b.") + 'note = "Not so."\n'
    page = as_markdown(load(write(sub_path=AREA + record)))
    assert "| A subPath MUST mount a\\|b.<br>Note: Not so. | KEP-4639, Beta |" in page
