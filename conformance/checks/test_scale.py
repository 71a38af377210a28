"""File system content at its ends: images that hold nothing, and images that hold very much."""

from __future__ import annotations

import pytest

from conformance.control import control, in_time
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.manifests import Look, mounting, tree
from fixtures.repositories import Repositories
from fixtures.workloads import Pods
from images import empty as empty_asset
from images import scale as scale_asset
from images.oci.image import Image
from images.oci.layer import Layer, directory, file
from images.scale import Crowd
from images.tree import Tree

FILES = 100_000
LARGE = 1 << 30  # bytes
LAYERS = 100
PATIENCE = 180.0  # seconds; a node with slow disks needs that long to unpack 100,000 files or a GiB, and to read them
PROMISED = ("type", "mode", "size", "sha256", "mtime")


def edges(build: str) -> dict[str, Image]:
    """Images with something empty in them."""
    return {
        "empty file": Image([Layer([file("empty"), file("beside", build)])]),
        "empty directory": empty_asset.image(build, shape="directory"),
        "empty layer alone": empty_asset.image(build, shape="empty layer"),
        "empty layer among others": Image(
            [Layer([file("low", build)]), Layer([]), Layer([file("high", build)])]
        ),
        "empty layers of each encoding": Image(
            [Layer([], compression="none"), Layer([], compression="gzip"), Layer([directory("only")])]
        ),
    }


@verifies("IMG-13")
@pytest.mark.parametrize("edge", edges(""))
def test_emptiness_is_shown_as_it_is(pods: Pods, repositories: Repositories, build: str, edge: str) -> None:
    """Given an image with an empty file, an empty directory or an empty layer, when a Pod mounts it, then it shows exactly that."""
    asset = repositories.new().push(edges(build)[edge])
    pod_ = pods.start(mounting(asset.reference))

    assert pod_.refusal() is None, str(pod_.refusal())
    assert pod_.answers().tree() == asset.tree


@verifies("IMG-13")
def test_image_without_layers(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given an image without any layer, when a Pod mounts it, then it shows an empty directory, or its container waits and says why.
    Control: an image with one layer is shown.
    """
    repository = repositories.new()
    asset = repository.push(empty_asset.image(build, shape="no layers"))
    one = repository.push(Image([Layer([file("one", build)])]), "one")
    pod_ = in_time(lambda: pods.start(mounting(asset.reference)))

    control(pods.run(mounting(one.reference)).tree() == one.tree, "an image with one layer is shown")
    assert pod_ is not None, "the container neither started nor said why not"
    refusal = pod_.refusal()
    if refusal is None:
        assert pod_.answers().tree() == Tree()
    else:
        assert refusal.message


@verifies("IMG-14")
def test_hundred_thousand_files(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given 100,000 small files in 100 directories, when a Pod mounts the image, then each is there, with its type, mode, time and content."""
    crowd = Crowd(FILES, build)
    asset = repositories.new("crowd").push(Image([crowd]))
    pod_ = pods.create(mounting(asset.reference, ("summary", "/vol", *PROMISED)))
    expected = crowd.summary(*PROMISED)
    pod_.settle(seconds=PATIENCE)

    assert pod_.refusal() is None, str(pod_.refusal())
    seen = pod_.answers(seconds=PATIENCE).of("summary")
    assert seen == expected, ignored(when=not seen.get("counts"), what="the image volume")


@verifies("IMG-14")
def test_file_of_a_gibibyte(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a file of 1 GiB, when a Pod mounts the image, then it has its size and every byte."""
    asset = repositories.new("large").push(scale_asset.large(build, size=LARGE))
    pod_ = pods.create(mounting(asset.reference))
    expected = asset.tree
    pod_.settle(seconds=PATIENCE)

    assert pod_.refusal() is None, str(pod_.refusal())
    assert pod_.answers(seconds=PATIENCE).tree() == expected


@verifies("IMG-14")
@pytest.mark.parametrize("shape", ["names", "layers"])
def test_long_names_and_many_layers(pods: Pods, repositories: Repositories, build: str, shape: str) -> None:
    """Given names of 255 bytes, 64 levels of directories, a path of 2000 bytes and names beyond ASCII, or 100 layers, when a Pod mounts the
    image, then it shows all of it.
    """
    image = scale_asset.names(build) if shape == "names" else scale_asset.stacked(build, layers=LAYERS)
    asset = repositories.new().push(image)
    looks: list[Look] = [tree()] if shape == "names" else [tree(), ("read", "/vol/common")]
    pod_ = pods.start(mounting(asset.reference, *looks))

    assert pod_.refusal() is None, str(pod_.refusal())
    answers = pod_.answers()
    assert answers.tree() == asset.tree
    if shape == "layers":
        assert answers.of("read") == {"text": f"layer {LAYERS - 1}\n"}
