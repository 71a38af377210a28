"""The known defects: what is shipped, which versions match, and what the loader says of files that it cannot use."""

from pathlib import Path

import pytest

from conformance import catalogue
from conformance.known_defects import KnownDefectsError, Specifier, Version, load

ENTRY = """
[[defect]]
requirement = "PULL-14"
component = "kubernetes"
versions = ">=1.31,<1.37"
link = "https://example.org/138644"
summary = "Pulls at every sync."
"""


def test_shipped() -> None:
    """The shipped list names requirements of the catalogue that promise something, each explained and linked."""
    requirements = catalogue.load()
    defects = load(requirements=requirements)
    assert {defect.requirement for defect in defects} == {
        "PULL-14",
        "UPD-05",
        "UPD-06",
        "UPD-07",
        "MET-03",
        "MET-04",
        "STAT-04",
        "ART-01",
        "ART-03",
        "ART-04",
        "AUTH-18",
        "AUTH-19",
        "SEC-08",
        "LIFE-08",
    }
    for defect in defects:
        assert requirements[defect.requirement].strength != "OBSERVED"
        assert requirements[defect.requirement].note
        assert defect.link.startswith("https://")
        assert defect.summary


@pytest.mark.parametrize(
    ("requirement", "versions", "count"),
    [
        ("PULL-14", {"kubernetes": "1.36.2", "containerd": "2.3.4"}, 1),
        ("PULL-14", {"kubernetes": "v1.31.0+k3s1"}, 1),
        ("PULL-14", {"kubernetes": "1.30.14"}, 0),
        ("PULL-14", {"kubernetes": "1.37.0"}, 0),
        ("PULL-14", {"kubernetes": "1.37.0-alpha.1"}, 0),
        ("PULL-14", {"containerd": "2.3.4"}, 0),
        ("PULL-14", {"kubernetes": "unknown"}, 0),
        ("PULL-14", {}, 0),
        ("UPD-05", {"kubernetes": "1.37.1"}, 1),
        ("MET-03", {"kubernetes": "1.36.2", "containerd": "2.3.4"}, 1),
        ("MET-03", {"kubernetes": "1.36.2", "cri-o": "1.36.3"}, 0),
        ("STAT-04", {"kubernetes": "1.36.0"}, 1),
        ("STAT-04", {"kubernetes": "1.35.9"}, 0),
        ("ART-03", {"kubernetes": "1.36.2", "containerd": "2.3.4"}, 1),
        ("ART-03", {"kubernetes": "1.36.2", "cri-o": "1.36.3"}, 1),
        ("ART-03", {"kubernetes": "1.36.2", "cri-o": "1.31.13"}, 0),
        ("ART-04", {"kubernetes": "1.36.2", "cri-o": "1.36.3"}, 0),
        ("AUTH-18", {"kubernetes": "1.36.2", "cri-o": "1.35.1"}, 1),
        ("AUTH-18", {"kubernetes": "1.36.2", "cri-o": "1.35.2"}, 0),
        ("SUB-01", {"kubernetes": "1.36.2", "containerd": "2.1.9"}, 0),
    ],
)
def test_shipped_matches(requirement: str, versions: dict[str, str], count: int) -> None:
    """A defect explains a failure only in the versions that are known to have it; an ignored subPath is never one."""
    assert len(load().match(requirement, versions)) == count


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.36", "1.36.1"),
        ("1.9", "1.10"),
        ("1.37.0-alpha.1", "1.37.0-alpha.2"),
        ("1.37.0-alpha.1.52+0a1b2c", "1.37.0-alpha.2"),
        ("1.37.0-alpha.9", "1.37.0-beta.0"),
        ("1.37.0-beta.0", "1.37.0-rc.0"),
        ("1.37.0-rc.1", "1.37"),
        ("1.36.9", "1.37.0-alpha.1"),
    ],
)
def test_versions_in_order(lower: str, higher: str) -> None:
    """Versions are ordered number by number, and a release comes after its alphas, betas and candidates."""
    assert Version.parse(lower) < Version.parse(higher)
    assert Version.parse(higher) > Version.parse(lower)
    assert Version.parse(lower) != Version.parse(higher)


