"""Images that hold nothing, in the shapes that nothing can have."""

from __future__ import annotations

from typing import Literal

from images.oci.image import Image
from images.oci.layer import Compression, Layer
from images.oci.stamp import labels
from images.oci.tar import Member

Shape = Literal["directory", "empty layer", "no layers"]


def image(
    build: str = "1",
    *,
    shape: Shape = "directory",
    compression: Compression = "gzip",
    docker: bool = False,
    architecture: str = "amd64",
) -> Image:
    """An image with one empty directory, with one layer that holds no entry, or with no layer at all.

    A layer without an entry has no place for the build, so all builds of that shape share its one layer.
    """
    # No file may bear the stamp here, so the directory's header does, in a pax record that readers pass over.
    marked = Member(name="empty/", type="directory", mode=0o755, pax={"comment": f"build {build}"})
    shapes: dict[Shape, list[list[Member]]] = {"directory": [[marked]], "empty layer": [[]], "no layers": []}
    return Image(
        [Layer(entries, compression=compression) for entries in shapes[shape]],
        config=labels(build),
        docker=docker,
        architecture=architecture,
    )
