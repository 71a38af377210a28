"""The registry as OCI distribution 1.1 describes it, and as runtimes use it."""

from __future__ import annotations

import hashlib
import json

import pytest

from fixtures.registry.process import Running
from tests.registry.conftest import OCI_MANIFEST, Web, WebAt, digest_of

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def test_manifest_comes_back_as_it_was_pushed(web: Web, repository: str) -> None:
    """A manifest is answered by tag and by digest with its bytes, its media type and its digest."""
    digest = web.push_manifest(repository, "v1", media_type=DOCKER_MANIFEST)
    for reference in ("v1", digest):
        answer = web.get(f"/v2/{repository}/manifests/{reference}", Accept="text/plain")
        assert answer.status == 200
        assert digest_of(answer.data) == digest
        assert answer.headers["Content-Type"] == DOCKER_MANIFEST
        assert answer.headers["Docker-Content-Digest"] == digest
        assert "Transfer-Encoding" not in answer.headers


@pytest.mark.parametrize("thing", ["manifests", "blobs"])
def test_head_tells_the_length_and_sends_no_body(web: Web, repository: str, thing: str) -> None:
    """HEAD has the headers of GET, and the connection stays usable after it."""
    blob = web.push_blob(repository, b"x" * 1000)
    reference = blob if thing == "blobs" else web.push_manifest(repository, "v1", blob)
    path = f"/v2/{repository}/{thing}/{reference}"
    got = web.get(path)
    for _ in range(2):
        head = web.send("HEAD", path)
        assert (head.status, head.data) == (200, b"")
        assert int(head.headers["Content-Length"]) == len(got.data)
        assert head.headers["Docker-Content-Digest"] == reference


def test_tag_moves(web: Web, repository: str) -> None:
    """A second push of a tag moves it; the first manifest stays under its digest."""
    first = web.push_manifest(repository, "v1", "sha256:" + "1" * 64)
    second = web.push_manifest(repository, "v1", "sha256:" + "2" * 64)
    assert web.get(f"/v2/{repository}/manifests/v1").headers["Docker-Content-Digest"] == second
    assert web.get(f"/v2/{repository}/manifests/{first}").status == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("manifests/v2", "MANIFEST_UNKNOWN"),
        ("manifests/sha256:" + "0" * 64, "MANIFEST_UNKNOWN"),
        ("blobs/sha256:" + "0" * 64, "BLOB_UNKNOWN"),
        ("../nowhere/manifests/v1", "NAME_UNKNOWN"),
    ],
)
def test_what_is_not_there_is_named(web: Web, repository: str, path: str, code: str) -> None:
    """A missing repository, manifest or blob is a 404 with the specification's code."""
    web.push_manifest(repository, "v1")
    target = f"/v2/{repository}/{path}" if ".." not in path else "/v2/nowhere/manifests/v1"
    answer = web.get(target)
    assert answer.status == 404
    assert [error["code"] for error in answer.json["errors"]] == [code]


def test_manifest_may_refer_to_what_is_missing(web: Web, repository: str) -> None:
    """A manifest with a missing blob is taken: the suite pushes wrong images on purpose."""
    web.push_manifest(repository, "broken", "sha256:" + "a" * 64)
    assert web.get(f"/v2/{repository}/manifests/broken").status == 200


def test_manifest_under_a_wrong_digest_is_refused(web: Web, repository: str) -> None:
    """A manifest pushed by digest must have it."""
    answer = web.run("PUT", f"/v2/{repository}/manifests/sha256:{'0' * 64}", body=b"{}")
    assert answer.status == 400
    assert answer.json["errors"][0]["code"] == "DIGEST_INVALID"


