"""A small web site, as a scratch image: what an operator would mount below a web server's document root.

Everything lies under `/site`, so that `subPath: site` and the whole volume look different.
"""

from __future__ import annotations

from pathlib import Path

from images.oci.image import Image
from images.oci.layer import Compression, Layer, folder
from images.oci.stamp import labels, stamp


def image(
    build: str = "1", *, compression: Compression = "gzip", docker: bool = False, architecture: str = "amd64"
) -> Image:
    """The site as of `build`: one layer, no command, nothing but files."""
    content = folder(Path(__file__).with_name("content"))
    return Image(
        [Layer([*content, stamp("site/build.json", build)], compression=compression)],
        config=labels(build),
        docker=docker,
        architecture=architecture,
    )
