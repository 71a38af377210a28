"""Pulls from the test registry, in containerd's words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from fixtures.reference.faults import Faults
from fixtures.reference.node.content import http_session
from fixtures.reference.node.errors import PullError
from fixtures.reference.node.keyring import Credential
from fixtures.reference.node.reference_parser import for_pull
from fixtures.reference.node.registry_client import Descriptor, RegistryClient, challenges, is_local
from fixtures.registry.client import Access, Fault, RegistryControl
from images.oci.image import Image
from images.oci.layer import Layer, file

pytestmark = pytest.mark.asyncio

GOOD = Credential(username="good", password="word")
BAD = Credential(username="good", password="wrong")
NO_FAULTS = Faults()


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections."""
    async with http_session() as opened:
        yield opened


@pytest.fixture
def image(request: pytest.FixtureRequest) -> Image:
    """An image that no other test has."""
    return Image([Layer([file("name", request.node.name), file("big", bytes(range(256)) * 400)])])


@pytest.fixture
def repository(request: pytest.FixtureRequest, registry: RegistryControl, image: Image) -> str:
    """A repository that no other test has, with the image under the tag v1."""
    name = "client/" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    registry.push(image, name, "v1")
    return name


class Client:
    """Pulls from one repository."""

    def __init__(
        self, session: aiohttp.ClientSession, registry: RegistryControl, repository: str, silence: float = 5.0
    ) -> None:
        self.session = session
        self.host = registry.hosts[0]
        self.repository = repository
        self.silence = silence

    def client(self, credential: Credential | None = None, tag: str = "v1") -> RegistryClient:
        """A client with a credential."""
        reference = for_pull(f"{self.host}/{self.repository}:{tag}")
        return RegistryClient(self.session, reference, credential, silence=self.silence, faults=NO_FAULTS)

    async def refusal(self, credential: Credential | None = None, tag: str = "v1") -> str:
        """Why a tag cannot be resolved, with the repository and its registry cut out."""
        with pytest.raises(PullError) as refused:
            await self.client(credential, tag).resolve()
        return str(refused.value).replace(self.host, "HOST").replace(self.repository, "REPO")


@pytest.fixture
def pulls(session: aiohttp.ClientSession, registry: RegistryControl, repository: str) -> Client:
    """Pulls from the repository."""
    return Client(session, registry, repository)


async def test_a_tag_is_resolved_without_a_download(
    pulls: Client, registry: RegistryControl, repository: str, image: Image
) -> None:
    """By HEAD, with the headers of containerd."""
    found = await pulls.client().resolve()
    assert (found.digest, found.size) == (image.digest, len(image.manifest))
    asked = [one for one in registry.requests(repository) if not one.runner]
    assert [one.method for one in asked] == ["HEAD"]
    assert asked[0].user_agent.startswith("containerd/")


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_credentials_are_used_when_they_are_asked_for(
    pulls: Client, registry: RegistryControl, repository: str, image: Image, scheme: str
) -> None:
    """First without, then with: the registry's challenge says how."""
    registry.set_access(repository, Access(users={"good": "word"}, scheme=scheme))
    assert (await pulls.client(GOOD).resolve()).digest == image.digest
    users = [one.user for one in registry.requests(repository) if one.kind == "manifest" and not one.runner]
    assert users == [None, "good"]


@pytest.mark.parametrize(
    ("scheme", "credential", "words"),
    [
        (
            "basic",
            None,
            "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
        ),
        (
            "basic",
            BAD,
            "unexpected status from HEAD request to http://HOST/v2/REPO/manifests/v1: 401 Unauthorized",
        ),
        (
            "bearer",
            None,
            "failed to authorize: failed to fetch anonymous token: unexpected status from GET request",
        ),
        (
            "bearer",
            BAD,
            "failed to authorize: failed to fetch oauth token: unexpected status from GET request",
        ),
    ],
)
async def test_what_is_refused_is_told_in_containerd_s_words(
    pulls: Client,
    registry: RegistryControl,
    repository: str,
    scheme: str,
    credential: Credential | None,
    words: str,
) -> None:
    """As measured with containerd 2.3.4."""
    registry.set_access(repository, Access(users={"good": "word"}, scheme=scheme))
    assert (await pulls.refusal(credential)).startswith(words)


async def test_an_absent_tag_is_not_found(pulls: Client) -> None:
    """With the code of gRPC, which the kubelet prints."""
    assert (
        await pulls.refusal(tag="absent") == "rpc error: code = NotFound desc = HOST/REPO:absent: not found"
    )


