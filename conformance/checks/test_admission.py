"""Admission: what the API server's plugins make of image volumes. Every Pod is offered as a dry run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.control import control
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.api import Response
from fixtures.errors import Inapplicable, Inconclusive, Lacking
from fixtures.features import ALPHA, Features
from fixtures.manifests import Json, container, image_volume, mounting, pod
from fixtures.plugin import PodsAt
from fixtures.workloads import Pods

REFERENCE = "registry.example/assets/site:v1"
DENIED = "image policy webhook backend denied one or more images"

Observe = Callable[[Any, str], None]


def source_of(answer: Response) -> Json:
    """The image volume of a Pod that was accepted; empty where it was dropped."""
    volumes = answer.body["spec"].get("volumes") or []
    found: Json = next((one.get("image") or {} for one in volumes if one["name"] == "volume"), {})
    return found


@verifies("API-26")
@pytest.mark.parametrize("level", ["baseline", "restricted"])
def test_pod_security_admits_image_volumes(pods_at: PodsAt, features: Features, level: str) -> None:
    """Given a namespace that enforces a Pod Security level, when a Pod with an image volume is offered there, then it is admitted
    unchanged and without a warning.
    Control: the level is enforced: the same Pod with the host's network is refused.
    """
    pods = pods_at(level)
    answer = pods.offer(
        mounting(REFERENCE, pull_policy="Always"), dryRun="All"
    )  # which AlwaysPullImages leaves alone

    if answer.status == 403 and (gate := features.gate("ImageVolume")) and gate.stage == ALPHA:
        raise Inapplicable(
            f"applies from 1.33 on; here image volumes are alpha, and refused: {answer.message}"
        )
    assert answer.ok, answer.message
    assert source_of(answer) == {"reference": REFERENCE, "pullPolicy": "Always"}, ignored(
        when=not source_of(answer), what="the image volume"
    )
    assert answer.warnings == ()
    refused = pods.offer(mounting(REFERENCE, hostNetwork=True), dryRun="All")
    control(refused.status == 403 and "PodSecurity" in refused.message, f"the level {level} is enforced")


@verifies("API-27")
@pytest.mark.parametrize("policy", ["IfNotPresent", "Never"])
def test_always_pull_images_covers_volumes(pods: Pods, policy: str) -> None:
    """Given the admission plugin AlwaysPullImages, when a Pod is offered whose image volume has another policy, then it is stored with Always.
    Control: the plugin is known to be on by what it does with the container's policy.
    """
    answer = pods.offer(mounting(REFERENCE, pull_policy=policy), dryRun="All")
    if not answer.ok:
        raise Inconclusive(f"the API server refuses the Pod: {answer.status} {answer.message}")
    if answer.body["spec"]["containers"][0]["imagePullPolicy"] != "Always":
        raise Lacking(
            "the admission plugin AlwaysPullImages is off: a container keeps the policy IfNotPresent",
            need="apiserver configuration",
            missing="--enable-admission-plugins=AlwaysPullImages",
        )

    source = source_of(answer)
    assert source.get("pullPolicy") == "Always", ignored(when=not source, what="the image volume")


@verifies("API-28")
def test_image_policy_webhook(pods: Pods, observe: Observe) -> None:
    """Given an admission plugin ImagePolicyWebhook whose policy refuses an image in a container, when a Pod is offered that has the image as a
    volume instead, then it is recorded whether that is refused, too.
    Control: a Pod with neither is admitted.
    """
    refused = pods.offer(pod([container(image=REFERENCE)]), dryRun="All")
    if DENIED not in refused.message:
        raise Lacking(
            f"no review of ImagePolicyWebhook is seen to refuse the image {REFERENCE} in a container",
            need="apiserver configuration",
            missing=f"the admission plugin ImagePolicyWebhook with a policy that refuses {REFERENCE}",
        )

    answer = pods.offer(pod([container()], volumes=[image_volume(REFERENCE)]), dryRun="All")
    control(pods.offer(pod([container()]), dryRun="All").ok, "a Pod without that image is admitted")
    seen = "refused, too" if DENIED in answer.message else "admitted" if answer.ok else answer.message
    observe(seen, "a Pod with an image as its volume which is refused in a container")
