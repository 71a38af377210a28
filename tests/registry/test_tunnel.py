"""The tunnel on its own: both ways, its errors, and its end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from aiohttp import WSMsgType, web
from websocket import WebSocket, WebSocketBadStatusException, create_connection

from fixtures.registry.tunnel import PROTOCOL, Tunnel
from tests.aside import aside


class Far:
    """A WebSocket server that answers each connection's first message in a way of its own."""

    def __init__(self) -> None:
        self.url = ""
        self.said: list[bytes] = []
        self.answers: list[bytes] = []
        self.close_after = False
        self.closed = threading.Event()

    async def _handle(self, request: web.Request) -> web.WebSocketResponse:
        far = web.WebSocketResponse(protocols=[PROTOCOL])
        await far.prepare(request)
        for channel in (0, 1):
            await far.send_bytes(bytes([channel]) + (80).to_bytes(2, "little"))
        async for message in far:
            assert message.type is WSMsgType.BINARY
            self.said.append(message.data)
            for answer in self.answers:
                await far.send_bytes(answer)
            if self.close_after:
                break
        await far.close()
        self.closed.set()
        return far

    async def start(self) -> web.AppRunner:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_get("/", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def dial(self) -> WebSocket:
        """Connect to the server."""
        return create_connection(self.url, subprotocols=[PROTOCOL])


@pytest.fixture
def far() -> Iterator[Far]:
    """A far end."""
    found = Far()
    with aside() as beside:
        runner = beside.do(found.start())
        try:
            yield found
        finally:
            beside.do(runner.cleanup())


def connect(tunnel: Tunnel) -> socket.socket:
    """Connect to the near end."""
    host, _, port = tunnel.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


@pytest.fixture
def tunnel(far: Far) -> Iterator[Tunnel]:
    """A tunnel to the far end."""
    found = Tunnel(far.dial)
    yield found
    found.close()


def test_bytes_go_both_ways(far: Far, tunnel: Tunnel) -> None:
    """What is said arrives on channel 0, and what is answered there comes back without the port's announcement."""
    far.answers = [b"\x00hel", b"\x00lo", b"\x00"]
    with connect(tunnel) as local:
        local.sendall(b"hi")
        got = b""
        while len(got) < 5:
            got += local.recv(100)
    assert (far.said, got) == ([b"\x00hi"], b"hello")


def test_end_of_the_far_side(far: Far, tunnel: Tunnel) -> None:
    """When the far end closes, what it sent before arrives and then the near end closes, without an error."""
    far.answers, far.close_after = [b"\x00" + b"x" * 100_000] * 20, True
    with connect(tunnel) as local:
        local.sendall(b"go")
        got = 0
        while piece := local.recv(65536):
            got += len(piece)
    assert got == 2_000_000
    assert list(tunnel.errors) == []


def test_end_of_the_near_side(far: Far, tunnel: Tunnel) -> None:
    """When the client closes, the far end is told."""
    with connect(tunnel) as local:
        local.sendall(b"hi")
    assert far.closed.wait(10)
    assert list(tunnel.errors) == []


def test_error_of_the_far_side(far: Far, tunnel: Tunnel) -> None:
    """What the kubelet says on the error channel closes the connection and is kept."""
    far.answers = [b"\x01connection refused"]
    with connect(tunnel) as local:
        local.sendall(b"hi")
        assert local.recv(100) == b""
    assert list(tunnel.errors) == ["connection refused"]


def test_far_side_that_cannot_be_reached() -> None:
    """When the WebSocket cannot be opened, the connection closes and the reason is kept."""

    def dial() -> WebSocket:
        raise WebSocketBadStatusException("Handshake status 403 Forbidden", 403)

    tunnel = Tunnel(dial)
    with connect(tunnel) as local:
        assert local.recv(100) == b""
    assert list(tunnel.errors) == ["WebSocketBadStatusException: Handshake status 403 Forbidden"]
    tunnel.close()


def test_close_ends_connections(far: Far, tunnel: Tunnel) -> None:
    """Closing the tunnel ends what goes through it and refuses what comes; it may be said twice."""
    far.answers = [b"\x00yes"]
    with connect(tunnel) as local:
        local.sendall(b"hi")
        assert local.recv(100) == b"yes"
        address = tunnel.address
        tunnel.close()
        tunnel.close()
        assert local.recv(100) == b""
    assert far.closed.wait(10)
    host, _, port = address.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
