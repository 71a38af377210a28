"""The ways in which the registry misbehaves, each as a client sees it, and that healing ends them."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.registry.client import Access, Fault, RegistryControl, RegistryError
from fixtures.registry.process import Running
from tests.registry.conftest import Web, WebAt, basic, body_of, digest_of, raw_get

DATA = bytes(range(256)) * 2000  # 512000 bytes, several chunks


@pytest.fixture
def blob(web: Web, repository: str) -> str:
    """The path of a blob in the repository, which has a manifest too."""
    digest = web.push_blob(repository, DATA)
    web.push_manifest(repository, "v1", digest)
    return f"/v2/{repository}/blobs/{digest}"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_status(control: RegistryControl, web: Web, repository: str, blob: str, status: int) -> None:
    """A status is given to every pull from the repository, with an error body, and to nobody once it is healed."""
    with control.faulty(Fault(repository, status=status, retry_after=3)) as number:
        for path in (blob, f"/v2/{repository}/manifests/v1", f"/v2/{repository}/tags/list"):
            answer = web.get(path)
            assert answer.status == status
            assert answer.headers["Retry-After"] == "3"
            assert answer.json["errors"][0]["code"]
        assert [request.fault for request in control.requests(repository)][-3:] == [number] * 3
    assert web.get(blob).data == DATA


def test_a_fault_belongs_to_its_repository(
    control: RegistryControl, web: Web, repository: str, blob: str
) -> None:
    """A fault of one repository does not touch another one, and one of a prefix touches all below."""
    parent = repository.partition("/")[0]
    with control.faulty(Fault("elsewhere/*", status=500)):
        assert web.get(blob).status == 200
    with control.faulty(Fault(f"{parent}", status=500)):
        assert web.get(blob).status == 200
    with control.faulty(Fault(f"{parent}/*", status=500)):
        assert web.get(blob).status == 500


def test_kind_method_and_reference_narrow_a_fault(
    control: RegistryControl, web: Web, repository: str, blob: str
) -> None:
    """A fault can be for blobs only, for one method only, for one tag only."""
    manifest = f"/v2/{repository}/manifests/v1"
    with control.faulty(Fault(repository, status=500, kinds=("blob",))):
        assert (web.get(blob).status, web.get(manifest).status) == (500, 200)
    with control.faulty(Fault(repository, status=500, kinds=("manifest",), methods=("HEAD",))):
        assert (web.send("HEAD", manifest).status, web.get(manifest).status) == (500, 200)
    with control.faulty(Fault(repository, status=500, references=("v1",))):
        assert (web.get(blob).status, web.get(manifest).status) == (200, 500)


def test_host_narrows_a_fault(
    control: RegistryControl, registry: Running, web_at: WebAt, repository: str, blob: str
) -> None:
    """A fault can be for one address only."""
    assert repository
    with control.faulty(Fault("*", host=registry.hosts[1], status=503)):
        assert web_at(registry.hosts[0]).get(blob).status == 200
        assert web_at(registry.hosts[1]).get(blob).status == 503


def test_skip_and_count(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """The first matching requests pass, then so many are hit, then all is well; the numbers can be read."""
    with control.faulty(Fault(repository, status=500, skip=2, count=2)):
        assert [web.get(blob).status for _ in range(6)] == [200, 200, 500, 500, 200, 200]
        planted = next(item for item in control.faults() if item.fault.repository == repository)
        assert (planted.seen, planted.hits) == (4, 2)


def test_count_holds_under_parallel_requests(
    control: RegistryControl, web_at: WebAt, registry: Running, repository: str, blob: str
) -> None:
    """Exactly `count` requests are hit, however many come at once."""
    statuses: list[int] = []
    with control.faulty(Fault(repository, status=503, count=5)):
        clients = [web_at(registry.hosts[0]) for _ in range(20)]
        threads = [
            threading.Thread(target=lambda web=web: statuses.append(web.send("HEAD", blob).status))
            for web in clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] * 15 + [503] * 5


def test_challenge_is_not_hit(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """A fault with a count waits for a request that is let through: a client must ask twice to log in."""
    control.set_access(repository, Access(users={"ann": "pw"}))
    with control.faulty(Fault(repository, status=500, count=1)):
        assert web.get(blob).status == 401
        assert web.send("GET", blob, headers=basic("ann", "pw")).status == 500
        assert web.send("GET", blob, headers=basic("ann", "pw")).status == 200


@pytest.mark.parametrize("kind", ["token", "base"])
def test_authentication_itself_can_fail(
    control: RegistryControl, web: Web, repository: str, kind: str
) -> None:
    """The token endpoint and `/v2/` can be broken too, but only if that is said."""
    path = f"/token?scope=repository:{repository}:pull" if kind == "token" else "/v2/"
    pattern = repository if kind == "token" else "*"
    with control.faulty(Fault(pattern, status=503, host=web.host)):
        assert web.get(path).status != 503
    with control.faulty(Fault(pattern, kinds=(kind,), status=503, host=web.host)):
        assert web.get(path).status == 503


def test_runner_is_never_hit(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """The suite can push to and read from a repository that is broken for everybody else."""
    with control.faulty(Fault(repository, status=500)):
        assert web.run("GET", blob).data == DATA
        web.push_manifest(repository, "v2")
        assert web.get(f"/v2/{repository}/manifests/v2").status == 500


def test_corrupt(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """A corrupt blob has the right length and one wrong byte, in a range that holds the byte too."""
    with control.faulty(Fault(repository, corrupt=True)):
        whole = web.get(blob)
        ranged = web.get(blob, Range="bytes=255990-256010")
        other = web.get(blob, Range="bytes=0-99")
        head = web.send("HEAD", blob)
    assert len(whole.data) == len(DATA) == int(head.headers["Content-Length"])
    assert [at for at, pair in enumerate(zip(whole.data, DATA, strict=True)) if pair[0] != pair[1]] == [
        256_000
    ]
    assert ranged.data == whole.data[255_990:256_011]
    assert other.data == DATA[:100]
    assert whole.headers["Docker-Content-Digest"] == digest_of(DATA)


def test_corrupt_manifest(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """A manifest can be corrupt as well."""
    assert blob
    good = web.get(f"/v2/{repository}/manifests/v1").data
    with control.faulty(Fault(repository, corrupt=True, kinds=("manifest",))):
        bad = web.get(f"/v2/{repository}/manifests/v1").data
    assert len(bad) == len(good)
    assert bad != good


def test_truncate(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """A truncated blob is a whole response of fewer bytes; a body that is shorter anyway is left alone."""
    with control.faulty(Fault(repository, truncate=100_000, count=1)):
        assert web.get(f"/v2/{repository}/manifests/v1").status == 200
        answer = web.get(blob)
        assert answer.data == DATA[:100_000]
        assert answer.headers["Content-Length"] == "100000"
        assert web.get(blob).data == DATA


def test_wrong_digest_header(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """HEAD and GET can name a digest that the content does not have."""
    with control.faulty(Fault(repository, wrong_digest_header=True)):
        for method in ("HEAD", "GET"):
            answer = web.send(method, blob)
            assert answer.headers["Docker-Content-Digest"].startswith("sha256:")
            assert answer.headers["Docker-Content-Digest"] != digest_of(DATA)


@pytest.mark.parametrize("place", [0, 1, 300_000])
def test_reset(control: RegistryControl, registry: Running, repository: str, blob: str, place: int) -> None:
    """The connection is reset after exactly so many bytes of the body arrived; the record says how many."""
    with control.faulty(Fault(repository, reset_after_bytes=place, kinds=("blob",))):
        received, error = raw_get(registry.hosts[0], blob)
    assert isinstance(error, ConnectionResetError)
    assert body_of(received) == DATA[:place]
    request = control.requests(repository)[-1]
    assert (request.status, request.bytes, request.complete) == (200, place, False)


def test_resume_after_reset(
    control: RegistryControl, web: Web, registry: Running, repository: str, blob: str
) -> None:
    """A client can fetch the rest of what was cut off by a range."""
    with control.faulty(Fault(repository, reset_after_bytes=200_000, kinds=("blob",), count=1)):
        received, _ = raw_get(registry.hosts[0], blob)
        rest = web.get(blob, Range="bytes=200000-")
    assert body_of(received) + rest.data == DATA
    assert control.requests(repository)[-1].range == "bytes=200000-"


def test_stall_before_ends_when_healed(
    control: RegistryControl, web: Web, repository: str, blob: str
) -> None:
    """A stalled request is in the record without a status; healing lets it go on to its good end."""
    number = control.add_fault(Fault(repository, stall_before=True))
    answers: list[bytes] = []
    thread = threading.Timer(0.2, lambda: answers.append(web.get(blob).data))
    thread.start()
    waiting = control.wait_for_request(lambda r: r.fault == number, deadline=10, repository=repository)
    assert (waiting.status, waiting.ended) == (None, False)
    control.heal(repository)
    thread.join(10)
    assert answers == [DATA]
    assert control.requests(repository)[-1].complete


def test_stall_in_the_middle(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """A blob stalls after so many bytes, for the seconds that were told, and then goes on."""
    with control.faulty(Fault(repository, stall_after_bytes=100_000, stall_seconds=0.2, kinds=("blob",))):
        began = time.monotonic()
        assert web.get(blob).data == DATA
        assert time.monotonic() - began >= 0.2


def test_stall_ends_when_the_client_leaves(
    control: RegistryControl, registry: Running, repository: str, blob: str
) -> None:
    """A client that gives up ends its stalled request: it is recorded as not complete, with the bytes that were sent."""
    with control.faulty(Fault(repository, stall_after_bytes=1000, kinds=("blob",))):
        web = Web(registry.hosts[0])
        answer = web.pool.request("GET", f"http://{web.host}{blob}", preload_content=False)
        assert answer.read(1000) == DATA[:1000]
        control.wait_for_request(
            lambda r: r.bytes == 1000 and not r.ended, deadline=10, repository=repository
        )
        answer.close()
        web.pool.clear()
        request = control.wait_for_request(
            lambda r: r.kind == "blob" and r.ended and not r.runner, deadline=10, repository=repository
        )
    assert (request.status, request.bytes, request.complete) == (200, 1000, False)


def test_slow(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """A slow blob comes whole at about the pace that was told; healing ends the slowness."""
    with control.faulty(Fault(repository, slow=1_000_000, kinds=("blob",))):
        began = time.monotonic()
        assert web.get(blob).data == DATA
        assert 0.45 <= time.monotonic() - began < 5
    number = control.add_fault(Fault(repository, slow=10))
    answers: list[bytes] = []
    thread = threading.Thread(target=lambda: answers.append(web.get(blob).data))
    thread.start()
    control.wait_for_request(lambda r: r.fault == number, deadline=10, repository=repository)
    control.heal(repository)
    thread.join(10)
    assert answers == [DATA]


def test_effects_combine(control: RegistryControl, web: Web, repository: str, blob: str) -> None:
    """One fault can have several effects."""
    fault = Fault(repository, corrupt=True, wrong_digest_header=True, truncate=300_000, kinds=("blob",))
    with control.faulty(fault):
        answer = web.get(blob)
    assert len(answer.data) == 300_000
    assert answer.data != DATA[:300_000]
    assert answer.headers["Docker-Content-Digest"] != digest_of(DATA)


def test_effect_on_the_body_waits_for_a_body(
    control: RegistryControl, web: Web, repository: str, blob: str
) -> None:
    """A HEAD does not use up a fault that could only be seen in a body."""
    with control.faulty(Fault(repository, corrupt=True, count=1)):
        assert web.send("HEAD", blob).status == 200
        assert web.get(blob).data != DATA


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "needs an effect"),
        ({"status": 500, "kinds": ["manifests"]}, "unknown kind 'manifests'"),
        ({"stall_after_bytes": 1, "reset_after_bytes": 2}, "exclude each other"),
        ({"statu": 500}, "unknown field of a fault: statu"),
    ],
)
def test_impossible_faults_are_refused(fields: dict[str, object], text: str) -> None:
    """A fault that could never have an effect is refused with the reason."""
    with pytest.raises(ValueError, match=text):
        Fault.from_json({"repository": "a", **fields})


def test_server_refuses_impossible_faults(control: RegistryControl) -> None:
    """The control API answers a wrong fault with the reason, as an error of the suite and not of the target."""
    with pytest.raises(RegistryError, match="repository"):
        control._call("POST", "/control/faults", {"status": 500})


@given(
    st.builds(
        Fault,
        repository=st.text(min_size=1),
        kinds=st.lists(st.sampled_from(["manifest", "blob", "token"])).map(tuple),
        methods=st.lists(st.sampled_from(["GET", "HEAD"])).map(tuple),
        count=st.none() | st.integers(0, 5),
        skip=st.integers(0, 5),
        status=st.sampled_from([401, 500]),
        reset_after_bytes=st.none() | st.integers(0, 10),
        stall_seconds=st.none() | st.just(1.5),
        corrupt=st.booleans(),
    )
)
def test_faults_are_data(fault: Fault) -> None:
    """A fault survives its way through JSON."""
    assert Fault.from_json(fault.to_json()) == fault