def test_blob_in_pieces(web: Web, repository: str) -> None:
    """An upload by POST, PATCHes and PUT becomes the blob; a piece out of order is refused."""
    pieces = [b"a" * 70_000, b"b" * 5, b"c" * 100]
    started = web.run("POST", f"/v2/{repository}/blobs/uploads/")
    assert started.status == 202
    place = started.headers["Location"]
    sent = 0
    for piece in pieces[:2]:
        span = {"Content-Range": f"{sent}-{sent + len(piece) - 1}"}
        answer = web.run("PATCH", place, body=piece, headers=span)
        sent += len(piece)
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{sent - 1}")
    assert web.run("PATCH", place, body=b"?", headers={"Content-Range": "5-5"}).status == 416
    assert web.run("GET", place).headers["Range"] == f"0-{sent - 1}"
    digest = digest_of(b"".join(pieces))
    finished = web.run("PUT", f"{place}?digest={digest}", body=pieces[2])
    assert (finished.status, finished.headers["Docker-Content-Digest"]) == (201, digest)
    assert web.get(finished.headers["Location"]).data == b"".join(pieces)


def test_chunked_upload(web: Web, repository: str) -> None:
    """A body in chunks, as Go's clients send it, is read to its end and the connection stays usable."""
    data = b"chunk" * 50_000
    digest = digest_of(data)
    answer = web.pool.request(
        "POST",
        f"http://{web.host}/v2/{repository}/blobs/uploads/?digest={digest}",
        body=iter([data[:100_000], data[100_000:]]),
        headers={"X-Run-Token": web.run_token},
        chunked=True,
    )
    assert answer.status == 201
    assert web.get(f"/v2/{repository}/blobs/{digest}").data == data


def test_blob_with_a_wrong_digest_is_refused(web: Web, repository: str) -> None:
    """Bytes that don't have the digest they were announced with are not kept."""
    wrong = "sha256:" + "0" * 64
    answer = web.run("POST", f"/v2/{repository}/blobs/uploads/?digest={wrong}", body=b"data")
    assert answer.status == 400
    assert web.send("HEAD", f"/v2/{repository}/blobs/{wrong}").status == 404


def test_sha512(web: Web, repository: str) -> None:
    """A blob and a manifest may be pushed under their sha512."""
    digest = "sha512:" + hashlib.sha512(b"{}").hexdigest()
    assert web.run("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", body=b"{}").status == 201
    assert web.run("PUT", f"/v2/{repository}/manifests/{digest}", body=b"{}").status == 201
    assert web.get(f"/v2/{repository}/blobs/{digest}").data == b"{}"
    assert web.get(f"/v2/{repository}/manifests/{digest}").data == b"{}"


def test_blob_belongs_to_its_repository(web: Web, repository: str) -> None:
    """A blob is not visible in another repository until it is mounted there, and deleting it here leaves it there."""
    digest = web.push_blob(repository, b"shared by two")
    other = f"{repository}/other"
    assert web.get(f"/v2/{other}/blobs/{digest}").status == 404
    mounted = web.run("POST", f"/v2/{other}/blobs/uploads/?mount={digest}&from={repository}")
    assert mounted.status == 201
    assert web.run("DELETE", f"/v2/{repository}/blobs/{digest}").status == 202
    assert web.get(f"/v2/{repository}/blobs/{digest}").status == 404
    assert web.get(f"/v2/{other}/blobs/{digest}").data == b"shared by two"


def test_mount_of_what_is_missing_starts_an_upload(web: Web, repository: str) -> None:
    """A mount that is not possible falls back to an upload, as the specification has it."""
    answer = web.run("POST", f"/v2/{repository}/blobs/uploads/?mount=sha256:{'0' * 64}&from=nowhere")
    assert answer.status == 202
    assert "uploads/" in answer.headers["Location"]


