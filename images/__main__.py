"""`python -m images --out DIR`: writes every asset image as an OCI layout, and prints name, digest and size."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from images.assets import ASSETS
from images.oci.image import Reference
from images.oci.layout import write_layout

MARK = ".image-volume-assets.json"
"""Lies in a folder that this program wrote, and names what it wrote there."""

TAG = "latest"


class FolderError(Exception):
    """The folder to write to is not one of ours; the text says what to do."""


def write(out: Path, names: Sequence[str]) -> dict[str, Reference]:
    """Writes the assets `names` into `out`, a layout each, in place of what this program wrote there before.

    FolderError if `out` is no folder, or holds anything else.
    """
    _clear(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).write_text(json.dumps({"written": sorted(names)}) + "\n")
    images = {name: ASSETS[name]() for name in names}
    for name, image in images.items():
        write_layout(out / name, {TAG: image})
    return images


def _clear(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise FolderError(f"{out} is not a folder: name another with --out")
    present = {path.name for path in out.iterdir()}
    if not present:
        return
    if MARK not in present:
        raise FolderError(
            f"{out} holds files that this program did not write: name another folder with --out"
        )
    written = set(json.loads((out / MARK).read_text())["written"])
    strangers = sorted(present - written - {MARK})
    if strangers:
        raise FolderError(
            f"{out} also holds {', '.join(strangers)}, which this program did not write: move it away"
        )
    for name in sorted(written & present):
        shutil.rmtree(out / name)


def size(image: Reference) -> int:
    """How many bytes a pull of everything in `image` moves, manifests and all."""
    blobs = sum(blob.size for blob in image.blobs.values())
    return len(image.manifest) + blobs + sum(len(child.manifest) for child in image.children)


def table(images: dict[str, Reference]) -> str:
    """Name, digest and size of each image, a line each."""
    width = max(map(len, images), default=0)
    lines = [f"{name:{width}}  {image.digest}  {size(image):>12,} bytes" for name, image in images.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the assets that the command line asks for; the exit code: 0, or 4 for a folder that is not ours."""
    parser = argparse.ArgumentParser(prog="python -m images", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("name", nargs="*", help=f"which assets (all): {', '.join(ASSETS)}")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.name) - set(ASSETS))
    if unknown:
        parser.error(f"no such asset: {', '.join(unknown)}; there are {', '.join(ASSETS)}")
    try:
        images = write(options.out, options.name or list(ASSETS))
    except FolderError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    sys.stdout.write(table(images) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
