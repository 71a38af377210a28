"""An OCI image layout on disk (OCI image specification 1.1, image-layout.md): what other tools copy from and look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from images.oci.image import OCI_INDEX, Reference

REF_NAME = "org.opencontainers.image.ref.name"


def write_layout(folder: Path, images: Mapping[str, Reference]) -> None:
    """Writes `images`, by tag, as one layout into `folder`, which must not exist or be empty (FileExistsError)."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name another folder for the layout, or remove it")
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for image in images.values():
        _write(blobs, image)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entries = [_entry(tag, image) for tag, image in images.items()]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    (folder / "index.json").write_text(json.dumps(index, indent=2) + "\n")


def _write(blobs: Path, image: Reference) -> None:
    for child in image.children:
        _write(blobs, child)
    for digest, blob in image.blobs.items():
        path = blobs / digest.removeprefix("sha256:")
        if not path.exists():
            with path.open("wb") as file:
                file.writelines(blob.chunks())
    (blobs / image.digest.removeprefix("sha256:")).write_bytes(image.manifest)


def _entry(tag: str, image: Reference) -> dict[str, Any]:
    return {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {REF_NAME: tag},
    }
