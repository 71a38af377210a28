"""Status: what Pods and nodes report of image volumes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from conformance.control import control
from conformance.plugin import verifies
from fixtures.api import Api
from fixtures.errors import Inapplicable, Inconclusive, Lacking
from fixtures.evidence import Evidence
from fixtures.kubelet import Kubelet, feature_of_api_server
from fixtures.kubelet_configuration import KubeletConfiguration
from fixtures.manifests import (
    HOLD,
    PATH,
    VOLUME,
    Json,
    container,
    empty_dir,
    image_volume,
    mount,
    mounting,
    pod,
)
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pods, container_status
from images.oci.content import Noise
from images.oci.image import Image
from images.oci.layer import Layer, file

Observe = Callable[[Any, str], None]

DIGEST_GATE = "ImageVolumeWithDigest"
LISTED_SECONDS = 90.0
"""A kubelet lists the runtime's images every 30 s and writes its node's status every 10 s; twice that, and a little."""
LARGE = 8 << 20
"""Bytes of an image that is among the largest of a node that has few others."""


def listed_mounts(status: Json, volume: str = VOLUME) -> list[Json]:
    """What a container's status lists of a volume's mounts."""
    return [one for one in status.get("volumeMounts") or [] if one["name"] == volume]


@verifies("STAT-01")
def test_every_container_lists_its_mounts(pods: Pods, site: Asset) -> None:
    """Given one image volume that an init, a sidecar, a regular and an ephemeral container mount, the regular one at two paths, when all
    have started, then the status of each lists the volume with its paths, and nothing else of it.
    """
    one, two = [mount()], [mount(), mount("/other/below")]
    init = container((("process",),), name="init", mounts=one)
    sidecar = container((HOLD,), name="sidecar", mounts=one, restartPolicy="Always")
    regular = container((HOLD,), name="regular", mounts=two)
    pod_ = pods.started(pod([regular], init=[init, sidecar], volumes=[image_volume(site.reference)]))
    response = pods.add_ephemeral(pod_, container((HOLD,), name="ephemeral", mounts=one))
    if not response.ok:
        raise Inconclusive(f"the ephemeral container was refused: {response.status} {response.message}")
    state = pod_.wait_started("ephemeral")

    paths = {
        name: [one["mountPath"] for one in listed_mounts(container_status(state, name))]
        for name in ("init", "sidecar", "regular", "ephemeral")
    }
    assert paths == {
        "init": [PATH],
        "sidecar": [PATH],
        "regular": [PATH, "/other/below"],
        "ephemeral": [PATH],
    }


@verifies("STAT-02")
def test_read_only_in_the_status(pods: Pods, site: Asset, observe: Observe) -> None:
    """Given an image volume whose mount doesn't say `readOnly`, when the container runs, then what its status says of it is recorded.
    Control: the status lists the mount, and the volume cannot be written.
    """
    pod_ = pods.started(mounting(site.reference, ("touch", f"{PATH}/new")))
    listed = listed_mounts(container_status(pod_.state(), "main"))

    control(len(listed) == 1, "the status lists the mount")
    control(pod_.answers().of("touch") == "EROFS", "the volume is read-only")
    observe(listed[0].get("readOnly", "absent"), "readOnly in the status of a mount that doesn't ask for it")


def digest_gate(kubelet: Kubelet, api: Api) -> bool:
    """Whether the gate of volumeStatus is on in the kubelet, which sets it, and in the API server, which stores it.

    An API server that doesn't show its metrics is taken to be as the kubelet is.
    """
    of_kubelet, of_api_server = (
        kubelet.metrics().feature(DIGEST_GATE),
        feature_of_api_server(api, DIGEST_GATE),
    )
    gates = {"kubelet": of_kubelet, "API server": of_api_server}
    kubelet.evidence.add("fact", f"gate {DIGEST_GATE}", gates)
    return of_kubelet and of_api_server is not False


def several_volumes(reference: str) -> Json:
    """A Pod that mounts an image volume and an emptyDir."""
    mounts = [mount(), mount("/scratch", volume="scratch")]
    return pod([container((HOLD,), mounts=mounts)], volumes=[image_volume(reference), empty_dir()])


def volume_statuses(pods: Pods, reference: str) -> dict[str, Json | None]:
    """The volumeStatus of each volume in the status of a container that mounts an image, an emptyDir and a ConfigMap."""
    state = pods.started(several_volumes(reference)).wait_running()
    mounts = container_status(state, "main").get("volumeMounts") or []
    found = {one["name"]: one.get("volumeStatus") for one in mounts}
    control({VOLUME, "scratch"} <= set(found), "the status lists the mounts")
    return found


@verifies("STAT-03")
def test_no_volume_status_without_its_gate(pods: Pods, site: Asset, kubelet: Kubelet, api: Api) -> None:
    """Given a cluster whose gate ImageVolumeWithDigest is off, when a container runs that mounts an image volume and others, then none of its
    mounts has a volumeStatus.
    Control: the status lists the mounts.
    """
    if digest_gate(kubelet, api):
        raise Inapplicable(f"speaks of clusters whose gate {DIGEST_GATE} is off; here it is on")
    found = volume_statuses(pods, site.reference)
    assert found == dict.fromkeys(found)


@verifies("STAT-04")
def test_volume_status_names_the_digest(pods: Pods, site: Asset, kubelet: Kubelet, api: Api) -> None:
    """Given a cluster whose gate ImageVolumeWithDigest is on, when a container runs that mounts an image by its tag, and other volumes, then
    the status of that mount names the image by a digest, its manifest's or its configuration's, and no other mount has one.
    Control: the status lists the mounts.
    """
    if not digest_gate(kubelet, api):
        raise Lacking(
            f"the gate {DIGEST_GATE} is off",
            need="kubelet configuration",
            missing=f"the feature gate {DIGEST_GATE}, in the API server and in the kubelet",
        )
    found = volume_statuses(pods, site.reference)
    reference = ((found.pop(VOLUME) or {}).get("image") or {}).get("imageRef") or ""
    assert reference.rpartition("@")[2] in {site.digest, configuration(site)}
    assert found == dict.fromkeys(found)


def configuration(asset: Asset) -> str:
    """The digest of an image's configuration: by that runtimes know it."""
    return str(json.loads(asset.image.manifest)["config"]["digest"])


