"""The node: its kubelet and runtime restart, it reboots, it has Pods of its own, and nothing of a Pod that is gone stays on it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from conformance.control import control, in_time
from conformance.plugin import verifies
from fixtures.errors import Inapplicable
from fixtures.manifests import HOLD, Json, container, image_volume, mount, mounting, pod, tree
from fixtures.node_shell import NodeShell
from fixtures.repositories import Asset, Repositories
from fixtures.static_pods import StaticPods
from fixtures.workloads import Pod, Pods, container_status, refusals
from images import site as site_asset
from images.tree import Tree

CLEAN_SECONDS = 30.0  # containerd integration/image_volume_linux_test.go waits as long
LOOK_SECONDS = 0.5
BACK_SECONDS = 90.0  # for all Pods; a back-off may double once or twice


def holding(reference: str, policy: str | None = None) -> Json:
    """A Pod that shows the volume and stays."""
    return mounting(reference, tree(), HOLD, pull_policy=policy, restart_policy="Always")


def seen(pod_: Pod) -> Tree:
    """What a running container shows now."""
    return Tree.from_json(pod_.look(tree()).of("tree").get("entries") or {})


def shown(pod_: Pod) -> Tree:
    """What a container showed when it started."""
    return Tree.from_json(pod_.answers().of("tree").get("entries") or {})


def came_back_or_waits(state: Json) -> bool:
    """Whether the container `main` runs again after a restart, or waits for a reason of its own."""
    main = container_status(state, "main")
    return (main["restartCount"] >= 1 and "running" in main["state"]) or any(
        refusal.reason != "CrashLoopBackOff" for refusal in refusals(state)
    )


@verifies("LIFE-06")
@pytest.mark.disruptive
def test_kubelet_restart(node_shell: NodeShell, pods: Pods, site: Asset) -> None:
    """Given a running Pod with the volume, when the kubelet restarts, then the Pod's container is the same as before, still shows the image,
    and a new Pod that mounts it starts.
    Control: before, the container showed the image.
    """
    pod_ = pods.started(holding(site.reference))
    before, content = container_status(pod_.state(), "main"), seen(pod_)
    node_shell.restart_kubelet()
    after = container_status(pod_.state(), "main")
    fresh = pods.start(mounting(site.reference))

    control(content == site.tree, "before, the container showed the image")
    assert after["restartCount"] == 0
    assert after["containerID"] == before["containerID"]
    assert "running" in after["state"]
    assert seen(pod_) == site.tree
    assert fresh.refusal() is None, str(fresh.refusal())
    assert shown(fresh) == site.tree


@verifies("LIFE-07")
@pytest.mark.disruptive
def test_runtime_restart(node_shell: NodeShell, pods: Pods, site: Asset) -> None:
    """Given a running Pod with the volume, when the container runtime restarts, then the Pod's container goes on and still shows the image,
    and both a restarted container of that Pod and a new Pod mount it.
    Control: before, the container showed the image.
    """
    pod_ = pods.started(holding(site.reference))
    before, content = container_status(pod_.state(), "main"), seen(pod_)
    node_shell.restart_runtime()
    after, running = container_status(pod_.state(), "main"), seen(pod_)
    pod_.restart()
    restarted = pod_.wait(came_back_or_waits, "the container to come back, or to say why not")
    fresh = pods.start(mounting(site.reference))

    control(content == site.tree, "before, the container showed the image")
    assert after["restartCount"] == 0
    assert after["containerID"] == before["containerID"]
    assert running == site.tree
    assert refusals(restarted) == []
    assert seen(pod_) == site.tree
    assert fresh.refusal() is None, str(fresh.refusal())
    assert shown(fresh) == site.tree


def on_node(mounts: list[dict[str, str]], inside: dict[str, str]) -> set[str]:
    """The mount points on the node that belong to a container's mount: those of the same file system, and of its lower directories.

    containerd binds a mount of the node's into the container; CRI-O makes an overlay whose lower directory is one.
    """
    lower = next(
        (
            part.removeprefix("lowerdir=")
            for part in inside["super"].split(",")
            if part.startswith("lowerdir=")
        ),
        "",
    )
    folders = {folder for folder in lower.split(":") if folder}
    return {
        one["point"]
        for one in mounts
        if one["device"] == inside["device"]
        or (
            one["point"] != "/"
            and any(
                f"{folder}/".startswith(f"{one['point']}/") and "/overlay/" in folder for folder in folders
            )
        )
    }


@verifies("LIFE-08")
@pytest.mark.parametrize("end", ["deleted", "deleted at once", "deleted after a failed start"])
def test_nothing_stays_mounted(node_shell: NodeShell, pods: Pods, site: Asset, end: str) -> None:
    """Given a Pod whose volume is mounted on the node, when it is deleted, in time or at once or after a container of it has failed on a
    missing subPath, then within 30 seconds none of those mounts is left, its image can be removed, and so are their directories.
    Control: while the Pod ran, the node had a mount for it.
    """
    looks = (tree(), ("mounts", "/vol"), HOLD)
    containers = [container(looks, mounts=[mount()])]
    if end == "deleted after a failed start":
        containers.insert(0, container(name="failing", mounts=[mount(sub_path="absent")]))
    pod_ = pods.create(pod(containers, volumes=[image_volume(site.reference)]))
    pod_.settle()
    if len(containers) > 1 and pod_.refusal("failing") is None:
        raise Inapplicable("for runtimes that refuse a missing subPath; this one starts the container")
    inside = pod_.answers().of("mounts")[0]
    points = on_node(node_shell.mounts(), inside)
    pod_.delete(grace_seconds=0 if end == "deleted at once" else None)
    left = wait_unmounted(node_shell, points)
    removed = node_shell.crictl("rmi", site.reference)

    control(bool(points), "the node has a mount for the running Pod")
    assert not left, f"still mounted after {CLEAN_SECONDS:.0f} s: {', '.join(sorted(left))}"
    assert removed.ok, removed.err
    assert [point for point in sorted(points) if node_shell.exists(point)] == []


def wait_unmounted(shell: NodeShell, points: set[str]) -> set[str]:
    """Which of these are still mount points on the node, after at most as long as the runtime may take."""
    deadline = time.monotonic() + CLEAN_SECONDS
    while (left := points & {one["point"] for one in shell.mounts()}) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return left


@verifies("LIFE-11")
def test_static_pod(static_pods: StaticPods, site: Asset) -> None:
    """Given a manifest in the kubelet's directory, with an image volume, when the kubelet runs it, then its mirror at the API server has the
    volume, and its container shows the image.
    """
    name = static_pods.make(mounting(site.reference))
    mirror = in_time(lambda: static_pods.mirror(name))
    assert mirror is not None, "the kubelet did not make a mirror of the static Pod"
    state = mirror.settle()

    assert refusals(state) == []
    volumes = [one["image"]["reference"] for one in state["spec"]["volumes"] if "image" in one]
    assert volumes == [site.reference]
    assert shown(mirror) == site.tree


def wait_running_again(pods: Sequence[Pod]) -> bool:
    """Wait until the container of each Pod runs, having been restarted, however long any of them takes. TimedOut."""
    deadline = time.monotonic() + BACK_SECONDS
    for pod_ in pods:
        pod_.wait_running(restarts=1, seconds=max(1.0, deadline - time.monotonic()))
    return True


@verifies("LIFE-16")
@pytest.mark.disruptive
def test_reboot(node_shell: NodeShell, pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a running Pod for each policy, and tags that have moved, when the node reboots, then each Pod runs again, its container restarted,
    and shows the new content under Always and the old one under IfNotPresent and Never.
    Control: before, each showed the old content.
    """
    policies = ("Always", "IfNotPresent", "Never")
    old = {policy: repositories.new().push(site_asset.image(f"{build}-{policy}-old")) for policy in policies}
    pods.run(mounting(old["Never"].reference, pull_policy="IfNotPresent"))
    running = {policy: pods.started(holding(old[policy].reference, policy)) for policy in policies}
    before = {policy: seen(pod_) for policy, pod_ in running.items()}
    new = {
        policy: old[policy].repository.push(site_asset.image(f"{build}-{policy}-new")) for policy in policies
    }
    node_shell.reboot()
    back = in_time(lambda: wait_running_again(list(running.values())))

    control(
        all(before[policy] == old[policy].tree for policy in policies),
        "before, each Pod showed the old content",
    )
    assert back is not None, "a Pod did not come back"
    assert {policy: seen(pod_) for policy, pod_ in running.items()} == {
        "Always": new["Always"].tree,
        "IfNotPresent": old["IfNotPresent"].tree,
        "Never": old["Never"].tree,
    }
