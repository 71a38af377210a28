"""Sharing: one image on a node serves all its Pods, and none of them takes it from another."""

from __future__ import annotations

import math
import re
import time

import pytest

from conformance.control import control
from conformance.plugin import verifies
from fixtures.errors import Inconclusive, Lacking, TimedOut
from fixtures.evidence import Evidence
from fixtures.kubelet import Kubelet
from fixtures.manifests import (
    HOLD,
    VOLUME,
    Json,
    container,
    empty_dir,
    image_volume,
    mount,
    mounting,
    pod,
    tree,
)
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Answers, Pod, Pods, phase
from images import layered as layered_asset
from images import site as site_asset
from images.oci.content import Noise
from images.oci.image import Image
from images.oci.layer import Layer, file
from images.tree import Tree

MEBIBYTE = 1 << 20
AT_ONCE = 8  # below the number of pulls that a kubelet lets begin at once (registryBurst: 10)
SMALL_FILES = 3000
LEAST_ROUNDS, MOST_ROUNDS = 3, 8
ROUNDS = 3
FRESH = 3  # measurements after which what has happened must be in


def holding(reference: str) -> Json:
    """A Pod that shows the volume and how it is mounted, and stays."""
    return mounting(reference, tree(), ("mounts", "/vol"), HOLD)


@verifies("SHARE-01")
def test_each_layer_is_downloaded_once(root_pods: Pods, repositories: Repositories, build: str) -> None:
    """Given an image of four layers that the node has not, when ten Pods mount it, then each layer is downloaded once.
    Control: every one of them shows the image.
    """
    asset = repositories.new("layered").push(layered_asset.image(build))
    first = root_pods.started(holding(asset.reference))
    others = [root_pods.create(holding(asset.reference)) for _ in range(9)]
    for pod_ in others:
        pod_.settle()

    assert asset.repository.requests().downloads(asset.layers) == dict.fromkeys(asset.layers, 1)
    trees = [pod_.answers().tree() for pod_ in (first, *others)]
    control(trees == [asset.tree] * len(trees), "every Pod shows the image")


def lower_directories(answers: Answers) -> list[str]:
    """The host directories of which the mount at /vol is made: lowerdir of its overlay. Inconclusive where it is no overlay."""
    for mounted in answers.of("mounts", "/vol"):
        if mounted["point"] == "/vol" and mounted["type"] == "overlay":
            found = re.findall(r"(?:^|,)lowerdir\+?=([^,]*)", mounted["super"])
            if found:
                return [directory for part in found for directory in part.split(":")]
    raise Inconclusive(
        "the mount is no overlay, so its mountinfo names no lower directories",
        missing="an overlay file system",
    )


@verifies("SHARE-02")
def test_pods_share_the_directories_on_disk(pods: Pods, site: Asset) -> None:
    """Given two Pods with one image, when both run, then their mounts are made of the same directories of the node.
    Control: a Pod with another image has others.
    """
    first = pods.started(holding(site.reference)).answers()
    second = pods.started(holding(site.reference)).answers()
    other = site.repository.push(site_asset.image(f"{site.tag}-{site.digest[7:15]}"), "other")
    another = pods.started(holding(other.reference)).answers()

    assert first.tree() == second.tree() == site.tree
    assert lower_directories(first) == lower_directories(second)
    control(
        lower_directories(another) != lower_directories(first),
        "a Pod with another image has other directories",
    )


