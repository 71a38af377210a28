"""images/oci/push.py: everything arrives, nothing twice, and a failure says what happened without a secret."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator

import pytest

from images import artifact, platforms, site
from images.oci.content import Noise
from images.oci.image import Image, Reference
from images.oci.layer import Layer, file
from images.oci.push import PushError, push
from tests.images.registry import Registry, serving

CREDENTIAL = "Basic " + base64.b64encode(b"robot:correct-horse").decode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that is empty and well-behaved."""
    with serving() as running:
        yield running


@pytest.mark.parametrize(
    "image",
    [
        site.image(),
        site.image(docker=True),
        artifact.image(),
        platforms.image(),
        platforms.image(docker=True),
    ],
)
def test_everything_arrives(registry: Registry, image: Reference) -> None:
    """The registry has every blob, and the manifest under each tag and its digest, with its media type."""
    assert push(image, registry.url, "run/site", ["v1", "v2"]) == image.digest
    assert registry.blobs == {digest: blob.data for digest, blob in image.blobs.items()}
    for reference in ("v1", "v2", image.digest):
        assert registry.manifests[reference] == (image.media_type, image.manifest)
    for child in image.children:
        assert registry.manifests[child.digest] == (child.media_type, child.manifest)


def test_children_come_before_their_index_and_blobs_before_manifests(registry: Registry) -> None:
    """At no time does the registry hold a manifest that names what it has not got."""
    index = platforms.image()
    push(index, registry.url, "run/index", "v1")
    puts = [path.rsplit("/", 2)[-2] for path in registry.asked("PUT")]
    assert puts.index("manifests") > 0
    names = [path.rsplit("/", 1)[-1] for path in registry.asked("PUT") if "/manifests/" in path]
    assert names == [*(child.digest for child in index.children), "v1"]


def test_without_a_tag_the_digest_is_the_reference(registry: Registry) -> None:
    """A push without tags names the manifest by its digest."""
    image = site.image()
    push(image, registry.url, "run/site")
    assert set(registry.manifests) == {image.digest}


def test_blobs_that_are_there_are_not_sent_again(registry: Registry) -> None:
    """A second push of the same image starts no upload."""
    push(site.image(), registry.url, "run/site", "v1")
    uploads = len(registry.asked("POST"))
    push(site.image(), registry.url, "run/site", "v2")
    assert len(registry.asked("POST")) == uploads == 2


def test_blobs_are_sent_with_their_length(registry: Registry) -> None:
    """A blob is one PUT with a Content-Length and no chunked encoding, even one that is never whole in memory."""
    image = Image([Layer([file("large", Noise(3 << 20, "x"))], compression="none")])
    push(image, registry.url, "run/large", "v1")
    layer = next(request for request in registry.seen if request.method == "PUT")
    assert layer.headers["content-length"] == str(image.layers[0].size)
    assert "transfer-encoding" not in layer.headers


@pytest.mark.parametrize("location", ["{path}{uuid}", "{url}{path}{uuid}", "{uuid}?a=1&b=2"])
def test_every_form_of_location_is_followed(registry: Registry, location: str) -> None:
    """An upload's Location may be a path, a whole address or relative, with or without a query."""
    registry.location = location
    push(site.image(), registry.url, "run/site", "v1")
    assert len(registry.blobs) == 2
    assert all("/v2/run/site/blobs/uploads/4711?" in path for path in registry.asked("PUT")[:2])


def test_the_credential_goes_with_every_request(registry: Registry) -> None:
    """A registry that wants a credential gets it each time."""
    push(site.image(), registry.url, "run/site", "v1", authorization=CREDENTIAL)
    assert {request.authorization for request in registry.seen} == {CREDENTIAL}


def test_the_credential_stays_with_its_host(registry: Registry) -> None:
    """An upload's Location on another host gets the bytes but not the credential."""
    with serving() as storage:
        registry.location = f"{storage.url}{{path}}{{uuid}}"
        push(site.image(), registry.url, "run/site", "v1", authorization=CREDENTIAL)
        assert len(storage.blobs) == 2
        assert {request.authorization for request in storage.seen} == {None}


@pytest.mark.parametrize(
    ("method", "step"), [("HEAD", "look for it"), ("POST", "start"), ("PUT", "push of the blob")]
)
def test_a_refusal_names_step_address_and_answer(registry: Registry, method: str, step: str) -> None:
    """A PushError holds what was tried, where, the status and the answer; the credential is not in it, even if repeated."""
    registry.refuse[method] = (403, b"denied for " + CREDENTIAL.encode() + b", correct-horse" + b" x" * 1000)
    with pytest.raises(PushError, match=step) as caught:
        push(site.image(), registry.url, "run/site", "v1", authorization=CREDENTIAL)
    error = caught.value
    assert error.status == 403
    assert f"{method} {registry.url}/v2/run/site/blobs/" in error.url
    assert "secret-state" not in str(error)
    assert CREDENTIAL.split()[1] not in str(error) + repr(error)
    assert len(str(error)) < 1000
    if method != "HEAD":
        assert "403 denied for [redacted], [redacted] x" in str(error)


def test_a_refused_manifest_names_its_reference(registry: Registry) -> None:
    """When the blobs arrived and the manifest is refused, the error names the tag."""
    push(site.image(), registry.url, "run/site", "v1")
    registry.refuse["PUT"] = (400, b"MANIFEST_BLOB_UNKNOWN")
    with pytest.raises(PushError, match=r"manifest v2: .*/manifests/v2 answered 400 MANIFEST_BLOB_UNKNOWN"):
        push(site.image(), registry.url, "run/site", "v2")


def test_an_upload_without_a_location_is_an_error(registry: Registry) -> None:
    """A registry that does not say where to send the blob is named, not guessed around."""
    registry.location = ""
    with pytest.raises(PushError, match="202 without a Location"):
        push(site.image(), registry.url, "run/site", "v1")


def test_a_registry_that_is_not_there(registry: Registry) -> None:
    """A refused connection is a PushError without a status, and nothing is tried twice."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(PushError, match="no answer") as caught:
            push(site.image(), address, "run/site", "v1")
    assert caught.value.status is None
    assert registry.seen == []


def test_a_credential_in_the_address_is_refused() -> None:
    """An address is written into messages, so it must not hold a password."""
    with pytest.raises(ValueError, match="authorization") as caught:
        push(site.image(), "http://robot:correct-horse@127.0.0.1:1", "run/site", "v1")
    assert "horse" not in str(caught.value)


def test_a_missing_blob_is_not_sent(registry: Registry) -> None:
    """An image that is wrong on purpose arrives without the blob that it leaves out."""
    image = Image([Layer([file("a")]), Layer([file("b")])], missing=[1])
    push(image, registry.url, "run/wrong", "v1")
    assert image.layers[0].digest in registry.blobs
    assert image.layers[1].digest not in registry.blobs
