"""Metrics: what the kubelet counts of image volumes.

The counters are the node's, and other checks run on it at the same time. So each check does what it counts fifty times in one container,
and asks for a growth of fifty or for one far from it; how many other containers were started meanwhile is the kubelet's own count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.control import control
from conformance.plugin import verifies
from fixtures.kubelet import Growth, Kubelet, containers_besides
from fixtures.manifests import Json, container, image_volume, mount, pod
from fixtures.registry.client import RegistryControl
from fixtures.repositories import Asset, Repositories, Repository
from fixtures.workloads import Pods
from images.oci.content import Noise
from images.oci.image import Image
from images.oci.layer import Layer, file

REQUESTED = "kubelet_image_volume_requested_total"
SUCCEEDED = "kubelet_image_volume_mounted_succeed_total"
FAILED = "kubelet_image_volume_mounted_errors_total"
PULLS = "kubelet_image_pull_duration_seconds_count"
OPERATIONS = "kubelet_runtime_operations_total"
ENSURED = "kubelet_image_manager_ensure_image_requests_total"

Observe = Callable[[Any, str], None]

MANY = 50
PULLED = 5
"""Pulls at once that the kubelet's default limits (registryBurst 10) still let through."""
LARGE = 11 << 20
"""Bytes of an image that the kubelet counts apart from the suite's other ones, which are smaller than 10 MiB or larger than 100."""


def many_volumes(reference: str, *, paths: int = 1, pull_policy: str | None = None, **main: Any) -> Json:
    """A Pod whose container mounts fifty volumes of one image, each at so many paths."""
    names = [f"v{number}" for number in range(MANY)]
    mounts = [mount(f"/vol/{name}/{path}", volume=name) for name in names for path in range(paths)]
    volumes = [image_volume(reference, name=name, pull_policy=pull_policy) for name in names]
    return pod([container([("process",)], mounts=mounts, **main)], volumes=volumes)


def many_mounts(reference: str, *, sub_path: str | None = None, **main: Any) -> Json:
    """A Pod whose container mounts one volume at fifty paths."""
    mounts = [mount(f"/vol/{number}", sub_path=sub_path) for number in range(MANY)]
    return pod([container([("process",)], mounts=mounts, **main)], volumes=[image_volume(reference)])


@verifies("MET-01")
def test_requested_volumes_are_counted(
    pods: Pods, counters: Kubelet, site: Asset, repositories: Repositories
) -> None:
    """Given a container that mounts fifty image volumes, each twice, when it starts, then the volumes requested grow by fifty; and given one
    whose fifty volumes cannot be had, then they don't.
    Control: few other containers are started meanwhile.
    """
    absent = repositories.new().address + ":absent"

    def start(growth: Growth) -> None:
        pods.started(many_volumes(site.reference, paths=2))
        growth.wait(REQUESTED, MANY)

    def fail(_: Growth) -> None:
        pods.create(many_volumes(absent, pull_policy="Never")).wait_refusal()

    started, failed = (
        counters.measure(start, others=containers_besides(1)),
        counters.measure(fail, others=containers_besides(0)),
    )
    assert MANY <= started.of(REQUESTED) < 2 * MANY
    assert failed.of(REQUESTED) < MANY


@verifies("MET-02")
def test_mounts_are_counted(pods: Pods, counters: Kubelet, site: Asset) -> None:
    """Given a container that mounts one image volume at fifty paths, when it starts, then the mounted volumes grow by fifty.
    Control: few other containers are started meanwhile.
    """

    def start(growth: Growth) -> None:
        pods.started(many_mounts(site.reference))
        growth.wait(SUCCEEDED, MANY)

    assert MANY <= counters.measure(start, others=containers_besides(1)).of(SUCCEEDED) < 2 * MANY


@verifies("MET-03")
def test_failed_mounts_are_counted(pods: Pods, counters: Kubelet, site: Asset) -> None:
    """Given a container that mounts fifty times a subPath that the image does not hold, when the runtime refuses to create it, then the
    errors grow by fifty at least, once for each attempt, and the mounted volumes don't.
    Control: the same container mounts a subPath that there is; few other containers are started meanwhile.
    """

    def fail(growth: Growth) -> None:
        refusal = pods.start(many_mounts(site.reference, sub_path="nope")).refusal()
        control(refusal is not None, "the runtime refuses a subPath that the image does not hold")
        growth.wait(FAILED, MANY)

    pods.started(many_mounts(site.reference, sub_path="site"))
    failed = counters.measure(fail, others=containers_besides(0))
    assert failed.of(FAILED) >= MANY
    assert failed.of(SUCCEEDED) < MANY


