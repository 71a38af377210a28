"""Images on a node: pulled, kept, unpacked."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fixtures.reference.faults import Faults
from fixtures.reference.node.content import Images, http_session, layer_directories
from fixtures.reference.node.errors import PullError
from fixtures.reference.node.stack import Stack
from fixtures.registry.client import RegistryControl
from images.oci.image import Artifact, ArtifactFile, Image, Index, Reference
from images.oci.layer import Layer, file

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def images(tmp_path: Path) -> AsyncIterator[Images]:
    """A node's images, none yet."""
    async with http_session() as session:
        yield Images(tmp_path, session, architecture="amd64", owners=False, silence=5, faults=Faults())


class Repository:
    """A repository of a test's own."""

    def __init__(self, registry: RegistryControl, name: str) -> None:
        self.registry = registry
        self.name = "content/" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")

    def push(self, image: Reference, tag: str = "v1") -> str:
        """Push an image; its reference."""
        self.registry.push(image, self.name, tag)
        return f"{self.registry.hosts[0]}/{self.name}:{tag}"

    def fetched(self, digest: str) -> int:
        """How often a blob was fetched."""
        requests = self.registry.requests(self.name)
        return sum(one.path.endswith(digest) and one.kind == "blob" and not one.runner for one in requests)


@pytest.fixture
def repository(request: pytest.FixtureRequest, registry: RegistryControl) -> Repository:
    """A repository."""
    return Repository(registry, request.node.name)


def named(name: str, compression: str = "gzip") -> Layer:
    """A layer with a file of that name."""
    return Layer([file(name, name)], compression=compression)  # type: ignore[arg-type]  # a table


async def seen(images: Images, reference: str) -> set[str]:
    """The names in an image's root."""
    image = await images.pull(reference, None, role="volume")
    return {os.fsdecode(name) for name in (await images.stack(image, "volume")).names(b"")}


async def test_an_image_is_known_by_all_its_names(images: Images, repository: Repository) -> None:
    """Tag, digest and id; the tag moves, the digest stays."""
    first, second = Image([named("one")]), Image([named("two")])
    reference = repository.push(first)
    pulled = await images.pull(reference, None, role="volume")
    name = reference.rpartition(":")[0]
    assert images.find(reference) == images.find(f"{name}@{first.digest}") == images.find(pulled.id) == pulled
    repository.push(second)
    await images.pull(reference, None, role="volume")
    assert images.find(reference) != pulled
    assert images.find(f"{name}@{first.digest}") == pulled
    assert {size["names"][0] for size in ({"names": names} for _, names in images.list())} >= {
        f"{name}@{first.digest}",
        f"{name}@{second.digest}",
    }


async def test_blobs_are_fetched_once(images: Images, repository: Repository) -> None:
    """However many pulls run at the same time, and however many images share a layer."""
    shared = named("shared")
    reference = repository.push(Image([shared, named("one")]))
    await asyncio.gather(*(images.pull(reference, None, role="volume") for _ in range(10)))
    other = repository.push(Image([shared, named("two")]), "v2")
    await images.pull(other, None, role="volume")
    assert repository.fetched(shared.digest) == 1


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
async def test_every_encoding_is_unpacked(
    images: Images,
    repository: Repository,
    compression: str,
    docker: bool,  # noqa: FBT001 - a table
) -> None:
    """IMG-15."""
    image = Image([named(f"{compression}-{docker}", compression)], docker=docker)
    assert await seen(images, repository.push(image)) == {f"{compression}-{docker}"}


async def test_an_index_gives_the_node_s_platform(images: Images, repository: Repository) -> None:
    """Whatever stands first."""
    index = Index({"linux/s390x": Image([named("other")]), "linux/amd64": Image([named("mine")])})
    assert await seen(images, repository.push(index)) == {"mine"}


async def test_an_index_without_the_platform_fails(images: Images, repository: Repository) -> None:
    """IMG-17, in containerd's words."""
    reference = repository.push(Index({"linux/s390x": Image([named("other")])}))
    with pytest.raises(PullError, match="no match for platform in manifest sha256:"):
        await seen(images, reference)


async def test_a_single_manifest_is_taken_whatever_its_platform(
    images: Images, repository: Repository
) -> None:
    """As containerd does (IMG-18)."""
    assert await seen(images, repository.push(Image([named("data")], architecture="s390x"))) == {"data"}


async def test_images_without_layers_are_empty(images: Images, repository: Repository) -> None:
    """IMG-13."""
    assert await seen(images, repository.push(Image([]))) == set()


