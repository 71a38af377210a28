"""Comparison: an image volume beside what it replaces, an init container that copies an image's files into an emptyDir.

The twin's init container copies from a mount of the same image, so that it needs no program in the image; but where the image of the
init container itself is what matters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from conformance.control import control
from conformance.plugin import verifies
from fixtures.credentials import Credentials, pull_secrets
from fixtures.errors import Inconclusive, TimedOut
from fixtures.kubelet import Kubelet
from fixtures.manifests import (
    HOLD,
    Json,
    Look,
    container,
    empty_dir,
    image_volume,
    mount,
    mounting,
    pod,
    tree,
)
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Answers, Pod, Pods, container_statuses
from images import site as site_asset
from images.oci.content import Noise
from images.oci.image import Image
from images.oci.layer import Layer, directory, file, symlink
from images.oddities import programs
from images.tree import Tree

COPY = "/copy"
COPIED: Look = ("copy", "/vol", COPY)
UNPULLED = ("ErrImagePull", "ImagePullBackOff")
UNSTARTED = {"StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError"}
SMALL, LARGE = 64 << 10, 64 << 20
MEASURED_SECONDS = 150.0  # kubelets measure a Pod's volumes once a minute
PAUSE_SECONDS = 2.0


def twins(reference: str, *looks: Look, policy: str | None = None, restart_policy: str = "Never") -> Json:
    """A Pod whose container has the image at /vol, as a volume, and at /copy, as its init container has copied it from there."""
    mounts = [mount(), mount(COPY, volume="copy")]
    return pod(
        [container(looks or (tree(), tree(COPY)), mounts=mounts)],
        init=[container((COPIED,), name="copy", mounts=mounts)],
        volumes=[image_volume(reference, pull_policy=policy), empty_dir("copy")],
        restart_policy=restart_policy,
    )


def copy_alone(reference: str, *looks: Look) -> Json:
    """The twin by itself: its container has the copy and not the volume."""
    manifest = twins(reference, *looks)
    manifest["spec"]["containers"][0]["volumeMounts"] = [mount(COPY, volume="copy")]
    return manifest


def seen(answers: Answers, path: str = "/vol") -> Tree:
    """What was seen below a path, empty where it could not be listed; without owners, which an unprivileged copy cannot keep."""
    return Tree.from_json(answers.of("tree", path).get("entries") or {}).without("uid", "gid")


@verifies("CMP-01")
def test_volume_and_copy_hold_the_same(root_pods: Pods, layered: Asset) -> None:
    """Given a Pod that has an image as a volume and as a copy, when its container looks at both, then each shows exactly the image."""
    answers = root_pods.started(twins(layered.reference)).answers()
    expected = layered.tree.without("uid", "gid")

    assert seen(answers) == expected
    # A copy has no hard links, each name is a file of its own; and directories have the times of the copying.
    assert names_and_bytes(seen(answers, COPY)) == names_and_bytes(expected)


def names_and_bytes(found: Tree) -> dict[str, tuple[object, ...]]:
    """Of each entry what a plain copy keeps."""
    return {
        path: (one.type, one.mode, one.size, one.sha256, one.target, one.mtime if one.type == "file" else 0)
        for path, one in found.items()
    }


@verifies("CMP-02")
def test_copy_can_be_written_and_volume_not(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a Pod that has an image as a volume and as a copy, and modes that forbid nobody anything, when its container makes each
    mutating call on both, then all fail on the volume.
    Control: all succeed on the copy.
    """
    members = [file("file", build, mode=0o666), directory("folder", mode=0o777), symlink("link", "file")]
    asset = repositories.new("open-to-all").push(Image([Layer(members)]))
    calls = [("writes", top, "file", "folder", "link") for top in ("/vol", COPY)]
    answers = pods.started(twins(asset.reference, *calls, ("control", COPY))).answers()
    possible = {call for call, errno in answers.of("control").items() if errno == "ok"}
    on_volume: dict[str, str] = answers.of("writes", "/vol")
    on_copy: dict[str, str] = answers.of("writes", COPY)

    control({"create", "append"} <= possible or len(possible) > 1, "the probe can write to the copy")
    control(any(on_copy[call] == "ok" for call in possible), "the copy can be written")
    assert [call for call in possible if on_volume[call] == "ok"] == []


