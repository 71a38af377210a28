"""Private images that are on the node: who may use them without asking the registry, and who may not. KEP-2535."""

from __future__ import annotations

import pytest

from conformance.checks.refusals import UNPULLED, refused
from conformance.control import control, in_time
from conformance.plugin import verifies
from fixtures.api import Api
from fixtures.connection import Connection
from fixtures.credentials import Credentials, User, pull_secrets, with_secrets
from fixtures.errors import Inapplicable
from fixtures.kubelet_configuration import KubeletConfiguration
from fixtures.manifests import HOLD, Json, mounting, tree
from fixtures.preloaded import preloaded_image
from fixtures.repositories import Asset
from fixtures.workloads import Pods, container_status

POLICY = "imagePullCredentialsVerificationPolicy"
DEFAULT_POLICY = "NeverVerifyPreloadedImages"


@verifies("AUTH-18")
def test_present_private_image_needs_the_credential(
    pods: Pods, credentials: Credentials, private: Asset, alice: User
) -> None:
    """Given a private image that is present because one Pod had the credential, when a Pod without it mounts it under IfNotPresent, then it
    is refused.
    Control: another Pod with the same secret starts.
    """
    secret = credentials.secret(pods.namespace, {private.repository.host: alice})
    first = pods.run(with_secrets(private.reference, secret, policy="IfNotPresent")).tree()
    pod_ = pods.start(mounting(private.reference, pull_policy="IfNotPresent"))

    refused(pod_)
    control(first == private.tree, "the Pod with the secret shows the image")
    again = pods.run(with_secrets(private.reference, secret, policy="IfNotPresent")).tree()
    control(again == private.tree, "another Pod with the same secret shows the image")


@verifies("AUTH-19")
def test_never_does_not_reveal_a_private_image(
    pods: Pods, credentials: Credentials, private: Asset, alice: User
) -> None:
    """Given a private image that is present, when a Pod without the credential mounts it under Never, then it is told the same as if the
    image were not there.
    Control: a Pod with the secret starts under Never.
    """
    secret = credentials.secret(pods.namespace, {private.repository.host: alice})
    pods.run(with_secrets(private.reference, secret, policy="IfNotPresent"))
    refusal = pods.start(mounting(private.reference, pull_policy="Never")).refusal()
    allowed = pods.start(with_secrets(private.reference, secret, policy="Never"))

    assert refusal is not None
    assert refusal.reason == "ErrImageNeverPull"
    assert (
        refusal.message == f'Container image "{private.reference}" is not present with pull policy of Never'
    )
    control(allowed.refusal() is None, "a Pod with the secret starts under Never")


@verifies("AUTH-20")
@pytest.mark.parametrize("named", ["the same secret", "another secret", "the secret with a new credential"])
def test_known_credential_needs_no_pull(
    pods: Pods, credentials: Credentials, private: Asset, alice: User, named: str
) -> None:
    """Given a private image that a Pod has pulled with a secret, when another Pod names that secret, or another one with the same credential,
    or that secret after its credential was replaced, then it starts under IfNotPresent, and the registry is not asked for anything.
    Control: the first Pod pulled it with the secret's credential.
    """
    host = private.repository.host
    secret = credentials.secret(pods.namespace, {host: alice})
    first = pods.run(with_secrets(private.reference, secret, policy="IfNotPresent")).tree()
    control(first == private.tree, "the first Pod shows the image")
    control("alice" in private.repository.requests().users, "the first Pod pulled it as alice")
    if named == "another secret":
        secret = credentials.secret(pods.namespace, {host: alice})
    elif named == "the secret with a new credential":
        bob = credentials.user("bob")
        private.repository.protect(alice, bob)
        credentials.secret(pods.namespace, {host: bob}, name=secret)
    mark = private.repository.mark()
    pod_ = pods.start(with_secrets(private.reference, secret, policy="IfNotPresent"))
    requests = private.repository.requests(after=mark)

    assert pod_.refusal() is None, str(pod_.refusal())
    assert requests == []
    assert pod_.answers().tree() == private.tree