async def test_a_configuration_without_diff_ids_will_do(images: Images, repository: Repository) -> None:
    """The ORAS example of KEP-4639 (ART-02)."""
    image = Image([named("dir"), named("file")], rootfs=False)
    assert await seen(images, repository.push(image)) == {"dir", "file"}


async def test_a_wrong_diff_id_fails(images: Images, repository: Repository) -> None:
    """The unpacked tar is verified too."""
    rootfs = {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}
    reference = repository.push(Image([named("file")], config_fields={"rootfs": rootfs}))
    with pytest.raises(PullError, match="wrong diff id"):
        await seen(images, reference)


async def test_artifacts_become_files_by_their_titles(images: Images, repository: Repository) -> None:
    """Nested ones too; a title that leads out, or none, is left out (ART-01, ART-06)."""
    files = [
        ArtifactFile(title="a.txt", data=b"a"),
        ArtifactFile(title="deep/b.txt", data=b"b"),
        ArtifactFile(title="../out.txt", data=b"out"),
        ArtifactFile(title=None, data=b"none"),
    ]
    image = await images.pull(repository.push(Artifact(files)), None, role="volume")
    stack = await images.stack(image, "volume")
    assert set(stack.names(b"")) == {b"a.txt", b"deep"}
    place = stack.find(b"deep/b.txt")
    assert place is not None
    assert Path(os.fsdecode(place)).read_bytes() == b"b"


@pytest.mark.parametrize(
    "titles", [(None,), ("a", "a/b"), ("..",)], ids=["none", "nested in a file", "leading out"]
)
async def test_an_artifact_that_cannot_be_shown_fails(
    images: Images, repository: Repository, titles: tuple[str | None, ...]
) -> None:
    """Never a part of it, and never an empty directory (ART-03)."""
    files = [ArtifactFile(title=title, data=b"x") for title in titles]
    with pytest.raises(PullError, match="artifact"):
        await seen(images, repository.push(Artifact(files)))


async def test_artifacts_with_the_same_configuration_are_different(
    images: Images, repository: Repository
) -> None:
    """Both have the empty one, so an image must not be known by it (ART-04)."""
    one = repository.push(Artifact([ArtifactFile(title="one", data=b"1")]), "one")
    two = repository.push(Artifact([ArtifactFile(title="two", data=b"2")]), "two")
    assert await seen(images, one) == {"one"}
    assert await seen(images, two) == {"two"}
    assert await seen(images, one) == {"one"}


async def test_a_broken_layer_leaves_nothing(images: Images, repository: Repository, tmp_path: Path) -> None:
    """Its directory is gone, and the next try begins anew."""
    layer = Layer([file("file", "x")], compression="none")
    broken = Image([layer], descriptors={0: {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}})
    assert await seen(images, repository.push(broken)) == {"file"}  # the bytes say what they are
    rubbish = Image([layer], config_fields={"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]}})
    before = {path.name for path in (tmp_path / "layers").iterdir()}
    with pytest.raises(PullError):
        await seen(images, repository.push(rubbish, "v2"))
    assert {path.name for path in (tmp_path / "layers").iterdir()} == before


async def test_the_size_is_that_of_everything(images: Images, repository: Repository) -> None:
    """Manifest, configuration and layers, as they travel; and the node's usage grows by more."""
    image = Image([named("file")])
    pulled = await images.pull(repository.push(image), None, role="volume")
    blobs = sum(blob.size for blob in image.blobs.values())
    assert pulled.size == len(image.manifest) + blobs
    assert images.used_bytes >= pulled.size


async def test_an_overlay_gets_two_directories_at_least() -> None:
    """Without an upper one the kernel wants two, and each only once."""
    empty = (b"/empty", b"/void")
    assert layer_directories(Stack(()), empty) == ["/empty", "/void"]
    assert layer_directories(Stack((b"/a",)), empty) == ["/a", "/empty"]
    assert layer_directories(Stack((b"/b", b"/a")), empty) == ["/b", "/a"]


async def test_a_manifest_of_another_kind_is_refused(images: Images, repository: Repository) -> None:
    """What is neither a manifest nor an index cannot be pulled."""
    image = Image([named("file")], manifest_fields={"mediaType": "application/vnd.example.manifest+json"})
    assert json.loads(image.manifest)["mediaType"].startswith("application/vnd.example")
    assert await seen(images, repository.push(image)) == {"file"}  # the registry's Content-Type counts