@verifies("STAT-05")
def test_image_id_is_the_containers_own(pods: Pods, site: Asset) -> None:
    """Given two Pods of one container image, one with an image volume, when both run, then `image` and `imageID` are the same in both.
    Control: imageID names an image.
    """
    plain = pods.started(pod([container((HOLD,))])).wait_running()
    with_volume = pods.started(mounting(site.reference, HOLD)).wait_running()
    told = [
        {field: container_status(state, "main").get(field) for field in ("image", "imageID")}
        for state in (plain, with_volume)
    ]

    control(bool(told[0]["imageID"]), "imageID names an image")
    assert told[0] == told[1]


@verifies("STAT-06")
def test_node_lists_the_volumes_image(
    pods: Pods, repositories: Repositories, build: str, api: Api, evidence: Evidence, node: str
) -> None:
    """Given an image of 8 MiB that a Pod mounts, then its node's status comes to list it by its tag and by its digest, with its
    size.
    Control: the list has a place for it: the smallest image that it holds is smaller, or it has room.
    """
    asset = repositories.new("large").push(
        Image([Layer([file("large.bin", Noise(LARGE, build))], compression="none")])
    )
    pods.started(mounting(asset.reference, ("process",)))
    images = images_with(api, evidence, node, asset)
    entry = next((one for one in images if asset.pinned in (one.get("names") or [])), None)
    if entry is None:
        needs_room(images, KubeletConfiguration.read(api, node).most_listed_images)

    assert entry is not None, f"within {LISTED_SECONDS:.0f} s the node did not list {asset.pinned}"
    assert asset.reference in entry["names"]
    assert entry["sizeBytes"] >= LARGE


def images_with(api: Api, evidence: Evidence, node: str, asset: Asset) -> list[Json]:
    """Wait until a node lists an image by its tag or digest; what it lists then, or after the time in which it should."""
    deadline = time.monotonic() + LISTED_SECONDS
    names = {asset.pinned, asset.reference}
    with evidence.waiting("the node to list the image"):
        while True:
            images: list[Json] = api.get(f"/api/v1/nodes/{node}")["status"].get("images") or []
            found = [one for one in images if names & set(one.get("names") or [])]
            if found or time.monotonic() > deadline:
                break
            time.sleep(1)
    evidence.add("status", "images of the node", {"listed": len(images), "of them ours": found})
    return images


def needs_room(images: list[Json], most: int | None) -> None:
    """Lacking unless a list of a node's images would hold one of LARGE bytes. most: so many it holds; None: all."""
    smallest = min((int(one.get("sizeBytes") or 0) for one in images), default=0)
    if most is not None and len(images) >= most and (smallest >= LARGE or not most):
        raise Lacking(
            f"the node's status lists its {most} largest images, and all are larger than {LARGE} bytes",
            need="kubelet configuration",
            missing="nodeStatusMaxImages: -1, or a node with fewer images",
        )
