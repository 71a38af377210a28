"""fixtures.reference.node.node_credentials: the kubelet's docker configuration, and the plugin of deploy/credential-provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.node_credentials import PROVIDED
from fixtures.reference.node.node_credentials import PLUGIN_FILE, NodeCredentials

IMAGE = "127.0.0.1:5001/run/site"


def write(file: Path, content: Any) -> None:
    """Write JSON."""
    file.write_text(json.dumps(content), encoding="utf-8")


def entry(name: str) -> dict[str, str]:
    """A credential in a docker configuration."""
    return {"username": name, "password": "word"}


def users(credentials: NodeCredentials) -> list[str]:
    """The users of the docker configuration for IMAGE."""
    return [one.username for one in credentials.of_node(IMAGE)]


def made(root: Path, now: list[float] | None = None) -> NodeCredentials:
    """Those of a kubelet. now: its clock."""
    clock = now or [0.0]
    return NodeCredentials(root, 300.0, lambda: clock[0])


def test_config_json_comes_before_dockercfg(tmp_path: Path) -> None:
    """Either file serves; where both are, the older kind is not read. Keys match as a secret's do, the longest first."""
    write(tmp_path / ".dockercfg", {"127.0.0.1:5001": entry("old")})
    assert users(made(tmp_path)) == ["old"]
    keys = {"127.0.0.1:5001": entry("host"), "127.0.0.1:5001/run": entry("path"), "127.0.0.1:1": entry("no")}
    write(tmp_path / "config.json", {"auths": keys})
    assert users(made(tmp_path)) == ["path", "host"]


def test_what_was_read_holds_for_a_while(tmp_path: Path) -> None:
    """A file that comes, or goes, is noticed by a new kubelet at once, and by one that runs five minutes after its last look."""
    now = [0.0]
    kubelet = made(tmp_path, now)
    assert users(kubelet) == []
    write(tmp_path / "config.json", {"auths": {"127.0.0.1:5001": entry("alice")}})
    now[0] = 299.0
    assert users(kubelet) == []
    assert users(made(tmp_path)) == ["alice"]
    now[0] = 300.0
    assert users(kubelet) == ["alice"]


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 1}', '{"auths": {"127.0.0.1:5001": {"auth": "%"}}}'])
def test_a_configuration_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    """Unlike an unreadable secret, it does no harm."""
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert users(made(tmp_path)) == []


def test_plugin_is_asked_for_the_image(tmp_path: Path) -> None:
    """The script gives what its file says, and notes beside it what it was asked."""
    kubelet = made(tmp_path)
    assert kubelet.of_plugins(IMAGE) == []
    write(tmp_path / PLUGIN_FILE, {"auth": {IMAGE: entry("alice"), "other.example": entry("bob")}})
    assert [one.username for one in kubelet.of_plugins(IMAGE)] == ["alice"]
    (request,) = (tmp_path / f"{PLUGIN_FILE}.requests").read_text(encoding="utf-8").splitlines()
    assert json.loads(request)["image"] == IMAGE


def test_plugin_that_answers_nonsense_gives_nothing(tmp_path: Path) -> None:
    """A kubelet goes on without it."""
    (tmp_path / PLUGIN_FILE).write_text("nonsense", encoding="utf-8")
    assert made(tmp_path).of_plugins(IMAGE) == []


def test_suite_and_model_mean_the_same_file() -> None:
    """The file that checks write is the one that the plugin of the reference cluster answers with."""
    assert PLUGIN_FILE == PROVIDED
