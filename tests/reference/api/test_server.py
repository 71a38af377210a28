"""The API server over HTTP: authentication, watches, tables, discovery, logs and commands."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import WSMsgType

from fixtures.reference.api.server import ApiServer
from fixtures.reference.api.store import Store
from fixtures.reference.faults import Faults
from fixtures.reference.node.errors import NodeError
from tests.reference.api.conversation import pod
from tests.reference.api.support import LOG, TOKEN, Client, PretendedNode, serving

pytestmark = pytest.mark.asyncio

NAMESPACE = "/api/v1/namespaces/n"
PODS = f"{NAMESPACE}/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
RUNNING = {
    "name": "c",
    "ready": True,
    "restartCount": 0,
    "image": "x",
    "imageID": "",
    "state": {"running": {}},
    "lastState": {},
}


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Client, Store, PretendedNode]]:
    """A server with the namespace `n`, its store, and the node `node-1`, which is asked but does nothing by itself."""
    store = Store()
    node = PretendedNode("node-1", store)
    store.create("nodes", {"metadata": {"name": "node-1"}})
    async with serving(nodes={"node-1": node}, store=store) as client:
        await client.send("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
        yield client, store, node


async def running_pod(client: Client, store: Store, name: str = "p") -> None:
    """A Pod whose container runs on node-1."""
    status, _, body = await client.send("POST", PODS, pod(name, nodeName="node-1"))
    assert status == 201, body
    store.modify(
        "pods", name, "n", lambda obj: obj["status"].update(phase="Running", containerStatuses=[RUNNING])
    )


async def watched(client: Client, count: int, *, accept: str = "application/json", **query: str) -> list[Any]:
    """The first events of a watch of the Pods."""
    events: list[Any] = []
    parameters = {"watch": "true"} | query
    async with client.session.get(
        client.url + PODS, params=parameters, headers={"Accept": accept}, ssl=client.trust
    ) as answer:
        while len(events) < count and (line := await answer.content.readline()):
            events.append(json.loads(line))
    return events


# --- who may ask


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic dG9rZW4=", "Bearer"])
async def test_only_the_token_opens(authorization: str) -> None:
    """Without the token, every path is answered with 401 and a Status."""
    async with served() as (client, _, _):
        for path in ("/api", PODS, "/healthz", "/nothing"):
            async with client.session.get(
                client.url + path, headers={"Authorization": authorization}, ssl=client.trust
            ) as answer:
                assert answer.status == 401
                assert (await answer.json())["reason"] == "Unauthorized"


# --- bodies


async def test_yaml_body() -> None:
    """A manifest may be sent as YAML."""
    async with served() as (client, _, _):
        body = yaml.safe_dump(pod()).encode()
        status, _, created = await client.send("POST", PODS, body, content_type="application/yaml")
        assert status == 201
        assert created["metadata"]["name"] == "p"


async def test_generated_name() -> None:
    """A Pod may leave its name to the server."""
    async with served() as (client, _, _):
        _, _, created = await client.send("POST", PODS, pod() | {"metadata": {"generateName": "p-"}})
        assert created["metadata"]["name"].startswith("p-")
        assert len(created["metadata"]["name"]) == 7


async def test_default_account_is_waited_for() -> None:
    """A Pod that is created just after its namespace waits for the default account instead of being refused."""
    async with served() as (client, store, _):
        store.remove("serviceaccounts", "default", "n")
        status, _, _ = await client.send("POST", PODS, pod())
        assert status == 201


# --- watches


async def test_watch_tells_changes_since_the_list() -> None:
    """A watch from a list's version tells what happened since."""
    async with served() as (client, _, _):
        await client.send("POST", PODS, pod("a"))
        _, _, listed = await client.send("GET", PODS)
        version = listed["metadata"]["resourceVersion"]
        await client.send("POST", PODS, pod("b"))
        await client.send("DELETE", f"{PODS}/a")
        events = await watched(client, 3, resourceVersion=version)
        seen = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
        assert seen == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_watch_ends_at_its_time() -> None:
    """A watch with timeoutSeconds ends by itself, after what it told."""
    async with served() as (client, _, _):
        await client.send("POST", PODS, pod())
        events = await watched(client, 10, timeoutSeconds="1", fieldSelector="metadata.name=p")
        assert [event["type"] for event in events] == ["ADDED"]


