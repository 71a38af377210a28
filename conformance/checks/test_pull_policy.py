"""Pull policy: when the registry is asked, and when it must not be. The registry's record is the evidence."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from contextlib import ExitStack

import pytest

from conformance.control import control, in_time
from conformance.plugin import verifies
from fixtures.api import Api
from fixtures.connection import Connection
from fixtures.errors import Inconclusive, Lacking
from fixtures.kubelet_configuration import NEED, KubeletConfiguration
from fixtures.manifests import (
    FAIL,
    HOLD,
    STAY,
    Json,
    about_the_pod,
    container,
    image_volume,
    mount,
    mounting,
    pod,
    tree,
)
from fixtures.plugin import PodsAt
from fixtures.repositories import Asset, Repositories, Requests
from fixtures.workloads import THROTTLED, Event, Pod, Pods, container_status, container_statuses, phase
from images import site as site_asset
from images.oci.image import Image
from images.oci.layer import Layer, file
from images.oddities import programs

UNPULLED = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"}
SYNCS = 4
MOST_PODS = 10  # that the check of parallel pulls starts
PULL_SECONDS = 0.07  # what the pull of an image takes of which only the tag is new, at the most
MOST_VOLUMES = 60


@verifies("PULL-01")
def test_volume_is_pulled_before_any_container_starts(pods: Pods, site: Asset) -> None:
    """Given a registry that holds back the volume's layers, when a Pod with an init container starts, then no container has been
    started when the kubelet asks for the layers.
    Control: once the registry lets go, the init container runs and the main one shows the volume.
    """
    manifest = mounting(site.reference, initContainers=[container(name="init")])
    with site.repository.misbehaving(kinds=("blob",), methods=("GET",), stall_before=True):
        pod_ = pods.create(manifest)
        site.repository.wait_for(
            lambda seen: bool(seen.of("blob")), "the kubelet to ask for the layers", seconds=30
        )
        state = pod_.state()
    started = [s["name"] for s in container_statuses(state) if {"running", "terminated"} & set(s["state"])]
    assert started == []

    assert pod_.settle()
    assert pod_.answers().tree() == site.tree


@verifies("PULL-02")
def test_always_asks_the_registry_at_every_start(pods: Pods, site: Asset) -> None:
    """Given an image that is present, when another Pod mounts it under Always, then the registry is asked for its manifest.
    Control: both Pods show the image.
    """
    manifest = mounting(site.reference, pull_policy="Always")
    first = pods.run(manifest)
    mark = site.repository.mark()
    second = pods.run(manifest)

    assert len(site.repository.requests(after=mark).manifests) >= 1
    control(first.tree() == second.tree() == site.tree, "both Pods show the image")


@verifies("PULL-03")
def test_always_fails_without_the_registry(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given an image that is present, when its registry is down and a Pod mounts it under Always, then the container is not created.
    Control: the Pod before, with the registry up, shows the image.
    """
    repository = repositories.on_own_host()
    asset = repository.push(site_asset.image(build))
    manifest = mounting(asset.reference, pull_policy="Always")
    before = pods.run(manifest)

    repositories.take_down(repository)
    refusal = pods.start(manifest).refusal()

    assert refusal is not None
    assert refusal.reason in UNPULLED
    control(before.tree() == asset.tree, "with the registry up, the Pod shows the image")


@verifies("PULL-04")
def test_always_downloads_no_layer_again(pods: Pods, layered: Asset) -> None:
    """Given an image that is present and unchanged, when a Pod mounts it under Always, then no layer is downloaded again.
    Control: the first Pod downloaded them.
    """
    manifest = mounting(layered.reference, pull_policy="Always")
    pods.run(manifest)
    mark = layered.repository.mark()
    before = layered.repository.requests().downloads(layered.layers)
    pods.run(manifest)

    assert layered.repository.requests(after=mark).downloads(layered.layers) == dict.fromkeys(
        layered.layers, 0
    )
    control(all(before.values()), "the first Pod downloaded the layers")


