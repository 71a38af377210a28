"""The tree of a real directory, read with system calls: what an unpacked image is compared with."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from images.tree import Entry, Tree

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
}


def walk(root: Path) -> Tree:
    """Everything below `root`, with the extended attributes that a tree compares."""
    paths = [Path(folder, name) for folder, names, files in os.walk(root) for name in (*names, *files)]
    return Tree({str(path.relative_to(root)): _entry(path) for path in paths})


def _entry(path: Path) -> Entry:
    status = path.lstat()
    kind = _TYPES[stat.S_IFMT(status.st_mode)]
    data = path.read_bytes() if kind == "file" else None
    names = () if kind == "symlink" else os.listxattr(path)
    return Entry(
        type=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=int(status.st_mtime),
        size=None if data is None else status.st_size,
        sha256=None if data is None else hashlib.sha256(data).hexdigest(),
        target=str(path.readlink()) if kind == "symlink" else None,
        nlink=None if data is None else status.st_nlink,
        xattrs={
            name: os.getxattr(path, name).hex()
            for name in names
            if name.startswith("user.") or name == "security.capability"
        },
    )