async def test_watch_with_initial_events_marks_their_end() -> None:
    """With sendInitialEvents, a bookmark follows what exists already."""
    async with served() as (client, _, _):
        await client.send("POST", PODS, pod())
        events = await watched(client, 2, sendInitialEvents="true", resourceVersionMatch="NotOlderThan")
        assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
        metadata = events[1]["object"]["metadata"]
        assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(metadata["resourceVersion"]) >= int(events[0]["object"]["metadata"]["resourceVersion"])


async def test_watch_from_a_forgotten_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch from too old a version is answered with an ERROR event of code 410."""
    monkeypatch.setattr("fixtures.reference.api.store.HISTORY", 2)
    async with served() as (client, _, _):
        for name in "abcd":
            await client.send("POST", PODS, pod(name))
        events = await watched(client, 2, resourceVersion="1")
        assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]


async def test_watch_of_a_wrong_version() -> None:
    """A version that is no number is refused."""
    async with served() as (client, _, _):
        status, _, body = await client.send("GET", PODS, watch="1", resourceVersion="abc")
        assert (status, "Invalid value" in body["message"]) == (500, True)


async def test_watch_as_tables_describes_its_columns_once() -> None:
    """A table that is watched (kubectl get -w) tells its columns with the first event only."""
    async with served() as (client, _, _):
        await client.send("POST", PODS, pod("a"))
        await client.send("POST", PODS, pod("b"))
        first, second = await watched(client, 2, accept=TABLE)
        assert first["object"]["columnDefinitions"]
        assert not second["object"]["columnDefinitions"]
        assert second["object"]["rows"][0]["cells"][0] == "b"


async def test_open_watch_does_not_hold_up_the_end() -> None:
    """A server that is stopped ends the watches that are open."""
    store = Store()
    store.create("pods", {"metadata": {"name": "p", "namespace": "n"}})
    server = ApiServer(store, Faults(), find_node=lambda _name: None, token=TOKEN)
    url = await server.start()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    trust = ssl.create_default_context(cadata=server.certificate.certificate)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{url}{PODS}", params={"watch": "1"}, ssl=trust) as answer,
    ):
        assert await answer.content.readline()
        async with asyncio.timeout(5):
            await server.stop()


# --- tables and discovery


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        (PODS, "Name Ready Status Restarts Age IP Node Nominated_Node Readiness_Gates"),
        ("/api/v1/namespaces", "Name Status Age"),
        (
            "/api/v1/nodes",
            "Name Status Roles Age Version Internal-IP External-IP OS-Image Kernel-Version Container-Runtime",
        ),
        (
            f"{NAMESPACE}/events",
            "Last_Seen Type Reason Object Subobject Source Message First_Seen Count Name",
        ),
        (f"{NAMESPACE}/secrets", "Name Type Data Age"),
        (f"{NAMESPACE}/configmaps", "Name Data Age"),
        (f"{NAMESPACE}/serviceaccounts", "Name Age"),
        ("/apis/coordination.k8s.io/v1/namespaces/n/leases", "Name Holder Age"),
        ("/apis/apps/v1/deployments", "Name Ready Up-to-date Available Age Containers Images Selector"),
        ("/apis/apps/v1/replicasets", "Name Desired Current Ready Age Containers Images Selector"),
        ("/apis/apps/v1/statefulsets", "Name Ready Age Containers Images"),
        (
            "/apis/apps/v1/daemonsets",
            "Name Desired Current Ready Up-to-date Available Node_Selector Age Containers Images Selector",
        ),
        ("/apis/batch/v1/jobs", "Name Status Completions Duration Age Containers Images Selector"),
        (
            "/apis/batch/v1/cronjobs",
            "Name Schedule Timezone Suspend Active Last_Schedule Age Containers Images Selector",
        ),
    ],
)
async def test_table_has_the_usual_columns(path: str, columns: str) -> None:
    """A list asked for as a Table has the columns that kubectl shows."""
    async with served() as (client, _, _):
        async with client.session.get(
            client.url + path, headers={"Accept": TABLE}, ssl=client.trust
        ) as answer:
            table = await answer.json()
        assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        found = [column["name"].replace(" ", "_") for column in table["columnDefinitions"]]
        assert " ".join(found) == columns


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/api", 200),
        ("/api/v1", 200),
        ("/apis", 200),
        ("/apis/coordination.k8s.io", 200),
        ("/apis/coordination.k8s.io/v1", 200),
        ("/apis/coordination.k8s.io/v2", 404),
        ("/apis/example.com", 404),
        ("/healthz", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/version", 200),
        ("/openapi/v3", 200),
        ("/openapi/v2", 404),
        ("/nothing", 404),
    ],
)
async def test_paths_that_are_no_resources(path: str, status: int) -> None:
    """Discovery and health are where clients look for them."""
    async with served() as (client, _, _):
        assert (await client.send("GET", path))[0] == status


async def test_feature_metric() -> None:
    """The metrics say that ImageVolume is GA and on, and ImageVolumeWithDigest off."""
    async with served() as (client, _, _):
        _, _, text = await client.send("GET", "/metrics")
        assert 'kubernetes_feature_enabled{name="ImageVolume",stage=""} 1\n' in text
        assert 'kubernetes_feature_enabled{name="ImageVolumeWithDigest",stage="ALPHA"} 0\n' in text


async def test_openapi_documents_image_volumes() -> None:
    """The OpenAPI document has the two fields as optional, and operations that know fieldValidation."""
    async with served() as (client, _, _):
        _, _, root = await client.send("GET", "/openapi/v3")
        url = root["paths"]["api/v1"]["serverRelativeURL"]
        _, _, document = await client.send("GET", url.partition("?")[0])
        source = document["components"]["schemas"]["io.k8s.api.core.v1.ImageVolumeSource"]
        assert set(source["properties"]) == {"reference", "pullPolicy"}
        assert "required" not in source
        operation = document["paths"]["/api/v1/namespaces/{namespace}/pods"]["post"]
        assert "fieldValidation" in [parameter["name"] for parameter in operation["parameters"]]
        text = json.dumps(document)
        referred = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
        assert referred <= set(document["components"]["schemas"])


async def test_reviews_allow_everything() -> None:
    """The one user there is may do everything, and learns who it is."""
    async with served() as (client, _, _):
        review = {"spec": {"resourceAttributes": {"verb": "delete", "resource": "pods"}}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        status, _, body = await client.send("POST", path, review)
        assert (status, body["status"]) == (201, {"allowed": True})
        _, _, body = await client.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
        assert body["status"]["userInfo"]["username"]


# --- what nodes serve


async def test_node_proxy() -> None:
    """A kubelet's metrics and stats are served through its node's proxy; a node that does not run is 503, none 404."""
    async with served() as (client, store, _):
        store.create("nodes", {"metadata": {"name": "dead"}})
        base = "/api/v1/nodes"
        assert await client.send("GET", f"{base}/node-1/proxy/metrics") == (200, [], "pretended 1\n")
        assert (await client.send("GET", f"{base}/node-1/proxy/configz"))[2] == {
            "kubeletconfig": {"staticPodPath": "/manifests"}
        }
        assert (await client.send("GET", f"{base}/node-1/proxy/stats/summary"))[2] == {
            "node": {"nodeName": "node-1"}
        }
        assert (await client.send("GET", f"{base}/node-1/proxy/other"))[0] == 404
        assert (await client.send("GET", f"{base}/dead/proxy/metrics"))[0] == 503
        assert (await client.send("GET", f"{base}/none/proxy/metrics"))[0] == 404


async def test_log() -> None:
    """A log is served whole or by its last lines; the other wishes are handed to the node."""
    async with served() as (client, store, node):
        await running_pod(client, store)
        path = f"{PODS}/p/log"
        whole = b"".join(LOG).decode()
        assert await client.send("GET", path) == (200, [], whole)
        assert (await client.send("GET", path, container="c", tailLines="2"))[2] == b"".join(
            LOG[-2:]
        ).decode()
        query = {"limitBytes": "9", "timestamps": "true", "sinceTime": "1970-01-01T00:01:00Z"}
        assert (await client.send("GET", path, **query))[0] == 200
        assert node.asked == (60.0, 9, True)
        assert (await client.send("GET", path, sinceTime="yesterday"))[0] == 400
        assert (await client.send("GET", path, tailLines="some"))[0] == 400


async def test_log_that_the_node_refuses() -> None:
    """What the node says against it is the answer, with its status."""
    async with served() as (client, store, node):
        await running_pod(client, store)
        node.refuses = NodeError(404, "pod cannot be found")
        status, _, body = await client.send("GET", f"{PODS}/p/log", follow="true")
        assert (status, body["reason"], body["message"]) == (404, "NotFound", "pod cannot be found")


async def test_log_of_the_previous_container() -> None:
    """The previous container's log is served if there was one, else it is 400."""
    async with served() as (client, store, _):
        await running_pod(client, store)
        path = f"{PODS}/p/log"
        status, _, body = await client.send("GET", path, previous="true")
        assert (status, body["message"]) == (400, 'previous terminated container "c" in pod "p" not found')
        last = RUNNING | {"lastState": {"terminated": {"exitCode": 1}}}
        store.modify("pods", "p", "n", lambda obj: obj["status"].update(containerStatuses=[last]))
        assert (await client.send("GET", path, previous="true"))[2] == b"".join(LOG).decode().upper()


