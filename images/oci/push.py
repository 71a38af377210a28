"""The push of an image to a registry, by the OCI distribution specification 1.1: plain, without retries, with deadlines."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError

from images.oci.content import Blob
from images.oci.image import Reference

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""Between two pieces of an answer; a push of a large blob may take longer as a whole."""


class PushError(Exception):
    """A push that failed: what was tried, where, and what came back. It never holds a credential."""

    def __init__(self, *, tried: str, url: str, answer: str, status: int | None = None) -> None:
        super().__init__(f"{tried}: {url} answered {answer}" if status else f"{tried}: {url}: {answer}")
        self.tried = tried
        self.url = url
        self.answer = answer
        self.status = status
        """The HTTP status; None if no answer came."""


def push(
    image: Reference,
    base_url: str,
    repository: str,
    tags: str | Sequence[str] = (),
    *,
    authorization: str | None = None,
) -> str:
    """Pushes `image` with its blobs and children to `repository` under every tag (by digest if none); the digest.

    `base_url` is the registry's, without `/v2` (`http://127.0.0.1:5000`); `authorization` is a whole Authorization
    header and goes to that host alone. Blobs that the registry has are not sent again. Raises PushError.
    """
    with _Registry(base_url, repository, authorization) as registry:
        registry.put(image, [tags] if isinstance(tags, str) else list(tags))
    return image.digest


class _Registry:
    def __init__(self, base_url: str, repository: str, authorization: str | None) -> None:
        if urlsplit(base_url).username is not None:
            raise ValueError("base_url must not hold a credential: hand it over as `authorization`")
        self.base = base_url.rstrip("/")
        self.repository = repository
        self.authorization = authorization
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
        self.pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.clear()

    def put(self, image: Reference, tags: Sequence[str]) -> None:
        for child in image.children:
            self.put(child, [])
        for blob in image.blobs.values():
            self.put_blob(blob)
        for reference in tags or [image.digest]:
            self.ask(
                f"push of the manifest {reference}",
                "PUT",
                f"{self.base}/v2/{self.repository}/manifests/{reference}",
                allowed={201},
                body=image.manifest,
                headers={"Content-Type": image.media_type},
            )

    def put_blob(self, blob: Blob) -> None:
        blobs = f"{self.base}/v2/{self.repository}/blobs"
        about = f"push of the blob {blob.digest}"
        there = self.ask(f"{about}, look for it", "HEAD", f"{blobs}/{blob.digest}", allowed={200, 404})
        if there.status == 200:
            return
        started = self.ask(f"{about}, start", "POST", f"{blobs}/uploads/", allowed={202})
        location = started.headers.get("Location")
        if location is None:
            raise PushError(
                tried=f"{about}, start", url=f"{blobs}/uploads/", answer="202 without a Location", status=202
            )
        upload = urljoin(f"{blobs}/uploads/", location)
        upload += f"{'&' if urlsplit(upload).query else '?'}digest={blob.digest}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        self.ask(about, "PUT", upload, allowed={201}, body=blob.chunks(), headers=headers)

    def ask(
        self,
        tried: str,
        method: str,
        url: str,
        *,
        allowed: set[int],
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        sent = dict(headers or {})
        if self.authorization is not None and urlsplit(url)[:2] == urlsplit(self.base)[:2]:
            sent["Authorization"] = self.authorization
        try:
            answer = self.pool.request(method, url, body=body, headers=sent, redirect=False)
        except (HTTPError, OSError) as error:
            reason = f"no answer ({type(error).__name__}: {self.clean(str(error))})"
            raise PushError(tried=tried, url=_shown(url), answer=reason) from None
        if answer.status not in allowed:
            text = f"{answer.status} {self.clean(answer.data.decode('utf-8', 'replace'))[:500]}".strip()
            raise PushError(tried=tried, url=f"{method} {_shown(url)}", answer=text, status=answer.status)
        return answer

    def clean(self, text: str) -> str:
        """`text` without the credential, should the other side have repeated it."""
        for secret in _secrets(self.authorization or ""):
            text = text.replace(secret, "[redacted]")
        return text


def _secrets(authorization: str) -> Iterator[str]:
    """The forms in which a credential can be repeated, the longest first."""
    scheme, _, token = authorization.partition(" ")
    if token:
        yield authorization
        yield token
    if token and scheme.lower() == "basic":
        with contextlib.suppress(ValueError):  # a broken one hides nothing
            user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
            if password:
                yield f"{user}:{password}"
                yield password


def _shown(url: str) -> str:
    """The address without its query, which may hold an upload's token."""
    return urlunsplit((*urlsplit(url)[:3], "", ""))
