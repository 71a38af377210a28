"""The record of requests: what a check relies on as evidence."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from fixtures.errors import TimedOut
from fixtures.registry.client import Access, Fault, RegistryControl, Request
from fixtures.registry.process import Running
from tests.registry.conftest import Web, WebAt, basic


def test_everything_about_a_request(
    control: RegistryControl, registry: Running, web_at: WebAt, repository: str
) -> None:
    """A request is recorded with who asked whom for what, what was answered, and how much of it was sent."""
    web = web_at(registry.hosts[1])
    data = b"0123456789" * 100
    digest = web.push_blob(repository, data)
    mark, before = control.mark(), time.time()
    headers = {
        "User-Agent": "containerd/v2",
        "Range": "bytes=0-99",
        "Accept": "a/b, c/d;q=0.5",
        "Host": "name:1",
    }
    web.send("GET", f"/v2/{repository}/blobs/{digest}?ns=docker.io", headers=headers)
    (request,) = control.requests(repository, mark)
    assert before - 1 < request.time < time.time() + 1
    assert 0 <= request.seconds < 10
    assert request.to_json() == {
        "sequence": request.sequence,
        "time": request.time,
        "seconds": request.seconds,
        "host": registry.hosts[1],
        "authority": "name:1",
        "method": "GET",
        "path": f"/v2/{repository}/blobs/{digest}",
        "repository": repository,
        "kind": "blob",
        "reference": digest,
        "user": None,
        "scheme": None,
        "authorized": True,
        "status": 206,
        "bytes": 100,
        "complete": True,
        "ended": True,
        "fault": None,
        "runner": False,
        "user_agent": "containerd/v2",
        "accept": ("a/b", "c/d;q=0.5"),
        "range": "bytes=0-99",
    }


def test_kinds(control: RegistryControl, web: Web, repository: str) -> None:
    """Each kind of request is told apart, and a token request is found under the repository that it is for."""
    mark = control.mark()
    web.push_manifest(repository, "v1", web.push_blob(repository, b"x"))
    for path in ("manifests/v1", "tags/list", f"referrers/sha256:{'0' * 64}"):
        web.get(f"/v2/{repository}/{path}")
    web.get(f"/token?scope=repository:{repository}:pull")
    web.get("/v2/")
    web.get("/else")
    mine = control.requests(repository, mark)
    assert [request.kind for request in mine] == [
        "upload",
        "manifest",
        "manifest",
        "tags",
        "referrers",
        "token",
    ]
    assert [request.runner for request in mine] == [True, True, False, False, False, False]
    assert mine[-1].reference == f"repository:{repository}:pull"
    assert [request.kind for request in control.requests("", mark)] == ["base", "other"]


def test_user_is_recorded_and_the_password_never(
    control: RegistryControl, registry: Running, web: Web, repository: str
) -> None:
    """Whoever was tried is in the record, right or wrong, by Basic, form or token; no secret is anywhere in it."""
    control.set_access(repository, Access(users={"ann": "open-sesame"}, scheme="bearer"))
    web.push_manifest(repository, "v1")
    mark, path = control.mark(), f"/v2/{repository}/manifests/v1"
    web.get(path)
    web.send("GET", path, headers=basic("ann", "wrong-word"))
    web.send("GET", path, headers=basic("", ""))
    query = f"scope=repository:{repository}:pull"
    token = web.send("GET", f"/token?account=ann&{query}", headers=basic("ann", "open-sesame")).json["token"]
    web.send("GET", path, headers={"Authorization": f"Bearer {token}"})
    form = f"grant_type=password&username=eve&password=wrong-word&{query}".encode()
    web.send("POST", "/token", body=form)
    seen = [(r.kind, r.user, r.scheme, r.authorized, r.status) for r in control.requests(repository, mark)]
    assert seen == [
        ("manifest", None, None, False, 401),
        ("manifest", "ann", "basic", False, 401),
        ("manifest", None, "basic", False, 401),
        ("token", "ann", "basic", True, 200),
        ("manifest", "ann", "bearer", True, 200),
        ("token", "eve", "basic", False, 401),
    ]
    whole = web.pool.request(
        "GET", f"{registry.control_url}/control/requests", headers={"X-Run-Token": registry.token}
    ).data.decode()
    for secret in ("open-sesame", "wrong-word", token, registry.token):
        assert secret not in whole


def test_order_is_of_arrival(control: RegistryControl, web: Web, web_at: WebAt, repository: str) -> None:
    """A request that takes long keeps its place before those that came and went meanwhile."""
    web.push_manifest(repository, "v1")
    mark = control.mark()
    control.add_fault(Fault(repository, stall_before=True, references=("slow",)))
    thread = threading.Thread(target=web_at(web.host).get, args=(f"/v2/{repository}/manifests/slow",))
    thread.start()
    control.wait_for_request(
        lambda r: r.reference == "slow" and r.fault is not None, deadline=10, repository=repository
    )
    web.get(f"/v2/{repository}/manifests/v1")
    control.heal(repository)
    thread.join(10)
    slow, fast = control.requests(repository, mark)
    assert (slow.reference, fast.reference) == ("slow", "v1")
    assert slow.sequence < fast.sequence
    assert slow.seconds >= fast.seconds


def test_whoever_has_an_answer_finds_it_recorded(control: RegistryControl, web: Web, repository: str) -> None:
    """As soon as a client has an answer whole, the record tells its end: a check never looks too early."""
    digest = web.push_blob(repository, b"z" * 200_000)
    mark = control.mark()
    for number in range(1, 51):
        web.get(f"/v2/{repository}/blobs/{digest}")
        requests = control.requests(repository, mark)
        assert len(requests) == number
        assert (requests[-1].ended, requests[-1].bytes) == (True, 200_000)


def test_after_and_host_narrow(
    control: RegistryControl, registry: Running, web_at: WebAt, repository: str
) -> None:
    """The record can be read from a mark on, for one address, for one repository."""
    first, second = web_at(registry.hosts[0]), web_at(registry.hosts[1])
    first.get(f"/v2/{repository}/manifests/a")
    mark = control.mark()
    second.get(f"/v2/{repository}/manifests/b")
    first.get(f"/v2/{repository}-else/manifests/c")
    assert [r.reference for r in control.requests(repository)] == ["a", "b"]
    assert [r.reference for r in control.requests(repository, mark)] == ["b"]
    assert [r.reference for r in control.requests(repository, host=registry.hosts[0])] == ["a"]
    assert [r.reference for r in control.requests(after=mark)] == ["b", "c"]
    assert control.requests("never/heard/of") == []


def test_waiting_ends_with_the_request(control: RegistryControl, web: Web, repository: str) -> None:
    """A wait answers when the request comes, not at its deadline, and is not woken for other repositories."""
    calls = itertools.count(1)
    seen = 0

    def condition(requests: list[Request]) -> bool:
        nonlocal seen
        seen = next(calls)
        return len(requests) == 2

    def ask() -> None:
        for number in range(20):
            web.get(f"/v2/{repository}-other/manifests/{number}")
        for number in range(2):
            web.get(f"/v2/{repository}/manifests/{number}")

    thread = threading.Timer(0.2, ask)
    thread.start()
    began = time.monotonic()
    found = control.wait_for_requests(condition, deadline=30, repository=repository)
    assert time.monotonic() - began < 10
    thread.join()
    assert [request.reference for request in found] == ["0", "1"]
    assert seen <= 6


def test_waiting_in_vain(control: RegistryControl, repository: str) -> None:
    """A wait whose request does not come ends at its deadline, and says what it waited for."""
    began = time.monotonic()
    with pytest.raises(TimedOut, match=repository):
        control.wait_for_request(lambda _: True, deadline=0.3, repository=repository)
    assert 0.3 <= time.monotonic() - began < 5


def test_request_that_is_there_is_found_at_once(control: RegistryControl, web: Web, repository: str) -> None:
    """A wait looks at what is there before it waits."""
    web.get(f"/v2/{repository}/manifests/v1")
    found = control.wait_for_request(lambda r: r.reference == "v1", deadline=0, repository=repository)
    assert found.status == 404
