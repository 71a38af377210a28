"""One reference, several platforms: an index whose images each say in `platform.txt` for whom they are."""

from __future__ import annotations

from collections.abc import Sequence

from images.oci.image import Image, Index
from images.oci.layer import Layer, file
from images.oci.stamp import labels, stamp

FOREIGN = "wasip1/wasm"
"""A platform that no node has; it stands first, for runtimes that take the first entry."""
NODES = ("linux/amd64", "linux/arm64")


def image(build: str = "1", *, platforms: Sequence[str] = (FOREIGN, *NODES), docker: bool = False) -> Index:
    """The index of `platforms` in this order; `platforms=[FOREIGN]` has nothing for any node."""
    return Index({platform: single(platform, build, docker=docker) for platform in platforms}, docker=docker)


def single(platform: str, build: str = "1", *, docker: bool = False) -> Image:
    """The image for one platform (`os/architecture`), as it stands in the index; on its own, its config alone names it."""
    system, architecture = platform.split("/")
    members = [file("platform.txt", f"{platform}\n"), stamp("build.json", build, platform=platform)]
    return Image([Layer(members)], config=labels(build), os=system, architecture=architecture, docker=docker)
