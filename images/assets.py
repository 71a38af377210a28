"""Every asset image by its name, as it stands without variations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from images import artifact, empty, hostile, layered, oddities, platforms, probe, scale, site, subpaths
from images.oci.image import Reference

ASSETS: Mapping[str, Callable[[], Reference]] = {
    "artifact": artifact.image,
    "empty": empty.image,
    "hostile": hostile.image,
    "layered": layered.image,
    "oddities": oddities.image,
    "platforms": platforms.image,
    "probe": probe.probe_image,
    "scale": scale.image,
    "site": site.image,
    "subpaths": subpaths.image,
}
"""Name to what builds it. The modules' own functions take a build and variations."""
