"""An API server with one node, as far as the registry's Pod needs them: objects, a log, and port-forward by WebSocket.

The Pod's container is a process on this machine; port-forward speaks v4.channel.k8s.io as the kubelet does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from fixtures.registry.node import FOLDER, STORAGE
from fixtures.registry.process import SERVER
from fixtures.registry.tunnel import PROTOCOL
from tests.aside import aside

Json = dict[str, Any]


@dataclass
class FakeNode:
    """What was created, the process that stands for the container, and a state to show instead of its own."""

    folder: Path
    objects: dict[str, Json] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    state: Json | None = None
    forwards: bool = True

    @property
    def log(self) -> Path:
        """The container's output."""
        return self.folder / "log"

    def app(self) -> web.Application:
        """The handlers of the API."""
        base = "/api/v1/namespaces/{namespace}"
        app = web.Application()
        app.router.add_post(base + "/{kind}", self._create)
        app.router.add_get(base + "/pods", self._list)
        app.router.add_get(base + "/pods/registry", self._get)
        app.router.add_delete(base + "/pods/registry", self._delete)
        app.router.add_get(base + "/pods/registry/log", self._log)
        app.router.add_get(base + "/pods/registry/portforward", self._forward)
        return app

    def _pod(self) -> Json:
        state = self.state
        if state is None:
            code = self.process.poll() if self.process else None
            state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "reason": "Error"}}
        return self.objects["pods"] | {"status": {"containerStatuses": [{"state": state}]}}

    async def _create(self, request: web.Request) -> web.Response:
        kind, body = request.match_info["kind"], await request.json()
        self.objects[kind] = body
        if kind == "pods":
            await asyncio.to_thread(self._run, body["spec"]["containers"][0])
        return web.json_response(body, status=201)

    def _run(self, container: Json) -> None:
        """Run the container's command, with its paths as they are on this machine."""
        places = {
            "python3": sys.executable,
            STORAGE: str(self.folder),
            f"{FOLDER}/{SERVER.name}": str(SERVER),
        }
        command = [places.get(part, part) for part in container["command"]]
        variable = container["env"][0]
        assert variable["valueFrom"]["secretKeyRef"] == {"name": "registry", "key": "token"}
        token = self.objects["secrets"]["stringData"]["token"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, env={**os.environ, variable["name"]: token})
        if "--refuse" in command:
            self.process.wait()

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": [self._pod()]})

    async def _get(self, _: web.Request) -> web.Response:
        if "pods" not in self.objects:
            return web.json_response({"kind": "Status", "reason": "NotFound"}, status=404)
        return web.json_response(self._pod())

    async def _delete(self, _: web.Request) -> web.Response:
        self.stop()
        return web.json_response(self.objects.pop("pods"))

    def stop(self) -> None:
        """End the container."""
        if self.process:
            self.process.terminate()
            self.process.wait()

    async def _log(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while "\n" not in self.log.read_text():
            await asyncio.sleep(0.01)
        await answer.write(self.log.read_bytes())
        return answer

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        if not self.forwards:
            return web.json_response(
                {"kind": "Status", "message": "pods/portforward is forbidden"}, status=403
            )
        far = web.WebSocketResponse(protocols=[PROTOCOL])
        await far.prepare(request)
        assert far.ws_protocol == PROTOCOL
        port = int(request.query["ports"])
        for channel in (0, 1):
            await far.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            await far.send_bytes(b"\x01" + f"error forwarding port {port}: {error}".encode())
            await far.close()
            return far
        back = asyncio.create_task(carry_back(reader, far))
        async for message in far:
            if message.type is WSMsgType.BINARY and message.data[0] == 0:
                writer.write(message.data[1:])
                await writer.drain()
        back.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await back
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return far


async def carry_back(reader: asyncio.StreamReader, far: web.WebSocketResponse) -> None:
    """Send what the port says, and close when it ends."""
    while data := await reader.read(65536):
        await far.send_bytes(b"\x00" + data)
    await far.close()


@contextlib.contextmanager
def serving(node: FakeNode) -> Iterator[str]:
    """Serve the API on loopback for the length of a block; gives its URL."""
    with aside() as beside:
        listening = site(node)
        try:
            yield beside.do(listening.__aenter__())
        finally:
            beside.do(listening.__aexit__(None, None, None))
            node.stop()


@contextlib.asynccontextmanager
async def site(node: FakeNode) -> AsyncIterator[str]:
    """Listen on a free port."""
    runner = web.AppRunner(node.app(), shutdown_timeout=1)
    await runner.setup()
    try:
        listening = web.TCPSite(runner, "127.0.0.1", 0)
        await listening.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