async def test_followed_log_ends_with_its_reader() -> None:
    """A followed log is sent as it comes, and its source ends when nobody reads on."""
    async with served() as (client, store, node):
        await running_pod(client, store)
        query = {"follow": "true"}
        async with client.session.get(client.url + f"{PODS}/p/log", params=query, ssl=client.trust) as answer:
            assert [await answer.content.readline() for _ in LOG] == list(LOG)
            assert node.followers == 1
        async with asyncio.timeout(5):
            while node.followers:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("waiting", "text"),
    [
        ("ContainerCreating", "is waiting to start: ContainerCreating"),
        ("ErrImagePull", "is waiting to start: trying and failing to pull image"),
        ("ErrImageNeverPull", "is waiting to start: image can't be pulled"),
        ("CreateContainerError", "is waiting to start: CreateContainerError"),
    ],
)
async def test_log_of_a_waiting_container(waiting: str, text: str) -> None:
    """A container that has not started has no log, and the answer says why, in the kubelet's words."""
    async with served() as (client, store, _):
        await running_pod(client, store)
        state = RUNNING | {"state": {"waiting": {"reason": waiting}}}
        store.modify("pods", "p", "n", lambda obj: obj["status"].update(containerStatuses=[state]))
        status, _, body = await client.send("GET", f"{PODS}/p/log")
        assert (status, body["message"]) == (400, f'container "c" in pod "p" {text}')


