"""The catalogue: every requirement as a record, read from one TOML file an area and checked strictly.

A file of an area holds one table `[area]` and one table for each requirement, headed by its id:

    [area]
    title = "subPath and subPathExpr"
    order = 3
    prefix = "SUB"
    summary = "…"                        # one sentence: what the area is about
    unsupported = "…"                    # what a target without the feature does, for records that don't say it themselves

    [SUB-03]
    title = "A missing subPath fails container creation"
    statement = "…"                      # says MUST, SHOULD or MAY according to strength; OBSERVED says none of them
    strength = "MUST"
    owner = "runtime"
    source = ["…"]                       # documents, code places, threads
    links = ["https://…"]
    since = { kubernetes = "1.33", gate = "ImageVolume", containerd = "2.2", cri-o = "1.33" }
    until = { kubernetes = "1.36" }      # the last release line that it holds for
    needs = ["mount", "sub-path"]
    unsupported = "…"
    note = "…"                           # where documents and real components disagree
    faults = ["sub-path-created"]        # what must make it fail; for OBSERVED: what must change the recorded value
    mutant = "…"                         # the way of being wrong, in words

In texts, white space is folded to single blanks.
"""

import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.records import Record, RecordError, read
from fixtures.reference import faults as reference_faults

STRENGTHS = ("MUST", "SHOULD", "MAY", "OBSERVED")
OWNERS = ("API server", "admission", "scheduler", "kubelet", "runtime", "kubectl")
NEEDS = (
    "mount",
    "sub-path",
    "registry",
    "two nodes",
    "kubelet metrics",
    "stats",
    "privileged",
    "root user",
    "exec",
    "node shell",
    "kubelet configuration",
    "apiserver configuration",
    "selinux",
    "user namespaces",
    "cri-o",
    "artifacts",
    "no image volumes",
    "kubectl",
    "admission webhook",
    "patience",
)
PLATFORM_FAULTS: Mapping[str, str] = {
    "api-drops-image-volumes": "mount",
    "api-unknown-image-field": "mount",
    "admission-refuses-image-volumes": "mount",
    "no-volume-driver": "mount",
    "empty-directory": "mount",
    "silent-without-support": "mount",
    "containerd-1.7": "mount",
    "crio-1.30": "mount",
}
"""Faults that take image volumes away: nothing that needs a mounted one can pass, listed or not."""

FOLDER = Path(__file__).with_name("requirements")

_ID = re.compile(r"[A-Z]{2,6}-[0-9]{2}")
_RELEASE = re.compile(r"[0-9]+\.[0-9]+(\.[0-9]+)?")
_GATE = re.compile(r"[A-Z][A-Za-z0-9]+")
_SINCE = {"kubernetes": _RELEASE, "gate": _GATE, "containerd": _RELEASE, "cri-o": _RELEASE}
_UNTIL = {"kubernetes": _RELEASE, "containerd": _RELEASE, "cri-o": _RELEASE}
_PREFACE = """\
{count} requirements in {areas} areas, drawn from `conformance/requirements/`: change them there.

MUST, SHOULD and MAY are those of RFC 2119. OBSERVED is behaviour that no document promises: it is recorded, and nobody is
blamed for it."""
_CHECKS = """\
The last column names the checks of each requirement and the asset images that they mount; "its own" are images that a
check builds layer by layer for itself."""
_RFC_2119 = ("MUST", "SHOULD", "MAY")  # strongest first


class CatalogueError(RecordError):
    """The catalogue cannot be used; the text names the file, the record, the field, the mistake and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One documented promise.

    area: the name of its area's file. since, until: component or "gate" to a release line or a gate's name; until is
    inclusive. unsupported: its own text, else its area's. faults: what must make it fail (for OBSERVED: must change the
    recorded value), without those that PLATFORM_FAULTS imply; see Catalogue.hit_by.
    """

    id: str
    area: str
    title: str
    statement: str
    strength: str
    owner: str
    source: tuple[str, ...]
    links: tuple[str, ...] = ()
    since: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
    until: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
    needs: tuple[str, ...] = ()
    unsupported: str = ""
    note: str = ""
    faults: tuple[str, ...] = ()
    mutant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A group of requirements: one file. name: the file's name without suffix; requirements: their ids, in order."""

    name: str
    title: str
    order: int
    prefix: str
    summary: str
    requirements: tuple[str, ...]


