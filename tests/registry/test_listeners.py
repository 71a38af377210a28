"""Addresses that go down, come back, and are opened on demand."""

from __future__ import annotations

import socket

import pytest
import urllib3

from fixtures.registry.client import Access, Fault, RegistryControl, RegistryError
from fixtures.registry.process import Running, running
from tests.registry.conftest import Web, WebAt


def is_refused(host: str) -> bool:
    """Whether a connection to an address is refused."""
    address, _, port = host.rpartition(":")
    try:
        socket.create_connection((address, int(port)), timeout=10).close()
    except ConnectionRefusedError:
        return True
    return False


def test_opened_on_demand(control: RegistryControl, web_at: WebAt, web: Web, repository: str) -> None:
    """A new address is a registry of its own to clients, with the same content and its own name in the record."""
    digest = web.push_blob(repository, b"everywhere")
    host = control.open_listener()
    try:
        assert web_at(host).get(f"/v2/{repository}/blobs/{digest}").data == b"everywhere"
        assert control.requests(repository)[-1].host == host
        assert [item.host for item in control.listeners() if item.host == host and item.open] == [host]
    finally:
        control.remove_listener(host)
    assert is_refused(host)
    assert host not in [item.host for item in control.listeners()]


def test_down_and_up_again(control: RegistryControl, web_at: WebAt, repository: str) -> None:
    """An address that is down refuses connections and has cut the old ones; it comes back on the same port."""
    host = control.open_listener()
    web = web_at(host)
    for _ in range(3):
        assert web.get(f"/v2/{repository}/manifests/v1").status == 404
        kept = web.pool.connection_from_host("127.0.0.1", int(host.rpartition(":")[2]))
        with control.down(host):
            assert is_refused(host)
            with pytest.raises(urllib3.exceptions.HTTPError):
                web.get(f"/v2/{repository}/manifests/v1")
        assert kept.num_connections >= 1
        assert web.get(f"/v2/{repository}/manifests/v1").status == 404
    control.remove_listener(host)


def test_port_stays_ours_while_down(control: RegistryControl) -> None:
    """While an address is down nobody else can take its port, so it can come back."""
    host = control.open_listener()
    with control.down(host), socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", int(host.rpartition(":")[2])))
    control.remove_listener(host)


def test_down_cuts_a_transfer(control: RegistryControl, web: Web, web_at: WebAt, repository: str) -> None:
    """A transfer under way is cut when the address goes down; the record tells how far it came."""
    digest = web.push_blob(repository, b"d" * 100_000)
    host = control.open_listener()
    control.add_fault(Fault(repository, stall_after_bytes=10, host=host))
    client = web_at(host)
    answer = client.pool.request(
        "GET", f"http://{host}/v2/{repository}/blobs/{digest}", preload_content=False
    )
    assert answer.read(10) == b"d" * 10
    with control.down(host):
        with pytest.raises(urllib3.exceptions.HTTPError):
            answer.read()
        cut = control.wait_for_request(
            lambda r: r.host == host and r.ended, deadline=10, repository=repository
        )
    assert (cut.bytes, cut.complete) == (10, False)
    control.heal(repository)
    control.remove_listener(host)


def test_opening_and_closing_twice_is_harmless(control: RegistryControl) -> None:
    """Down stays down and up stays up, however often it is said."""
    host = control.open_listener()
    control.close_listener(host)
    control.close_listener(host)
    assert is_refused(host)
    control.reopen_listener(host)
    control.reopen_listener(host)
    assert not is_refused(host)
    control.close_listener(host)
    control.remove_listener(host)
    assert is_refused(host)


def test_challenge_of_an_address(control: RegistryControl, web_at: WebAt) -> None:
    """An address challenges at `/v2/` as it was opened to do."""
    for challenge, status in (("open", 200), ("basic", 401), ("bearer", 401)):
        host = control.open_listener(challenge=challenge)
        answer = web_at(host).get("/v2/")
        assert answer.status == status
        assert answer.headers.get("WWW-Authenticate", "open").lower().startswith(challenge)
        control.remove_listener(host)


def test_what_cannot_be_opened_or_closed(control: RegistryControl, registry: Running) -> None:
    """A port in use, an unknown challenge or address, and the control's own address are refused with the reason."""
    with pytest.raises(RegistryError, match=f"cannot listen on {registry.hosts[0]}: Address already in use"):
        control.open_listener(registry.hosts[0])
    with pytest.raises(RegistryError, match="unknown challenge 'kerberos'"):
        control.open_listener(challenge="kerberos")
    with pytest.raises(RegistryError, match=r"no listener '127\.0\.0\.1:1'"):
        control.close_listener("127.0.0.1:1")
    with pytest.raises(RegistryError, match="carries the control"):
        control.close_listener(registry.control_url.removeprefix("http://"))


def test_ports_set_aside() -> None:
    """Where only some ports may be used, addresses on demand take those, and the lack of one is told."""
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port = finder.getsockname()[1]
    with running(ports=range(port, port + 1)) as started:
        # The server's own addresses are given, so port 0 there takes one of those set aside too.
        assert started.hosts == (f"127.0.0.1:{port}",)
        with pytest.raises(RegistryError, match="none of the 1 ports set aside"):
            started.control.open_listener()


def test_address_that_is_down_is_nobody_elses() -> None:
    """While an address is down its port is still its owner's: whoever opens one then gets another."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(ports=range(port, port + 3)) as started:
        registry = started.control
        first = registry.open_listener()
        registry.close_listener(first)
        assert registry.open_listener() != first


def test_access_holds_on_every_address(
    control: RegistryControl, registry: Running, web_at: WebAt, repository: str
) -> None:
    """Who may pull is the repository's, not the address's."""
    control.set_access(repository, Access(users={"ann": "x"}))
    assert {web_at(host).get(f"/v2/{repository}/tags/list").status for host in registry.hosts} == {401}
