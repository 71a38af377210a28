"""Four layers that override, hide and replace each other in every way of which the outcome is specified.

Read the layers from the first to the last; `Image.tree` is what must be left. Every layer carries a header for each
directory that it touches, and no hard link crosses layers: neither has an outcome that the specification fixes.
"""

from __future__ import annotations

from images.oci.content import Noise
from images.oci.image import Image
from images.oci.layer import Compression, Layer, Member, directory, file, hardlink, opaque, symlink, whiteout
from images.oci.stamp import labels, stamp

LARGE = 320 * 1024 + 1
"""Size in bytes of `data/large.bin`: several pages, and no multiple of anything."""


def image(
    build: str = "1",
    *,
    compression: Compression = "gzip",
    docker: bool = False,
    architecture: str = "amd64",
    large: int = LARGE,
) -> Image:
    """The merged tree of four layers; `large` is the size in bytes of its largest file."""
    layers = [_base(build, large), _hide(build), _replace(build), _return(build)]
    return Image(
        [
            Layer(
                [*members, stamp(f"history/{number}.json", build, layer=str(number))], compression=compression
            )
            for number, members in enumerate(layers)
        ],
        config=labels(build),
        docker=docker,
        architecture=architecture,
    )


def _base(build: str, large: int) -> list[Member]:
    return [
        file("config/overridden.conf", "from = the first layer\n"),
        file("config/kept.conf", "from = the first layer\n"),
        file("config/closed.conf", "only its mode and owner change\n"),
        file("data/large.bin", Noise(large, build)),
        file("data/hidden.txt", "hidden by the second layer, for good\n"),
        file("data/returning.txt", "hidden by the second layer, written again by the fourth\n"),
        file("data/hidden-directory/file.txt", "goes with its directory\n"),
        file("data/hidden-directory/below/file.txt", "goes with its directory\n"),
        file("data/rebuilt-directory/old.txt", "goes with its directory, which comes back without it\n"),
        file("cache/old.txt", "hidden by an opaque directory\n"),
        file("cache/below/old.txt", "hidden by an opaque directory\n"),
        file("cache/again.txt", "hidden by an opaque directory, whose layer has another of this name\n"),
        file("types/directory-to-file/inner.txt", "goes when the name becomes a file\n"),
        file("types/file-to-directory", "becomes a directory\n"),
        symlink("types/link-to-directory", "../data"),
        symlink("types/link-to-file", "../config/kept.conf"),
        file("types/file-to-link", "becomes a symbolic link\n"),
        file("types/directory-to-link/inner.txt", "goes when the name becomes a link\n"),
        file("types/directory-file-directory/first.txt", "must not come back with the name\n"),
        file("links/one", "three names, one file\n"),
        hardlink("links/two", "links/one"),
        hardlink("links/three", "links/one"),
    ]


def _hide(build: str) -> list[Member]:
    return [
        whiteout("data/hidden.txt"),
        whiteout("data/returning.txt"),
        whiteout("data/hidden-directory"),
        whiteout("data/rebuilt-directory"),
        # The opaque mark stands between its neighbours: it hides what lower layers have, whatever its place.
        file("cache/again.txt", f"from the second layer, build {build}\n"),
        opaque("cache"),
        file("cache/new.txt", "from the second layer\n"),
        file("types/directory-file-directory", "a file for the time of one layer\n"),
    ]


def _replace(build: str) -> list[Member]:
    return [
        file("config/overridden.conf", f"from = the third layer, build {build}\n"),
        file("config/closed.conf", "only its mode and owner change\n", mode=0o600, uid=1000, gid=1000),
        file("types/directory-to-file", "was a directory\n"),
        directory("types/file-to-directory"),
        file("types/file-to-directory/inner.txt", "was a file\n"),
        directory("types/link-to-directory"),
        file("types/link-to-directory/inner.txt", "was a link to another directory\n"),
        file("types/link-to-file", "was a link to another file\n"),
        symlink("types/file-to-link", "../config/kept.conf"),
        symlink("types/directory-to-link", "../data"),
        file("types/directory-file-directory/second.txt", "the only file here\n"),
        file("data/rebuilt-directory/new.txt", "the only file here\n"),
    ]


def _return(build: str) -> list[Member]:
    return [
        file("data/returning.txt", f"from the fourth layer, build {build}\n"),
        file("cache/later.txt", "from the fourth layer, beside those of the second\n"),
        # The last header of a directory decides its mode, owner and time; what lies in it stays.
        directory("config", mode=0o750, uid=0, gid=1000, mtime=1_000_000_000),
    ]