@verifies("CMP-03")
def test_volume_needs_no_shell(pods: Pods, site: Asset) -> None:
    """Given an image of files alone, when one Pod mounts it, and in another an init container of that image is to copy them with a shell,
    then the first shows the image, and the second does not start for want of `sh`.
    Control: an init container that has a program copies them.
    """
    old = {"name": "copy", "image": site.reference, "command": ["sh", "-c", f"cp -a /site {COPY}"]}
    manifest = copy_alone(site.reference)
    manifest["spec"]["initContainers"] = [old | {"volumeMounts": [mount(COPY, volume="copy")]}]
    manifest["spec"]["volumes"] = [empty_dir("copy")]
    without_shell = why_not_started(pods.start(manifest), "copy")
    volume = pods.start(mounting(site.reference))

    assert without_shell[0] in UNSTARTED
    assert "sh" in without_shell[1]
    assert volume.refusal() is None, str(volume.refusal())
    assert volume.answers().tree() == site.tree
    copied = pods.started(twins(site.reference)).answers()
    control(
        names_and_bytes(seen(copied, COPY)) == names_and_bytes(site.tree),
        "an init container with a program copies",
    )


def why_not_started(pod_: Pod, name: str) -> tuple[str, str]:
    """The reason and the message with which a container waits, or has ended."""
    for one in container_statuses(pod_.state()):
        if one["name"] == name:
            state = one.get("state") or {}
            told = state.get("waiting") or state.get("terminated") or {}
            return str(told.get("reason", "")), str(told.get("message", ""))
    raise Inconclusive(f"Pod {pod_.name} has no status for container {name}")


def noise(repositories: Repositories, build: str, size: int) -> Asset:
    """An image with one file of so many bytes, which does not compress."""
    members = [file("large.bin", Noise(size, build))]
    return repositories.new("noise").push(Image([Layer(members, compression="none")]))


@verifies("CMP-04")
@pytest.mark.takes(40)
def test_copy_is_charged_and_volume_not(
    pods: Pods, repositories: Repositories, build: str, kubelet: Kubelet
) -> None:
    """Given an image of 32 MiB, one Pod with it as a volume and one with a copy, when the kubelet has measured both, then the first uses
    less than half of that as ephemeral storage.
    Control: the second uses all of it.
    """
    size = 32 << 20
    asset = noise(repositories, build, size)
    volume = pods.started(mounting(asset.reference, ("status", "/vol/large.bin"), HOLD))
    control(volume.answers().of("status")["size"] == size, "the volume shows the file")
    copy = pods.started(copy_alone(asset.reference, HOLD))
    deadline = time.monotonic() + MEASURED_SECONDS
    with kubelet.evidence.waiting("the kubelet to have measured the copy"):
        while (used := storage(kubelet, copy, volume)).get(copy.name, 0) < size or volume.name not in used:
            if time.monotonic() > deadline:
                raise TimedOut(f"the kubelet did not charge the copy within {MEASURED_SECONDS:.0f} s: {used}")
            time.sleep(PAUSE_SECONDS)

    assert used[volume.name] < size // 2


def storage(kubelet: Kubelet, *of: Pod) -> dict[str, int]:
    """The ephemeral storage of those of these Pods that the kubelet has measured. Lacking where its statistics cannot be had."""
    measured = {
        one["podRef"]["uid"]: int(one["ephemeral-storage"]["usedBytes"])
        for one in kubelet.summary().get("pods") or []
        if "usedBytes" in (one.get("ephemeral-storage") or {})
    }
    found = {one.name: measured[one.uid] for one in of if one.uid in measured}
    kubelet.evidence.keep("fact", "ephemeral storage", found)
    return found


