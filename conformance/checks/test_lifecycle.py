"""Lifecycle: one volume or many, in every container of a Pod, from its start to its end."""

from __future__ import annotations

from conformance.control import control
from conformance.plugin import verifies
from fixtures.errors import Inconclusive
from fixtures.manifests import HOLD, container, image_volume, mount, mounting, pod, tree
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pods, container_status
from images.oci.image import Image
from images.oci.layer import Layer, file
from images.tree import Tree

SEVERAL = 10


@verifies("LIFE-01")
def test_one_volume_at_several_paths(pods: Pods, site: Asset) -> None:
    """Given one volume that a container mounts at three paths, when the Pod starts, then all three show the image."""
    paths = ("/one", "/two", "/three/below")
    main = container([tree(path) for path in paths], mounts=[mount(path) for path in paths])
    pod_ = pods.start(pod([main], volumes=[image_volume(site.reference)]))

    assert pod_.refusal() is None, str(pod_.refusal())
    answers = pod_.answers()
    assert [entries(answers.of("tree", path)) for path in paths] == [site.tree] * 3


@verifies("LIFE-02")
def test_two_volumes_of_one_image(pods: Pods, site: Asset) -> None:
    """Given two volumes with the same reference, when a container mounts both, then both show the image."""
    volumes = [image_volume(site.reference, name=name) for name in ("one", "two")]
    main = container(
        (tree("/one"), tree("/two")), mounts=[mount("/one", volume="one"), mount("/two", volume="two")]
    )
    pod_ = pods.start(pod([main], volumes=volumes))

    assert pod_.refusal() is None, str(pod_.refusal())
    answers = pod_.answers()
    assert entries(answers.of("tree", "/one")) == site.tree
    assert entries(answers.of("tree", "/two")) == site.tree


@verifies("LIFE-03")
def test_volumes_are_not_mixed_up(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given ten volumes with ten different images, when one container mounts them in another order than they are declared in, then each
    mount shows its own image.
    """
    repository = repositories.new()
    assets = {
        f"v{number}": repository.push(Image([Layer([file("marker", f"{build} {number}\n")])]), f"v{number}")
        for number in range(SEVERAL)
    }
    volumes = [image_volume(asset.reference, name=name) for name, asset in assets.items()]
    mounts = [mount(f"/{name}", volume=name) for name in reversed(assets)]
    answers = pods.run(
        pod([container([tree(f"/{name}") for name in assets], mounts=mounts)], volumes=volumes)
    )

    assert {name: entries(answers.of("tree", f"/{name}")) for name in assets} == {
        name: asset.tree for name, asset in assets.items()
    }


@verifies("LIFE-04")
def test_every_kind_of_container_shares_the_volume(pods: Pods, site: Asset) -> None:
    """Given one volume that an init, a sidecar, a regular and an ephemeral container mount, when each starts, then each shows the image."""
    mounts = [mount()]
    init = container((tree(),), name="init", mounts=mounts)
    sidecar = container((tree(), HOLD), name="sidecar", mounts=mounts, restartPolicy="Always")
    regular = container((tree(), HOLD), name="regular", mounts=mounts)
    pod_ = pods.started(pod([regular], init=[init, sidecar], volumes=[image_volume(site.reference)]))
    response = pods.add_ephemeral(pod_, container((tree(),), name="ephemeral", mounts=mounts))
    if not response.ok:
        raise Inconclusive(f"the ephemeral container was refused: {response.status} {response.message}")
    pod_.wait_started("ephemeral")

    for name in ("init", "sidecar", "regular", "ephemeral"):
        assert entries(pod_.answers(name).of("tree")) == site.tree, f"in the {name} container"


@verifies("LIFE-05")
def test_restarted_container_has_its_volume(pods: Pods, site: Asset) -> None:
    """Given a running container with the volume, when it ends and the kubelet restarts it, then it shows the image again.
    Control: before, it showed the image.
    """
    pod_ = pods.started(mounting(site.reference, tree(), HOLD, restart_policy="Always"))
    before = entries(pod_.answers().of("tree"))
    pod_.restart()
    state = pod_.wait_running(restarts=1)

    control(before == site.tree, "before, the container showed the image")
    assert container_status(state, "main")["restartCount"] == 1
    assert entries(pod_.answers().of("tree")) == site.tree
    assert entries(pod_.look(tree()).of("tree")) == site.tree


@verifies("LIFE-09")
def test_modes_decide_who_may_read(
    pods: Pods, repositories: Repositories, build: str, many_ids: None
) -> None:
    """Given root's files of mode 0644 and 0600, and one of mode 0600 that belongs to the container's user, when an unprivileged container
    reads them, then it may read the first and its own and not the other.
    """
    del many_ids
    members = [
        file("public", build, mode=0o644),
        file("private", build, mode=0o600),
        file("own", build, mode=0o600, uid=1000, gid=1000),
    ]
    asset = repositories.new().push(Image([Layer(members)]))
    looks = [("read", f"/vol/{name}") for name in ("public", "private", "own")]
    answers = pods.run(
        mounting(
            asset.reference, ("process",), *looks, securityContext={"runAsUser": 1000, "runAsGroup": 1000}
        )
    )

    if answers.of("process")["uid"] != 1000:
        raise Inconclusive("the container does not run as uid 1000", missing="a container with a chosen uid")
    assert answers.of("read", "/vol/public") == {"text": build}
    assert answers.of("read", "/vol/private") == {"errno": "EACCES"}
    assert answers.of("read", "/vol/own") == {"text": build}


@verifies("LIFE-13")
def test_propagation_from_the_host_does_no_harm(pods: Pods, site: Asset) -> None:
    """Given a mount with `mountPropagation: HostToContainer` and one without, when a Pod has both, then both show the image and refuse to
    be written.
    Control: the one without does.
    """
    mounts = [mount(), mount("/propagated", mountPropagation="HostToContainer")]
    looks = [tree(), tree("/propagated"), ("touch", "/vol/new"), ("touch", "/propagated/new")]
    pod_ = pods.start(pod([container(looks, mounts=mounts)], volumes=[image_volume(site.reference)]))

    assert pod_.refusal() is None, str(pod_.refusal())
    answers = pod_.answers()
    control(entries(answers.of("tree", "/vol")) == site.tree, "a mount without propagation shows the image")
    assert entries(answers.of("tree", "/propagated")) == site.tree
    assert answers.of("touch", "/propagated/new") == answers.of("touch", "/vol/new")


def entries(answer: dict[str, dict[str, dict[str, object]]]) -> Tree:
    """The tree in a look's answer: empty where there is nothing to list."""
    return Tree.from_json(answer.get("entries") or {})