class ImageFileSystem:
    """What the kubelet says of the file system that holds the images, by the node's stats/summary."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet, self._evidence = kubelet, kubelet.evidence

    def read(self) -> tuple[str, int]:
        """When it was measured, and how many bytes were used. Inconclusive where it is not to be had."""
        summary = self._kubelet.summary()
        found = ((summary["node"].get("runtime") or {}).get("imageFs")) or {}
        if "usedBytes" not in found:
            raise Lacking(
                "stats/summary tells no imageFs.usedBytes",
                need="stats",
                missing="image file system statistics",
            )
        self._evidence.add("fact", "imageFs", found)
        return str(found.get("time", "")), int(found["usedBytes"])

    def grown_by(self, bytes_: int, since: int, *, seconds: float) -> int:
        """Wait until it has grown by so many bytes since a measurement; how many bytes are used then.

        Lacking where it has not, after three further measurements: these statistics don't count layers, as those of CRI-O, which
        count its folder of images' descriptions only.
        """
        deadline = time.monotonic() + seconds
        measured: set[str] = set()
        with self._evidence.waiting("the node's statistics to show the image"):
            while time.monotonic() < deadline and len(measured) <= FRESH:
                when, used = self.read()
                if used - since >= bytes_:
                    return used
                measured.add(when)
                time.sleep(1)
        raise Lacking(
            f"the node's imageFs did not grow by {bytes_} bytes when the first Pod mounted the image",
            need="stats",
            missing="a runtime whose imageFs.usedBytes counts the layers of images",
        )

    def measured_anew(self, *, seconds: float) -> int:
        """Wait for two further measurements, so that all that has happened is in; how many bytes are used then."""
        deadline = time.monotonic() + seconds
        last, _ = self.read()
        fresh = 0
        with self._evidence.waiting("the node's statistics to be measured anew"):
            while time.monotonic() < deadline:
                measured, used = self.read()
                if measured != last:
                    last, fresh = measured, fresh + 1
                    if fresh == 2:
                        return used
                time.sleep(1)
        raise TimedOut(f"the node's imageFs was not measured anew within {seconds:.0f} s")


@verifies("SHARE-03")
@pytest.mark.takes(30)
def test_disk_does_not_grow_with_pods(
    pods: Pods, repositories: Repositories, build: str, kubelet: Kubelet
) -> None:
    """Given an image of 64 MiB that does not compress, when four more Pods mount it, then the node's image file system grows by less than
    two more images, once in three times at least: what others write there meanwhile counts, too.
    Control: the first Pod made it grow, by half the image's size at least.
    """
    size = 64 * MEBIBYTE
    disk = ImageFileSystem(kubelet)
    _, before = disk.read()
    asset = repositories.new("large").push(
        Image([Layer([file("large.bin", Noise(size, build))], compression="none")])
    )
    manifest = mounting(asset.reference, ("status", "/vol/large.bin"), HOLD)
    pods.started(manifest)
    used = disk.grown_by(size // 2, before, seconds=60)
    growths: list[int] = []
    while len(growths) < ROUNDS and min(growths, default=2 * size) >= 2 * size:
        for pod_ in [pods.create(manifest) for _ in range(4)]:
            pod_.settle()
            assert pod_.answers().of("status")["sha256"] == asset.tree["large.bin"].sha256
        used, last = disk.measured_anew(seconds=60), used
        growths.append(used - last)

    assert min(growths) < 2 * size


@verifies("SHARE-04")
def test_volume_is_not_charged(pods: Pods, repositories: Repositories, build: str, kubelet: Kubelet) -> None:
    """Given a Pod that may use 16 MiB of ephemeral storage and mounts an image of 32 MiB, when the kubelet has measured its volumes, then it
    runs, the Summary API tells of no use by the volume, and of less by the Pod than the image's size.
    Control: an emptyDir of the Pod is measured; a Pod that may use as little, and copies the image into an emptyDir, is evicted.
    """
    size = 32 * MEBIBYTE
    asset = repositories.new("large").push(
        Image([Layer([file("large.bin", Noise(size, build))], compression="none")])
    )
    volumes = [image_volume(asset.reference), empty_dir()]
    mounts = [mount(), mount("/scratch", volume="scratch")]
    little = {"limits": {"ephemeral-storage": "16Mi"}}
    copying = container(name="copy", mounts=mounts, resources=little)
    copying["command"] = ["python3", "-c", "import shutil; shutil.copy('/vol/large.bin', '/scratch')"]
    main = container((HOLD,), mounts=mounts, resources=little)
    mounted = pods.started(pod([main], volumes=volumes))
    copied = pods.create(pod([main], init=[copying], volumes=volumes))
    evicted = copied.wait_event(lambda e: e.reason == "Evicted", "the event Evicted", seconds=CHARGED_SECONDS)
    if evicted is None:
        raise Lacking(
            "a Pod that copied 32 MiB into an emptyDir, with a limit of 16 MiB, was not evicted",
            need="stats",
            missing="a kubelet that evicts Pods for their ephemeral storage",
        )
    told = measured_volumes(kubelet, mounted, "scratch")

    assert phase(mounted.state()) == "Running"
    assert VOLUME not in [one["name"] for one in told["volume"]]
    assert told["ephemeral-storage"]["usedBytes"] < size


CHARGED_SECONDS = 180.0
"""A kubelet measures a Pod's volumes every minute, the first time up to a minute after its start, and evicts 10 s later."""