@pytest.mark.parametrize(("status", "requests"), [(500, 2), (503, 2), (429, 5), (404, 1)])
async def test_failures_are_retried_as_containerd_does(
    pulls: Client, registry: RegistryControl, repository: str, status: int, requests: int
) -> None:
    """5xx once, 429 up to five attempts, others not at all."""
    registry.add_fault(Fault(repository=repository, kinds=("manifest",), status=status))
    words = await pulls.refusal()
    assert "not found" in words if status == 404 else f": {status} " in words
    assert len([one for one in registry.requests(repository) if not one.runner]) == requests


async def test_a_single_server_error_is_not_seen(
    pulls: Client, registry: RegistryControl, repository: str, image: Image
) -> None:
    """The retry hides it (ERR-05)."""
    registry.add_fault(Fault(repository=repository, kinds=("manifest",), status=500, count=1))
    assert (await pulls.client().resolve()).digest == image.digest


async def test_what_is_forbidden_is_asked_for_once_more_for_its_words(
    pulls: Client, registry: RegistryControl, repository: str
) -> None:
    """HEAD has no body, GET has."""
    registry.add_fault(Fault(repository=repository, kinds=("manifest",), status=403))
    words = await pulls.refusal()
    assert ": 403 Forbidden\ndenied: " in words
    assert [one.method for one in registry.requests(repository) if not one.runner] == ["HEAD", "GET"]


async def test_a_closed_registry_refuses_the_connection(
    session: aiohttp.ClientSession, registry: RegistryControl
) -> None:
    """In the words of Go's net package."""
    host = registry.open_listener()
    registry.close_listener(host)
    client = RegistryClient(session, for_pull(f"{host}/x:v1"), None, silence=5, faults=NO_FAULTS)
    with pytest.raises(PullError) as refused:
        await client.resolve()
    assert str(refused.value).endswith(f"dial tcp {host}: connect: connection refused")
    assert refused.value.refused


def layer(image: Image) -> Descriptor:
    """The image's layer."""
    blob = image.layers[0].blob()
    return Descriptor(media_type=blob.media_type, digest=blob.digest, size=blob.size, annotations={})


async def test_a_blob_arrives_whole(pulls: Client, image: Image, tmp_path: Path) -> None:
    """And nothing else is left in the folder."""
    await pulls.client().blob(layer(image), "layer", tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == image.layers[0].data
    assert [path.name for path in tmp_path.iterdir()] == ["blob"]


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ({"corrupt": True}, 'failed commit on ref "layer-sha256:.*": unexpected commit digest'),
        ({"truncate": 10}, "short read: expected [0-9]+ bytes but got 10: unexpected EOF"),
        ({"reset_after_bytes": 100}, "failed to copy: read tcp .*: read: connection reset by peer"),
        ({"status": 404}, "httpReadSeeker: failed open: could not fetch content descriptor"),
        ({"status": 500}, "httpReadSeeker: failed open: unexpected status from GET request"),
    ],
)
async def test_a_broken_blob_is_not_kept(
    pulls: Client,
    registry: RegistryControl,
    repository: str,
    image: Image,
    tmp_path: Path,
    effect: dict[str, object],
    words: str,
) -> None:
    """Whatever is wrong with it, and the words say what."""
    registry.add_fault(Fault(repository=repository, kinds=("blob",), **effect))  # type: ignore[arg-type]  # a table
    with pytest.raises(PullError, match=words):
        await pulls.client().blob(layer(image), "layer", tmp_path / "blob")
    assert list(tmp_path.iterdir()) == []


async def test_silence_ends_a_pull(
    session: aiohttp.ClientSession, registry: RegistryControl, repository: str
) -> None:
    """A registry that says nothing more does not hold the Pod for ever (ERR-07)."""
    registry.add_fault(Fault(repository=repository, kinds=("manifest",), stall_before=True, stall_seconds=10))
    words = await asyncio.wait_for(Client(session, registry, repository, silence=0.3).refusal(), 5)
    assert words.startswith("rpc error: code = Canceled desc = ")
    registry.heal(repository)


@pytest.mark.parametrize(
    ("domain", "local"),
    [
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("10.0.0.1:5000", False),
        ("registry.example", False),
    ],
)
async def test_plain_http_is_for_loopback(domain: str, local: bool) -> None:  # noqa: FBT001 - a table
    """All others speak TLS."""
    assert is_local(domain) is local


async def test_challenges_are_read() -> None:
    """Quoted and plain parameters."""
    header = 'Bearer realm="http://r/token",service=s,scope="repository:a/b:pull,push"'
    expected = {"realm": "http://r/token", "service": "s", "scope": "repository:a/b:pull,push"}
    assert challenges([header]) == [("bearer", expected)]
