"""The registry as a Pod on a node, reached through the API server's port-forward."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from kubernetes import client as kubernetes_client

from fixtures.api import Api
from fixtures.errors import Inconclusive, UsageError
from fixtures.registry import node as node_module
from fixtures.registry.client import Fault, RegistryError
from fixtures.registry.node import NodeRegistry, deploy, pod, secret
from fixtures.registry.server import RUNNER
from images.site import image
from tests.registry.conftest import WebAt, digest_of
from tests.registry.fake_node import FakeNode, serving

LABELS = {"run": "test"}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeNode]:
    """A node that has nothing yet."""
    found = FakeNode(tmp_path)
    yield found
    found.stop()


@pytest.fixture
def api(fake: FakeNode) -> Iterator[Api]:
    """The API of that node's cluster."""
    with serving(fake) as url:
        api = Api(kubernetes_client.Configuration(host=url))
        yield api
        api._client.close()


def deployed(api: Api, **options: object) -> NodeRegistry:
    """A registry on the node."""
    return deploy(api, namespace="ns", node="n1", image="probe", labels=LABELS, seconds=20, **options)  # type: ignore[arg-type]  # as given


@pytest.fixture
def on_node(api: Api) -> Iterator[NodeRegistry]:
    """A registry that runs on the node."""
    found = deployed(api)
    yield found
    found.stop()


def test_control_and_pushes_go_through_the_tunnel(on_node: NodeRegistry, web_at: WebAt) -> None:
    """Images are pushed, faults planted and requests read through the tunnel; clients pull from the node's own addresses."""
    control, (first, second) = on_node.control, on_node.control.hosts
    assert control.control_url.removeprefix("http://") not in (first, second)
    site = image("node")
    control.push(site, "a/site", "v1")
    assert web_at(second).get("/v2/a/site/manifests/v1").data == site.manifest
    with control.faulty(Fault("a/site", status=503)):
        assert web_at(first).get("/v2/a/site/manifests/v1").status == 503
    seen = [(request.host, request.status) for request in control.requests("a/site") if not request.runner]
    assert seen == [(second, 200), (first, 503)]
    assert on_node.trouble() == ""


def test_large_blobs_at_once(on_node: NodeRegistry) -> None:
    """Blobs of a few MiB go through whole, also eight at a time."""
    wrong: list[object] = []

    def carry(data: bytes) -> None:
        url, digest = on_node.control.control_url, digest_of(data)
        headers = {"X-Run-Token": on_node.control.token}
        with urllib3.PoolManager(retries=False, timeout=30) as pool:
            pushed = pool.request(
                "POST", f"{url}/v2/a/large/blobs/uploads/?digest={digest}", body=data, headers=headers
            )
            got = pool.request("GET", f"{url}/v2/a/large/blobs/{digest}").data
        if pushed.status != 201 or hashlib.sha256(got).digest() != hashlib.sha256(data).digest():
            wrong.append(pushed.status)

    threads = [threading.Thread(target=carry, args=(os.urandom(4 * 1024 * 1024),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_waiting_goes_through_the_tunnel(on_node: NodeRegistry, web_at: WebAt) -> None:
    """A long poll is answered through the tunnel when its request comes."""
    web = web_at(on_node.control.hosts[0])
    timer = threading.Timer(0.2, web.get, args=("/v2/a/late/manifests/v1",))
    timer.start()
    found = on_node.control.wait_for_request(lambda r: r.status == 404, deadline=20, repository="a/late")
    timer.join()
    assert found.reference == "v1"


def test_stopped_registry_is_gone(api: Api, fake: FakeNode) -> None:
    """After `stop` there is neither Pod nor tunnel."""
    on_node = deployed(api)
    address = on_node.control.control_url.rpartition("/")[2]
    on_node.stop()
    assert "pods" not in fake.objects
    host, _, port = address.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def test_container_that_died_is_told(on_node: NodeRegistry, fake: FakeNode) -> None:
    """When the Pod's container has ended, calls are inconclusive and `trouble` says what became of it."""
    fake.stop()
    with pytest.raises(RegistryError):
        on_node.control.mark()
    assert '"terminated": {"exitCode": 0' in on_node.trouble()
    assert "error forwarding port" in on_node.trouble()


def test_address_in_use_on_the_node(api: Api) -> None:
    """A port of the node that somebody else has is named, as the user's to mend."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UsageError, match=r"On its node, the test registry cannot listen on 127\.0\.0\.1:0: none of the 1"
        ):
            deployed(api, ports=range(port, port + 1))


def test_pod_that_does_not_start(api: Api, fake: FakeNode) -> None:
    """A Pod whose image cannot be pulled is inconclusive, with the reason, before the time is over."""
    fake.state = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    with pytest.raises(Inconclusive, match=r"ImagePullBackOff.*no such image"):
        deployed(api)


def test_port_forward_that_is_not_allowed(api: Api, fake: FakeNode) -> None:
    """Where port-forward is refused, the error says so."""
    fake.forwards = False
    with pytest.raises(RegistryError, match=r"runs on n1 but cannot be reached: .*403"):
        deployed(api)


def test_pod_asks_for_no_more_than_it_needs() -> None:
    """Apart from the node's network, the Pod is what Pod Security `restricted` admits; it tolerates every taint."""
    spec = pod(node="n1", image="i", labels=LABELS)["spec"]
    assert spec["hostNetwork"] is True
    assert spec["nodeName"] == "n1"
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    (container,) = spec["containers"]
    security = container["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert (security["runAsNonRoot"], security["readOnlyRootFilesystem"]) == (True, True)


def test_listeners_and_ports_are_on_the_command_line() -> None:
    """As many registries as asked for, all on loopback, at the ports set aside."""
    command = pod(node="n1", image="i", labels=LABELS, listeners=3, ports=range(5001, 5010))["spec"][
        "containers"
    ][0]["command"]
    assert command.count("--listen") == 3
    assert command[-2:] == ["--ports", "5001-5009"]
    assert {part for part in command if ":" in part} == {"127.0.0.1:0"}


def test_token_is_in_the_secret_alone() -> None:
    """The run token reaches the Pod by a Secret: whoever may read Pods or ConfigMaps doesn't see it."""
    token = "t0ken"
    assert token in json.dumps(secret(LABELS, token))
    others = (pod(node="n", image="i", labels=LABELS), node_module.config_map(LABELS))
    assert all(token not in json.dumps(item) for item in others)
    assert RUNNER not in json.dumps(others[0])


def test_everything_bears_the_labels() -> None:
    """What is created bears the run's labels."""
    made = (pod(node="n", image="i", labels=LABELS), node_module.config_map(LABELS), secret(LABELS, "t"))
    assert [item["metadata"]["labels"] for item in made] == [LABELS] * 3
