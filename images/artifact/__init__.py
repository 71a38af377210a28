"""OCI artifacts: manifests whose layers are plain files, or tars without an image's config."""

from __future__ import annotations

from collections.abc import Mapping

from images.oci.image import Artifact, ArtifactFile, Image, Index
from images.oci.layer import Layer, file
from images.oci.stamp import labels
from images.platforms import FOREIGN, NODES

UNTITLED = "a layer without a title"


def image(build: str = "1") -> Artifact:
    """Plain files with titles, one with directories in its title, and one without a title. Its config is the empty one,
    which every such artifact has.
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
    return Artifact(files, annotations={"build": build})


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
    """The empty config, and layers of an image's type: neither quite an image nor plain files."""
    layers = oras_example(build).layers
    files = [ArtifactFile(title=None, data=layer.data, media_type=layer.media_type()) for layer in layers]
    return Artifact(files, annotations={"build": build})


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
