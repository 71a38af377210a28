"""The smallest image that a container can run: one program, which prints `hello`."""

from __future__ import annotations

from images import programs
from images.oci.image import Image
from images.oci.layer import Compression, Layer, file
from images.oci.stamp import labels, stamp

PROGRAM = "/hello"


def image(
    build: str = "1", *, compression: Compression = "gzip", docker: bool = False, architecture: str = "amd64"
) -> Image:
    """The program at PROGRAM, for amd64 or arm64 (KeyError for others); it runs without arguments and ends with 0."""
    program = file(PROGRAM.lstrip("/"), programs.hello(architecture), mode=0o755)
    return Image(
        [Layer([stamp("build.json", build), program], compression=compression)],
        config=labels(build) | {"Cmd": [PROGRAM]},
        docker=docker,
        architecture=architecture,
    )