def test_cancelled_upload_is_gone(web: Web, repository: str) -> None:
    """An upload that was cancelled takes no more bytes."""
    place = web.run("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
    assert web.run("DELETE", place).status == 204
    answer = web.run("PATCH", place, body=b"x")
    assert (answer.status, answer.json["errors"][0]["code"]) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize(
    ("wanted", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=99990-", 206, 99_990, 100_000),
        ("bytes=-10", 206, 99_990, 100_000),
        ("bytes=99990-200000", 206, 99_990, 100_000),
        ("bytes=-", 200, 0, 100_000),
        ("bytes=0-1,5-6", 200, 0, 100_000),
        ("bytes=100000-", 416, 0, 0),
    ],
)
def test_range(web: Web, repository: str, wanted: str, status: int, first: int, last: int) -> None:
    """A range of a blob is answered with those bytes; what is not understood, with all of them."""
    data = bytes(range(250)) * 400
    path = f"/v2/{repository}/blobs/{web.push_blob(repository, data)}"
    answer = web.get(path, Range=wanted)
    assert answer.status == status
    if status == 416:
        assert answer.headers["Content-Range"] == "bytes */100000"
        return
    assert answer.data == data[first:last]
    assert answer.headers.get("Content-Range") == (
        f"bytes {first}-{last - 1}/100000" if status == 206 else None
    )


def test_deleting_a_tag_leaves_the_manifest(web: Web, repository: str) -> None:
    """DELETE of a tag takes the name away; DELETE of a digest takes the manifest and its other names."""
    digest = web.push_manifest(repository, "v1")
    web.run("PUT", f"/v2/{repository}/manifests/v2", body=web.get(f"/v2/{repository}/manifests/v1").data)
    assert web.run("DELETE", f"/v2/{repository}/manifests/v1").status == 202
    assert web.get(f"/v2/{repository}/manifests/v1").status == 404
    assert web.get(f"/v2/{repository}/manifests/{digest}").status == 200
    assert web.run("DELETE", f"/v2/{repository}/manifests/{digest}").status == 202
    assert web.get(f"/v2/{repository}/manifests/v2").status == 404
    assert web.run("DELETE", f"/v2/{repository}/manifests/{digest}").status == 404


def test_tags_are_listed(web: Web, repository: str) -> None:
    """The tags come sorted, in pages if that is asked for."""
    for tag in ("v2", "latest", "v1"):
        web.push_manifest(repository, tag)
    assert web.get(f"/v2/{repository}/tags/list").json == {"name": repository, "tags": ["latest", "v1", "v2"]}
    assert web.get(f"/v2/{repository}/tags/list?n=1&last=latest").json["tags"] == ["v1"]
    assert web.get("/v2/nowhere/tags/list").status == 404


def test_referrers(web: Web, repository: str) -> None:
    """A manifest with a subject is listed as a referrer of it; nothing refers to another."""
    subject = "sha256:" + "5" * 64
    data = json.dumps({"schemaVersion": 2, "artifactType": "a/b", "subject": {"digest": subject}}).encode()
    pushed = web.run(
        "PUT", f"/v2/{repository}/manifests/ref", body=data, headers={"Content-Type": OCI_MANIFEST}
    )
    assert pushed.headers["OCI-Subject"] == subject
    index = web.get(f"/v2/{repository}/referrers/{subject}").json
    assert index["manifests"] == [
        {"mediaType": OCI_MANIFEST, "digest": digest_of(data), "size": len(data), "artifactType": "a/b"}
    ]
    assert web.get(f"/v2/{repository}/referrers/sha256:{'6' * 64}").json["manifests"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/a/other/thing", 404),
        ("PATCH", "/v2/a/manifests/v1", 405),
        ("PUT", "/v2/Upper/manifests/v1", 400),
        ("PUT", "/v2/a/manifests/-v1", 400),
    ],
)
def test_what_is_not_served_is_refused(web: Web, method: str, path: str, status: int) -> None:
    """A wrong path, method or name is refused with a status and an error body, and the connection survives."""
    answer = web.run(method, path, body=b"{}")
    assert answer.status == status
    assert answer.json["errors"][0]["message"]
    assert web.get("/v2/nowhere/manifests/v1").status == 404


def test_two_addresses_share_what_is_stored(registry: Running, web_at: WebAt, repository: str) -> None:
    """What is pushed to one address can be pulled from the other."""
    first, second = web_at(registry.hosts[0]), web_at(registry.hosts[1])
    digest = first.push_blob(repository, b"seen from both")
    assert second.get(f"/v2/{repository}/blobs/{digest}").data == b"seen from both"
