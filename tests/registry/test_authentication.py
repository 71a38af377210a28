"""Who may pull and push, and how a client is told to log in."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import pytest

from fixtures.registry.client import Access, RegistryControl
from fixtures.registry.process import Running
from tests.registry.conftest import Answer, Web, WebAt, basic, bearer

USERS = {"ann": "secret-a", "bob": "secret:b"}


def ask_token(web: Web, repository: str, user: str = "", password: str = "", actions: str = "pull") -> Answer:
    """Ask for a token by GET, as docker and containers/image do."""
    query = urlencode({"service": "any", "scope": f"repository:{repository}:{actions}"})
    headers = basic(user, password) if user else {}
    return web.send("GET", f"/token?{query}", headers=headers)


def post_token(web: Web, repository: str, **form: str) -> Answer:
    """Ask for a token by POST, as containerd does when it has a credential."""
    fields = {
        "service": "any",
        "scope": f"repository:{repository}:pull",
        "client_id": "containerd-client",
        **form,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return web.send("POST", "/token", body=urlencode(fields).encode(), headers=headers)


@pytest.fixture
def protected(control: RegistryControl, web: Web, repository: str) -> str:
    """A repository with two users, which challenges Basic."""
    web.push_manifest(repository, "v1")
    control.set_access(repository, Access(users=USERS, scheme="basic"))
    return repository


@pytest.fixture
def with_tokens(control: RegistryControl, web: Web, repository: str) -> str:
    """A repository with two users, which challenges Bearer."""
    web.push_manifest(repository, "v1")
    control.set_access(repository, Access(users=USERS, scheme="bearer"))
    return repository


def test_public_repository_ignores_credentials(web: Web, repository: str) -> None:
    """A repository without users is read by anybody, whatever they bring."""
    web.push_manifest(repository, "v1")
    for headers in ({}, basic("who", "ever"), bearer("nonsense"), {"Authorization": "Basic !"}):
        assert web.send("GET", f"/v2/{repository}/manifests/v1", headers=headers).status == 200


def test_basic(web: Web, protected: str) -> None:
    """A protected repository challenges Basic, takes each of its users, and refuses everybody else."""
    path = f"/v2/{protected}/manifests/v1"
    bare = web.get(path)
    assert bare.status == 401
    assert bare.headers["WWW-Authenticate"] == f'Basic realm="http://{web.host}"'
    assert bare.json["errors"][0]["code"] == "UNAUTHORIZED"
    for user, password in USERS.items():
        assert web.send("GET", path, headers=basic(user, password)).status == 200
    for user, password in (("ann", "secret:b"), ("ann", ""), ("", ""), ("cat", "x"), ("", "secret-a")):
        assert web.send("GET", path, headers=basic(user, password)).status == 401


def test_bearer_challenge_names_realm_service_and_scope(web: Web, with_tokens: str) -> None:
    """The challenge says where to get a token and for what; only after a token was shown does it name an error."""
    challenge = web.send("HEAD", f"/v2/{with_tokens}/manifests/v1").headers["WWW-Authenticate"]
    assert challenge == (
        f'Bearer realm="http://{web.host}/token",service="image-volume-test-registry",'
        f'scope="repository:{with_tokens}:pull"'
    )
    refused = web.send("GET", f"/v2/{with_tokens}/manifests/v1", headers=bearer("nonsense"))
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == f'{challenge},error="invalid_token"'


def test_realm_is_the_name_that_the_client_used(web: Web, with_tokens: str) -> None:
    """The token endpoint is on the host that the client knows, and a Host header cannot smuggle anything in."""
    path = f"/v2/{with_tokens}/manifests/v1"
    named = web.send("GET", path, headers={"Host": "registry.example:5000"}).headers["WWW-Authenticate"]
    assert 'realm="http://registry.example:5000/token"' in named
    odd = web.send("GET", path, headers={"Host": 'x",scope="y'}).headers["WWW-Authenticate"]
    assert f'realm="http://{web.host}/token"' in odd


def test_token_by_get(web: Web, with_tokens: str) -> None:
    """A user gets a token by GET with Basic; it opens this repository and no other."""
    answer = ask_token(web, with_tokens, "ann", "secret-a")
    assert answer.status == 200
    assert answer.json["token"] == answer.json["access_token"]
    assert answer.json["expires_in"] == 300
    headers = bearer(answer.json["token"])
    assert web.send("GET", f"/v2/{with_tokens}/manifests/v1", headers=headers).status == 200


def test_token_by_post(web: Web, with_tokens: str) -> None:
    """A user gets a token by POST with a form, as containerd asks for it; a refresh token is none of ours."""
    answer = post_token(web, with_tokens, grant_type="password", username="bob", password="secret:b")
    headers = bearer(answer.json["access_token"])
    assert web.send("GET", f"/v2/{with_tokens}/manifests/v1", headers=headers).status == 200
    wrong = post_token(web, with_tokens, grant_type="password", username="bob", password="no")
    assert wrong.status == 401
    assert post_token(web, with_tokens, grant_type="refresh_token", refresh_token="x").status == 401


def test_nobody_gets_no_token_for_a_protected_repository(web: Web, with_tokens: str, protected: str) -> None:
    """Without a credential, or with a wrong one, the token endpoint answers 401 itself."""
    for repository in (with_tokens, protected):
        assert ask_token(web, repository).status == 401
        assert ask_token(web, repository, "ann", "wrong").status == 401


def test_anybody_gets_a_token_for_a_public_repository(web: Web, repository: str) -> None:
    """containers/image asks for a token before each pull: an anonymous one opens a public repository, for reading."""
    web.push_manifest(repository, "v1")
    token = ask_token(web, repository, actions="pull,push").json["token"]
    assert web.send("GET", f"/v2/{repository}/manifests/v1", headers=bearer(token)).status == 200
    put = web.send("PUT", f"/v2/{repository}/manifests/v2", body=b"{}", headers=bearer(token))
    assert put.status == 401
    assert 'error="insufficient_scope"' in put.headers["WWW-Authenticate"]


def test_token_is_for_one_repository(web: Web, control: RegistryControl, with_tokens: str) -> None:
    """A token for one repository is worth nothing at another with the same users."""
    other = f"{with_tokens}/other"
    web.push_manifest(other, "v1")
    control.set_access(other, Access(users=USERS, scheme="bearer"))
    token = ask_token(web, with_tokens, "ann", "secret-a").json["token"]
    refused = web.send("GET", f"/v2/{other}/manifests/v1", headers=bearer(token))
    assert refused.status == 401
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


def test_token_expires(web: Web, control: RegistryControl, repository: str) -> None:
    """A token is good for the seconds that were promised and no longer."""
    web.push_manifest(repository, "v1")
    control.set_access(repository, Access(users=USERS, scheme="bearer", token_seconds=1))
    answer = ask_token(web, repository, "ann", "secret-a")
    assert answer.json["expires_in"] == 1
    path, headers = f"/v2/{repository}/manifests/v1", bearer(answer.json["token"])
    assert web.send("GET", path, headers=headers).status == 200
    end = time.monotonic() + 10
    while web.send("GET", path, headers=headers).status == 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_rotated_password_revokes_tokens(web: Web, control: RegistryControl, with_tokens: str) -> None:
    """When a user's password changes, the token that the old one bought is worth nothing; another user's stays good."""
    path = f"/v2/{with_tokens}/manifests/v1"
    ann = ask_token(web, with_tokens, "ann", "secret-a").json["token"]
    bob = ask_token(web, with_tokens, "bob", "secret:b").json["token"]
    control.set_access(with_tokens, Access(users={**USERS, "ann": "new"}, scheme="bearer"))
    assert web.send("GET", path, headers=bearer(ann)).status == 401
    assert web.send("GET", path, headers=bearer(bob)).status == 200
    assert ask_token(web, with_tokens, "ann", "new").status == 200


def test_anonymous_token_ends_with_the_public(web: Web, control: RegistryControl, repository: str) -> None:
    """An anonymous token opens nothing any more once the repository is protected; made public again, it opens to all."""
    web.push_manifest(repository, "v1")
    path = f"/v2/{repository}/manifests/v1"
    token = ask_token(web, repository).json["token"]
    control.set_access(repository, Access(users=USERS, scheme="bearer"))
    assert web.send("GET", path, headers=bearer(token)).status == 401
    control.make_public(repository)
    assert web.get(path).status == 200


def test_anonymous_with_tokens(web: Web, control: RegistryControl, repository: str) -> None:
    """As on Docker Hub: anybody gets a token and must show it, while a wrong credential gets none."""
    web.push_manifest(repository, "v1")
    control.set_access(repository, Access(users=USERS, scheme="bearer", anonymous=True))
    path = f"/v2/{repository}/manifests/v1"
    assert web.get(path).status == 401
    assert web.send("GET", path, headers=bearer(ask_token(web, repository).json["token"])).status == 200
    assert ask_token(web, repository, "ann", "wrong").status == 401
    assert ask_token(web, repository, "ann", "secret-a").status == 200


def test_anonymous_with_basic(web: Web, control: RegistryControl, repository: str) -> None:
    """Nobody may pull without more ado, a user too, a wrong credential not; empty ones are nobody's."""
    web.push_manifest(repository, "v1")
    control.set_access(repository, Access(users=USERS, scheme="basic", anonymous=True))
    path = f"/v2/{repository}/manifests/v1"
    assert web.get(path).status == 200
    assert web.send("GET", path, headers=basic("", "")).status == 200
    assert web.send("GET", path, headers=basic("bob", "secret:b")).status == 200
    assert web.send("GET", path, headers=basic("bob", "wrong")).status == 401


