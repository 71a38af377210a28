"""Security: an image volume is data from outside; it reaches neither the node nor another tenant, and gives away nothing."""

from __future__ import annotations

import pytest

from conformance.checks.refusals import UNPULLED
from conformance.control import control
from conformance.plugin import verifies
from fixtures.credentials import Credentials, User, pull_secrets, with_secrets
from fixtures.manifests import mounting
from fixtures.namespaces import Namespaces
from fixtures.plugin import PodsAt
from fixtures.repositories import Asset
from fixtures.workloads import Pods


@verifies("SEC-08")
@pytest.mark.parametrize("holds", ["no secret", "a wrong secret of the same name"])
def test_tenant_cannot_use_anothers_private_image(
    pods: Pods,
    pods_at: PodsAt,
    namespaces: Namespaces,
    credentials: Credentials,
    private: Asset,
    alice: User,
    mallory: User,
    holds: str,
) -> None:
    """Given a private image that a Pod of one namespace has brought to the node, when Pods of another namespace, without a secret or with a
    wrong one of the same name, mount it under IfNotPresent and Never, then neither starts.
    Control: with the right secret in its own namespace such a Pod starts.
    """
    host = private.repository.host
    theirs = credentials.secret(pods.namespace, {host: alice})
    there = pods.run(with_secrets(private.reference, theirs, policy="IfNotPresent")).tree()
    other = pods_at("baseline", namespace=namespaces.at("baseline"))
    named: list[str] = []
    if holds != "no secret":
        named = [credentials.secret(other.namespace, {host: mallory}, name=theirs)]
    made = [
        other.create(mounting(private.reference, pull_policy=policy, imagePullSecrets=pull_secrets(*named)))
        for policy in ("IfNotPresent", "Never")
    ]
    for pod_ in made:
        pod_.settle()
    refusals = [pod_.refusal() for pod_ in made]

    assert [one.reason in UNPULLED | {"ErrImageNeverPull"} for one in refusals if one] == [True, True]
    control(there == private.tree, "the Pod that brought the image shows it")
    own = credentials.secret(other.namespace, {host: alice})
    right = other.run(with_secrets(private.reference, own, policy="IfNotPresent")).tree()
    control(right == private.tree, "with the right secret of its own the other tenant's Pod starts")