@verifies("PULL-05")
def test_if_not_present_leaves_the_registry_alone(pods: Pods, site: Asset) -> None:
    """Given an image that is present, when a Pod mounts it under IfNotPresent, then the registry is not asked for anything.
    Control: the first Pod's pull is in the registry's record.
    """
    manifest = mounting(site.reference, pull_policy="IfNotPresent")
    pods.run(manifest)
    pulled = site.repository.requests()
    mark = site.repository.mark()
    answers = pods.run(manifest)

    assert site.repository.requests(after=mark) == []
    control(bool(pulled.manifests), "the first Pod's pull is in the record")
    assert answers.tree() == site.tree


@verifies("PULL-06")
def test_if_not_present_pulls_what_is_absent(root_pods: Pods, layered: Asset) -> None:
    """Given an image that is absent, when a Pod mounts it under IfNotPresent, then it is pulled, each layer once."""
    pod_ = root_pods.start(mounting(layered.reference, pull_policy="IfNotPresent"))

    assert pod_.refusal() is None
    assert layered.repository.requests().downloads(layered.layers) == dict.fromkeys(layered.layers, 1)
    control(pod_.answers().tree() == layered.tree, "the Pod shows the image")


@verifies("PULL-07")
def test_if_not_present_starts_without_the_registry(
    pods: Pods, repositories: Repositories, build: str
) -> None:
    """Given an image that is present, when its registry is down and a Pod mounts it under IfNotPresent, then the Pod starts and shows it.
    Control: the same Pod under Always is refused.
    """
    repository = repositories.on_own_host()
    asset = repository.push(site_asset.image(build))
    pods.run(mounting(asset.reference, pull_policy="IfNotPresent"))

    repositories.take_down(repository)
    pod_ = pods.start(mounting(asset.reference, pull_policy="IfNotPresent"))

    assert pod_.refusal() is None
    assert pod_.answers().tree() == asset.tree


@verifies("PULL-08")
def test_never_uses_what_is_present(pods: Pods, site: Asset) -> None:
    """Given an image that is present, when a Pod mounts it under Never, then it starts and the registry is not asked for anything.
    Control: the Pod before it pulled the image.
    """
    pods.run(mounting(site.reference, pull_policy="IfNotPresent"))
    pulled = site.repository.requests()
    mark = site.repository.mark()
    pod_ = pods.start(mounting(site.reference, pull_policy="Never"))

    assert pod_.refusal() is None
    assert pod_.answers().tree() == site.tree
    assert site.repository.requests(after=mark) == []
    control(bool(pulled.manifests), "the first Pod's pull is in the record")


@verifies("PULL-09")
def test_never_refuses_what_is_absent(pods: Pods, site: Asset) -> None:
    """Given an image that is absent, when a Pod mounts it under Never, then the container is not created, the kubelet says so, and the
    registry is not asked for anything.
    Control: the same image under IfNotPresent is pulled and shown.
    """
    pod_ = pods.start(mounting(site.reference, pull_policy="Never"))
    refusal = pod_.refusal()

    assert refusal is not None
    assert refusal.reason == "ErrImageNeverPull"
    assert refusal.message == f'Container image "{site.reference}" is not present with pull policy of Never'
    assert site.repository.requests() == []
    event = pod_.wait_event(lambda e: e.reason == "ErrImageNeverPull", "the event ErrImageNeverPull")
    assert event is not None, "there is no event ErrImageNeverPull"
    assert (event.type, event.message, event.field_path) == ("Warning", refusal.message, "")

    pulled = pods.run(mounting(site.reference, pull_policy="IfNotPresent")).tree()
    control(pulled == site.tree, "under IfNotPresent the same image is pulled and shown")