@verifies("AUTH-21")
@pytest.mark.parametrize("policy", ["IfNotPresent", "Never"])
def test_image_pulled_anonymously_is_free(pods: Pods, site: Asset, alice: User, policy: str) -> None:
    """Given an image that the kubelet has pulled anonymously, and that is private from then on, when a Pod without any credential mounts it
    under IfNotPresent or Never, then it starts, and the registry is not asked for anything.
    Control: under Always the same Pod is refused, so the image is private now.
    """
    first = pods.run(mounting(site.reference, pull_policy="IfNotPresent")).tree()
    site.repository.protect(alice)
    mark = site.repository.mark()
    pod_ = pods.start(mounting(site.reference, pull_policy=policy))
    requests = site.repository.requests(after=mark)

    assert pod_.refusal() is None, str(pod_.refusal())
    assert requests == []
    assert pod_.answers().tree() == site.tree
    control(first == site.tree, "the Pod before shows the image")
    now = pods.start(mounting(site.reference, pull_policy="Always")).refusal()
    control(now is not None and now.reason in UNPULLED, "the image is private now")


@verifies("AUTH-21")
@pytest.mark.parametrize("policy", ["IfNotPresent", "Never"])
def test_preloaded_image_is_free(
    pods: Pods,
    api: Api,
    node: str,
    cluster: Connection,
    kubelet_configuration: KubeletConfiguration,
    policy: str,
) -> None:
    """Given an image that is on the node though no kubelet pulled it (the sandboxes' own, which the runtime provides), and the default policy,
    when a Pod without any credential mounts it under IfNotPresent or Never, then it starts, and no pull is tried.
    Control: the volume shows files.
    """
    chosen = kubelet_configuration.values.get(POLICY, DEFAULT_POLICY)
    if chosen != DEFAULT_POLICY:
        raise Inapplicable(f"speaks of kubelets with {POLICY} {DEFAULT_POLICY}; this one has {chosen}")
    reference = next(iter(cluster.sandbox_images), None) or preloaded_image(api, node)
    pod_ = pods.start(mounting(reference, pull_policy=policy))

    assert pod_.refusal() is None, str(pod_.refusal())
    control(len(pod_.answers().tree()) > 0, "the volume shows files")
    pulls = [event for event in pod_.events() if event.reason == "Pulling" and reference in event.message]
    assert pulls == []


def _ended(state: Json) -> bool:
    return "running" not in container_status(state, "main")["state"]


@verifies("AUTH-22")
def test_revoked_credential_stops_new_pulls_only(
    pods: Pods, credentials: Credentials, private: Asset, alice: User
) -> None:
    """Given a Pod that runs on a private image, when the registry revokes the credential, then a new Pod with it starts under IfNotPresent
    without a request, another is refused under Always, and the first runs on undisturbed.
    Control: the registry saw the revoked credential once more, and refused it.
    """
    secret = credentials.secret(pods.namespace, {private.repository.host: alice})
    running = pods.started(
        mounting(
            private.reference,
            tree(),
            HOLD,
            pull_policy="IfNotPresent",
            imagePullSecrets=pull_secrets(secret),
        )
    )
    before = container_status(running.state(), "main")
    control(running.answers().tree() == private.tree, "the running Pod shows the image")

    private.repository.protect(credentials.user("bob"))
    mark = private.repository.mark()
    known = pods.start(with_secrets(private.reference, secret, policy="IfNotPresent"))
    requests = private.repository.requests(after=mark)
    assert known.refusal() is None, str(known.refusal())
    assert requests == []
    assert known.answers().tree() == private.tree

    mark = private.repository.mark()
    refused(pods.start(with_secrets(private.reference, secret, policy="Always")))
    tried = private.repository.requests(after=mark).users
    control("alice" in tried, "the registry saw the revoked credential once more")
    ended = in_time(
        lambda: running.wait(_ended, "the running Pod to end", seconds=2)
    )  # as soon as a kubelet can
    assert ended is None, "the running container has ended"
    after = container_status(running.state(), "main")
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], before["restartCount"])
    assert running.look(tree()).tree() == private.tree