def test_each_way_opens_the_same_door(web: Web, protected: str, with_tokens: str) -> None:
    """The scheme decides the challenge alone: a token opens a Basic repository, Basic one with tokens.

    CRI-O on an address that challenges Bearer pulls from a Basic repository that way.
    """
    token = ask_token(web, protected, "ann", "secret-a").json["token"]
    assert web.send("GET", f"/v2/{protected}/manifests/v1", headers=bearer(token)).status == 200
    answer = web.send("GET", f"/v2/{with_tokens}/manifests/v1", headers=basic("ann", "secret-a"))
    assert answer.status == 200


def test_ping(registry: Running, web_at: WebAt, protected: str) -> None:
    """`/v2/` challenges as its address is told to, and greets those whom it knows."""
    assert protected
    bearing, _, basics, open_one = (web_at(host) for host in registry.hosts)
    assert open_one.get("/v2/").status == 200
    answer = bearing.get("/v2/")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith(
        f'Bearer realm="http://{bearing.host}/token",service='
    )
    assert "scope" not in answer.headers["WWW-Authenticate"]
    token = ask_token(bearing, "any").json["token"]
    assert bearing.send("GET", "/v2/", headers=bearer(token)).status == 200
    assert basics.get("/v2/").headers["WWW-Authenticate"].startswith("Basic ")
    assert basics.send("GET", "/v2/", headers=basic("ann", "secret-a")).status == 200
    assert basics.send("GET", "/v2/", headers=basic("ann", "wrong")).status == 401
    assert basics.send("GET", "/v2/", headers=basic("", "")).status == 401


