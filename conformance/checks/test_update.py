"""No live update: what a Pod shows is decided when it starts, and stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.control import control
from conformance.plugin import verifies
from fixtures.errors import Inconclusive
from fixtures.manifests import HOLD, Json, container, image_volume, mount, mounting, pod, tree
from fixtures.node_shell import NodeShell
from fixtures.plugin import PodsAt
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pod, Pods, container_status, refusals
from images import site as site_asset
from images.tree import Tree

Observe = Callable[[Any, str], None]

POLICIES = ("Always", "IfNotPresent")
UNPULLED = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")


@pytest.fixture
def versions(repositories: Repositories, build: str) -> Versions:
    """A repository whose tag has two builds of the site, one after the other."""
    return Versions(repositories, build)


class Versions:
    """The old content, pushed; `move` pushes the new content to the same tag."""

    def __init__(self, repositories: Repositories, build: str) -> None:
        self._repository = repositories.new()
        self._build = build
        self.old = self._repository.push(site_asset.image(f"{build}-old"))

    def move(self) -> Asset:
        """Push the new content to the tag."""
        return self._repository.push(site_asset.image(f"{self._build}-new"))


def holding(reference: str, policy: str | None = None, **fields: Any) -> Json:
    """A Pod that shows the volume and stays."""
    return mounting(reference, tree(), HOLD, pull_policy=policy, restart_policy="Always", **fields)


def seen(pod_: Pod, container_: str = "main") -> Tree:
    """What a running container shows now."""
    return Tree.from_json(pod_.look(tree(), container=container_).of("tree").get("entries") or {})


def came_back_or_waits(state: Json) -> bool:
    """Whether the container `main` runs again after a restart, or waits for an image that cannot be pulled."""
    main = container_status(state, "main")
    return (main["restartCount"] >= 1 and "running" in main["state"]) or any(
        refusal.reason in UNPULLED for refusal in refusals(state)
    )


def force_sync(pods: Pods, pod_: Pod) -> None:
    """Make the kubelet sync the Pod, and wait until it has: it starts an ephemeral container."""
    response = pods.add_ephemeral(pod_, container(name="sync"))
    if not response.ok:
        raise Inconclusive(f"the ephemeral container was refused: {response.status} {response.message}")
    pod_.wait_started("sync")


@verifies("UPD-01")
@pytest.mark.parametrize("policy", POLICIES)
def test_running_container_keeps_its_content(pods: Pods, versions: Versions, policy: str) -> None:
    """Given a running Pod, when new content is pushed to its tag and the kubelet syncs the Pod again, then the container shows the old
    content.
    Control: a Pod that starts now under Always shows the new.
    """
    pod_ = pods.started(holding(versions.old.reference, policy))
    before = seen(pod_)
    new = versions.move()
    force_sync(pods, pod_)

    fresh = pods.run(mounting(new.reference, pull_policy="Always")).tree()
    control(before == versions.old.tree, "before, the Pod showed the old content")
    assert seen(pod_) == versions.old.tree
    control(fresh == new.tree, "a Pod that starts now under Always shows the new content")


@verifies("UPD-02")
def test_new_pod_under_always_shows_the_new_content(pods: Pods, versions: Versions) -> None:
    """Given a Pod under Always, when new content is pushed to its tag and the Pod is deleted and created again, then it shows the new
    content.
    Control: before the push it showed the old.
    """
    pod_ = pods.started(holding(versions.old.reference, "Always"))
    before = seen(pod_)
    new = versions.move()
    pod_.delete(grace_seconds=0)

    control(before == versions.old.tree, "before, the Pod showed the old content")
    assert pods.run(mounting(new.reference, pull_policy="Always")).tree() == new.tree


@verifies("UPD-03")
def test_if_not_present_keeps_what_the_node_has(
    pods_at: PodsAt, versions: Versions, second_node: str
) -> None:
    """Given an image that a node has, when new content is pushed to its tag and a Pod mounts it under IfNotPresent, then on that node it
    shows the old content, and on a node without the image the new.
    """
    here = pods_at("restricted")
    there = pods_at("restricted", on=second_node)
    manifest = mounting(versions.old.reference, pull_policy="IfNotPresent")
    first = here.run(manifest).tree()
    new = versions.move()

    assert first == versions.old.tree
    assert here.run(manifest).tree() == versions.old.tree
    assert there.run(manifest).tree() == new.tree


@verifies("UPD-05")
def test_restarted_container_under_always_keeps_its_content(pods: Pods, versions: Versions) -> None:
    """Given a running Pod under Always, when new content is pushed to its tag and its container restarts, then the container shows the old
    content: the reference is resolved at the Pod's start.
    Control: a Pod that starts now shows the new.
    """
    pod_ = pods.started(holding(versions.old.reference, "Always"))
    before = seen(pod_)
    new = versions.move()
    pod_.restart()
    pod_.wait_running(restarts=1)

    after = seen(pod_)
    fresh = pods.run(mounting(new.reference, pull_policy="Always")).tree()
    control(before == versions.old.tree, "before, the Pod showed the old content")
    assert after == versions.old.tree
    control(fresh == new.tree, "a Pod that starts now under Always shows the new content")


@verifies("UPD-06")
def test_restarted_container_ignores_what_others_pulled(pods: Pods, versions: Versions) -> None:
    """Given a running Pod under IfNotPresent, when its tag moves, another Pod on the node pulls the new content, and the container restarts,
    then it shows the old content.
    Control: the other Pod shows the new.
    """
    pod_ = pods.started(holding(versions.old.reference, "IfNotPresent"))
    before = seen(pod_)
    new = versions.move()
    other = pods.run(mounting(new.reference, pull_policy="Always")).tree()
    pod_.restart()
    pod_.wait_running(restarts=1)

    control(before == versions.old.tree, "before, the Pod showed the old content")
    control(other == new.tree, "the other Pod shows the new content")
    assert seen(pod_) == versions.old.tree


@verifies("UPD-07")
def test_containers_of_a_pod_show_the_same(pods: Pods, versions: Versions) -> None:
    """Given two containers of one Pod on one volume under Always, when its tag moves and one of them restarts, then both show the same
    content.
    Control: before, they showed the same.
    """
    both = [container((tree(), HOLD), name=name, mounts=[mount()]) for name in ("main", "sibling")]
    volume = image_volume(versions.old.reference, pull_policy="Always")
    pod_ = pods.started(pod(both, volumes=[volume], restart_policy="Always"))
    before = seen(pod_), seen(pod_, "sibling")
    versions.move()
    pod_.restart()
    pod_.wait_running(restarts=1)

    control(before == (versions.old.tree, versions.old.tree), "before, both showed the old content")
    assert seen(pod_) == seen(pod_, "sibling")


@verifies("UPD-08")
def test_digest_is_immune(pods: Pods, versions: Versions) -> None:
    """Given a running Pod with a digest reference under Always, when the repository's tags move and its container restarts, then it shows
    the digest's content.
    Control: a Pod by tag that starts now shows the new.
    """
    pod_ = pods.started(holding(versions.old.pinned, "Always"))
    before = seen(pod_)
    new = versions.move()
    new.repository.push(new.image, "latest")
    pod_.restart()
    pod_.wait_running(restarts=1)

    after = seen(pod_)
    fresh = pods.run(mounting(new.reference, pull_policy="Always")).tree()
    control(before == versions.old.tree, "before, the Pod showed the digest's content")
    assert after == versions.old.tree
    control(fresh == new.tree, "a Pod that starts now under Always shows the new content")


@verifies("UPD-09")
@pytest.mark.parametrize("policy", ["Always", "IfNotPresent", "Never"])
def test_manifest_that_vanished(pods: Pods, versions: Versions, policy: str) -> None:
    """Given a running Pod, when its manifest is deleted at the registry, then its containers go on; and when one restarts, it comes back
    under IfNotPresent and Never, while under Always it waits for the image and its sibling goes on.
    """
    pods.run(mounting(versions.old.reference, pull_policy="IfNotPresent"))
    both = [container((tree(), HOLD), name=name, mounts=[mount()]) for name in ("main", "sibling")]
    volume = image_volume(versions.old.reference, pull_policy=policy)
    pod_ = pods.started(pod(both, volumes=[volume], restart_policy="Always"))
    versions.old.repository.remove(versions.old.digest)
    running = seen(pod_)
    pod_.restart()
    state = pod_.wait(came_back_or_waits, "the container to come back, or to wait for its image")
    if policy == "Always":
        assert [refusal.reason in UNPULLED for refusal in refusals(state)] == [True], (
            "it came back without its image"
        )
    else:
        assert refusals(state) == []
        assert seen(pod_) == versions.old.tree
    assert running == versions.old.tree
    assert seen(pod_, "sibling") == versions.old.tree
    assert container_status(pod_.state(), "sibling")["restartCount"] == 0


@verifies("UPD-10")
@pytest.mark.parametrize("policy", ["Always", "IfNotPresent", "Never"])
def test_new_sandbox(
    node_shell: NodeShell, pods: Pods, versions: Versions, observe: Observe, policy: str
) -> None:
    """Given a running Pod whose tag has moved, and the new content on the node, when its sandbox is stopped and the kubelet makes another,
    then whether its volume shows the old content or the new is recorded.
    Control: before, it showed the old; the event SandboxChanged says that there is a new sandbox.
    """
    pods.run(mounting(versions.old.reference, pull_policy="IfNotPresent"))
    pod_ = pods.started(holding(versions.old.reference, policy))
    before = seen(pod_)
    new = versions.move()
    pods.run(mounting(new.reference, pull_policy="Always"))
    (sandbox,) = node_shell.sandboxes(pod_.uid)
    stopped = node_shell.crictl("stopp", sandbox)
    pod_.wait_running(restarts=1)
    event = pod_.wait_event(lambda e: e.reason == "SandboxChanged", "the event SandboxChanged")
    after = seen(pod_)

    control(before == versions.old.tree, "before, the Pod showed the old content")
    control(stopped.ok, f"the sandbox is stopped ({stopped.err.strip()})")
    control(event is not None, "there is an event SandboxChanged")
    shows = [name for name, version in (("old", versions.old), ("new", new)) if version.tree == after]
    observe(f"the {shows[0]} content" if shows else "neither content", f"a new sandbox under {policy} shows")
