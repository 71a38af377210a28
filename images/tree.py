"""What a directory holds, as a value: what the builder promises, what the probe saw, and how the two differ."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

JSONValue: TypeAlias = "bool | int | str | list[JSONValue] | dict[str, JSONValue] | None"

TYPES = frozenset({"file", "directory", "symlink", "fifo", "character device", "block device", "socket"})

COMPARED = ("type", "mode", "uid", "gid", "mtime", "size", "sha256", "target", "nlink", "xattrs")
"""The fields of an entry, in the order in which differences name them."""

_NOT_PROMISED = frozenset({"mtime", "nlink"})
"""Fields for which None on either side means: nobody promises a value, so nothing is compared."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name in a tree.

    `mtime` is None where no layer says it (a directory that only exists because something lies in it); `nlink` is None for
    anything but files, and for a file whose number of links depends on how a runtime stores layers.
    """

    type: str
    mode: int
    """Permission bits with setuid, setgid and sticky; 0o777 for symlinks."""
    uid: int
    gid: int
    mtime: int | None
    """Whole seconds since the epoch."""
    size: int | None = None
    """Bytes; None for anything but files."""
    sha256: str | None = None
    """Hex; None for anything but files, and for a file that could not be read."""
    target: str | None = None
    """Where a symlink points, as it is written."""
    nlink: int | None = None
    xattrs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """`user.*` and `security.capability`: name to value, in hex."""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"{self.type!r} is no type of a tree's entry: one of {sorted(TYPES)}")


class Tree(Mapping[str, Entry]):
    """The entries below a directory by their relative path; the directory itself is not one of them.

    Paths have no leading or trailing slash and no `.` component. Bytes that are not UTF-8 stand as surrogate escapes.
    Two trees are equal when `differences` finds none.
    """

    __slots__ = ("_blank", "_entries")

    def __init__(
        self, entries: Mapping[str, Entry] | None = None, *, blank: frozenset[str] = frozenset()
    ) -> None:
        self._entries = dict(sorted((entries or {}).items()))
        self._blank = blank

    def __getitem__(self, path: str) -> Entry:
        return self._entries[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        blank = f" without {', '.join(sorted(self._blank))}" if self._blank else ""
        return f"<Tree of {len(self)} entries{blank}>"

    def __eq__(self, other: object) -> bool:
        return not self.differences(other) if isinstance(other, Tree) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equality leaves fields out, so no hash can agree with it

    def __truediv__(self, path: str) -> Tree:
        """The subtree below the directory at `path`, its paths relative to it; KeyError if there is no such directory."""
        inner = "/".join(part for part in path.split("/") if part not in ("", "."))
        if not inner:
            return self
        if inner not in self._entries:
            raise KeyError(f"the tree has no {inner!r}; it has {_names(self._entries)}")
        if self._entries[inner].type != "directory":
            raise KeyError(f"{inner!r} is a {self._entries[inner].type} and not a directory")
        below = f"{inner}/"
        entries = {path.removeprefix(below): entry for path, entry in self.items() if path.startswith(below)}
        return Tree(entries, blank=self._blank)

    def differences(self, seen: Tree) -> list[str]:
        """How `seen` differs from this tree, the expected one: a line each, in the order of the paths; none when equal.

        Fields that either tree blanks out are not compared, nor an `mtime` or `nlink` that is None on one side.
        """
        blank = self._blank | seen._blank
        lines = []
        for path in sorted(self._entries.keys() | seen._entries.keys()):
            expected, found = self._entries.get(path), seen._entries.get(path)
            if expected is None:
                kind = found.type if found else "entry"
                lines.append(f"{_shown(path)}: is a {kind}, expected nothing")
            elif found is None:
                lines.append(f"{_shown(path)}: is missing, expected a {expected.type}")
            elif expected.type != found.type:
                lines.append(f"{_shown(path)}: is a {found.type}, expected a {expected.type}")
            else:
                lines.extend(f"{_shown(path)}: {text}" for text in _entry_differences(expected, found, blank))
        return lines

    def without(self, *fields: str) -> Tree:
        """The same tree with `fields` (names of an entry's fields) left out of every comparison."""
        unknown = set(fields) - set(COMPARED) | set(fields) & {"type"}
        if unknown:
            raise ValueError(f"{sorted(unknown)} cannot be left out: one of {list(COMPARED[1:])}")
        return Tree(self._entries, blank=self._blank | frozenset(fields))

    def summary(self, *fields: str) -> dict[str, JSONValue]:
        """What the probe's look `summary` answers with for this tree: see `summary`. fields: of an entry."""
        return summary((path, [getattr(entry, field) for field in fields]) for path, entry in self.items())

    def to_json(self) -> dict[str, JSONValue]:
        """The shape in which the probe prints a tree: path to an object with every field of the entry."""
        return {
            path: {field: _plain(getattr(entry, field)) for field in COMPARED} for path, entry in self.items()
        }

    @classmethod
    def from_json(cls, shape: Mapping[str, object]) -> Tree:
        """The tree of which `shape` is the JSON; ValueError naming path and field if it is not one."""
        return cls({path: _entry(path, fields) for path, fields in shape.items()})


def summary(entries: Iterable[tuple[str, list[JSONValue]]]) -> dict[str, JSONValue]:
    """A tree that is too large to list: how many entries each name at its top holds, itself included, and one hash over all.

    entries: path and the fields that count, in the order of the paths.
    """
    counts: Counter[str] = Counter()
    hashing = hashlib.sha256()
    for path, fields in entries:
        counts[path.split("/", 1)[0]] += 1
        hashing.update(json.dumps([path, *fields]).encode() + b"\n")
    return {"counts": dict(counts), "sha256": hashing.hexdigest()}


def _names(entries: Mapping[str, Entry]) -> str:
    top = sorted({path.split("/", 1)[0] for path in entries})
    return ", ".join(map(repr, top[:12])) + (" …" if len(top) > 12 else "") if top else "nothing"


def _shown(path: str) -> str:
    return path if path.isprintable() and path.strip() == path else repr(path)


def _text(field: str, value: object) -> str:
    if field == "mode" and isinstance(value, int):
        return f"{value:04o}"
    if field == "target":
        return repr(value)
    if field == "xattrs" and isinstance(value, Mapping):
        return ", ".join(f"{name}={content}" for name, content in sorted(value.items())) or "none"
    return str(value)


def _entry_differences(expected: Entry, found: Entry, blank: frozenset[str]) -> Iterator[str]:
    for field in COMPARED[1:]:
        wanted, got = getattr(expected, field), getattr(found, field)
        if field in blank or wanted == got or (field in _NOT_PROMISED and None in (wanted, got)):
            continue
        if field == "sha256" and got is None:
            yield "could not be read"
        else:
            yield f"{field} is {_text(field, got)}, expected {_text(field, wanted)}"


def _plain(value: object) -> JSONValue:
    if isinstance(value, Mapping):
        return {str(name): str(content) for name, content in sorted(value.items())}
    if value is None or isinstance(value, int | str):
        return value
    raise TypeError(f"an entry's field cannot be {value!r}")


def _entry(path: str, fields: object) -> Entry:
    if not isinstance(fields, Mapping):
        raise ValueError(f"{path!r}: an entry is a JSON object, not {fields!r}")  # noqa: TRY004 - one error for bad JSON
    unknown = fields.keys() - set(COMPARED)
    if unknown:
        raise ValueError(f"{path!r}: unknown field {sorted(unknown)}")
    kinds: dict[str, tuple[type, ...]] = {
        **dict.fromkeys(("mode", "uid", "gid"), (int,)),
        **dict.fromkeys(("mtime", "size", "nlink"), (int, type(None))),
        **dict.fromkeys(("sha256", "target"), (str, type(None))),
        "type": (str,),
        "xattrs": (Mapping,),
    }
    for field, allowed in kinds.items():
        value = fields.get(field, {} if field == "xattrs" else None)
        if not isinstance(value, allowed) or isinstance(value, bool):
            raise ValueError(f"{path!r}: field {field!r} cannot be {value!r}")  # noqa: TRY004 - one error for bad JSON
    return Entry(**{field: fields[field] for field in kinds if field in fields})
