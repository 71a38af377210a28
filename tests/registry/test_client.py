"""The control API as the suite uses it: what it says when the registry is out of reach, and that images arrive."""

from __future__ import annotations

import dataclasses
import socket

import pytest

from fixtures.registry import server
from fixtures.registry.client import Access, Fault, RegistryControl, RegistryError, Request
from images.oci.push import PushError
from images.site import image
from tests.registry.conftest import Web, WebAt, basic


def test_image_is_pushed_under_its_tags(control: RegistryControl, web: Web, repository: str) -> None:
    """A pushed image can be pulled by every tag, with each of its blobs."""
    site = image("client")
    control.push(site, repository, "v1", "v2")
    for tag in ("v1", "v2"):
        answer = web.get(f"/v2/{repository}/manifests/{tag}")
        assert (answer.data, answer.headers["Content-Type"]) == (site.manifest, site.media_type)
    for digest, blob in site.blobs.items():
        assert len(web.get(f"/v2/{repository}/blobs/{digest}").data) == blob.size


def test_image_is_pushed_to_a_protected_repository(
    control: RegistryControl, web: Web, repository: str
) -> None:
    """The runner needs no user of the repository, and its pushes don't count as anybody's requests."""
    control.set_access(repository, Access(users={"ann": "pw"}))
    control.push(image("protected"), repository, "v1")
    assert {request.runner for request in control.requests(repository)} == {True}
    assert web.send("GET", f"/v2/{repository}/manifests/v1", headers=basic("ann", "pw")).status == 200


def test_wrong_run_token_pushes_nothing(control: RegistryControl, repository: str) -> None:
    """A client with another token is refused, and its token is not in the error."""
    stranger = RegistryControl(control.control_url, "another-token", control.hosts)
    with pytest.raises(PushError) as refused:
        stranger.push(image("stranger"), repository, "v1")
    assert "another-token" not in str(refused.value)
    with pytest.raises(RegistryError, match="needs the run token"):
        stranger.mark()
    stranger.close()


def test_tag_moves_by_control(control: RegistryControl, web: Web, repository: str) -> None:
    """A tag can be moved to a manifest that is there, and not to one that isn't."""
    first, second = (web.push_manifest(repository, tag) for tag in ("v1", "v2"))
    assert first != second
    control.tag(repository, "v1", second)
    assert web.get(f"/v2/{repository}/manifests/v1").headers["Docker-Content-Digest"] == second
    with pytest.raises(RegistryError, match="has no manifest"):
        control.tag(repository, "v1", "sha256:" + "0" * 64)


def test_deleting(control: RegistryControl, web: Web, repository: str) -> None:
    """Tags, manifests and blobs can be deleted; what is not there is told."""
    blob = web.push_blob(repository, b"to be deleted")
    digest = web.push_manifest(repository, "v1", blob)
    control.delete_manifest(repository, "v1")
    assert web.get(f"/v2/{repository}/manifests/v1").status == 404
    control.delete_manifest(repository, digest)
    control.delete_blob(repository, blob)
    assert web.get(f"/v2/{repository}/blobs/{blob}").status == 404
    with pytest.raises(RegistryError, match="has no blob"):
        control.delete_blob(repository, blob)


def test_forgetting(control: RegistryControl, web: Web, repository: str) -> None:
    """A forgotten repository has no content, users or faults; its requests stay in the record."""
    web.push_manifest(repository, "v1", web.push_blob(repository, b"forget me"))
    control.set_access(repository, Access(users={"ann": "pw"}))
    control.add_fault(Fault(repository, status=500))
    control.forget(repository)
    answer = web.get(f"/v2/{repository}/manifests/v1")
    assert (answer.status, answer.json["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    assert len(control.requests(repository)) == 3
    assert repository not in [item.fault.repository for item in control.faults()]


def test_healing_is_for_one_repository_or_all(control: RegistryControl, web: Web, repository: str) -> None:
    """Healing one repository leaves another one broken; healing without a name ends every fault."""
    other = f"{repository}-other"
    control.add_fault(Fault(repository, status=500))
    control.add_fault(Fault(repository, status=503))
    control.add_fault(Fault(other, status=500))
    control.heal(repository)
    assert web.get(f"/v2/{repository}/manifests/v1").status == 404
    assert web.get(f"/v2/{other}/manifests/v1").status == 500
    control.heal()
    assert web.get(f"/v2/{other}/manifests/v1").status == 404
    assert control.faults() == []


def test_unknown_scheme_is_refused(control: RegistryControl, repository: str) -> None:
    """A scheme that the registry doesn't speak is told."""
    with pytest.raises(RegistryError, match="unknown scheme 'digest'"):
        control.set_access(repository, Access(users={}, scheme="digest"))


def test_registry_out_of_reach() -> None:
    """Without a registry the suite cannot tell anything: the error is inconclusive, names the address and no token."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        control = RegistryControl(f"http://127.0.0.1:{port}", "run-token", ())
        with pytest.raises(RegistryError, match=f"http://127.0.0.1:{port} is out of reach") as error:
            control.mark()
    assert "run-token" not in str(error.value)
    control.close()


def test_record_has_what_the_server_tells() -> None:
    """Client and server agree on what a request's record holds."""
    ours = {field.name for field in dataclasses.fields(Request)}
    assert ours == set(server.Entry().to_json())


def test_failure_of_the_registry_is_kept(control: RegistryControl, web_at: WebAt, repository: str) -> None:
    """When the registry itself fails, the client gets 500 and the run can read the traceback."""
    assert repository
    own = RegistryControl(control.control_url, control.token, control.hosts)
    assert own.errors() == []
    own.close()
    assert web_at(control.hosts[0]).get("/v2/").status == 401
