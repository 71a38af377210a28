"""The tree that a list of layers makes, by the rules of the OCI image specification 1.1 (layer.md, Applying Changesets).

Whiteouts come first in each layer, whatever their place in it: they hide only what lower layers have. Where the
specification leaves the outcome open, there is no tree to expect, and `UndefinedTree` says why:

* a member whose name is absolute or holds `..`, and a member that lies behind a symlink or a file;
* a hard link to something that isn't there.

Where only one field is open, that field is None and is not compared:

* `mtime` of a directory that no layer gives a header (mode 0755 and owner root are what runtimes agree on);
* `nlink` of a file whose names do not all come from one layer, or of which a later layer hid one: an overlay then
  shows the count of the layer that it finds the file in, a copying runtime the count of the merged names.
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence

from images.oci.layer import OPAQUE, WHITEOUT, Layer
from images.oci.tar import Member
from images.tree import Entry, Tree


class UndefinedTreeError(ValueError):
    """The specification does not say what these layers make, so nothing can be expected."""


def merged(layers: Sequence[Layer]) -> Tree:
    """The tree that `layers` make, the lowest first; UndefinedTreeError where the specification leaves it open."""
    merging = _Merging()
    for number, layer in enumerate(layers):
        merging.apply(number, layer.written)
    return merging.tree()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Inode:
    """What one or more names stand for; compared by identity."""

    entry: Entry
    layer: int


class _Merging:
    """A merge on its way: the only state in this package, and gone when the tree is made."""

    def __init__(self) -> None:
        self.names: dict[str, _Inode] = {}
        self.open_links: set[_Inode] = set()
        """Files whose number of links nobody can promise."""

    def apply(self, number: int, members: Iterable[Member]) -> None:
        paths = [(_path(member), member) for member in members]
        for path, _ in paths:
            parent, name = posixpath.split(path)
            if name == OPAQUE:
                self.hide_below(parent, number)
            elif name.startswith(WHITEOUT):
                self.hide(posixpath.join(parent, name.removeprefix(WHITEOUT)), number)
        for path, member in paths:
            self.add_parents(path, member, number)
            if path and not posixpath.basename(path).startswith(WHITEOUT):
                self.add(path, member, number)

    def hide(self, path: str, number: int) -> None:
        self.hide_below(path, number)
        hidden = self.names.pop(path, None)
        if hidden is not None and hidden.layer != number:
            self.open_links.add(hidden)

    def hide_below(self, path: str, number: int) -> None:
        below = f"{path}/" if path else ""
        for name in [name for name in self.names if name.startswith(below)]:
            hidden = self.names.pop(name)
            if hidden.layer != number:
                self.open_links.add(hidden)

    def add(self, path: str, member: Member, number: int) -> None:
        if member.type == "hard link":
            inode = self.names.get(_path(member, member.target))
            if inode is None or inode.entry.type == "directory":
                raise UndefinedTreeError(
                    f"{member.name!r} is a hard link to {member.target!r}, which is no file here"
                )
            if inode.layer != number:
                self.open_links.add(inode)
        else:
            inode = _Inode(_entry(member), number)
        before = self.names.get(path)
        if before is inode:
            return
        if before is not None and not before.entry.type == inode.entry.type == "directory":
            self.hide(path, number)
        self.names[path] = inode

    def add_parents(self, path: str, member: Member, number: int) -> None:
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            parent = "/".join(parts[:depth])
            there = self.names.get(parent)
            if there is None:
                implicit = Entry(type="directory", mode=0o755, uid=0, gid=0, mtime=None)
                self.names[parent] = _Inode(implicit, number)
            elif there.entry.type != "directory":
                raise UndefinedTreeError(
                    f"{member.name!r} lies behind {parent!r}, which is a {there.entry.type}"
                )

    def tree(self) -> Tree:
        links = Counter(self.names.values())
        return Tree(
            {
                path: dataclasses.replace(
                    inode.entry, nlink=None if inode in self.open_links else links[inode]
                )
                if inode.entry.type == "file"
                else inode.entry
                for path, inode in self.names.items()
            }
        )


def _path(member: Member, name: str | None = None) -> str:
    """The normal path of a member (or of what it links to); the empty string for the root."""
    name = member.name if name is None else name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise UndefinedTreeError(f"{name!r} is not a path inside the layer")
    return "/".join(parts)


def _entry(member: Member) -> Entry:
    is_file, is_link = member.type == "file", member.type == "symlink"
    return Entry(
        type=member.type,
        mode=0o777 if is_link else member.mode,
        uid=member.uid,
        gid=member.gid,
        mtime=member.mtime,
        size=member.content.size if is_file else None,
        sha256=member.content.sha256 if is_file else None,
        target=member.target if is_link else None,
        xattrs={name: value.hex() for name, value in sorted(member.xattrs.items())},
    )
