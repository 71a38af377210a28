"""A registry for the tests of the push: it keeps what it gets, checks digests, and records every request."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclasses.dataclass(slots=True)
class Seen:
    """One request."""

    method: str
    path: str
    authorization: str | None
    headers: dict[str, str]


@dataclasses.dataclass(slots=True)
class Registry:
    """What the registry holds, what it was asked, and how it is told to behave."""

    url: str
    blobs: dict[str, bytes] = dataclasses.field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = dataclasses.field(default_factory=dict)
    """By reference (tag or digest): media type and bytes."""
    seen: list[Seen] = dataclasses.field(default_factory=list)
    location: str = "{path}{uuid}?state=secret-state"
    """The Location of an upload; `{path}` and `{url}` are the upload's path and the registry's address."""
    refuse: dict[str, tuple[int, bytes]] = dataclasses.field(default_factory=dict)
    """Method to the status and body of every answer to it."""

    def asked(self, method: str) -> list[str]:
        """The paths asked with `method`, in order."""
        return [request.path for request in self.seen if request.method == method]


@contextmanager
def serving() -> Iterator[Registry]:
    """A registry on a free loopback port, for as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.registry = Registry(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]  # for the handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.registry  # type: ignore[attr-defined]  # set above
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def registry(self) -> Registry:
        return self.server.registry  # type: ignore[attr-defined, no-any-return]  # set by serving()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Nothing: the record is `seen`."""

    def do_HEAD(self) -> None:
        self.handle_request()

    def do_GET(self) -> None:
        self.handle_request()

    def do_POST(self) -> None:
        self.handle_request()

    def do_PUT(self) -> None:
        self.handle_request()

    def handle_request(self) -> None:
        registry, address = self.registry, urlsplit(self.path)
        registry.seen.append(
            Seen(
                self.command,
                self.path,
                self.headers["Authorization"],
                {k.lower(): v for k, v in self.headers.items()},
            )
        )
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        reference = address.path.rsplit("/", 1)[-1]
        if self.command in registry.refuse:
            self.answer(*registry.refuse[self.command])
        elif self.command == "POST":
            location = registry.location.format(path=address.path, url=registry.url, uuid="4711")
            self.answer(202, b"", **({"Location": location} if location else {}))
        elif self.command == "PUT" and "/uploads/" in address.path:
            self.keep_blob(parse_qs(address.query)["digest"][0], body)
        elif self.command == "PUT":
            kept = (self.headers["Content-Type"], body)
            registry.manifests[reference] = registry.manifests[_digest(body)] = kept
            self.answer(201, b"")
        elif "/manifests/" in address.path and reference in registry.manifests:
            media_type, manifest = registry.manifests[reference]
            self.answer(
                200, manifest, **{"Content-Type": media_type, "Docker-Content-Digest": _digest(manifest)}
            )
        elif "/blobs/" in address.path and reference in registry.blobs:
            self.answer(200, registry.blobs[reference])
        else:
            self.answer(200 if address.path == "/v2/" else 404, b"")

    def keep_blob(self, digest: str, data: bytes) -> None:
        if _digest(data) != digest:
            self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
            return
        self.registry.blobs[digest] = data
        self.answer(201, b"")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
