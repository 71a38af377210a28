"""Which credentials are tried for an image, and in which order."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from fixtures.reference.node.keyring import Keyring, KeyringError, decode_auth, matches

Json = dict[str, Any]


def secret(
    entries: dict[str, Json], *, name: str = "s", kind: str = "kubernetes.io/dockerconfigjson"
) -> Json:
    """A pull secret."""
    legacy = kind == "kubernetes.io/dockercfg"
    shape = entries if legacy else {"auths": entries}
    data = base64.b64encode(json.dumps(shape).encode()).decode()
    return {
        "metadata": {"uid": f"uid-{name}", "namespace": "ns", "name": name},
        "type": kind,
        "data": {".dockercfg" if legacy else ".dockerconfigjson": data},
    }


def user(name: str) -> Json:
    """An entry of a pull secret."""
    return {"username": name, "password": "word"}


def tried(repository: str, *secrets: Json) -> list[str]:
    """The users that are tried for a repository, in order."""
    return [credential.username for credential in Keyring(secrets).lookup(repository)]


@pytest.mark.parametrize(
    ("key", "repository", "good"),
    [
        ("reg.example", "reg.example/a", True),
        ("reg.example", "reg.example:5000/a", False),
        ("reg.example:5000", "reg.example:5000/a", True),
        ("*.example.com", "a.example.com/x", True),
        ("*.example.com", "a.b.example.com/x", False),
        ("reg/web", "reg/other", False),
        ("reg/foo", "reg/foobar", True),
        ("reg/web", "reg/web/app", True),
    ],
)
def test_an_entry_matches_by_labels_port_and_path(key: str, repository: str, good: bool) -> None:  # noqa: FBT001 - a table
    """Each label of the host is a glob, the port must be equal, the path is a prefix of the text."""
    assert matches(key, repository) is good


def test_more_specific_keys_come_first_whatever_the_order_of_the_secrets() -> None:
    """The order is reverse lexicographic by key; only equal keys keep the order of the secrets."""
    secrets = [
        secret({"reg:5000": user("host-1")}, name="a"),
        secret({"reg:5000/web": user("path")}, name="b"),
        secret({"reg:5000": user("host-2")}, name="c"),
    ]
    assert tried("reg:5000/web/app", *secrets) == ["path", "host-1", "host-2"]


def test_schemes_and_versions_in_a_key_do_not_count() -> None:
    """`https://reg/v2/` is the registry itself, and `https://reg/v1/team` a path in it."""
    assert tried("reg.io/a", secret({"https://reg.io/v2/": user("x")})) == ["x"]
    assert tried("reg.io/team/a", secret({"https://reg.io/v1/team": user("x")})) == ["x"]
    assert tried("reg.io/other", secret({"https://reg.io/v1/team": user("x")})) == []


def test_the_hub_is_a_fallback_only() -> None:
    """The key of Docker Hub serves its short names, unless another entry matches."""
    hub = secret({"https://index.docker.io/v1/": user("hub")})
    assert tried("docker.io/library/busybox", hub) == ["hub"]
    assert tried("reg.io/a", hub) == []


def test_both_secret_types_count_and_no_other() -> None:
    """Dockercfg is read like dockerconfigjson; an Opaque secret with the same data is as if it were not there."""
    old = secret({"reg.io": user("old")}, kind="kubernetes.io/dockercfg")
    assert tried("reg.io/a", old) == ["old"]
    assert tried("reg.io/a", secret({"reg.io": user("x")}, kind="Opaque")) == []


def test_an_auth_field_holds_user_and_password() -> None:
    """With or without padding; a password may hold colons."""
    assert decode_auth(base64.b64encode(b"user:pass:word").decode()) == ("user", "pass:word")
    assert decode_auth(base64.b64encode(b"u:p").decode().rstrip("=")) == ("u", "p")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("!!!", "illegal base64 data at input byte 0"),
        ("YWJj", "unable to parse auth field, must be formatted as base64(username:password)"),
    ],
)
def test_an_auth_field_that_is_none_is_told_in_go_s_words(field: str, words: str) -> None:
    """The text becomes the container's waiting reason (AUTH-16)."""
    with pytest.raises(KeyringError) as refused:
        Keyring([secret({"reg.io": {"auth": field}})])
    assert str(refused.value) == words


def test_a_credential_does_not_show_its_password() -> None:
    """What is printed in a traceback must not hold a secret."""
    found = Keyring([secret({"reg.io": {"username": "u", "password": "hush"}})]).lookup("reg.io/a")
    assert "hush" not in repr(found)
