"""The cluster as a whole, with nodes that only pretend: start, kubeconfig, the end."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from fixtures.reference.api.store import Store
from fixtures.reference.cluster import NAMESPACES, Cluster
from fixtures.reference.faults import Faults
from tests.reference.api.support import PretendedNode

pytestmark = pytest.mark.asyncio


class Broken(PretendedNode):
    """A node whose work ends in an error."""

    async def run(self) -> None:
        """Fail."""
        raise RuntimeError("the node is broken")


class Silent(PretendedNode):
    """A node that never becomes Ready."""

    async def run(self) -> None:
        """Do nothing."""
        await asyncio.Event().wait()


async def test_cluster_has_its_namespaces_and_nodes() -> None:
    """A started cluster has the usual namespaces, each with its default account, and Ready nodes."""
    async with Cluster(["a", "b"], PretendedNode, Faults()) as cluster:
        await cluster.wait_ready()
        assert [node["metadata"]["name"] for node in cluster.store.list("nodes")[0]] == ["a", "b"]
        for name in NAMESPACES:
            assert cluster.store.get("namespaces", name)["status"]["phase"] == "Active"
            assert cluster.store.get("serviceaccounts", "default", name)


async def test_kubeconfig_is_private_and_complete(tmp_path: Path) -> None:
    """The kubeconfig names server, authority and token, and only its owner can read it."""
    file = tmp_path / "kubeconfig"
    async with Cluster([], PretendedNode, Faults()) as cluster:
        cluster.write_kubeconfig(file)
        config = json.loads(file.read_text(encoding="utf-8"))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert config["clusters"][0]["cluster"]["server"] == cluster.server
        assert config["clusters"][0]["cluster"]["certificate-authority-data"]
        assert config["users"][0]["user"] == {"token": cluster.token}


async def test_tokens_differ_from_start_to_start() -> None:
    """Each cluster has a token of its own."""
    assert Cluster([], PretendedNode, Faults()).token != Cluster([], PretendedNode, Faults()).token


async def test_broken_node_ends_the_wait() -> None:
    """A component that breaks is an error at once, and not a wait until the deadline."""
    async with Cluster(["a"], Broken, Faults()) as cluster:
        with pytest.raises(RuntimeError, match="the node is broken"):
            await cluster.wait_ready()
        with pytest.raises(RuntimeError, match="the node is broken"):
            await cluster.wait_broken()


async def test_silent_node_is_a_timeout() -> None:
    """A node that never gets Ready ends the wait at its deadline."""
    async with Cluster(["a"], Silent, Faults()) as cluster:
        with pytest.raises(TimeoutError):
            await cluster.wait_ready(0.05)


async def test_stop_stops_every_node() -> None:
    """The end of the cluster is the end of its nodes, even of broken ones."""
    stopped = []

    class Stopping(PretendedNode):
        async def stop(self) -> None:
            stopped.append(self.name)

    def make(name: str, store: Store) -> Stopping:
        return Stopping(name, store)

    async with Cluster(["a", "b"], make, Faults()) as cluster:
        await cluster.wait_ready()
    assert sorted(stopped) == ["a", "b"]
