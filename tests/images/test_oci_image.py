"""images/oci/image.py: manifests, configs and indexes as the specifications want them, and wrong where asked."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from images.oci.image import Artifact, ArtifactFile, Image, Index, Reference
from images.oci.layer import Layer, directory, file, whiteout
from images.oci.merge import UndefinedTreeError

LAYERS = (Layer([file("a", "1")]), Layer([file("b", "2")], compression="zstd"))
EMPTY_CONFIG = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def manifest(image: Reference) -> Any:
    """The manifest, read."""
    return json.loads(image.manifest)


def config(image: Image) -> Any:
    """The config, read."""
    return json.loads(image.config_blob.data)


@pytest.mark.parametrize("docker", [False, True], ids=["OCI", "Docker"])
def test_a_manifest_names_config_and_layers(*, docker: bool) -> None:
    """Every descriptor has the type, digest and size of a blob that is there, the layers in their order."""
    image = Image(LAYERS, docker=docker)
    shape = manifest(image)
    assert shape["schemaVersion"] == 2
    assert shape["mediaType"] == image.media_type
    assert [entry["digest"] for entry in shape["layers"]] == [layer.digest for layer in LAYERS]
    for descriptor in (shape["config"], *shape["layers"]):
        blob = image.blobs[descriptor["digest"]]
        assert (blob.media_type, blob.size) == (descriptor["mediaType"], descriptor["size"])
        assert len(blob.data) == blob.size
        assert blob.digest == f"sha256:{hashlib.sha256(blob.data).hexdigest()}"
    assert len(image.blobs) == 3
    assert image.digest == f"sha256:{hashlib.sha256(image.manifest).hexdigest()}"


def test_media_types_of_both_families() -> None:
    """OCI and Docker schema 2 types are not mixed."""
    for docker, family in ((False, "application/vnd.oci."), (True, "application/vnd.docker.")):
        image = Image(LAYERS, docker=docker)
        index = Index({"amd64": image}, docker=docker)
        types = [image.media_type, index.media_type, *(blob.media_type for blob in index.blobs.values())]
        assert all(name.startswith(family) for name in types)


def test_a_config_has_platform_and_diff_ids() -> None:
    """The config names architecture, os and variant, the uncompressed layers, and the config section."""
    image = Image(LAYERS, config={"Cmd": ["x"]}, architecture="arm64", variant="v8")
    shape = config(image)
    assert (shape["architecture"], shape["os"], shape["variant"]) == ("arm64", "linux", "v8")
    assert shape["rootfs"] == {"type": "layers", "diff_ids": [layer.diff_id for layer in LAYERS]}
    assert len(shape["history"]) == 2
    assert shape["config"] == {"Cmd": ["x"]}


def test_the_same_image_has_the_same_bytes() -> None:
    """Built twice, an image is the same to the last byte; built otherwise, it is not."""
    assert Image(LAYERS).manifest == Image(LAYERS).manifest
    assert Image(LAYERS).digest != Image(LAYERS[:1]).digest != Image(LAYERS[:1], config={"User": "1"}).digest


def test_annotations_are_the_manifests() -> None:
    """Annotations stand in the manifest, and there is no empty field for none."""
    assert manifest(Image(LAYERS, annotations={"a": "b"}))["annotations"] == {"a": "b"}
    assert "annotations" not in manifest(Image(LAYERS))


def test_the_tree_is_that_of_the_layers() -> None:
    """The image's tree merges its layers; an image without any has an empty one."""
    image = Image([Layer([file("d/a"), file("d/b")]), Layer([directory("d"), whiteout("d/a")])])
    assert list(image.tree) == ["d", "d/b"]
    assert len(Image([]).tree) == 0


def test_a_config_without_diff_ids() -> None:
    """`rootfs=False` leaves out what KEP-4639's ORAS example leaves out."""
    shape = config(Image(LAYERS, rootfs=False))
    assert shape.keys() == {"architecture", "os", "created", "config"}


def test_descriptors_can_be_wrong() -> None:
    """A wrong size or digest stands in the manifest, while the blobs stay what they are."""
    image = Image(LAYERS, descriptors={1: {"size": 1, "digest": "sha256:00"}})
    assert [entry["size"] for entry in manifest(image)["layers"]] == [LAYERS[0].size, 1]
    assert manifest(image)["layers"][1]["digest"] == "sha256:00"
    assert LAYERS[1].digest in image.blobs


