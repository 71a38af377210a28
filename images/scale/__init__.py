"""Many files, large files, long names, deep directories, many layers: as many and as large as a check asks for."""

from __future__ import annotations

from collections.abc import Iterator

from images.oci.content import Noise, Sparse
from images.oci.image import Image
from images.oci.layer import Compression, Layer, Member, directory, file, symlink
from images.oci.stamp import labels, stamp
from images.scale.crowd import Crowd

__all__ = ["Crowd", "image", "large", "names", "stacked"]

PER_DIRECTORY = 1000
PIECE = 64 << 20
LONGEST = 255
"""Bytes in a name: NAME_MAX of Linux."""
DEPTH = 64


def image(
    build: str = "1",
    *,
    files: int = 1000,
    depth: int = 64,
    large: int = 8 << 20,
    compression: Compression = "gzip",
    architecture: str = "amd64",
) -> Image:
    """Two layers: `files` small files, one of them `depth` directories down, and a file of `large` bytes, not compressed.

    The large file is never in memory as a whole. For very many files there is `Crowd`.
    """
    bulk = Layer(
        [stamp("large/build.json", build), file("large/file.bin", Noise(large, build))], compression="none"
    )
    many = Layer([stamp("files/build.json", build), *_many(build, files, depth)], compression=compression)
    return Image([many, bulk], config=labels(build), architecture=architecture)


def heavy(build: str = "1", *, pieces: int = 16, piece: int = PIECE, architecture: str = "amd64") -> Image:
    """An image that weighs `pieces` times `piece` bytes by its manifest, and costs little: one layer over and over.

    What is fetched is one blob of `piece` bytes, most of it padding after the archive's end; what is unpacked is a small file.
    """
    layer = Layer([stamp("heavy/build.json", build)], compression="none", padding=piece)
    return Image([layer] * pieces, config=labels(build), architecture=architecture)


def large(build: str = "1", *, size: int = 1 << 30) -> Image:
    """One file of `size` bytes, nearly all of them zeros, so that a GiB travels as a MiB."""
    return Image([Layer([stamp("build.json", build), file("file.bin", Sparse(size, build))])])


def names(build: str = "1") -> Image:
    """Names of LONGEST bytes, in ASCII and beyond, DEPTH levels of directories, and a path of 2000 bytes."""
    long = "n" * LONGEST
    wide = "é" * (LONGEST // 2) + "x"
    far = "/".join(str(number) * 60 for number in range(10, 42))
    members = [
        stamp("build.json", build),
        file(f"long/{long}", f"{LONGEST} bytes\n"),
        file(f"long/{wide}", f"{LONGEST} bytes of UTF-8\n"),
        directory("d" * LONGEST),
        file("/".join(["d" * LONGEST, long]), "long below long\n"),
        symlink("long-link", "t" * LONGEST),
        file("/".join(["deep", *map(str, range(1, DEPTH)), "bottom.txt"]), f"{DEPTH} levels down\n"),
        file(f"{far}/end.txt", "at the end of a path of 2000 bytes\n"),
        file("beyond/grüße-日本語-🎈/Ωμέγα", "beyond ASCII\n"),
        file("beyond/e\u0301 is not \u00e9", "decomposed\n"),
        file("beyond/\u00e9 is not e\u0301", "composed\n"),
    ]
    return Image([Layer(members)])


def stacked(build: str = "1", *, layers: int = 100) -> Image:
    """As many layers: each has a file of its own and all have one in common, of which the last one's is seen."""
    return Image(
        [
            Layer([file(f"own/{number:03}", f"{build} {number}\n"), file("common", f"layer {number}\n")])
            for number in range(layers)
        ]
    )


def _many(build: str, files: int, depth: int) -> Iterator[Member]:
    for number in range(files):
        if number % PER_DIRECTORY == 0:
            yield directory(f"files/{number // PER_DIRECTORY:04}")
        yield file(f"files/{number // PER_DIRECTORY:04}/{number:06}.txt", f"file {number} of build {build}\n")
    yield file("/".join(["deep", *map(str, range(1, depth)), "bottom.txt"]), f"{depth} directories down\n")
