"""Two hundred pulls at once, and blobs larger than the memory that the registry may use."""

from __future__ import annotations

import collections
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from fixtures.registry.client import RegistryControl
from fixtures.registry.process import Running, running
from tests.registry.conftest import Web, basic, digest_of

PULLS = 200
LARGE = 200 * 1024 * 1024


def address_of(host: str) -> tuple[str, int]:
    """Split HOST:PORT."""
    name, _, port = host.rpartition(":")
    return name, int(port)


def pull(host: str, repository: str, headers: dict[str, str]) -> list[str]:
    """Pull as containerd does, over one connection that is kept: HEAD the tag, GET the manifest, GET the blobs."""
    with urllib3.HTTPConnectionPool(
        *address_of(host), maxsize=1, block=True, retries=False, timeout=60
    ) as pool:
        head = pool.request("HEAD", f"/v2/{repository}/manifests/v1", headers=headers)
        digest = head.headers["Docker-Content-Digest"]
        manifest = pool.request("GET", f"/v2/{repository}/manifests/{digest}", headers=headers)
        assert digest_of(manifest.data) == digest
        parts = manifest.json()
        seen = []
        for part in (parts["config"], *parts["layers"]):
            blob = pool.request("GET", f"/v2/{repository}/blobs/{part['digest']}", headers=headers)
            assert digest_of(blob.data) == part["digest"]
            seen.append(part["digest"])
        assert pool.num_connections == 1
        return seen


def test_two_hundred_pulls_at_once(
    control: RegistryControl, registry: Running, web: Web, repository: str
) -> None:
    """200 clients pull at once: each gets every byte, and the record holds each of their requests once, in order."""
    blobs = [web.push_blob(repository, os.urandom(size)) for size in (500, 100_000, 300_000)]
    web.push_manifest(repository, "v1", *blobs)
    mark = control.mark()
    gate = threading.Barrier(PULLS)
    done: list[list[str]] = []

    def one(number: int) -> None:
        gate.wait(60)
        done.append(pull(registry.hosts[number % 2], repository, basic(f"user-{number}", "x")))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(PULLS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert done == [blobs] * PULLS

    requests = control.requests(repository, mark)
    assert [request.sequence for request in requests] == sorted({request.sequence for request in requests})
    assert all(request.ended and request.complete and request.status == 200 for request in requests)
    assert collections.Counter(request.user for request in requests) == {f"user-{n}": 5 for n in range(PULLS)}
    assert collections.Counter((r.method, r.kind) for r in requests) == {
        ("HEAD", "manifest"): PULLS,
        ("GET", "manifest"): PULLS,
        ("GET", "blob"): 3 * PULLS,
    }
    assert sum(request.bytes for request in requests if request.kind == "blob") == PULLS * 400_500


def peak_memory(pid: int) -> int:
    """The most memory that a process ever had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found.group(1)) * 1024


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs /proc to see how much memory is used"
)
def test_memory_does_not_grow_with_blobs(tmp_path: Path) -> None:
    """A blob of 200 MB goes in and out, and the registry's memory stays far below that."""
    chunk = os.urandom(1024 * 1024)
    state = hashlib.sha256()
    for _ in range(LARGE // len(chunk)):
        state.update(chunk)
    digest = f"sha256:{state.hexdigest()}"

    def pieces() -> Iterator[bytes]:
        for _ in range(LARGE // len(chunk)):
            yield chunk

    with running(storage=tmp_path) as registry:
        before = peak_memory(registry.pid)
        with urllib3.HTTPConnectionPool(*address_of(registry.hosts[0]), retries=False, timeout=120) as pool:
            headers = {"X-Run-Token": registry.token, "Content-Length": str(LARGE)}
            pushed = pool.request(
                "POST", f"/v2/large/blobs/uploads/?digest={digest}", body=pieces(), headers=headers
            )
            assert pushed.status == 201
            got = pool.request("GET", f"/v2/large/blobs/{digest}", preload_content=False)
            seen = hashlib.sha256()
            for piece in got.stream(1024 * 1024):
                seen.update(piece)
            got.release_conn()
        assert f"sha256:{seen.hexdigest()}" == digest
        assert peak_memory(registry.pid) - before < 16 * 1024 * 1024
        assert list((tmp_path / "incoming").iterdir()) == []
