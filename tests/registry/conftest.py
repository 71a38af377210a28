"""A registry for each test module, and a plain HTTP client that hides nothing of it."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3

from fixtures.registry.client import RegistryControl
from fixtures.registry.process import Running, running

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

_numbers = itertools.count(1)


def digest_of(data: bytes) -> str:
    """The sha256 digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def basic(user: str, password: str) -> dict[str, str]:
    """The header with which a user logs in."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the registry answered."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.data)


@dataclass(frozen=True, slots=True)
class Web:
    """Sends requests to one address and shows what comes back; nothing is tried again."""

    host: str
    run_token: str = field(default="", repr=False)
    pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(maxsize=4, retries=False, timeout=10)
    )

    def send(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request as anybody."""
        answer = self.pool.request(
            method, f"http://{self.host}{path}", body=body, headers=dict(headers or {})
        )
        return Answer(status=answer.status, headers=answer.headers, data=answer.data)

    def get(self, path: str, **headers: str) -> Answer:
        """GET as anybody. A header's underscores stand for hyphens."""
        return self.send(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def run(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request as the runner."""
        return self.send(method, path, body=body, headers={**(headers or {}), "X-Run-Token": self.run_token})

    def push_blob(self, repository: str, data: bytes) -> str:
        """Push a blob in one request; return its digest."""
        digest = digest_of(data)
        answer = self.run("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", body=data)
        assert answer.status == 201, answer
        return digest

    def push_manifest(self, repository: str, tag: str, *blobs: str, media_type: str = OCI_MANIFEST) -> str:
        """Push a manifest whose config is the first blob, and whose layers are the others; return its digest."""
        config, *layers = [{"digest": blob, "size": 1} for blob in blobs] or [{}]
        data = json.dumps({"schemaVersion": 2, "config": config, "layers": layers, "tag": tag}).encode()
        headers = {"Content-Type": media_type}
        answer = self.run("PUT", f"/v2/{repository}/manifests/{tag}", body=data, headers=headers)
        assert answer.status == 201, answer
        return digest_of(data)


def raw_get(host: str, path: str) -> tuple[bytes, BaseException | None]:
    """GET with a bare socket: all bytes that came, and the error with which the connection ended, if it did."""
    address, _, port = host.rpartition(":")
    received = bytearray()
    with socket.create_connection((address, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        try:
            while piece := connection.recv(65536):
                received += piece
        except OSError as error:
            return bytes(received), error
    return bytes(received), None


def body_of(response: bytes) -> bytes:
    """The body of a raw response."""
    return response.partition(b"\r\n\r\n")[2]


@pytest.fixture(scope="module")
def registry() -> Iterator[Running]:
    """A registry with two addresses; a third one challenges Basic, a fourth one nobody."""
    with running("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0=basic", "127.0.0.1:0=open") as started:
        yield started


@pytest.fixture(scope="module")
def control(registry: Running) -> Iterator[RegistryControl]:
    """The registry's control."""
    control = registry.control
    yield control
    assert control.errors() == []
    control.close()


WebAt = Callable[[str], Web]


@pytest.fixture
def web_at(registry: Running) -> Iterator[WebAt]:
    """Makes plain HTTP clients of an address."""
    made: list[Web] = []

    def web(host: str) -> Web:
        made.append(Web(host, registry.token))
        return made[-1]

    yield web
    for one in made:
        one.pool.clear()


@pytest.fixture
def web(registry: Running, web_at: WebAt) -> Web:
    """A plain HTTP client of the first address."""
    return web_at(registry.hosts[0])


@pytest.fixture
def repository() -> str:
    """The name of a repository that no other test uses."""
    return f"tests-{next(_numbers)}/assets"
