"""Directories to be mounted by subPath, and everything that is no directory but could be taken for one.

Each directory that a check may mount holds `marker.txt` with its own path, so that a wrong one is recognised.
"""

from __future__ import annotations

from collections.abc import Sequence

from images.oci.image import Image
from images.oci.layer import Compression, Layer, Member, directory, file, symlink
from images.oci.stamp import labels, stamp

ODD_NAMES = (
    "with space",
    "a:b",
    "a,b",
    "back\\slash",
    "*glob?[x]",
    "grüße-日本語",
    "lowerdir=x",
    "..dots",
    "n" * 255,
)
"""Names of directories in `names/`; the last has 255 bytes, the longest that Linux takes."""

DEEP = "deep/" + "/".join(map(str, range(1, 20)))
"""A directory 20 levels down."""

DIRECTORIES = ("site", "v1", "v2", "nested/one/two", "nested/one/three", DEEP)

ESCAPING = {
    "evil": "../" * 16 + "etc",
    "evil-absolute": "/etc",
    "evil-parent": "..",
    "nested/evil": "../" * 16 + "etc",
}
"""Symbolic links that leave the image: name to target. More `..` than a runtime's own folders are deep, so that a
runtime that follows them on the node does reach the node's /etc."""

INSIDE = {"cur": "v2", "nested/up": "../v1", "chain": "cur", "through": "nested/one"}
"""Relative symbolic links to directories inside the image."""

ABSOLUTE = {"abs": "/site"}
"""Absolute symbolic links that mean a directory of the image, if the image's root is the root."""


def image(
    build: str = "1",
    *,
    names: Sequence[str] = (),
    compression: Compression = "gzip",
    docker: bool = False,
    architecture: str = "amd64",
) -> Image:
    """The directories; `names` adds one at the root for each, such as the Pod names that a subPathExpr expands to."""
    members = [stamp("build.json", build), file("file.txt", f"a file at the root, build {build}\n")]
    for path in (*DIRECTORIES, *(f"names/{name}" for name in ODD_NAMES), *names):
        members += _marked(path, build)
    members += [symlink(name, target) for name, target in (ESCAPING | INSIDE | ABSOLUTE).items()]
    members += [symlink("dangling", "nowhere"), symlink("link-to-file", "file.txt"), symlink("loop", "loop")]
    members += [directory("empty"), directory("closed", mode=0o700), *_marked("closed/inner", build)]
    return Image(
        [Layer(members, compression=compression)],
        config=labels(build),
        docker=docker,
        architecture=architecture,
    )


def marker(path: str, build: str = "1") -> str:
    """What `marker.txt` in the directory `path` says."""
    return f"{path} of build {build}\n"


def _marked(path: str, build: str) -> list[Member]:
    return [directory(path), file(f"{path}/marker.txt", marker(path, build))]