@pytest.mark.parametrize(
    "text",
    [
        "1.36",
        "1.36.0",
        "v1.36.0",
        "1.36.0+k3s1",
        "1.36.0-eks-1a2b3c",
        "1.36.0-k3s1",
        "1.36.0~ds1",
        " 1.36.0 ",
    ],
)
def test_distributors_builds_are_the_release(text: str) -> None:
    """A leading v, trailing zeros and the suffix of a distributor's build make no other version."""
    assert Version.parse(text) == Version.parse("1.36")


@pytest.mark.parametrize("text", ["", "unknown", "1.x", "1..2", "1.36rc"])
def test_no_versions(text: str) -> None:
    """What is not a version is refused."""
    with pytest.raises(ValueError, match="is not a version"):
        Version.parse(text)


@pytest.mark.parametrize(
    ("specifier", "inside", "outside"),
    [
        (">=1.31,<1.37", ["1.31.0", "1.36.9"], ["1.30.9", "1.37.0", "1.31.0-rc.1", "1.37.0-rc.1"]),
        (">2.1", ["2.1.1"], ["2.1", "2.1.0"]),
        ("<= 2.1", ["2.1.0", "2.0.11", "2.1.0-rc.1"], ["2.1.1"]),
        ("==1.36.2", ["1.36.2", "v1.36.2+k3s1"], ["1.36.1", "1.36.2-rc.0"]),
        ("<1.37.0-alpha.2", ["1.37.0-alpha.1", "1.36.9"], ["1.37.0-alpha.2", "1.37"]),
    ],
)
def test_specifiers(specifier: str, inside: list[str], outside: list[str]) -> None:
    """Every clause must hold; a fix in a release is taken to be in its alphas, too."""
    parsed = Specifier.parse(specifier)
    assert [text for text in inside if Version.parse(text) not in parsed] == []
    assert [text for text in outside if Version.parse(text) in parsed] == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('requirement = "PULL-14"', 'requirement = "PULL-41"', ["requirement", "'PULL-41'", "'PULL-14'"]),
        ('requirement = "PULL-14"\n', "", ["defect 1", "requirement", "missing"]),
        ('component = "kubernetes"', 'component = "kubelet"', ["component", "'kubelet'", "cri-o"]),
        ('versions = ">=1.31,<1.37"', 'versions = "1.31"', ["versions", "'1.31'", ">=1.31,<1.37"]),
        ('versions = ">=1.31,<1.37"', 'versions = ">=1.31,"', ["versions", "''"]),
        ('versions = ">=1.31,<1.37"', 'versions = ">=latest"', ["versions", "'latest'"]),
        ('versions = ">=1.31,<1.37"', "versions = 1.31", ["versions", "not a text"]),
        ("https://example.org/138644", "#138644", ["link", "https://"]),
        ('summary = "Pulls at every sync."', 'summary = ""', ["summary", "empty"]),
        ('summary = "Pulls at every sync."', 'sumary = "x"', ["sumary", "'summary'"]),
        ("[[defect]]", "[defect]", ["defect", "not a list", "[[defect]]"]),
        ("[[defect]]", "[[defects]]", ["defects", "does not belong", "[[defect]]"]),
    ],
)
def test_a_wrong_entry(tmp_path: Path, old: str, new: str, says: list[str]) -> None:
    """A mistake is refused with the file, the entry, the field, the mistake and the remedy."""
    assert old in ENTRY
    file = tmp_path / "defects.toml"
    file.write_text(ENTRY.replace(old, new), encoding="utf-8")
    with pytest.raises(KnownDefectsError) as caught:
        load(file, requirements=["PULL-14", "UPD-05"])
    for part in ["defects.toml", *says]:
        assert part in str(caught.value)


def test_an_entry_twice(tmp_path: Path) -> None:
    """The same entry twice is refused; one for other versions is not."""
    file = tmp_path / "defects.toml"
    file.write_text(ENTRY + ENTRY, encoding="utf-8")
    with pytest.raises(KnownDefectsError, match=r"defect 2 \(PULL-14\): says the same as number 1"):
        load(file)
    file.write_text(ENTRY + ENTRY.replace("<1.37", "<1.30"), encoding="utf-8")
    assert len(load(file)) == 2


def test_no_entries(tmp_path: Path) -> None:
    """A list without entries is fine: it explains nothing."""
    file = tmp_path / "defects.toml"
    file.write_text("", encoding="utf-8")
    assert load(file).match("PULL-14", {"kubernetes": "1.36.2"}) == ()
