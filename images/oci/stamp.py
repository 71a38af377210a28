"""The mark that a build leaves in each layer of an asset, so that two builds share no layer, config or manifest."""

from __future__ import annotations

import json
from typing import Any

from images.oci.layer import Member, file


def stamp(path: str, build: str, **more: str) -> Member:
    """A JSON file at `path` that names the build."""
    return file(path, json.dumps({"build": build, **more}) + "\n")


def labels(build: str) -> dict[str, Any]:
    """The config section that names the build, and nothing that a container could run."""
    return {"Labels": {"build": build}}
