"""Known defects of released components: which requirement fails, in which versions, and where that is written down.

The shipped list is known_defects.toml. A match waives a failure; it never makes one a pass.
"""

import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import total_ordering
from pathlib import Path
from typing import Self

from conformance.records import Record, RecordError, read, suggestion

COMPONENTS = ("kubernetes", "containerd", "cri-o")
FILE = Path(__file__).with_name("known_defects.toml")

_VERSION = re.compile(
    r"v?(?P<release>[0-9]+(\.[0-9]+)*)"
    r"(-(?P<stage>alpha|beta|rc)\.?(?P<serial>[0-9]+)?(\.[0-9]+)*)?"
    r"([-+~].*)?"
)
_CLAUSE = re.compile(r"(?P<operator>>=|<=|==|>|<)\s*(?P<version>\S+)")
_STAGES = ("alpha", "beta", "rc", "")  # in order; "" is the release itself


class KnownDefectsError(RecordError):
    """The list cannot be used; the text names the file, the entry, the field, the mistake and the remedy."""


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A component's version in its order: 1.37.0-alpha.1 < 1.37.0-rc.0 < 1.37 == 1.37.0 < 1.37.1."""

    release: tuple[int, ...]
    stage: int = _STAGES.index("")
    serial: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """The version that `text` says; ValueError if it says none.

        A leading v is ignored. -alpha.N, -beta.N and -rc.N come before their release. Every other suffix is a build of that
        release by a distributor (+k3s1, -eks-1234, -k3s1) and is ignored.
        """
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a version such as 1.36.2")
        numbers = [int(part) for part in match["release"].split(".")]
        while numbers and numbers[-1] == 0:
            numbers.pop()  # 1.36.0 is 1.36
        return cls(
            release=tuple(numbers),
            stage=_STAGES.index(match["stage"] or ""),
            serial=int(match["serial"] or 0),
        )

    @property
    def is_pre_release(self) -> bool:
        """Whether it is an alpha, beta or release candidate."""
        return self.stage < _STAGES.index("")

    def __lt__(self, other: "Version") -> bool:
        return (self.release, self.stage, self.serial) < (other.release, other.stage, other.serial)


@dataclass(frozen=True, slots=True)
class Specifier:
    """A set of versions, such as `>=1.31,<1.37`: every clause must hold."""

    text: str
    clauses: tuple[tuple[str, Version], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The set that `text` describes: clauses of >=, <=, >, < or == and a version, joined by commas. ValueError else."""
        clauses = []
        for part in text.split(","):
            match = _CLAUSE.fullmatch(part.strip())
            if match is None:
                raise ValueError(f"{part.strip()!r} is not one of >=, <=, >, <, == with a version")
            clauses.append((match["operator"], Version.parse(match["version"])))
        return cls(text, tuple(clauses))

    def __contains__(self, version: Version) -> bool:
        return all(_holds(version, operator, bound) for operator, bound in self.clauses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One known defect: what it fails, the component and its versions, the thread or document, and a sentence on it."""

    requirement: str
    component: str
    versions: Specifier
    link: str
    summary: str


class KnownDefects(tuple[Defect, ...]):
    """The known defects, in the order of their file."""

    __slots__ = ()

    def match(self, requirement: str, versions: Mapping[str, str]) -> tuple[Defect, ...]:
        """The defects that explain a failure of `requirement` on a target with these versions.

        versions: component to version, such as {"kubernetes": "1.36.2", "containerd": "2.3.4"}. A component that is absent,
        or whose version cannot be read, matches nothing: a failure is waived only for what is known.
        """
        known = {component: version for component, text in versions.items() if (version := _version(text))}
        return tuple(
            defect
            for defect in self
            if defect.requirement == requirement
            and defect.component in known
            and known[defect.component] in defect.versions
        )


def load(file: Path = FILE, *, requirements: Collection[str] | None = None) -> KnownDefects:
    """The known defects in `file`; with `requirements` (a catalogue will do), each entry must name one of them.

    Raises KnownDefectsError for the first thing that is wrong.
    """
    tables = read(file, KnownDefectsError)
    entries = tables.pop("defect", [])
    for name in tables:
        raise KnownDefectsError(file, name, "", "does not belong here", "Write each entry under [[defect]]")
    if not isinstance(entries, list):
        raise KnownDefectsError(
            file, "defect", "", "is not a list of entries", "Head each entry with [[defect]]"
        )
    defects = [_defect(file, number, values, requirements) for number, values in enumerate(entries, 1)]
    numbered = enumerate(defects, 1)
    for (first, one), (second, two) in itertools.combinations(numbered, 2):
        if (one.requirement, one.component, one.versions) == (two.requirement, two.component, two.versions):
            problem = f"says the same as number {first}"
            raise KnownDefectsError(file, _name(second, two.requirement), "", problem, "Remove one")
    return KnownDefects(defects)


def _defect(file: Path, number: int, values: object, requirements: Collection[str] | None) -> Defect:
    name = _name(number, values.get("requirement") if isinstance(values, dict) else None)
    record = Record(file, name, values, KnownDefectsError)
    record.only(Defect.__dataclass_fields__)
    requirement = record.text("requirement")
    if requirements is not None and requirement not in requirements:
        raise record.wrong(
            "requirement", f"{requirement!r} is not in the catalogue", suggestion(requirement, requirements)
        )
    try:
        versions = Specifier.parse(record.text("versions"))
    except ValueError as reason:
        raise record.wrong("versions", str(reason), 'Write them as ">=1.31,<1.37"') from reason
    link = record.text("link")
    record.check_link("link", link)
    return Defect(
        requirement=requirement,
        component=record.choice("component", COMPONENTS),
        versions=versions,
        link=link,
        summary=record.text("summary"),
    )


def _name(number: int, requirement: object) -> str:
    return f"defect {number} ({requirement})" if isinstance(requirement, str) else f"defect {number}"


def _version(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except ValueError:
        return None


def _holds(version: Version, operator: str, bound: Version) -> bool:
    if operator == "<":
        # As in PEP 440: what is fixed "before 1.37" is not known to be broken in 1.37.0-alpha.1.
        own_pre_release = (
            version.is_pre_release and not bound.is_pre_release and version.release == bound.release
        )
        return version < bound and not own_pre_release
    return {
        ">=": version >= bound,
        "<=": version <= bound,
        ">": version > bound,
        "==": version == bound,
    }[operator]
