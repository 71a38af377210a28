"""Errors: told clearly, retried patiently, healed by themselves, and confined to what they concern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.canary import watch
from conformance.control import control, in_time
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.api import Api
from fixtures.connection import Connection
from fixtures.crio import Crio
from fixtures.errors import Inconclusive, Lacking
from fixtures.kubelet_configuration import KubeletConfiguration
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
from fixtures.node_shell import NodeShell
from fixtures.repositories import Asset, Repositories, Requests
from fixtures.workloads import Pod, Pods, Refusal, container_status, phase
from images import site as site_asset
from images.oci.content import Noise
from images.oci.image import Image
from images.oci.layer import Layer, directory, file
from images.tree import Tree

SHORT_NAME = "image-volume-conformance-short-name"
INJECTED = "an error that the suite has planted"
PULL_FAILED = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"}
SIGNATURE = "SignatureValidationFailed"
FIRST_BACK_OFF = 10.0  # seconds; kubernetes v1.36.2 pkg/kubelet/kubelet.go: imageBackOffPeriod
PATIENCE = 180.0  # seconds; containers/image waits 2, 4, 8, 16 and 32 s after a 429 before it gives up, and CRI-O asks twice
MEBIBYTE = 1 << 20
SLACK = 2.0  # seconds by which a client's own retries may spread one attempt

NEVER_RAN = {"StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError"}

Observe = Callable[[Any, str], None]


def unpulled(pod_: Pod) -> Refusal:
    """Why the Pod's container waits: for an image that cannot be pulled."""
    refusal = pod_.refusal()
    assert refusal is not None, "the container started without its volume"
    assert refusal.reason in PULL_FAILED
    return refusal


@verifies("ERR-01")
@pytest.mark.parametrize(
    "reference", ["registry.example/UPPER:v1", "registry.example/two words:v1", "registry.example/site:"]
)
def test_unparsable_reference(pods: Pods, reference: str) -> None:
    """Given a reference that cannot be parsed, when the Pod starts, then its container waits with InvalidImageName and a message that holds
    the reference, and events say so on the Pod and on the container.
    """
    pod_ = pods.start(mounting(reference))
    refusal = pod_.refusal()

    assert refusal is not None
    assert refusal.reason == "InvalidImageName"
    assert reference in refusal.message
    assert "couldn't parse image name" in refusal.message
    inspected = pod_.wait_event(lambda e: e.reason == "InspectFailed", "the event InspectFailed")
    assert inspected is not None, "there is no event InspectFailed"
    assert (inspected.type, inspected.field_path) == ("Warning", "")
    failed = pod_.wait_event(lambda e: e.reason == "Failed", "the event Failed")
    assert failed is not None, "there is no event Failed"
    assert (failed.type, failed.message) == ("Warning", "Error: InvalidImageName")


@verifies("ERR-02")
@pytest.mark.takes(15)
@pytest.mark.parametrize("missing", ["tag", "repository"])
def test_unknown_image(pods: Pods, repositories: Repositories, site: Asset, missing: str) -> None:
    """Given a tag or a repository that the registry doesn't know, when a Pod mounts it, then its container waits with ErrImagePull, then
    ImagePullBackOff, and the message names the reference.
    Control: the tag that is there starts.
    """
    absent = (
        f"{site.repository.address}:absent"
        if missing == "tag"
        else f"{repositories.new('absent').address}:v1"
    )
    pod_ = pods.start(mounting(absent))

    assert absent in unpulled(pod_).message
    backing_off = in_time(lambda: pod_.wait_refusal("ImagePullBackOff"))
    assert backing_off is not None, "the container never waited with ImagePullBackOff"
    assert f'Back-off pulling image "{absent}"' in backing_off.message
    control(
        pods.run(mounting(site.reference)).tree() == site.tree,
        "a tag that is there, at a registry that is well, is shown",
    )


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(401, marks=verifies("ERR-03")),
        pytest.param(403, marks=verifies("ERR-04")),
        *(pytest.param(status, marks=verifies("ERR-05")) for status in (500, 503, 429)),
    ],
)
def test_registry_answers_an_error(pods: Pods, site: Asset, status: int) -> None:
    """Given a registry that answers 401, 403, 500, 503 or 429, when a Pod mounts the image, then its container waits with ErrImagePull, and
    the message names the reference.
    Control: with the registry well again, another Pod starts.
    """
    with site.repository.misbehaving(status=status):
        pod_ = pods.start(mounting(site.reference), seconds=PATIENCE)
        assert site.reference in unpulled(pod_).message
    control(
        pods.run(mounting(site.reference)).tree() == site.tree,
        "a tag that is there, at a registry that is well, is shown",
    )