def test_docker_login(web: Web, protected: str) -> None:
    """A login without a scope succeeds for a user of any repository and fails for everybody else."""
    assert protected
    assert web.send("GET", "/token?account=ann", headers=basic("ann", "secret-a")).status == 200
    assert web.send("GET", "/token?account=ann", headers=basic("ann", "wrong")).status == 401
    assert web.send("GET", "/token").status == 200


@pytest.mark.parametrize("way", ["header", "basic", "token"])
def test_runner_pushes_to_a_protected_repository(
    registry: Running, control: RegistryControl, web: Web, protected: str, way: str
) -> None:
    """The run token pushes and pulls everywhere, as a header, as a password and through the token endpoint; it is marked."""
    mark = control.mark()
    headers = {"X-Run-Token": registry.token}
    if way != "header":
        headers = basic("runner", registry.token)
    if way == "token":
        answer = ask_token(web, protected, "runner", registry.token, actions="pull,push")
        headers = bearer(answer.json["token"])
    assert web.send("PUT", f"/v2/{protected}/manifests/v2", body=b"{}", headers=headers).status == 201
    assert web.send("GET", f"/v2/{protected}/manifests/v2", headers=headers).status == 200
    assert all(request.runner for request in control.requests(protected, mark))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "manifests/v1"),
        ("DELETE", "manifests/v1"),
        ("POST", "blobs/uploads/"),
        ("PUT", "blobs/uploads/1?digest=sha256:" + "0" * 64),
        ("GET", "blobs/uploads/1"),
    ],
)
def test_nobody_else_writes(web: Web, protected: str, method: str, path: str) -> None:
    """Anonymous writing is challenged, a user's is denied, and neither changes anything."""
    target = f"/v2/{protected}/{path}"
    assert web.send(method, target, body=b"{}").status == 401
    assert web.send(method, target, body=b"{}", headers=basic("ann", "secret-a")).status == 403
    assert web.send(method, target, body=b"{}", headers=basic("runner", "guessed")).status == 403
    assert web.run("GET", f"/v2/{protected}/manifests/v1").status == 200


def test_control_needs_the_run_token(registry: Running, web_at: WebAt) -> None:
    """The control API answers 401 to others, and the registry's addresses don't have it at all."""
    control = web_at(registry.control_url.removeprefix("http://"))
    for path in ("/control/", "/control/requests", "/control/faults"):
        assert control.get(path).status == 401
        assert control.get(path, X_Run_Token="wrong").status == 401
        assert web_at(registry.hosts[0]).run("GET", path).status == 404
    assert control.run("GET", "/control/").status == 200
