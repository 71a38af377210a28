"""A reference cluster whose node only pretends: what the tests of the API need."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from fixtures.reference.api.controllers.namespaces import NamespaceController
from fixtures.reference.api.nodes import ExecSession, Input
from fixtures.reference.api.objects import Object
from fixtures.reference.api.server import ApiServer
from fixtures.reference.api.store import NotFound, Store
from fixtures.reference.cluster import Cluster
from fixtures.reference.faults import Faults
from fixtures.reference.node.errors import NodeError
from tests.aside import aside
from tests.reference.api.conversation import Request, normalized

TOKEN = "token"
LOG = tuple(f"line {number}\n".encode() for number in range(5))


class PretendedSession:
    """A process that repeats its input on its output, in upper case on its error output, and ends with its first argument."""

    def __init__(self, argv: Sequence[str], *, wants_input: bool) -> None:
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self.stdin: Input | None = self if wants_input else None
        self.killed = False
        self.size = (0, 0)
        self._code = int(argv[1]) if len(argv) > 1 else 0
        self._ended = asyncio.Event()
        if not wants_input:
            self.stdout.feed_data(" ".join(argv).encode())
            self.close()

    def write(self, data: bytes) -> None:
        """As a StreamWriter does."""
        self.stdout.feed_data(data)
        self.stderr.feed_data(data.upper())

    async def drain(self) -> None:
        """As a StreamWriter does."""

    def close(self) -> None:
        """The input has ended, and so does the process."""
        if not self._ended.is_set():
            self.stdout.feed_eof()
            self.stderr.feed_eof()
            self._ended.set()

    def resize(self, *, rows: int, columns: int) -> None:
        """Keep the size."""
        self.size = (rows, columns)

    async def wait(self) -> int:
        """The exit code."""
        await self._ended.wait()
        return self._code

    async def kill(self) -> None:
        """End it."""
        self.killed = True
        self.close()


class PretendedNode:
    """A node that says of every Pod that it runs, and of every deleted one that it has ended."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self.sessions: list[PretendedSession] = []
        self.followers = 0
        self.refuses: NodeError | None = None
        self.asked: tuple[float | None, int | None, bool] = (None, None, False)
        self._store = store

    async def run(self) -> None:
        """Work until cancelled."""
        ready = {"type": "Ready", "status": "True"}
        status = {"conditions": [ready], "nodeInfo": {"kubeletVersion": "v1.36.2"}}
        labels = {"kubernetes.io/hostname": self.name}
        self._store.create("nodes", {"metadata": {"name": self.name, "labels": labels}, "status": status})
        async for kind, pod in self._store.watch("pods", fields={"spec.nodeName": self.name}):
            metadata = pod["metadata"]
            try:
                if kind != "DELETED" and metadata.get("deletionTimestamp"):
                    self._store.remove("pods", metadata["name"], metadata["namespace"])
                elif kind != "DELETED" and pod["status"]["phase"] == "Pending":
                    self._store.modify("pods", metadata["name"], metadata["namespace"], _start)
            except NotFound:
                continue

    async def stop(self) -> None:
        """Nothing runs."""

    async def logs(
        self,
        pod: Object,  # noqa: ARG002  # of the protocol
        container: str,  # noqa: ARG002  # of the protocol
        *,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
        since: float | None = None,
        limit_bytes: int | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[bytes]:
        """LOG, or in capitals if it is the previous one; a followed log never ends."""
        if self.refuses:
            raise self.refuses
        self.asked = (since, limit_bytes, timestamps)
        lines = LOG if tail_lines is None else LOG[len(LOG) - tail_lines :]
        self.followers += 1
        try:
            for line in lines:
                yield line.upper() if previous else line
            if follow:
                await asyncio.Event().wait()
        finally:
            self.followers -= 1

    async def exec(
        self,
        pod: Object,  # noqa: ARG002  # of the protocol
        container: str,  # noqa: ARG002  # of the protocol
        argv: Sequence[str],
        *,
        stdin: bool,
        tty: bool,  # noqa: ARG002  # of the protocol
    ) -> ExecSession:
        """Start a pretended process."""
        if self.refuses:
            raise self.refuses
        session = PretendedSession(argv, wants_input=stdin)
        self.sessions.append(session)
        return session

    def metrics(self) -> str:
        """One metric."""
        return "pretended 1\n"

    def configz(self) -> Object:
        """One setting."""
        return {"kubeletconfig": {"staticPodPath": "/manifests"}}

    def stats_summary(self) -> Object:
        """Only the name."""
        return {"node": {"nodeName": self.name}}


def _start(pod: Object) -> None:
    status = pod["status"]
    status |= {"phase": "Running", "podIP": "10.0.0.1"}
    status["containerStatuses"] = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}},
            "lastState": {},
        }
        for container in pod["spec"]["containers"]
    ]


class Client:
    """Raw requests to a server."""

    def __init__(self, session: aiohttp.ClientSession, url: str, trust: ssl.SSLContext) -> None:
        self.session = session
        self.url = url
        self.trust = trust

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        **query: str,
    ) -> tuple[int, list[str], Any]:
        """Status, warnings and body of an answer."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": content_type}
        async with self.session.request(
            method, self.url + path, params=query, data=data, headers=headers, ssl=self.trust
        ) as answer:
            text = await answer.text()
            warnings = [text.removeprefix("299 - ") for text in answer.headers.getall("Warning", [])]
            try:
                return answer.status, warnings, json.loads(text)
            except ValueError:
                return answer.status, warnings, text

    async def answer(self, request: Request) -> Any:
        """What is answered to a request of the conversation, as it is recorded."""
        if request.wait:
            while (await self.send("GET", request.wait))[0] != 200:
                await asyncio.sleep(0.005)
        status, warnings, body = await self.send(
            request.method,
            request.path,
            request.body,
            content_type=request.content_type,
            **request.query,
        )
        return {"status": status, "warnings": warnings, "body": normalized(body)}


@asynccontextmanager
async def serving(
    *faults: str, nodes: dict[str, PretendedNode] | None = None, store: Store | None = None
) -> AsyncIterator[Client]:
    """An API server with the namespace controller, and a client of it; neither scheduler nor nodes that work."""
    server = ApiServer(store or Store(), Faults(faults), find_node=(nodes or {}).get, token=TOKEN)
    url = await server.start()
    controller = asyncio.create_task(NamespaceController(server.rest).run())
    trust = ssl.create_default_context(cadata=server.certificate.certificate)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
    try:
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Client(session, url, trust)
    finally:
        controller.cancel()
        await asyncio.gather(controller, return_exceptions=True)
        await server.stop()


@contextmanager
def cluster_in_thread(folder: Path, *names: str) -> Iterator[Path]:
    """A whole cluster of pretended nodes, on a loop in a thread, for clients that block; yields its kubeconfig."""
    kubeconfig = folder / "kubeconfig"

    async def start() -> Cluster:
        cluster = Cluster(names, PretendedNode, Faults())
        await cluster.start()
        await cluster.wait_ready()
        cluster.write_kubeconfig(kubeconfig)
        return cluster

    with aside() as beside:
        cluster = beside.do(start())
        try:
            yield kubeconfig
        finally:
            beside.do(cluster.stop())