async def test_container_must_be_named_where_there_are_several() -> None:
    """Of several containers one must be named, and it must be one of the Pod's."""
    two = pod("two", nodeName="node-1", containers=[{"name": "a", "image": "x"}, {"name": "b", "image": "x"}])
    async with served() as (client, _, _):
        await client.send("POST", PODS, two)
        _, _, body = await client.send("GET", f"{PODS}/two/log")
        assert body["message"] == "a container name must be specified for pod two, choose one of: [a b]"
        _, _, body = await client.send("GET", f"{PODS}/two/log", container="z")
        assert body["message"] == "container z is not valid for pod two"


# --- commands


@asynccontextmanager
async def command(
    client: Client, *argv: str, protocol: str = "v5.channel.k8s.io", **query: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A command's WebSocket."""
    parameters = [("command", word) for word in argv] + [("stdout", "1"), ("stderr", "1"), *query.items()]
    async with client.session.ws_connect(
        client.url + f"{PODS}/p/exec", params=parameters, protocols=(protocol,), ssl=client.trust
    ) as socket:
        yield socket


async def said(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """All that comes until the end, by channel."""
    channels: dict[int, bytes] = {}
    async for message in socket:
        assert message.type == WSMsgType.BINARY
        channels[message.data[0]] = channels.get(message.data[0], b"") + message.data[1:]
    return channels


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io"])
async def test_command_that_succeeds(protocol: str) -> None:
    """Output comes on channel 1, and Success on channel 3."""
    async with served() as (client, store, _):
        await running_pod(client, store)
        async with command(client, "say", protocol=protocol) as socket:
            assert socket.protocol == protocol
            channels = await said(socket)
        assert channels[1] == b"say"
        assert json.loads(channels[3]) == {"metadata": {}, "status": "Success"}


async def test_command_that_fails() -> None:
    """The exit code is in the Status on channel 3."""
    async with served() as (client, store, _):
        await running_pod(client, store)
        async with command(client, "exit", "3") as socket:
            outcome = json.loads((await said(socket))[3])
        assert outcome["reason"] == "NonZeroExitCode"
        assert outcome["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_command_with_input_that_is_closed() -> None:
    """Input goes in on channel 0, the size on channel 4, and message 255 0 ends the input in v5."""
    async with served() as (client, store, node):
        await running_pod(client, store)
        async with command(client, "cat", stdin="1") as socket:
            await socket.send_bytes(b"\x00hello ")
            await socket.send_bytes(b"\x04" + b'{"Width":80,"Height":25}')
            await socket.send_bytes(b"\x04" + b"no size")
            await socket.send_bytes(b"\x00world")
            await socket.send_bytes(b"\xff\x00")
            channels = await said(socket)
        assert (channels[1], channels[2]) == (b"hello world", b"HELLO WORLD")
        assert node.sessions[0].size == (25, 80)


async def test_command_dies_with_its_client() -> None:
    """A client that goes away takes the command with it."""
    async with served() as (client, store, node):
        await running_pod(client, store)
        async with command(client, "cat", stdin="1") as socket:
            await socket.send_bytes(b"\x00x")
            await socket.receive()
        async with asyncio.timeout(5):
            while not node.sessions[0].killed:
                await asyncio.sleep(0.01)


async def test_command_in_a_container_that_does_not_run() -> None:
    """A command in a container that does not run is refused before the upgrade."""
    async with served() as (client, _, node):
        node.refuses = NodeError(500, 'unable to upgrade connection: container not found ("c")')
        await client.send("POST", PODS, pod(nodeName="node-1"))
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with command(client, "say"):
                pass
        assert caught.value.status == 500


async def test_command_that_cannot_be_started() -> None:
    """A command that cannot be started is told of over the upgraded connection, as the kubelet does."""
    async with served() as (client, store, node):
        await running_pod(client, store)
        node.refuses = NodeError(500, "Internal error occurred: failed to exec in container: not found")
        async with command(client, "nothing") as socket:
            outcome = json.loads((await said(socket))[3])
        assert (outcome["status"], outcome["reason"], outcome["code"]) == ("Failure", "InternalError", 500)
        assert outcome["message"].startswith("Internal error occurred: failed to exec in container")


async def test_command_without_websocket() -> None:
    """A plain request for a command is refused with words."""
    async with served() as (client, store, _):
        await running_pod(client, store)
        status, _, body = await client.send("POST", f"{PODS}/p/exec", command="ls")
        assert (status, "WebSocket" in body["message"]) == (400, True)
        assert (await client.send("GET", f"{PODS}/p/exec"))[0] == 400