@verifies("PULL-10")
def test_one_pull_for_all_containers(pods_at: PodsAt, repositories: Repositories, build: str) -> None:
    """Given five containers that mount one volume under Always, when they have been started, then the tag was resolved as often as for a
    single container.
    The last container's own image is held back by the registry, so the first sync of the Pod is still going on when this is counted:
    whatever a later sync asks for (PULL-14) does not count here.
    """
    counts = {}
    for number in (1, 5):
        pods = pods_at("restricted")
        repository = repositories.new()
        asset = repository.push(site_asset.image(f"{build}-{number}"))
        blocker = repositories.new("blocker")
        blocked = blocker.push(site_asset.image(f"{build}-blocker-{number}"))
        mounts = [mount()]
        several = [container((HOLD,), name=f"main-{n}", mounts=mounts) for n in range(number)]
        last = container(name="last", image=blocked.reference, imagePullPolicy="Always")
        with blocker.misbehaving(stall_before=True):
            pods.create(pod([*several, last], volumes=[image_volume(asset.reference, pull_policy="Always")]))
            blocker.wait_for(lambda seen: bool(seen.manifests), "the last container's turn", seconds=60)
            counts[number] = repository.requests().references.count(asset.tag)
            pods.remove_all()

    assert counts[1] >= 1
    assert counts[5] == counts[1]


@verifies("PULL-11")
def test_two_volumes_of_one_image_download_it_once(root_pods: Pods, layered: Asset) -> None:
    """Given two volumes with the same reference, when a Pod mounts both, then both show the image and each layer was downloaded once."""
    volumes = [
        image_volume(layered.reference, name=name, pull_policy="Always") for name in ("first", "second")
    ]
    mounts = [mount("/first", volume="first"), mount("/second", volume="second")]
    answers = root_pods.run(
        pod([container((tree("/first"), tree("/second")), mounts=mounts)], volumes=volumes)
    )

    assert layered.repository.requests().downloads(layered.layers) == dict.fromkeys(layered.layers, 1)
    both = [answers.tree(path) for path in ("/first", "/second")]
    control(both == [layered.tree] * 2, "both volumes show the image")


@verifies("PULL-12")
def test_image_of_a_container_and_of_a_volume(
    pods: Pods, repositories: Repositories, build: str, architecture: str
) -> None:
    """Given one reference that is a container's image and a volume's image, when the Pod starts, then the container runs, the volume shows
    the image, and each layer was downloaded once.
    """
    members = [file("hello", programs.hello(architecture), mode=0o755), file("build", build)]
    asset = repositories.new("hello").push(Image([Layer(members)], architecture=architecture))
    runs = {
        "name": "runs",
        "image": asset.reference,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/hello"],
    }
    shows = container((tree(),), mounts=[mount()])
    pod_ = pods.start(pod([runs, shows], volumes=[image_volume(asset.reference, pull_policy="Always")]))

    assert pod_.refusal() is None
    assert pod_.answers().tree() == asset.tree
    assert pod_.log("runs") == programs.GREETING
    assert asset.repository.requests().downloads(asset.layers) == dict.fromkeys(asset.layers, 1)


@verifies("PULL-13")
def test_policies_of_container_and_volume_are_independent(
    pods: Pods, repositories: Repositories, build: str
) -> None:
    """Given a container whose own policy is IfNotPresent and a volume whose policy is Never, and the other way round with Never and
    Always, when the volume's image is absent, then each volume obeys its own policy.
    """
    absent = repositories.new().push(site_asset.image(f"{build}-never"))
    refusal = pods.start(mounting(absent.reference, pull_policy="Never")).refusal()
    assert refusal is not None
    assert refusal.reason == "ErrImageNeverPull"
    assert absent.repository.requests() == []

    pulled = repositories.new().push(site_asset.image(f"{build}-always"))
    manifest = mounting(pulled.reference, pull_policy="Always")
    manifest["spec"]["containers"][0]["imagePullPolicy"] = "Never"
    pod_ = pods.start(manifest)
    assert pod_.refusal() is None
    assert pod_.answers().tree() == pulled.tree
    assert pulled.repository.requests().manifests