def test_blobs_can_be_missing() -> None:
    """A blob can be left out that the manifest names."""
    image = Image(LAYERS, missing=[0])
    assert manifest(image)["layers"][0]["digest"] == LAYERS[0].digest
    assert LAYERS[0].digest not in image.blobs


def test_fields_can_be_replaced() -> None:
    """Manifest, config, artifact and index take whatever fields they are told."""
    assert manifest(Image(LAYERS, manifest_fields={"schemaVersion": 1}))["schemaVersion"] == 1
    assert config(Image(LAYERS, config_fields={"rootfs": None}))["rootfs"] is None
    assert manifest(Artifact([], manifest_fields={"layers": 1}))["layers"] == 1
    assert manifest(Index({}, manifest_fields={"manifests": None}))["manifests"] is None


def test_an_artifact_has_the_empty_config() -> None:
    """An artifact names its type, the config that OCI calls empty, and the title of each file that has one."""
    made = Artifact(
        [ArtifactFile(title="a.txt", data=b"a"), ArtifactFile(title=None, data=b"b")], artifact_type="x/y"
    )
    shape = manifest(made)
    assert shape["artifactType"] == "x/y"
    assert shape["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": EMPTY_CONFIG,
        "size": 2,
    }
    assert shape["layers"][0]["annotations"] == {"org.opencontainers.image.title": "a.txt"}
    assert "annotations" not in shape["layers"][1]
    assert made.blobs[EMPTY_CONFIG].data == b"{}"
    assert len(made.blobs) == 3


def test_an_artifacts_tree_is_its_titles() -> None:
    """Titles with slashes make directories; what has no title is not there."""
    made = Artifact(
        [
            ArtifactFile(title="d/e/f", data=b"x"),
            ArtifactFile(title="d/g", data=b""),
            ArtifactFile(title=None, data=b"y"),
        ]
    )
    assert {path: entry.type for path, entry in made.tree.items()} == {
        "d": "directory",
        "d/e": "directory",
        "d/e/f": "file",
        "d/g": "file",
    }
    assert made.tree["d/e/f"].size == 1


@pytest.mark.parametrize("title", ["../x", "/x", "a//b", "a/", "."])
def test_titles_that_leave_the_volume_have_no_tree(title: str) -> None:
    """Nothing can be expected of a title that is no plain relative path."""
    with pytest.raises(UndefinedTreeError, match="title"):
        _ = Artifact([ArtifactFile(title=title, data=b"")]).tree


def test_an_index_names_its_platforms_in_order() -> None:
    """Each entry has the platform of its key, whatever the image's config says, and the image's digest and size."""
    image = Image(LAYERS)
    index = Index({"windows/amd64": image, "arm64": image, "linux/arm/v7": image})
    entries = manifest(index)["manifests"]
    assert [entry["platform"] for entry in entries] == [
        {"os": "windows", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64"},
        {"os": "linux", "architecture": "arm", "variant": "v7"},
    ]
    assert {(entry["digest"], entry["size"]) for entry in entries} == {(image.digest, len(image.manifest))}


def test_an_index_has_a_tree_for_each_platform() -> None:
    """`tree_for` is the tree of the image that a node of that architecture must get."""
    index = Index({"wasip1/wasm": Image([]), "amd64": Image(LAYERS[:1]), "arm64": Image(LAYERS)})
    assert index.tree_for("amd64") == Image(LAYERS[:1]).tree
    assert index.tree_for("arm64") == Image(LAYERS).tree
    assert index.image_for("wasm", os="wasip1") is index.images["wasip1/wasm"]
    with pytest.raises(KeyError, match=r"nothing for linux/s390x; it has wasip1/wasm, amd64, arm64"):
        index.tree_for("s390x")


def test_an_index_has_all_blobs_and_children() -> None:
    """What must be pushed for an index is every blob of every image, and the images' manifests."""
    first, second = Image(LAYERS[:1]), Image(LAYERS[1:])
    index = Index({"amd64": first, "arm64": second})
    assert index.children == (first, second)
    assert index.blobs.keys() == first.blobs.keys() | second.blobs.keys()


@pytest.mark.parametrize("platform", ["", "linux/", "a/b/c/d"])
def test_a_platform_that_is_none(platform: str) -> None:
    """A mistyped platform is an error, not an entry that nobody finds."""
    with pytest.raises(ValueError, match="platform"):
        _ = Index({platform: Image([])}).manifest