@verifies("MET-04")
@pytest.mark.parametrize("reason", ["ErrImageNeverPull", "CreateContainerConfigError"])
def test_container_that_failed_earlier_counts_no_mount(
    pods: Pods, counters: Kubelet, site: Asset, repositories: Repositories, reason: str
) -> None:
    """Given a container with fifty image volumes whose own image is absent, or that takes its environment from a ConfigMap
    that is not there, when it fails for that, then the mounted volumes don't grow.
    Control: without that they do; few other containers are started meanwhile.
    """
    wrong: dict[str, Json] = {
        "ErrImageNeverPull": {
            "image": repositories.new().address + ":absent",
            "imagePullPolicy": "Never",
        },
        "CreateContainerConfigError": {"envFrom": [{"configMapRef": {"name": "absent"}}]},
    }

    def start(growth: Growth) -> None:
        pods.started(many_volumes(site.reference))
        growth.wait(SUCCEEDED, MANY)

    def fail(_: Growth) -> None:
        pods.create(many_volumes(site.reference, **wrong[reason])).wait_refusal(reason)

    good, failed = (
        counters.measure(start, others=containers_besides(1)),
        counters.measure(fail, others=containers_besides(0)),
    )
    control(good.of(SUCCEEDED) >= MANY, "the mounts of a container that starts are counted")
    assert failed.of(SUCCEEDED) < MANY


@verifies("MET-05")
def test_pulls_for_volumes_are_measured(
    pods: Pods, counters: Kubelet, repositories: Repositories, registry: RegistryControl, build: str
) -> None:
    """Given five image volumes under Always, each with a tag of its own for an image of 11 MiB, when a container mounts them, then the pulls
    of such images that the kubelet has timed, and its operations pull_image, grow by five.
    Control: the registry is asked for fewer than five other tags meanwhile.
    """
    repository = repositories.new("large")
    image = Image([Layer([file("large.bin", Noise(LARGE, build))], compression="none")])
    assets = [repository.push(image, f"v{number}") for number in range(PULLED)]
    volumes = [image_volume(one.reference, name=one.tag, pull_policy="Always") for one in assets]
    mounts = [mount(f"/vol/{one.tag}", volume=one.tag) for one in assets]
    manifest = pod([container([("process",)], mounts=mounts)], volumes=volumes)
    since = 0

    def pull(growth: Growth) -> None:
        nonlocal since
        since = registry.mark()
        pods.create(manifest).wait_started("main")
        growth.wait(OPERATIONS, PULLED, operation_type="pull_image")

    growth = counters.measure(
        pull, others=lambda _: pulls_of_others(registry, repository, since), few=PULLED - 1
    )
    assert growth.of(PULLS, image_size_in_bytes="10MB-100MB") >= PULLED
    assert growth.of(OPERATIONS, operation_type="pull_image") >= PULLED


def pulls_of_others(registry: RegistryControl, repository: Repository, since: int) -> int:
    """How many tags of other repositories nodes have asked the registry for since a mark."""
    asked = registry.requests(after=since)
    return sum(
        one.kind == "manifest"
        and not one.runner
        and one.repository != repository.name
        and not (one.reference or "").startswith("sha256:")
        for one in asked
    )


@verifies("MET-06")
def test_policy_of_ensured_volumes(
    pods: Pods, counters: Kubelet, repositories: Repositories, observe: Observe
) -> None:
    """Given fifty absent image volumes under Never in a container under IfNotPresent, when the Pod is started, then the policy under which
    the kubelet counts fifty images more is recorded.
    """
    absent = repositories.new().address + ":absent"

    def ensure(growth: Growth) -> None:
        pods.create(many_volumes(absent, pull_policy="Never", imagePullPolicy="IfNotPresent")).wait_refusal()
        growth.wait(ENSURED, MANY)

    growth = counters.measure(ensure, others=containers_besides(0))
    counted = [
        policy for policy in ("never", "ifnotpresent") if growth.of(ENSURED, pull_policy=policy) >= MANY
    ]
    observe(counted, "the label pull_policy of fifty volumes under Never in a container under IfNotPresent")