def pulls(events: Iterable[Event], references: Iterable[str]) -> int:
    """How many Pulling and Pulled events there are about these references, as volumes."""
    wanted = tuple(references)
    return sum(
        event.count
        for event in events
        if event.reason in ("Pulling", "Pulled")
        and not event.field_path
        and any(f'"{reference}"' in event.message for reference in wanted)
    )


def force_syncs(pod_: Pod, about: str) -> None:
    """Make the kubelet sync a Pod SYNCS times at least, one sync after the other.

    A change of the annotations makes it sync, and at the beginning of each sync it brings `about` (`about_the_pod`) up to date. One Pod's
    syncs follow one another, so when the last change shows, the syncs for all changes before it are over.
    """
    for number in range(SYNCS + 1):
        pod_.annotate(sync=str(number))
        wait = ("wait-for-text", f"{about}/annotations", f'sync="{number}"', "20")
        control(
            pod_.look(wait).of("wait-for-text"), "a change of the Pod's annotations makes the kubelet sync it"
        )


@verifies("PULL-14")
def test_running_pod_pulls_no_more(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a running Pod with volumes under Always, IfNotPresent and Never, when the kubelet syncs it several times, then the registry is
    asked for nothing, and there is no further event Pulling or Pulled about the volumes.
    Control: the Pod's start asked the registry. A Killing event, which the kubelet sends after all others, shows that none is on its way.
    """
    always = repositories.new("always").push(site_asset.image(f"{build}-always"))
    present = repositories.new("present").push(site_asset.image(f"{build}-present"))
    volumes = [
        image_volume(always.reference, name="always", pull_policy="Always"),
        image_volume(present.reference, name="present", pull_policy="IfNotPresent"),
        image_volume(present.reference, name="never", pull_policy="Never"),
        about_the_pod(),
    ]
    mounts = [mount(f"/{volume['name']}", volume=volume["name"]) for volume in volumes]
    pod_ = pods.started(pod([container((HOLD,), mounts=mounts)], volumes=volumes))
    references = (always.reference, present.reference)
    started = pod_.wait_event(lambda e: e.reason == "Started", "the event Started")
    before = pulls(pod_.events(), references)
    marks = [asset.repository.mark() for asset in (always, present)]
    at_start = always.repository.requests().manifests

    force_syncs(pod_, "/about")

    asked = [
        request
        for asset, mark in zip((always, present), marks, strict=True)
        for request in asset.repository.requests(after=mark)
    ]
    further = pulls(pod_.events(), references) - before
    control(bool(at_start), "the Pod's start asked the registry")
    assert asked == [], f"{len(asked)} further requests at the registry, {further} further events"
    assert further == 0, f"{further} further events Pulling and Pulled"

    pod_.delete(wait=False)
    killing = pod_.wait_event(lambda e: e.reason == "Killing", "the event Killing")
    control(None not in (started, killing), "the kubelet sends events")
    while_running = itertools.takewhile(lambda e: e.reason != "Killing", pod_.events())
    further = pulls(while_running, references) - before
    assert further <= 0, f"{further} further events Pulling and Pulled"


@verifies("PULL-15")
def test_unused_volume_does_not_block(pods: Pods, repositories: Repositories, site: Asset) -> None:
    """Given a Pod with an image volume that cannot be pulled and that no container mounts, when it starts, then its container runs and shows
    its other volume.
    Control: a container that mounts the same unpullable volume is refused.
    """
    missing = f"{repositories.new('missing').address}:v1"
    volumes = [image_volume(missing, name="unused"), image_volume(site.reference)]
    pod_ = pods.start(pod([container((tree(),), mounts=[mount()])], volumes=volumes))

    assert pod_.refusal() is None
    assert pod_.answers().tree() == site.tree
    mounted = pods.start(mounting(missing)).refusal()
    control(
        mounted is not None and mounted.reason in UNPULLED, "a container that mounts the volume is refused"
    )


def span(requests: Requests) -> tuple[float, float]:
    """From when to when a pull was busy at the registry, by its requests. Inconclusive where there are none."""
    if not requests:
        raise Inconclusive("an image was mounted, and nobody asked the registry for it")
    return min(r.time for r in requests), max(r.time + r.seconds for r in requests)


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """How many of these spans of time overlap at the most."""
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


@verifies("PULL-16")
def test_volumes_of_one_pod_are_pulled_in_their_order(
    pods: Pods, repositories: Repositories, build: str
) -> None:
    """Given three volumes whose images a slow registry has, when a Pod mounts them, then each image is asked for when the one before it is
    there, in the order of spec.volumes.
    Control: the Pod shows all three.
    """
    names = ["third", "first", "second"]
    assets = {name: repositories.new(name).push(site_asset.image(f"{build}-{name}")) for name in names}
    volumes = [image_volume(asset.reference, name=name) for name, asset in assets.items()]
    mounts = [mount(f"/{name}", volume=name) for name in names]
    with ExitStack() as slow:
        for asset in assets.values():
            slow.enter_context(
                asset.repository.misbehaving(
                    stall_before=True, stall_seconds=0.3, kinds=("blob",), methods=("GET",)
                )
            )
        answers = pods.run(
            pod([container([tree(f"/{name}") for name in names], mounts=mounts)], volumes=volumes)
        )
    spans = {name: span(asset.repository.requests()) for name, asset in assets.items()}

    assert sorted(spans, key=lambda name: spans[name]) == names
    assert most_at_once(spans.values()) == 1
    shown = {name: answers.tree(f"/{name}") for name in names}
    control(shown == {name: asset.tree for name, asset in assets.items()}, "the Pod shows all three images")


@verifies("PULL-16")
def test_pulls_keep_to_the_limit_on_parallel_pulls(
    pods: Pods, repositories: Repositories, build: str, kubelet_configuration: KubeletConfiguration
) -> None:
    """Given a kubelet that may pull N images at the same time and a registry that holds back its answers, when N + 1 Pods (two, where there is
    no limit) want a volume each, then the registry is asked for as many images as allowed, and for no more.
    Control: every Pod's event Pulling is there before the registry answers, and every Pod starts when it does.
    """
    limit = kubelet_configuration.most_parallel_pulls
    if limit is not None and limit >= MOST_PODS:
        raise Lacking(
            f"the kubelet may pull {limit} images at the same time, and this check starts {MOST_PODS} Pods at the most",
            need=NEED,
            missing=f"a kubelet with maxParallelImagePulls below {MOST_PODS}, or without it",
        )
    count = 2 if limit is None else limit + 1
    assets = [
        repositories.new(f"pod-{number}").push(site_asset.image(f"{build}-{number}"))
        for number in range(count)
    ]
    with ExitStack() as held:
        for asset in assets:
            held.enter_context(asset.repository.misbehaving(stall_before=True))
        started = [pods.create(mounting(asset.reference)) for asset in assets]
        wanted = [pod_.wait_event(lambda e: e.reason == "Pulling", "the event Pulling") for pod_ in started]
        if limit is None:
            both = in_time(
                lambda: [a.repository.wait_for(bool, "the kubelet to pull", seconds=10) for a in assets]
            )
    for pod_ in started:
        pod_.settle()
    most = most_at_once([span(asset.repository.requests()) for asset in assets])

    control(None not in wanted, "the kubelet wanted all images at the same time")
    if limit is None:
        assert both is not None, "pulls wait for each other although the kubelet may pull in parallel"
    assert most <= (limit or count)
    shown = [pod_.answers().tree() for pod_ in started]
    control(shown == [asset.tree for asset in assets], "every Pod shows its image")


def volumes_beyond(rate: float, burst: int) -> int:
    """How many pulls, each of which takes PULL_SECONDS at the most, are more than a rate a second and a burst allow. Lacking if too many."""
    share = 1 - rate * PULL_SECONDS
    count = math.ceil(burst / share) + 3 if share > 0 else MOST_VOLUMES + 1
    if not rate or count > MOST_VOLUMES:
        raise Lacking(
            f"the kubelet has registryPullQPS {rate:g} and registryBurst {burst}, which this check cannot exceed",
            need=NEED,
            missing="a kubelet with registryPullQPS above 0 and up to 10, as by default",
        )
    return count


@pytest.fixture
def limited(api: Api, cluster: Connection) -> tuple[str, KubeletConfiguration]:
    """The first node, of those under test and then of the others, whose kubelet limits the rate of pulls; else the one under test."""
    kubelets = [(one, KubeletConfiguration.read(api, one)) for one in (*cluster.nodes, *cluster.other_nodes)]
    return next((found for found in kubelets if found[1].pull_rate), kubelets[0])


@verifies("PULL-17")
@pytest.mark.takes(13)
def test_pulls_count_against_the_rate_limit(
    pods_at: PodsAt, site: Asset, limited: tuple[str, KubeletConfiguration]
) -> None:
    """Given an image with more tags than registryPullQPS and registryBurst let be pulled at once, when a Pod mounts a volume of each, then no
    more pulls than allowed reach the registry, the Pod says `pull QPS exceeded`, and it starts later.
    Control: the kubelet was fast enough to reach its limit.
    """
    node, configuration = limited
    pods = pods_at("restricted", on=node)
    rate, burst = configuration.pull_rate, configuration.pull_burst
    tags = [f"v{number}" for number in range(volumes_beyond(rate, burst))]
    for tag in tags:
        site.repository.push(site.image, tag)
    volumes = [image_volume(f"{site.repository.address}:{tag}", name=tag) for tag in tags]
    mounts = [mount(f"/vol/{tag}", volume=tag) for tag in tags]
    last = f"/vol/{tags[-1]}"
    pod_ = pods.create(pod([container((tree(last),), mounts=mounts)], volumes=volumes))

    def waiting_or_started(state: Json) -> bool:
        found: Json = next((one["state"] for one in container_statuses(state)), {})
        waiting = found.get("waiting") or {}
        return bool({"running", "terminated"} & set(found)) or THROTTLED in (waiting.get("message") or "")

    state = in_time(
        lambda: pod_.wait(waiting_or_started, "the Pod to say that it may not pull, or to start", seconds=30)
    )
    by_tag = {
        r.reference: r.time for r in reversed(site.repository.requests().manifests) if r.reference in tags
    }
    times = sorted(by_tag.values())
    allowed = burst + rate * (times[-1] - times[0]) + 1 if times else 0
    assert len(times) <= allowed, f"{len(times)} pulls reached the registry, {allowed:.0f} were allowed"
    control(len(times) < len(tags), "the kubelet is fast enough to reach its limit")

    assert state is not None, "the Pod does not say that it may not pull for the moment"
    waiting = container_status(state, "main")["state"].get("waiting") or {}
    assert waiting.get("reason") in UNPULLED
    started = in_time(lambda: pod_.wait_started_soon("main", seconds=60))
    assert started is not None, "the Pod did not start within 60 s"
    assert pod_.answers().tree(last) == site.tree


@verifies("PULL-18")
def test_digest_decides(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a reference by digest, when the tag has moved on, then a Pod shows the digest's content and the registry is asked for no tag.
    Control: a Pod by tag shows the new content.
    """
    repository = repositories.new()
    old = repository.push(site_asset.image(f"{build}-old"))
    new = repository.push(site_asset.image(f"{build}-new"))
    answers = pods.run(mounting(old.pinned))
    asked = repository.requests().manifests.references

    assert answers.tree() == old.tree
    assert [reference for reference in asked if not reference.startswith("sha256:")] == []
    control(pods.run(mounting(new.reference)).tree() == new.tree, "the tag alone shows the new content")


@verifies("PULL-19")
def test_digest_beside_a_tag_decides(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a reference repo:tag@digest whose tag points elsewhere, when a Pod mounts it, then it shows the digest's content.
    Control: the tag alone shows the other.
    """
    repository = repositories.new()
    old = repository.push(site_asset.image(f"{build}-old"))
    new = repository.push(site_asset.image(f"{build}-new"))

    assert pods.run(mounting(f"{old.reference}@{old.digest}")).tree() == old.tree
    control(pods.run(mounting(new.reference)).tree() == new.tree, "the tag alone shows the new content")


@verifies("PULL-20")
def test_reference_without_a_tag_means_latest(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a reference without tag and digest, when a Pod mounts it, then the registry of that reference is asked for `latest`.
    Control: another tag of the repository holds other content, which does not show.
    """
    repository = repositories.new()
    repository.push(site_asset.image(f"{build}-other"), tag="v1")
    latest = repository.push(site_asset.image(f"{build}-latest"), tag="latest")
    pod_ = pods.start(mounting(repository.address))

    assert pod_.refusal() is None
    assert "latest" in repository.requests().manifests.references
    assert pod_.answers().tree() == latest.tree


@verifies("PULL-21")
@pytest.mark.parametrize("variable", ["$(ASSET_VERSION)", "${ASSET_VERSION}"], ids=["parentheses", "braces"])
def test_reference_is_not_expanded(pods: Pods, site: Asset, variable: str) -> None:
    """Given a reference with a variable of the container's environment in place of the tag, when the Pod starts, then the reference is taken
    literally: InvalidImageName, and the registry is not asked for anything.
    Control: the same reference with the tag written out shows the image.
    """
    literal = f"{site.repository.address}:{variable}"
    refusal = pods.start(mounting(literal, env={"ASSET_VERSION": site.tag})).refusal()

    assert refusal is not None
    assert refusal.reason == "InvalidImageName"
    assert literal in refusal.message
    assert site.repository.requests() == []
    written_out = pods.run(mounting(site.reference, env={"ASSET_VERSION": site.tag})).tree()
    control(written_out == site.tree, "with the tag written out, the image is shown")


@verifies("PULL-22")
@pytest.mark.parametrize("end", ["succeeded", "failed", "being deleted"])
def test_nothing_is_pulled_for_a_pod_that_is_over(pods: Pods, site: Asset, end: str) -> None:
    """Given a Pod with a volume under Always that has succeeded, has failed, or is being deleted and does not heed SIGTERM, when its
    annotations change, which makes a kubelet sync a Pod that runs, then the registry is asked for nothing.
    A Pod that is created after the changes and has started shows that the kubelet has seen them.
    Control: the Pod's start asked the registry.
    """
    look = {"succeeded": tree(), "failed": FAIL, "being deleted": STAY}[end]
    pod_ = pods.started(mounting(site.reference, look, pull_policy="Always"))
    if end == "being deleted":
        pod_.delete(grace_seconds=4, wait=False)
        killing = pod_.wait_event(lambda e: e.reason == "Killing", "the event Killing")
        control(killing is not None, "the kubelet says that it ends the container")
    else:
        pod_.wait(lambda state: phase(state) in ("Succeeded", "Failed"), "the Pod to end")
    asked = site.repository.requests().manifests
    mark = site.repository.mark()
    for number in range(SYNCS):
        pod_.annotate(sync=str(number))
    pods.started(pod([container()]))
    pod_.delete()

    assert site.repository.requests(after=mark) == []
    control(bool(asked), "the Pod's start asked the registry")
