"""The certificate that the API server makes for itself."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from fixtures.reference.api.certificate import self_signed


async def _greeting(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        try:
            return await reader.read()
        finally:
            writer.close()


def _trust(pem: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize("attempt", range(5))
def test_strict_client_accepts_it(attempt: int) -> None:  # noqa: ARG001  # keys are random
    """A client that trusts the certificate and checks strictly connects to 127.0.0.1."""
    made = self_signed()
    assert asyncio.run(_greeting(made.server_context(), _trust(made.certificate))) == b"hello"


def test_client_that_trusts_another_refuses() -> None:
    """Certificates of two starts are not taken for each other."""
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(_greeting(self_signed().server_context(), _trust(self_signed().certificate)))


def test_other_host_is_refused() -> None:
    """The certificate is for 127.0.0.1 and nothing else on the network."""
    made = self_signed("127.0.0.2")
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(_greeting(made.server_context(), _trust(made.certificate)))
