"""OCI artifacts: manifests whose layers are plain files, or tars without an image's config."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from images.oci.image import Artifact, ArtifactFile, Image, Index
from images.oci.layer import Layer, file
from images.oci.stamp import labels
from images.platforms import FOREIGN, NODES

UNTITLED = "a layer without a title"
CONFIG = "application/vnd.example.config.v1+json"


def image(build: str = "1", *, extra: Sequence[ArtifactFile] = ()) -> Artifact:
    """Plain files with titles, one with directories in its title, and one without a title. Its config is the empty one,
    which every such artifact has. extra: further files.
    """
    files = [
        ArtifactFile(
            title="artifact.txt", data=f"artifact of build {build}\n".encode(), media_type="text/plain"
        ),
        ArtifactFile(
            title="model/config.json", data=f'{{"build": "{build}"}}\n'.encode(), media_type="text/json"
        ),
        ArtifactFile(title="model/weights/part-1.bin", data=f"weights of build {build}\n".encode()),
        ArtifactFile(title=None, data=f"{UNTITLED}, build {build}\n".encode()),
    ]
    return Artifact([*files, *extra], annotations={"build": build})


def escaping(build: str = "1", *, titles: Mapping[str, str] | None = None) -> Artifact:
    """Titles that leave the directory (title to text); its `tree` is not defined."""
    text = f"written by the artifact of build {build}\n"
    places = ("../" * 16 + "tmp", "/tmp")  # noqa: S108 - what a title must not reach
    chosen = titles or {f"{place}/image-volume-canary": text for place in places}
    return Artifact([ArtifactFile(title=title, data=data.encode()) for title, data in chosen.items()])


def oras_example(build: str = "1", *, architecture: str = "amd64") -> Image:
    """The example of KEP-4639, section ORAS: an image's config without `rootfs`, and two tar layers."""
    layers = [Layer([file("dir/file", f"1, build {build}\n")]), Layer([file("file", f"2, build {build}\n")])]
    return Image(layers, config=labels(build), rootfs=False, architecture=architecture)


def tar_layers(build: str = "1") -> Artifact:
    """Layers of an image's type, as `oras push` packs directories, with a config that is none of an image.

    The config is the artifact's own: runtimes that know images by their config take all artifacts with the empty one for
    one and the same, so that what is shown of one depends on the others that are on the node.
    """
    layers = oras_example(build).layers
    files = [
        ArtifactFile(title=f"{number}.tar.gz", data=layer.data, media_type=layer.media_type())
        for number, layer in enumerate(layers)
    ]
    return _own_config(files, build)


def untitled(build: str = "1") -> Artifact:
    """Plain files without titles, so that nothing says how they are to be called. The config is the artifact's own."""
    return _own_config([ArtifactFile(title=None, data=f"{UNTITLED}, build {build}\n".encode())], build)


def same_titles(build: str = "1") -> Artifact:
    """Two files of one title; its `tree` shows the second. The config is the artifact's own."""
    files = [
        ArtifactFile(title="twice.txt", data=f"{one}, build {build}\n".encode()) for one in ("one", "two")
    ]
    return _own_config(files, build)


def _own_config(files: Sequence[ArtifactFile], build: str) -> Artifact:
    config = json.dumps({"build": build}).encode()
    return Artifact(files, config_media_type=CONFIG, config_data=config, annotations={"build": build})


def per_platform(build: str = "1") -> Index:
    """An index with an artifact for each platform; each holds `platform.txt`, which names it."""
    return Index(
        {
            platform: Artifact(
                [ArtifactFile(title="platform.txt", data=f"{platform}, build {build}\n".encode())],
                annotations={"build": build, "platform": platform},
            )
            for platform in (FOREIGN, *NODES)
        }
    )