def measured_volumes(kubelet: Kubelet, pod_: Pod, volume: str) -> Json:
    """Wait until the Summary API tells of a volume of a Pod; what it tells of the Pod then. Lacking if it does not."""
    deadline = time.monotonic() + CHARGED_SECONDS
    with kubelet.evidence.waiting("the Pod's volumes to be measured"):
        while time.monotonic() < deadline:
            pods: list[Json] = kubelet.summary()["pods"]
            found = [one for one in pods if one["podRef"]["uid"] == pod_.uid]
            if found and volume in [one["name"] for one in found[0].get("volume") or []]:
                kubelet.evidence.add("fact", "stats/summary of the Pod", found[0])
                return found[0]
            time.sleep(1)
    raise Lacking(
        f"stats/summary did not tell of an emptyDir within {CHARGED_SECONDS:.0f} s",
        need="stats",
        missing="statistics of volumes",
    )


@verifies("SHARE-05")
def test_common_layers_are_downloaded_once(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given two images with one layer in common, when a Pod mounts each, then the common layer was downloaded once and the others once each.
    Control: each Pod shows its own image.
    """
    common = Layer([file("common", f"common to both, build {build}\n")])
    repository = repositories.new()
    one = repository.push(Image([common, Layer([file("own", f"one {build}\n")])]), "one")
    two = repository.push(Image([common, Layer([file("own", f"two {build}\n")])]), "two")
    first = pods.run(mounting(one.reference)).tree()
    second = pods.run(mounting(two.reference)).tree()

    assert (first, second) == (one.tree, two.tree)
    layers = {*one.layers, *two.layers}
    assert repository.requests().downloads(layers) == dict.fromkeys(layers, 1)


@verifies("SHARE-06")
def test_deleting_one_pod_leaves_the_others_mounts(pods: Pods, site: Asset) -> None:
    """Given two running Pods with one image, when one of them is deleted, then the other shows the image as before.
    Control: before, both showed it.
    """
    first = pods.started(holding(site.reference))
    second = pods.started(holding(site.reference))
    before = first.answers().tree(), second.answers().tree()
    first.delete(grace_seconds=0)

    control(before == (site.tree, site.tree), "before, both showed the image")
    assert Tree.from_json(second.look(tree()).of("tree").get("entries") or {}) == site.tree


@verifies("SHARE-09")
def test_pods_with_different_labels_share_an_image(pods: Pods, site: Asset, enforcing: None) -> None:
    """Given a node that enforces SELinux, when two Pods of different levels mount one image and both run, then each of them shows it, with
    files of its own level.
    Control: the processes have these levels.
    """
    del enforcing
    levels = ("s0:c100,c200", "s0:c300,c400")
    inside = next(path for path, entry in site.tree.items() if entry.type == "file")
    looks = (tree(), ("label", f"/vol/{inside}"))
    running = [
        pods.started(mounting(site.reference, HOLD, securityContext={"seLinuxOptions": {"level": level}}))
        for level in levels
    ]
    answers = [pod_.look(*looks) for pod_ in running]

    labels = [answer.of("label") for answer in answers]
    control(
        [label["process"].split(":", 3)[-1] for label in labels] == list(levels),
        "the processes have the levels that were asked for",
    )
    assert [answer.tree() for answer in answers] == [site.tree] * 2
    assert [label["file"].split(":", 3)[-1] for label in labels] == list(levels)


@verifies("SHARE-07")
def test_pods_that_start_at_once_download_once(
    root_pods: Pods, repositories: Repositories, build: str, evidence: Evidence
) -> None:
    """Given an image that the node has not and a registry that holds back its layers, when eight Pods want it before the first layer has come,
    then all of them start, and each layer is downloaded once.
    Control: the kubelet wants to pull for each of them before the registry answers, and each shows the image.
    """
    asset = repositories.new("layered").push(layered_asset.image(build))
    started = time.monotonic()
    with asset.repository.misbehaving(kinds=("blob",), methods=("GET",), stall_before=True):
        all_ = [root_pods.create(mounting(asset.reference)) for _ in range(AT_ONCE)]
        pulling = [pod_.wait_event(lambda e: e.reason == "Pulling", "the event Pulling") for pod_ in all_]
    for pod_ in all_:
        pod_.settle()
    evidence.add("fact", f"seconds until {AT_ONCE} Pods had started", time.monotonic() - started)

    control(None not in pulling, "the kubelet wants to pull for each Pod before the registry answers")
    assert [pod_.refusal() for pod_ in all_] == [None] * AT_ONCE
    assert asset.repository.requests().downloads(asset.layers) == dict.fromkeys(asset.layers, 1)
    shown = [pod_.answers().tree() for pod_ in all_]
    control(shown == [asset.tree] * AT_ONCE, "every Pod shows the image")


def seconds_to_start(pods: Pods, reference: str) -> float:
    """How long a Pod takes from its creation until its container's program runs, by the runner's clock and the node's.

    How far the two clocks differ is part of it, in every Pod alike.
    """
    created = time.time()
    return float(pods.run(mounting(reference, ("now",))).of("now")) - created


@verifies("SHARE-08")
@pytest.mark.takes(12)
def test_start_takes_no_longer_for_a_larger_image(
    pods: Pods, repositories: Repositories, build: str, evidence: Evidence
) -> None:
    """Given an image of one file and one of 3000 files and 64 MiB, both present, when Pods mount the one and the other in turn, then the
    fastest start with the large one takes longer by less than half of what copying its files takes.
    Whatever else a node does makes single starts slower and none faster, so the fastest ones are compared, over as many rounds as it takes.
    Control: how long copying takes is measured in a container of the same node, with the mounted image and an emptyDir.
    """
    members = [file(f"many/{number}", f"{build} {number}\n") for number in range(SMALL_FILES)]
    members.append(file("large.bin", Noise(64 * MEBIBYTE, build)))
    small = repositories.new("small").push(Image([Layer([file("small", build)])]))
    large = repositories.new("large").push(Image([Layer(members, compression="none")]))
    copies = mounting(large.reference, ("copy", "/vol", "/scratch/copy"))
    copies["spec"]["volumes"].append(empty_dir())
    copies["spec"]["containers"][0]["volumeMounts"].append(mount("/scratch", volume="scratch"))
    copying = float(pods.run(copies).of("copy")["seconds"])
    pods.run(mounting(small.reference, ("now",)))

    taken: dict[str, list[float]] = {"small": [], "large": []}
    longer = math.inf
    while len(taken["large"]) < LEAST_ROUNDS or (longer >= copying / 2 and len(taken["large"]) < MOST_ROUNDS):
        for name, asset in (("small", small), ("large", large)):
            taken[name].append(seconds_to_start(pods, asset.reference))
        longer = min(taken["large"]) - min(taken["small"])
    evidence.add("fact", "seconds", {"a copy": copying} | taken)

    assert longer < copying / 2, f"{longer:.2f} s longer, while a copy takes {copying:.2f} s"
