"""Layers that try to write, remove or read outside the directory into which they are unpacked.

A runtime may refuse such an image or keep everything inside; it must not touch the node. No tree can be expected of
one: what is left inside is not specified.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from images.oci.image import Image
from images.oci.layer import WHITEOUT, Layer, Member, directory, file, hardlink, symlink
from images.oci.stamp import labels, stamp

Way = Literal[
    "parent",
    "absolute",
    "symlink",
    "absolute symlink",
    "hard link",
    "whiteout",
    "whiteout through symlink",
]
WAYS: tuple[Way, ...] = get_args(Way)

CANARY = "image-volume-canary"
"""The file that each way tries to write, `hard link` tries to read and `whiteout` tries to remove."""

UP = "../" * 16
"""More than a runtime's own folders are deep."""


def image(
    build: str = "1", *, way: Way = "parent", target: str = "tmp", architecture: str = "amd64"
) -> Image:
    """An image whose layer aims, in one `way`, at the file CANARY in the node's directory `/target`."""
    harmless = [stamp("build.json", build, way=way), file("harmless.txt", "where it belongs\n")]
    # No headers for parents: nobody asked for those of `../..`.
    layer = Layer([*harmless, *_aimed(way, target, build)], parents=False)
    return Image([layer], config=labels(build), architecture=architecture)


def _aimed(way: Way, target: str, build: str) -> Iterator[Member]:
    text = f"written by the image of build {build}\n"
    match way:
        case "parent":
            yield file(f"{UP}{target}/{CANARY}", text)
        case "absolute":
            yield file(f"/{target}/{CANARY}", text)
        case "symlink":
            yield symlink("exit", f"{UP}{target}")
            yield file(f"exit/{CANARY}", text)
        case "absolute symlink":
            yield symlink("exit", f"/{target}")
            yield file(f"exit/{CANARY}", text)
        case "hard link":
            yield directory("read")
            yield hardlink(f"read/{CANARY}", f"{UP}{target}/{CANARY}")
        case "whiteout":
            yield file(f"{UP}{target}/{WHITEOUT}{CANARY}")
        case "whiteout through symlink":
            yield symlink("exit", f"{UP}{target}")
            yield file(f"exit/{WHITEOUT}{CANARY}")