@verifies("CMP-05")
def test_copying_takes_time(
    pods: Pods, repositories: Repositories, build: str, observe: Callable[[Any, str], None]
) -> None:
    """Given a small and a large image on the node, when an init container copies each, and another Pod mounts each, then how long the
    copying takes, and how long the Pods take to start, is told.
    """
    seconds, started = [], []
    for size in (SMALL, LARGE):
        asset = noise(repositories, f"{build}-{size}", size)
        copied = pods.started(copy_alone(asset.reference, HOLD)).answers("copy").of("copy")
        control("seconds" in copied, f"the copying of {size} bytes succeeds")
        seconds.append(copied["seconds"])
        before = time.monotonic()
        pods.started(mounting(asset.reference, HOLD))
        started.append(time.monotonic() - before)
    observe(
        seconds[1] > seconds[0],
        f"{SMALL >> 10} KiB and {LARGE >> 20} MiB are copied in {seconds[0]:.3f} and {seconds[1]:.3f} s;"
        f" Pods with the volume run after {started[0]:.1f} and {started[1]:.1f} s",
    )


@verifies("CMP-06")
def test_neither_follows_the_tag(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a running Pod under Always that has an image as a volume and as a copy, when new content is pushed to its tag and the kubelet
    syncs the Pod again, then both show the old content.
    Control: in a Pod that starts now, both show the new.
    """
    repository = repositories.new()
    old = repository.push(site_asset.image(f"{build}-old"))
    looks = (tree(), tree(COPY))
    manifest = twins(old.reference, *looks, HOLD, policy="Always", restart_policy="Always")
    pod_ = pods.started(manifest)
    before = both(pod_.answers())
    new = repository.push(site_asset.image(f"{build}-new"))
    response = pods.add_ephemeral(pod_, container(name="sync"))
    if not response.ok:
        raise Inconclusive(f"the ephemeral container was refused: {response.status} {response.message}")
    pod_.wait_started("sync")
    after = both(pod_.look(*looks))
    fresh = both(pods.started(twins(new.reference, policy="Always")).answers())

    expected = names_and_bytes(old.tree)
    control(before == (expected, expected), "before, both showed the old content")
    assert after == (expected, expected)
    expected = names_and_bytes(new.tree)
    assert fresh == (expected, expected)


def both(answers: Answers) -> tuple[dict[str, tuple[object, ...]], dict[str, tuple[object, ...]]]:
    """What volume and copy show."""
    return names_and_bytes(seen(answers)), names_and_bytes(seen(answers, COPY))


@verifies("CMP-07")
def test_both_use_the_same_secrets(
    pods: Pods, credentials: Credentials, repositories: Repositories, build: str, architecture: str
) -> None:
    """Given two private images that one user may pull, when a Pod has one as its init container's image, and another Pod the other as a
    volume, and both list that user's secret, then both start, each pulled as that user.
    Control: without the secret, both are refused.
    """
    alice = credentials.user("alice")
    members = [file("hello", programs.hello(architecture), mode=0o755), file("build", build)]
    runs = repositories.new("runs").push(Image([Layer(members)], architecture=architecture))
    shows = repositories.new("shows").push(site_asset.image(build))
    secret = credentials.secret(pods.namespace, {runs.repository.host: alice})
    for asset in (runs, shows):
        asset.repository.protect(alice)
    old = {"name": "copy", "image": runs.reference, "imagePullPolicy": "Always", "command": ["/hello"]}

    def started(*secrets: str) -> list[Pod]:
        listed = pull_secrets(*secrets)
        twin = pod([container()], init=[dict(old)], imagePullSecrets=listed)
        volume = mounting(shows.reference, imagePullSecrets=listed)
        return [pods.start(twin), pods.start(volume)]

    without = [one.refusal() for one in started()]
    twin, volume = started(secret)

    control(
        all(refused is not None and refused.reason in UNPULLED for refused in without),
        "without the secret, both are refused",
    )
    control(twin.refusal() is None, "the init container with the secret runs")
    assert volume.refusal() is None, str(volume.refusal())
    assert volume.answers().tree() == shows.tree
    users = [asset.repository.requests().users for asset in (runs, shows)]
    assert [set(one) - {None} for one in users] == [{"alice"}, {"alice"}]