class Catalogue(Mapping[str, Requirement]):
    """The requirements by id, in the order of their areas and files."""

    def __init__(self, areas: Sequence[Area], requirements: Mapping[str, Requirement]) -> None:
        self._areas = tuple(areas)
        self._requirements = dict(requirements)

    def __getitem__(self, key: str) -> Requirement:
        return self._requirements[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._requirements)

    def __len__(self) -> int:
        return len(self._requirements)

    @property
    def areas(self) -> tuple[Area, ...]:
        """The areas, in order."""
        return self._areas

    @property
    def digest(self) -> str:
        """`sha256:` and the hash over the content: two catalogues with the same digest demand the same, word for word."""
        content = [
            [dataclasses.asdict(area) for area in self._areas],
            [dataclasses.asdict(requirement) for requirement in self._requirements.values()],
        ]
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"

    def hit_by(self, fault: str) -> tuple[str, ...]:
        """The ids that must not pass on a target with `fault`: those that name it, and those whose need a platform fault
        takes away. OBSERVED ones among them don't fail; the value that they record must change.
        """
        lost = PLATFORM_FAULTS.get(fault)
        return tuple(one.id for one in self.values() if fault in one.faults or lost in one.needs)


def load(folder: Path = FOLDER, *, faults: Path | None = None) -> Catalogue:
    """The catalogue in `folder` (every *.toml there is an area).

    faults: the file whose tables are the known fault ids; by default that of the reference cluster.
    Raises CatalogueError for the first thing that is wrong.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise CatalogueError(folder, "", "", "holds no *.toml", "Name the folder with one file an area")
    known = fault_ids(faults)
    areas: list[tuple[Path, Area]] = []
    requirements: dict[str, Requirement] = {}
    home: dict[str, Path] = {}
    for file in files:
        area, records = _area(file, known)
        for requirement in records:
            if requirement.id in requirements:
                problem = f"is defined in {home[requirement.id].name} already"
                raise CatalogueError(file, f"[{requirement.id}]", "", problem, "Give one of them another id")
            requirements[requirement.id] = requirement
            home[requirement.id] = file
        areas.append((file, area))
    areas.sort(key=lambda pair: pair[1].order)
    for (file, one), (_, other) in itertools.combinations(areas, 2):
        for field in ("order", "prefix", "title"):
            if getattr(one, field) == getattr(other, field):
                problem = f"{getattr(one, field)!r} is also that of {other.name}.toml"
                raise CatalogueError(file, "[area]", field, problem, "Give each area its own")
    ordered = (requirement for _, area in areas for requirement in area.requirements)
    return Catalogue([area for _, area in areas], {name: requirements[name] for name in ordered})


def fault_ids(file: Path | None = None) -> frozenset[str]:
    """The ids of the faults that the reference cluster knows: those in `file`, by default its own faults.toml.

    Raises CatalogueError if that file cannot be read.
    """
    file = file or reference_faults.FILE
    try:
        return frozenset(reference_faults.load(file))
    except (OSError, ValueError) as reason:
        raise CatalogueError(
            file, "", "", f"cannot be used ({reason})", "Name the faults of the reference cluster"
        ) from reason


def as_markdown(catalogue: Catalogue, *, verified: Mapping[str, str] | None = None) -> str:
    """The catalogue as a Markdown page: a table an area with id, strength, owner, statement (and note) and source.

    verified: by requirement, what a last column says of its checks (and their images); without it there is no such column.
    """
    lines = ["# Requirements", "", _PREFACE.format(count=len(catalogue), areas=len(catalogue.areas))]
    columns = ["id", "strength", "owner", "statement", "source"]
    if verified is not None:
        columns.append("checks (images)")
        lines += ["", _CHECKS]
    for area in catalogue.areas:
        lines += ["", f"## {area.title}", "", area.summary, ""]
        lines += [_line(columns), _line(["---"] * len(columns))]
        for name in area.requirements:
            last = [] if verified is None else [verified.get(name) or "no check"]
            lines.append(_line([*_cells(catalogue[name]), *last]))
    return "\n".join(lines) + "\n"


def _cells(requirement: Requirement) -> Sequence[str]:
    statement = requirement.statement
    if requirement.note:
        statement += f"<br>Note: {requirement.note}"
    sources = [*requirement.source, *(f"<{link}>" for link in requirement.links)]
    return requirement.id, requirement.strength, requirement.owner, statement, "<br>".join(sources)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _area(file: Path, known_faults: Collection[str]) -> tuple[Area, list[Requirement]]:
    tables = read(file, CatalogueError)
    if "area" not in tables:
        raise CatalogueError(
            file, "[area]", "", "is missing", "Begin the file with title, order, prefix and summary"
        )
    head = Record(file, "[area]", tables.pop("area"), CatalogueError)
    head.only({"title", "order", "prefix", "summary", "unsupported"})
    prefix = head.text("prefix")
    if not re.fullmatch(r"[A-Z]{2,6}", prefix):
        raise head.wrong(
            "prefix", f"{prefix!r} is not 2 to 6 capitals", "Write what the ids begin with, such as SUB"
        )
    unsupported = head.text("unsupported", default="")
    if not tables:
        raise head.wrong(
            "", "stands alone: the file holds no requirement", f"Add [{prefix}-01] or remove the file"
        )
    requirements = [
        _requirement(
            Record(file, f"[{name}]", values, CatalogueError),
            name,
            file.stem,
            prefix,
            unsupported,
            known_faults,
        )
        for name, values in tables.items()
    ]
    for one, two in itertools.pairwise(requirements):
        if one.id > two.id:
            raise CatalogueError(file, f"[{two.id}]", "", f"stands after {one.id}", "Order the records by id")
    area = Area(
        name=file.stem,
        title=head.text("title"),
        order=head.number("order"),
        prefix=prefix,
        summary=head.text("summary"),
        requirements=tuple(requirement.id for requirement in requirements),
    )
    return area, requirements


def _requirement(
    record: Record,
    name: str,
    area: str,
    prefix: str,
    unsupported: str,
    known_faults: Collection[str],
) -> Requirement:
    if not _ID.fullmatch(name):
        raise record.wrong("", "is not an id", f"Write it with two digits, such as {prefix}-01")
    if not name.startswith(f"{prefix}-"):
        raise record.wrong(
            "", f"does not belong to the area {prefix}", "Move it to its area's file, or change its id"
        )
    record.only({field.name for field in dataclasses.fields(Requirement)} - {"id", "area"})
    strength = record.choice("strength", STRENGTHS)
    source = record.texts("source")
    if not source:
        raise record.wrong(
            "source", "is missing or empty", "Name the document, code place or thread that promises it"
        )
    return Requirement(
        id=name,
        area=area,
        title=_title(record),
        statement=_statement(record, strength),
        strength=strength,
        owner=record.choice("owner", OWNERS),
        source=source,
        links=record.links("links"),
        since=record.patterns("since", _SINCE),
        until=record.patterns("until", _UNTIL),
        needs=record.texts("needs", choices=NEEDS),
        unsupported=record.text("unsupported", default=unsupported),
        note=record.text("note", default=""),
        faults=record.texts("faults", choices=known_faults),
        mutant=record.text("mutant", default=""),
    )


def _title(record: Record) -> str:
    title = record.text("title")
    if title.endswith("."):
        raise record.wrong("title", "ends with a full stop", "Remove it: a title is a short fact")
    return title


def _statement(record: Record, strength: str) -> str:
    """The statement, whose strongest RFC 2119 word must be the record's strength: what is read is what is judged."""
    statement = record.text("statement")
    words = [word for word in _RFC_2119 if re.search(rf"\b{word}\b", statement)]
    said = words[0] if words else "OBSERVED"
    if said != strength:
        problem = f"says {words[0]}" if words else "says none of MUST, SHOULD, MAY"
        remedy = (
            f"Use {strength}" if strength != "OBSERVED" else "State what is recorded, without these words"
        )
        raise record.wrong("statement", f"{problem}, but the strength is {strength}", remedy)
    if not statement.endswith("."):
        raise record.wrong("statement", "does not end with a full stop", "Write one or two whole sentences")
    return statement