@verifies("ERR-06")
def test_registry_refuses_connections(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a registry at whose address nobody listens, when a Pod mounts its image, then its container waits with ErrImagePull or
    RegistryUnavailable, and the message names the reference.
    Control: with the registry up again, another Pod starts.
    """
    repository = repositories.on_own_host()
    asset = repository.push(site_asset.image(build))
    repositories.take_down(repository)
    pod_ = pods.start(mounting(asset.reference))
    refusal = unpulled(pod_)
    repositories.bring_up(repository)

    assert asset.reference in refusal.message
    control(
        pods.run(mounting(asset.reference)).tree() == asset.tree,
        "with the registry up again, the image is shown",
    )


DEFAULT_LIMITS = {"reference": 10.0}
"""By runtime: after how many seconds without progress it gives up a pull, by default, where that is short enough to wait for.

containerd: 5 minutes (image_pull_progress_timeout). CRI-O: never (pull_progress_timeout).
"""


def time_for_giving_up(
    cluster: Connection, api: Api, node: str, parallel_pulls: Callable[[], int | None]
) -> tuple[float, bool]:
    """How many seconds to wait for a runtime to give up a stalled pull, and whether it must have given up by then.

    Nobody tells from outside what a runtime's limit is, so it must be known by default, or by whoever starts the run. Where it is not, the
    wait is short: most of all where one stalled pull makes all other pulls of the node wait.
    """
    if cluster.patience is not None:
        return cluster.patience, True
    runtime = api.get(f"/api/v1/nodes/{node}")["status"]["nodeInfo"]["containerRuntimeVersion"]
    limit = DEFAULT_LIMITS.get(runtime.partition("://")[0])
    if limit is not None:
        return limit + 10, True
    try:
        return (10.0 if parallel_pulls() == 1 else 20.0), False
    except Lacking:
        return 10.0, False


@verifies("ERR-07")
@pytest.mark.takes(25)
def test_stalled_transfer(
    pods: Pods,
    repositories: Repositories,
    build: str,
    cluster: Connection,
    api: Api,
    node: str,
) -> None:
    """Given a registry that stops sending in the middle of a layer, when a Pod mounts the image, then its container waits, and within the
    runtime's limit it says that the pull has failed.
    Control: when the registry goes on sending, the image is shown.
    """
    seconds, judged = time_for_giving_up(
        cluster, api, node, lambda: KubeletConfiguration.read(api, node).most_parallel_pulls
    )
    large = Image([Layer([file("large.bin", Noise(MEBIBYTE, build))], compression="none")])
    asset = repositories.new().push(large)
    with asset.repository.misbehaving(stall_after_bytes=MEBIBYTE // 2):
        pod_ = pods.create(mounting(asset.reference))
        asset.repository.wait_for(lambda seen: bool(seen.of("blob")), "the transfer to begin", seconds=30)
        given_up = in_time(lambda: pod_.wait_refusal(*PULL_FAILED, seconds=seconds))
    if given_up is None:
        control(
            pod_.settle() is not None and pod_.refusal() is None, "the Pod starts when the transfer goes on"
        )
        shown = pod_.answers().tree()
    else:
        shown = pods.run(mounting(asset.reference)).tree()

    control(shown == asset.tree, "a registry that goes on sending makes the image show")
    if given_up is None and not judged:
        raise Lacking(
            f"the pull was not given up within {seconds:.0f} s, and the runtime's limit is not known",
            need="patience",
            missing="--patience SECONDS, longer than containerd's image_pull_progress_timeout or CRI-O's pull_progress_timeout",
        )
    assert given_up is not None, f"the pull was not given up within {seconds:.0f} s"


def attempts(requests: Requests) -> list[float]:
    """When each attempt to pull began, in seconds: requests that follow each other closely are one attempt."""
    begun: list[float] = []
    last = float("-inf")
    for request in requests.manifests:
        if request.time - last > SLACK:
            begun.append(request.time)
        last = request.time
    return begun


@verifies("ERR-08")
@pytest.mark.takes(40)
def test_failed_pulls_are_retried_ever_more_slowly(pods: Pods, repositories: Repositories) -> None:
    """Given an image that cannot be pulled, when the kubelet tries again, then it waits 10 seconds at least, the next time longer, and says
    BackOff meanwhile; and a second Pod with the same image does not wait for the first one's back-off.
    """
    repository = repositories.new("absent")
    pod_ = pods.start(mounting(f"{repository.address}:v1"))
    unpulled(pod_)
    found = in_time(
        lambda: repository.wait_for(
            lambda seen: len(attempts(seen)) >= 3, "the third attempt to pull", seconds=90
        )
    )
    assert found is not None, "there were no three attempts to pull within 90 s"
    first, second, third = attempts(found)[:3]
    event = pod_.wait_event(lambda e: e.reason == "BackOff", "the event BackOff")
    assert event is not None, "there is no event BackOff"
    mark = repository.mark()
    pods.start(mounting(f"{repository.address}:v1"))

    assert second - first >= FIRST_BACK_OFF - SLACK
    assert third - second >= 1.5 * FIRST_BACK_OFF
    assert (event.type, event.field_path) == ("Normal", "")
    assert repository.requests(after=mark).manifests


@verifies("ERR-09")
@pytest.mark.takes(15)
def test_pod_starts_when_the_registry_heals(pods: Pods, site: Asset) -> None:
    """Given a Pod whose image could not be pulled, when the registry is well again, then the same Pod starts by itself."""
    site.repository.misbehave(status=404)
    pod_ = pods.start(mounting(site.reference))
    unpulled(pod_)
    site.repository.heal()
    healed = in_time(lambda: pod_.wait_started("main", seconds=90))

    assert healed is not None, "the Pod did not start within 90 s of the registry's recovery"
    assert pod_.answers().tree() == site.tree


@verifies("ERR-10")
@pytest.mark.takes(15)
@pytest.mark.parametrize("restart_policy", ["Always", "OnFailure", "Never"])
def test_failed_pull_leaves_the_pod_pending(
    pods: Pods, repositories: Repositories, restart_policy: str
) -> None:
    """Given an image that cannot be pulled, when the Pod backs off, then its phase is Pending, whatever its restartPolicy."""
    absent = f"{repositories.new('absent').address}:v1"
    pod_ = pods.start(mounting(absent, restart_policy=restart_policy))
    first = phase(pod_.state())
    backing_off = in_time(lambda: pod_.wait_refusal("ImagePullBackOff"))

    assert first == "Pending"
    assert phase(pod_.state()) == "Pending"
    control(backing_off is not None, "the Pod backs off")


@verifies("ERR-11")
def test_every_container_tells_why_it_waits(pods: Pods, repositories: Repositories, site: Asset) -> None:
    """Given two containers that mount a volume that cannot be pulled, when the Pod starts, then each of them waits with the reason, and with a
    message that names the reference.
    Control: with an image that is there, both start.
    """
    absent = f"{repositories.new('absent').address}:v1"
    several = [container(name=name, mounts=[mount()]) for name in ("first", "second")]
    pod_ = pods.create(pod(several, volumes=[image_volume(absent)]))

    def told(name: str) -> Refusal | None:
        return in_time(lambda: pod_.wait_refusal(*PULL_FAILED, container=name, seconds=30))

    for name in ("first", "second"):
        refusal = told(name)
        assert refusal is not None, f"container {name} does not tell why it waits"
        assert absent in refusal.message
    there = pods.started(pod(several, volumes=[image_volume(site.reference)]))
    control(there.refusal() is None, "with an image that is there, both containers start")


@verifies("ERR-12")
def test_other_containers_of_the_pod(pods: Pods, repositories: Repositories, observe: Observe) -> None:
    """Given two containers, one of which mounts a volume that cannot be pulled, when the Pod starts, then whether the other one runs is
    recorded.
    """
    absent = f"{repositories.new('absent').address}:v1"
    mounts_it = container(name="mounts-it", mounts=[mount()])
    other = container((HOLD,), name="other")
    pod_ = pods.create(pod([mounts_it, other], volumes=[image_volume(absent)]))
    pod_.wait_refusal(*PULL_FAILED, container="mounts-it")
    pod_.settle()

    refusal = pod_.refusal("other")
    assert pod_.refusal("mounts-it") is not None
    observe(
        f"waits with {refusal.reason}" if refusal else "runs",
        "a container that does not mount the failing volume",
    )


def doing(pod_: Pod, name: str) -> str:
    """What a container does or waits for, in words that don't change while a pull is tried again and again."""
    state = container_status(pod_.state(), name)["state"]
    reason = (state.get("waiting") or {}).get("reason", "")
    if reason in PULL_FAILED:
        return "waits for the image"
    return f"waits with {reason}" if "waiting" in state else "runs or has run"


@verifies("ERR-13")
@pytest.mark.takes(13)
def test_init_containers_of_the_pod(pods: Pods, repositories: Repositories, observe: Observe) -> None:
    """Given a volume that cannot be pulled, when a Pod's main container mounts it, and in another Pod the init container, then what the init
    container and the main one do is recorded.
    """
    absent = f"{repositories.new('absent').address}:v1"
    waiting = {}
    for mounts_it in ("main", "init"):
        init, main = (
            container(name=name, mounts=[mount()] if name == mounts_it else ()) for name in ("init", "main")
        )
        waiting[mounts_it] = pods.create(pod([main], init=[init], volumes=[image_volume(absent)]))
    for mounts_it, pod_ in waiting.items():
        pod_.settle()
        control(pod_.refusal() is not None, f"a container waits where {mounts_it} mounts the volume")
        observe(
            {name: doing(pod_, name) for name in ("init", "main")},
            f"init and main container, where {mounts_it} mounts the failing volume",
        )


@verifies("ERR-14")
def test_event_on_the_container(pods: Pods, repositories: Repositories) -> None:
    """Given a volume that cannot be pulled, when the container that mounts it waits, then a Warning event Failed on that container tells the
    reason of the wait.
    """
    absent = f"{repositories.new('absent').address}:v1"
    one = container(name="mounts-it", mounts=[mount()])
    pod_ = pods.start(pod([one], volumes=[image_volume(absent)]))
    unpulled(pod_)
    event = pod_.wait_event(
        lambda e: e.reason == "Failed" and e.field_path == "spec.containers{mounts-it}",
        "the event Failed on the container",
    )

    assert event is not None, "no event Failed on the container"
    assert event.type == "Warning"
    assert event.message in {f"Error: {reason}" for reason in PULL_FAILED}


@verifies("ERR-15")
def test_two_volumes_with_the_same_failing_reference(
    pods: Pods, repositories: Repositories, observe: Observe
) -> None:
    """Given two volumes with one reference that cannot be pulled, when a container mounts both, then the first reason that it waits with, and
    how often the image was pulled by then, is recorded.
    """
    repository = repositories.new("absent")
    names = ("one", "two")
    volumes = [image_volume(f"{repository.address}:v1", name=name) for name in names]
    mounts = [mount(f"/{name}", volume=name) for name in names]
    pod_ = pods.start(pod([container(mounts=mounts)], volumes=volumes))
    refusal = unpulled(pod_)
    pulling = pod_.wait_event(lambda e: e.reason == "Pulling", "the event Pulling")
    control(pulling is not None and bool(repository.requests().manifests), "the kubelet tries to pull")

    observe(refusal.reason, "the first reason")
    observe(sum(e.count for e in pod_.events() if e.reason == "Pulling"), "events Pulling for two volumes")


@verifies("ERR-16")
def test_runtime_without_image_volumes_refuses(pods: Pods, site: Asset) -> None:
    """Given a target that has no image volumes, when a container mounts one, then the container is not created, and its reason, or an event
    of a kubelet that has no driver for the volume, says so: it never runs without the image.
    Control: the same Pod without the volume runs.
    """
    without = pods.started(pod([container()]))
    pod_ = pods.create(mounting(site.reference))
    no_driver, refused = watch(pod_)
    refusal = refused.get("main")
    started = not no_driver and refusal is None

    if started and Tree.from_json(pod_.answers().of("tree").get("entries") or {}) == site.tree:
        raise Inconclusive("the target has image volumes", missing="a runtime without them")
    control(without.refusal() is None, "the same Pod without the volume runs")
    assert not started, ignored(when=True, what="the image volume")
    assert no_driver or (refusal is not None and refusal.reason == "CreateContainerError")


@pytest.fixture
def uninspectable(node_shell: NodeShell, site: Asset) -> str:
    """A reference of which the runtime cannot say whether it has the image.

    CRI-O cannot for a short name, where it is not told in which registries to search; else something between kubelet and runtime must make
    the call fail.
    """
    if node_shell.inspection_fails(SHORT_NAME):
        return SHORT_NAME
    node_shell.fail_inspection(site.reference, INJECTED)
    control(node_shell.inspection_fails(site.reference), "the runtime's ImageStatus fails")
    return site.reference


@verifies("ERR-17")
@pytest.mark.parametrize("policy", ["IfNotPresent", "Never"])
def test_inspection_fails(pods: Pods, site: Asset, uninspectable: str, policy: str) -> None:
    """Given an image of which the runtime cannot say whether it is there, when a Pod mounts it, then its container waits with
    ImageInspectError, and the event InspectFailed on the Pod says why.
    Control: the runtime's answer is an error; another image, at a registry that is well, is shown.
    """
    pod_ = pods.start(mounting(uninspectable, pull_policy=policy))
    refusal = pod_.refusal()
    other = site.repository.push(site.image, "other")

    assert refusal is not None, "the container started"
    assert refusal.reason == "ImageInspectError"
    event = pod_.wait_event(lambda e: e.reason == "InspectFailed", "the event InspectFailed")
    assert event is not None, "there is no event InspectFailed"
    assert (event.type, event.field_path) == ("Warning", "")
    assert event.message.startswith("Failed to inspect image")
    control(pods.run(mounting(other.reference)).tree() == site.tree, "another image is shown")


@verifies("ERR-18")
def test_image_that_the_policy_rejects(
    crio: Crio, pods: Pods, repositories: Repositories, build: str
) -> None:
    """Given a signature policy of CRI-O for the Pod's namespace that rejects a repository, when containers mount an image of it, one that
    must be pulled and one that is on the node, then each waits, and its reason or message is SignatureValidationFailed.
    Control: an image of another repository is mounted, and before the policy the same image was.
    """
    rejected, other = (
        repositories.new(name).push(site_asset.image(f"{build}-{name}")) for name in ("rejected", "other")
    )
    new = rejected.repository.push(site_asset.image(f"{build}-new"), "new")
    before = pods.run(mounting(rejected.reference)).tree()
    crio.reject(pods.namespace, rejected.repository.address)
    pulled = pods.start(mounting(new.reference)).refusal()
    present = pods.start(mounting(rejected.reference, pull_policy="IfNotPresent")).refusal()
    beside = pods.run(mounting(other.reference)).tree()

    control((before, beside) == (rejected.tree, other.tree), "what the policy admits is mounted")
    assert pulled is not None, "an image without a valid signature was pulled and mounted"
    assert SIGNATURE in (pulled.reason, pulled.message.partition(":")[0])
    assert present is not None, "an image without a valid signature was mounted"
    assert SIGNATURE in f"{present.reason}: {present.message}"


def failure(pod_: Pod, name: str = "main") -> str:
    """Why a container could not be started, as its status says it; empty where it runs or ran.

    What the OCI runtime refuses comes after the container was created, so it may show as the end of a container that never ran.
    """
    refusal = pod_.refusal(name)
    if refusal is not None:
        return f"{refusal.reason}: {refusal.message}"
    status = container_status(pod_.state(), name)
    ended = (status.get("state") or {}).get("terminated") or {}
    never_ran = ended.get("reason") in NEVER_RAN
    return f"{ended['reason']}: {ended.get('message', '')}" if never_ran else ""


@verifies("ERR-19")
def test_mount_at_the_root(pods: Pods, site: Asset, observe: Observe) -> None:
    """Given a mountPath of `/`, when a Pod mounts the volume there, then it is recorded whether the API server refuses it, the container
    fails to start, or runs, and on which root.
    Control: the same volume is shown at another path.
    """
    control(pods.run(mounting(site.reference)).tree() == site.tree, "the volume is shown at another path")
    response = pods.offer(mounting(site.reference, ("names", "/"), path="/"))
    if not response.ok:
        observe(f"refused by the API server: {response.message}", "a Pod that mounts an image volume at /")
        return
    pod_ = pods.made[-1]
    pod_.settle()
    failed = failure(pod_)
    if failed:
        seen = f"fails to start with {failed.partition(':')[0]}"
    else:
        own = "probe" in pod_.answers().of("names", "/")
        seen = "runs on its own root" if own else "runs on the volume"
    observe(seen, "a Pod that mounts an image volume at /")


@verifies("ERR-20")
def test_volume_inside_an_image_volume(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given two images, one with a directory `cache` and one without, when a Pod mounts an emptyDir at that path inside the image volume, then
    with the directory it works and can be written, and without it the container fails to start and the image is as it was.
    Control: without the emptyDir, the image without the directory is shown.
    """
    repository = repositories.new()
    has = repository.push(Image([Layer([file("one", build), directory("cache", mode=0o777)])]), "with")
    hasnt = repository.push(Image([Layer([file("one", build)])]), "without")

    def nested(asset: Asset) -> Json:
        looks: list[Look] = [("names", "/vol"), ("touch", "/vol/cache/new")]
        mounts = [mount(), mount("/vol/cache", volume="scratch")]
        volumes = [image_volume(asset.reference), empty_dir()]
        return pod([container(looks, mounts=mounts)], volumes=volumes)

    works, fails = pods.create(nested(has)), pods.create(nested(hasnt))
    works.settle()
    fails.settle()

    assert failure(works) == ""
    answers = works.answers()
    assert answers.of("names") == ["cache", "one"]
    assert answers.of("touch", "/vol/cache/new") == "ok"
    assert failure(fails), "the container started, in an image that lacks the directory"
    assert pods.run(mounting(hasnt.reference)).tree() == hasnt.tree


@verifies("ERR-21")
def test_mount_over_a_file(pods: Pods, site: Asset) -> None:
    """Given a mountPath that is a file in the container's image, when a Pod mounts the volume there, then that container fails to start and
    its status says why, and the Pod's other container runs.
    Control: the other container shows that the path is a file, and the volume beside it.
    """
    path = str(pods.run(pod([container([("module",)])])).of("module"))
    over = container(name="over-a-file", mounts=[mount(path)])
    other = container([("status", path), tree()], name="other", mounts=[mount()])
    pod_ = pods.start(pod([over, other], volumes=[image_volume(site.reference)]))
    failed = failure(pod_, "over-a-file")

    assert failure(pod_, "other") == ""
    answers = pod_.answers("other")
    control(answers.of("status").get("type") == "file", f"{path} is a file in the container's image")
    assert answers.tree() == site.tree
    assert failed, "the container started, with a directory in place of a file of its image"


@verifies("ERR-22")
@pytest.mark.takes(30)
def test_deleted_pod_stops_pulling(pods: Pods, repositories: Repositories) -> None:
    """Given two Pods that back off, each from a repository of its own, when one of them is deleted, then it is gone promptly, and by the
    time at which the other one tries again, nobody has asked for the first one's image.
    """
    watched, clock = repositories.new("watched"), repositories.new("clock")
    pod_ = pods.start(mounting(f"{watched.address}:v1"))
    pods.start(mounting(f"{clock.address}:v1"))
    pod_.delete(seconds=31)
    mark = watched.mark()
    tried = len(attempts(clock.requests()))
    clock.wait_for(lambda seen: len(attempts(seen)) > tried, "the other Pod's next attempt", seconds=60)

    assert watched.requests(after=mark) == []


@verifies("ERR-23")
@pytest.mark.takes(12)
def test_interrupted_transfer_ends_in_intact_content(
    pods: Pods, repositories: Repositories, build: str
) -> None:
    """Given a registry that resets the connection in the middle of a layer, once, when a Pod mounts the image, then the Pod starts all the
    same, by going on with the transfer or by another pull, and shows the image byte for byte.
    Control: the layer was asked for more than once.
    """
    large = Image([Layer([file("large.bin", Noise(4 * MEBIBYTE, build))], compression="none")])
    asset = repositories.new().push(large)
    asset.repository.misbehave(reset_after_bytes=2 * MEBIBYTE, count=1)
    pod_ = pods.create(mounting(asset.reference))
    started = in_time(lambda: pod_.wait_started_soon("main", seconds=60))

    assert started is not None, "the Pod did not start within 60 s of the interruption"
    assert pod_.answers().tree() == asset.tree
    layer = asset.layers[0]
    broken = [r for r in asset.repository.requests() if r.reference == layer and not r.complete]
    control(bool(broken), "the transfer of the layer was interrupted")
