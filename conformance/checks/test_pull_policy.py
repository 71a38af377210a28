"""Pull policy: when the registry is asked, and when it must not be. The registry's record is the evidence."""

from __future__ import annotations

import pytest

from conformance.control import control
from conformance.plugin import verifies
from fixtures.manifests import HOLD, container, image_volume, mount, mounting, pod, tree
from fixtures.plugin import PodsAt
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pods, container_statuses
from images import site as site_asset
from images.oci.image import Image
from images.oci.layer import Layer, file
from images.oddities import programs

UNPULLED = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"}


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
