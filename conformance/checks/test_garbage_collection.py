"""Garbage collection and removal: an image that is mounted stays; one that nothing mounts any more can go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.control import control, in_time
from conformance.plugin import verifies
from fixtures.collector import Collector
from fixtures.errors import Inapplicable
from fixtures.manifests import HOLD, Json, container, image_volume, mount, mounting, pod, tree
from fixtures.node_shell import NodeShell
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pod, Pods, container_status, refusals
from images import site as site_asset
from images.tree import Tree

Observe = Callable[[Any, str], None]


def holding(reference: str, policy: str | None = None) -> Json:
    """A Pod that shows the volume and stays."""
    return mounting(reference, tree(), HOLD, pull_policy=policy, restart_policy="Always")


def seen(pod_: Pod, container_: str = "main") -> Tree:
    """What a running container shows now."""
    return Tree.from_json(pod_.look(tree(), container=container_).of("tree").get("entries") or {})


def is_present(pods: Pods, asset: Asset) -> bool:
    """Whether the node has an image: a Pod that may not pull it starts with it."""
    refusal = pods.start(mounting(asset.reference, pull_policy="Never")).refusal()
    control(
        refusal is None or refusal.reason == "ErrImageNeverPull",
        f"a Pod starts, or lacks its image: {refusal}",
    )
    return refusal is None


@verifies("GC-01")
def test_mounted_image_is_not_collected(
    collector: Collector, repositories: Repositories, site: Asset, build: str
) -> None:
    """Given an image that a running container mounts and one that an ended container mounts, when the kubelet collects an image that is
    unused for a shorter time, then both are still there and the running container shows its image.
    Control: the unused image was collected.
    """
    pods = collector.pods
    kept = repositories.new("kept").push(site_asset.image(f"{build}-kept"))
    pods.run(mounting(kept.reference))
    running = pods.started(holding(site.reference))
    collector.wait_for_collection()

    assert seen(running) == site.tree
    assert is_present(pods, site), "the image that a running container mounts was removed"
    assert is_present(pods, kept), "the image that an ended container mounts was removed"


@verifies("GC-02")
def test_unused_image_is_collected(collector: Collector, site: Asset) -> None:
    """Given an image that a Pod has mounted, when the Pod is gone and the kubelet collects an image that is unused for a shorter time, then
    the first one is gone, too.
    Control: while the Pod was there, the node had the image, and the other one was collected.
    """
    pod_ = collector.pods.started(mounting(site.reference))
    listed = in_time(lambda: collector.wait_for(site.reference, present=True))
    pod_.delete()
    collector.wait_for_collection()
    gone = in_time(lambda: collector.wait_for(site.reference, present=False))

    control(listed is not None, "the node's status listed the image while the Pod was there")
    assert gone is not None, "the image is still on the node"


@verifies("GC-03")
def test_volume_that_nobody_mounts(collector: Collector, site: Asset, observe: Observe) -> None:
    """Given a running Pod that declares an image volume which no container mounts, when the kubelet collects, then whether the volume's image
    is removed is recorded.
    Control: an image unused for a shorter time was collected.
    """
    holder = container((HOLD,))
    collector.pods.started(pod([holder], volumes=[image_volume(site.reference)]))
    collector.wait_for(site.reference, present=True)
    mark = site.repository.mark()
    collector.wait_for_collection()
    present = is_present(collector.pods, site)
    pulled = bool(site.repository.requests(after=mark).manifests)

    outcome = {True: "removed, and pulled again by the kubelet", False: "kept" if present else "removed"}[
        pulled
    ]
    observe(outcome, "the image of a volume that no container mounts")


@verifies("GC-04")
def test_forced_removal_while_mounted(node_shell: NodeShell, pods: Pods, site: Asset) -> None:
    """Given a running container that mounts an image, when somebody removes the image at the runtime, then that is refused or the container
    still shows the whole image.
    Control: before, it showed the image; where the removal was not refused, the runtime no longer has it.
    """
    pod_ = pods.started(holding(site.reference))
    before = seen(pod_)
    removed = node_shell.crictl("rmi", site.reference)
    has = node_shell.has_image(site.reference)

    control(before == site.tree, "before, the container showed the image")
    control(removed.ok != has, "the image is there if its removal was refused, and else it is not")
    assert seen(pod_) == site.tree


@verifies("GC-05")
@pytest.mark.parametrize("policy", ["IfNotPresent", "Never"])
def test_policy_decides_after_removal(node_shell: NodeShell, pods: Pods, site: Asset, policy: str) -> None:
    """Given a Pod of two containers on one volume, when its image is removed from the node and one of the containers restarts, then under
    IfNotPresent the image is pulled and shown, under Never the container waits with ErrImageNeverPull, and its sibling goes on.
    Control: before, it showed the image, and then the runtime no longer has it.
    """
    pods.run(mounting(site.reference, pull_policy="IfNotPresent"))
    both = [container((tree(), HOLD), name=name, mounts=[mount()]) for name in ("main", "sibling")]
    pod_ = pods.started(
        pod(both, volumes=[image_volume(site.reference, pull_policy=policy)], restart_policy="Always")
    )
    before, mark = seen(pod_), site.repository.mark()
    removed = node_shell.crictl("rmi", site.reference)
    if not removed.ok:
        raise Inapplicable(
            f"for runtimes that let go of a mounted image; this one says: {removed.err.strip()}"
        )
    pod_.restart()
    state = pod_.wait(came_back_or_waits, "the container to come back, or to wait for its image")

    control(before == site.tree, "before, the container showed the image")
    if policy == "Never":
        assert [refusal.reason for refusal in refusals(state)] == ["ErrImageNeverPull"]
    else:
        assert refusals(state) == []
        assert site.repository.requests(after=mark).manifests, "nobody asked the registry for the image"
        assert seen(pod_) == site.tree
    assert seen(pod_, "sibling") == site.tree
    assert container_status(pod_.state(), "sibling")["restartCount"] == 0


def came_back_or_waits(state: Json) -> bool:
    """Whether the container `main` runs again after a restart, or waits for an image."""
    main = container_status(state, "main")
    return (main["restartCount"] >= 1 and "running" in main["state"]) or any(
        refusal.reason != "CrashLoopBackOff" for refusal in refusals(state)
    )


@verifies("GC-06")
def test_container_that_vanishes(collector: Collector, site: Asset, observe: Observe) -> None:
    """Given Pods that come and go with an image volume, when the kubelet collects, then whether it said that a collection failed is recorded.
    Control: the collection went on: an unused image was removed.
    """
    pods = collector.pods

    def churn() -> None:
        pod_ = pods.start(mounting(site.reference))
        pod_.delete(grace_seconds=0)

    collector.wait_for_collection(meanwhile=churn)

    observe(
        collector.failures(), "what the kubelet said of failed collections, while containers came and went"
    )
