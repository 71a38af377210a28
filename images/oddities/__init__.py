"""Everything about a file that an unpacker can get wrong: names, modes, owners, links, times, programs, attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from images.oci.image import Image
from images.oci.layer import Compression, Layer, Member, device, directory, fifo, file, hardlink, symlink
from images.oci.stamp import labels, stamp
from images.oddities import programs

NAMES = (
    "plain",
    ".hidden",
    "with space",
    " leading and trailing ",
    "a:b",
    "a,b",
    "back\\slash",
    "quote\"and'quote",
    "-dash",
    "*glob?[x]",
    "$(POD_NAME)",
    "percent%20",
    "grüße-日本語-🎈",
    "Case",
    "case",
    "n" * 255,
    "é" * 127 + "x",
)
"""File names in `names/`; the last two have 255 bytes, the longest that Linux takes."""

DEPTH = 20
"""How many directories lie above `deep/…/bottom.txt`."""

FILE_MODES = (0o400, 0o600, 0o640, 0o644, 0o666, 0o755, 0o777, 0o000, 0o2755, 0o4755)
DIRECTORY_MODES = (0o700, 0o750, 0o777, 0o1777, 0o2775)
OWNERS = ((0, 0), (1000, 1000), (65532, 65532), (1000, 0), (0, 2000))
"""User and group of the files in `owners/`."""

TIMES = {"epoch": 0, "1985": 473_385_600, "2035": 2_051_222_400}
"""Not before the epoch, where runtimes cut, and not after 2038, where some file systems do."""

LINKS = {
    "relative": "../names/plain",
    "directory": "../deep",
    "absolute": "/etc/hostname",
    "absolute-inside": "/names/plain",
    "dangling": "nowhere",
    "escaping": "../" * 16 + "etc/passwd",
    "loop": "loop",
    "odd name": "../names/with space",
    "long": "../names/" + "n" * 255,
}
"""Symbolic links in `symlinks/`: name to target."""

CAP_NET_BIND_SERVICE = bytes.fromhex("01000002 00040000 00000000 00000000 00000000")
"""`security.capability` (linux/capability.h, struct vfs_cap_data, revision 2): permitted and effective."""


def image(
    build: str = "1",
    *,
    compression: Compression = "gzip",
    docker: bool = False,
    architecture: str = "amd64",
    xattrs: bool = False,
    devices: bool = False,
) -> Image:
    """The oddities. `xattrs` adds extended attributes, `devices` a pipe and device nodes: not every node can unpack those."""
    members = [
        stamp("build.json", build),
        *_names(),
        *_modes_and_owners(),
        *_links(),
        *_times(),
        directory("empty-directory"),
        file("empty-file"),
        file("bin/hello", programs.hello(architecture), mode=0o755),
        file("bin/effective-user", programs.effective_user(architecture), mode=0o755),
        file("bin/effective-user-setuid", programs.effective_user(architecture), mode=0o4755),
        *(_xattrs() if xattrs else ()),
        *(_devices() if devices else ()),
    ]
    return Image(
        [Layer(members, compression=compression)],
        config=labels(build),
        docker=docker,
        architecture=architecture,
    )


def attributes(build: str = "1", *, architecture: str = "amd64", more: Sequence[Member] = ()) -> Image:
    """The files with extended attributes alone, with `more` beside them."""
    members = [stamp("build.json", build), *_xattrs(), *more]
    return Image([Layer(members)], config=labels(build), architecture=architecture)


def _names() -> Iterator[Member]:
    for name in NAMES:
        yield file(f"names/{name}", f"{name}\n")
    yield file("/".join(["deep", *map(str, range(1, DEPTH)), "bottom.txt"]), f"{DEPTH} directories down\n")


def _modes_and_owners() -> Iterator[Member]:
    for mode in FILE_MODES:
        yield file(f"modes/{mode:04o}", f"mode {mode:04o}\n", mode=mode)
    for mode in DIRECTORY_MODES:
        yield directory(f"modes/directory-{mode:04o}", mode=mode)
        yield file(f"modes/directory-{mode:04o}/file", "in a directory with a mode of its own\n")
    for uid, gid in OWNERS:
        yield file(f"owners/{uid}-{gid}", f"{uid}:{gid}\n", mode=0o640, uid=uid, gid=gid)
    yield directory("owners/directory-1000", mode=0o700, uid=1000, gid=1000)
    yield symlink("owners/symlink-1000", "1000-1000", uid=1000, gid=1000)


def _links() -> Iterator[Member]:
    for name, target in LINKS.items():
        yield symlink(f"symlinks/{name}", target)
    yield file("hardlinks/one", "one file, three names\n", mode=0o640, uid=1000, gid=1000)
    yield hardlink("hardlinks/two", "hardlinks/one")
    yield hardlink("elsewhere/three", "hardlinks/one")


def _times() -> Iterator[Member]:
    for name, mtime in TIMES.items():
        yield file(f"times/{name}", f"{name}\n", mtime=mtime)
        yield directory(f"times/directory-{name}", mtime=mtime)
        yield file(f"times/directory-{name}/file", "written after its directory's header\n", mtime=mtime)
    yield symlink("times/symlink-1985", "1985", mtime=TIMES["1985"])


def _xattrs() -> Iterator[Member]:
    yield file("xattrs/user", "with user.comment\n", xattrs={"user.comment": b"kept by the unpacker"})
    yield file("xattrs/binary", "with user.binary\n", xattrs={"user.binary": bytes(range(256))})
    yield file("xattrs/capability", "", mode=0o755, xattrs={"security.capability": CAP_NET_BIND_SERVICE})


def _devices() -> Iterator[Member]:
    """A device that every container may open, and two that none may; opening any of them changes nothing."""
    yield fifo("devices/pipe", mode=0o666)
    yield device("devices/null", "character device", 1, 3)
    yield device("devices/kmsg", "character device", 1, 11)
    yield device("devices/loop0", "block device", 7, 0)
