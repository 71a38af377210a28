"""The node's own credentials: the kubelet's docker configuration and credential provider plugins, for image volumes as for containers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.checks.refusals import UNPULLED, refused
from conformance.control import control
from conformance.plugin import verifies
from fixtures.credentials import Credentials, User, with_secrets
from fixtures.errors import Lacking
from fixtures.manifests import mounting, pod
from fixtures.node_credentials import CONFIG_JSON, DOCKER_CFG, NodeCredentials
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pods
from images.oci.image import Image
from images.oci.layer import Layer, file
from images.oddities import programs

Observe = Callable[[Any, str], None]


@pytest.fixture
def program(repositories: Repositories, build: str, architecture: str, alice: User) -> Asset:
    """An image that can run and be mounted, in a repository from which only alice may pull."""
    members = [file("hello", programs.hello(architecture), mode=0o755), file("build", build)]
    pushed = repositories.new("program").push(Image([Layer(members)], architecture=architecture))
    pushed.repository.protect(alice)
    return pushed


def runs_in_a_container(pods: Pods, asset: Asset) -> bool:
    """Whether a Pod without any secret runs a container of the image, which is pulled anew for it."""
    runs = {"name": "runs", "image": asset.reference, "imagePullPolicy": "Always", "command": ["/hello"]}
    return pods.start(pod([runs])).refusal() is None


@verifies("AUTH-05")
@pytest.mark.disruptive
@pytest.mark.parametrize("name", [CONFIG_JSON, DOCKER_CFG])
def test_nodes_docker_configuration_authenticates(
    pods: Pods,
    credentials: Credentials,
    node_credentials: NodeCredentials,
    program: Asset,
    alice: User,
    name: str,
) -> None:
    """Given a credential in the kubelet's docker configuration, when a Pod without any secret mounts the private image, then it is pulled as
    that user; and once the credential is revoked, another Pod starts under IfNotPresent and Never without a request.
    Control: before, the same Pod was refused; and the node's credential serves a container's image.
    """
    before = pods.start(mounting(program.reference, pull_policy="Always"))
    control(before.refusal() is not None, "without the node's credential the Pod is refused")
    before.delete()
    node_credentials.configure({program.repository.address: alice}, file=name)
    control(runs_in_a_container(pods, program), f"the credential in {name} serves a container's image")
    mark = program.repository.mark()
    pod_ = pods.start(mounting(program.reference, pull_policy="Always"))

    assert pod_.refusal() is None, str(pod_.refusal())
    assert "alice" in program.repository.requests(after=mark).users
    assert pod_.answers().tree() == program.tree

    program.repository.protect(credentials.user("bob"))
    mark = program.repository.mark()
    for policy in ("IfNotPresent", "Never"):
        free = pods.start(mounting(program.reference, pull_policy=policy))
        assert free.refusal() is None, str(free.refusal())
    assert program.repository.requests(after=mark) == []


def provided(pods: Pods, node_credentials: NodeCredentials, asset: Asset, user: User) -> None:
    """Let the suite's plugin offer the user for the image. Lacking where the kubelet does not ask it for a container's image either."""
    node_credentials.provide({asset.repository.address: user})
    runs = runs_in_a_container(pods, asset)
    if not node_credentials.asked():
        raise Lacking(
            "the kubelet asks no credential provider plugin of the suite for a container's image",
            need="kubelet configuration",
            missing="the plugin of deploy/credential-provider in the kubelet's configuration",
        )
    control(runs, "the plugin's credential serves a container's image")


@verifies("AUTH-06")
def test_credential_provider_authenticates(
    pods: Pods, node_credentials: NodeCredentials, program: Asset, alice: User
) -> None:
    """Given a credential provider plugin that matches the image's registry, when a Pod without any secret mounts the private image, then the
    plugin is asked for it, and it is pulled as the user that the plugin gives.
    Control: before the plugin offered anything, the same Pod was refused; and what it offers serves a container's image.
    """
    before = pods.start(mounting(program.reference, pull_policy="Always")).refusal()
    control(before is not None and before.reason in UNPULLED, "without the plugin's credential it is refused")
    provided(pods, node_credentials, program, alice)
    mark, asked = program.repository.mark(), len(node_credentials.asked())
    pod_ = pods.start(mounting(program.reference, pull_policy="Always"))

    assert pod_.refusal() is None, str(pod_.refusal())
    assert program.repository.address in node_credentials.asked()[asked:]
    assert "alice" in program.repository.requests(after=mark).users
    assert pod_.answers().tree() == program.tree


@verifies("AUTH-07")
@pytest.mark.disruptive
def test_order_of_secrets_node_and_plugin(
    pods: Pods,
    credentials: Credentials,
    node_credentials: NodeCredentials,
    program: Asset,
    alice: User,
    observe: Observe,
) -> None:
    """Given a credential in the Pod's secret, one in the kubelet's docker configuration and one of a plugin, when the image is pulled and the
    registry refuses all, then it has seen the users in an order, which is recorded.
    Control: a container's image is pulled with the plugin's.
    """
    provided(pods, node_credentials, program, alice)
    key = program.repository.address
    users = {name: credentials.user(name) for name in ("secret", "node")}
    node_credentials.configure({key: users["node"]})
    program.repository.protect(credentials.user("bob"))
    secret = credentials.secret(pods.namespace, {key: users["secret"]})
    mark = program.repository.mark()
    refused(pods.start(with_secrets(program.reference, secret, policy="Always")))
    called = {"secret": "secret", "node": "node", "alice": "plugin"}
    seen = [called[user] for user in program.repository.requests(after=mark).users if user in called]

    observe(list(dict.fromkeys(seen)), "whose users the registry saw, in this order")
