"""Many files, deep directories and a large file: as many and as large as a check asks for."""

from __future__ import annotations

from collections.abc import Iterator

from images.oci.content import Noise
from images.oci.image import Image
from images.oci.layer import Compression, Layer, Member, directory, file
from images.oci.stamp import labels, stamp

PER_DIRECTORY = 1000
PIECE = 64 << 20


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

    Writing 100 000 files takes a few seconds; the large file is never in memory as a whole.
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


def _many(build: str, files: int, depth: int) -> Iterator[Member]:
    for number in range(files):
        if number % PER_DIRECTORY == 0:
            yield directory(f"files/{number // PER_DIRECTORY:04}")
        yield file(f"files/{number // PER_DIRECTORY:04}/{number:06}.txt", f"file {number} of build {build}\n")
    yield file("/".join(["deep", *map(str, range(1, depth)), "bottom.txt"]), f"{depth} directories down\n")
