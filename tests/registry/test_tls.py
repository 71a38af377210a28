"""Clients that try TLS first, as containerd does on loopback, learn at once that this is plain http."""

from __future__ import annotations

import socket
import ssl

import pytest

from fixtures.registry.client import RegistryControl
from fixtures.registry.process import Running


def address_of(registry: Running) -> tuple[str, int]:
    """The first address of the registry."""
    host, _, port = registry.hosts[0].rpartition(":")
    return host, int(port)


def test_tls_handshake_is_answered_in_plain_http(registry: Running) -> None:
    """A handshake is answered with the bytes by which Go's client knows http, however it comes, and not with a reset."""
    with socket.create_connection(address_of(registry), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01")
        connection.sendall(b"\x00" * 100_000)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.0 400 ")


def test_tls_client_fails_fast_and_is_not_recorded(registry: Running, control: RegistryControl) -> None:
    """A TLS client gets an error of the handshake; its attempt is no request."""
    mark = control.mark()
    context = ssl._create_unverified_context()  # noqa: S323 - there is nothing to verify
    with socket.create_connection(address_of(registry), timeout=10) as connection:
        with pytest.raises(ssl.SSLError) as error:
            context.wrap_socket(connection)
        assert not isinstance(error.value, ssl.SSLEOFError)
    assert control.mark() == mark
