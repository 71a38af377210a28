"""Lifecycle: one volume or many, in every container of a Pod, from its start to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.control import control, in_time
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.abilities import Abilities
from fixtures.api import Api
from fixtures.errors import Inapplicable, Inconclusive
from fixtures.manifests import HOLD, Json, container, empty_dir, image_volume, mount, mounting, pod, tree
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Answers, Pods, container_status
from images.oci.image import Image
from images.oci.layer import Layer, file
from images.tree import Tree

SEVERAL = 10

Observe = Callable[[Any, str], None]


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


@verifies("LIFE-10")
def test_volume_in_a_user_namespace(
    root_pods: Pods, repositories: Repositories, build: str, abilities: Abilities, many_ids: None
) -> None:
    """Given files of root and of the user 1000, when a Pod with `hostUsers: false` mounts them, then it shows them with these owners and
    cannot write.
    Control: the Pod has a user namespace of its own; without an image volume such a Pod starts.
    """
    del many_ids
    abilities.require(
        "user namespaces",
        lambda: needs_user_namespace(root_pods),
        missing="a kernel, a runtime and an OCI runtime with id-mapped mounts",
    )
    members = [file("of-root", build), file("of-user", build, uid=1000, gid=1000)]
    asset = repositories.new().push(Image([Layer(members)]))
    pod_ = root_pods.create(
        mounting(asset.reference, OWN_IDS, tree(), ("touch", "/vol/new"), hostUsers=False)
    )
    obstacle = pod_.obstacle()

    assert not obstacle
    assert pod_.refusal() is None, str(pod_.refusal())
    answers = pod_.answers()
    control(outside_id(answers) != 0, "the Pod has a user namespace of its own")
    assert entries(answers.of("tree")) == asset.tree
    assert answers.of("touch") == "EROFS"


OWN_IDS = ("read", "/proc/self/uid_map")


def outside_id(answers: Answers) -> int:
    """Who the container's root is on the node: the first line of user_namespaces(7), uid_map."""
    return int(answers.of(*OWN_IDS)["text"].split()[1])


def needs_user_namespace(pods: Pods) -> None:
    """Inconclusive, with the node's words, unless a Pod without image volumes gets a user namespace of its own."""
    main = container((OWN_IDS,), mounts=[mount("/scratch", volume="scratch")])
    pod_ = pods.create(pod([main], volumes=[empty_dir()], hostUsers=False))
    problem = pod_.obstacle() or pod_.refusal()
    if problem:
        raise Inconclusive(f"a Pod with hostUsers: false and an emptyDir does not start: {problem}")
    if outside_id(pod_.answers()) == 0:
        raise Inconclusive("hostUsers: false is ignored: the container's root is the node's")


@verifies("LIFE-15")
def test_other_runtimes_mount_or_refuse(pods: Pods, site: Asset, api: Api) -> None:
    """Given the cluster's RuntimeClasses, when a Pod of each mounts an image volume, then it shows the image, or it does not start and says
    why.
    Control: a Pod of the RuntimeClass without an image volume starts on the node; other classes are left out.
    """
    plain = {name: pods.create(pod([container((HOLD,))], runtimeClassName=name)) for name in classes(api)}
    useless = {name: pod_.obstacle() or pod_.refusal() for name, pod_ in plain.items()}
    usable = [name for name in plain if not useless[name]]
    if not usable:
        seen = "; ".join(f"{name} ({why})" for name, why in useless.items()) or "none"
        raise Inapplicable(f"speaks of RuntimeClasses that start Pods on the node; there are: {seen}")

    for name in usable:
        pod_ = pods.create(mounting(site.reference, tree(), runtimeClassName=name))
        refused = pod_.obstacle() or pod_.refusal()
        shown = None if refused else entries(pod_.answers().of("tree"))
        assert refused or shown == site.tree, ignored(when=not shown, what=f"the volume, under {name},")


def classes(api: Api) -> list[str]:
    """The names of the cluster's RuntimeClasses; none where it doesn't know such a thing."""
    found = api.find("/apis/node.k8s.io/v1/runtimeclasses") or {}
    return [one["metadata"]["name"] for one in found.get("items") or []]


@verifies("LIFE-12")
def test_ready_to_start_containers_while_pulling(pods: Pods, site: Asset, observe: Observe) -> None:
    """Given a registry that holds back the volume's layers, when the kubelet has asked for them, then the value that the condition
    PodReadyToStartContainers then has or soon gets is recorded.
    Control: the container waits for the volume, and once the registry lets go, it shows it.
    """
    with site.repository.misbehaving(kinds=("blob",), methods=("GET",), stall_before=True):
        pod_ = pods.create(mounting(site.reference))
        site.repository.wait_for(
            lambda seen: bool(seen.of("blob")), "the kubelet to ask for the layers", seconds=30
        )
        in_time(
            lambda: pod_.wait(
                lambda state: ready_to_start(state) == "True", "the condition to be True", seconds=5
            )
        )
        state = pod_.state()
    pod_.settle()

    found = container_status(state, "main")["state"]
    reason = (found.get("waiting") or {}).get("reason")
    control(reason is not None, "the container waits for the volume")
    control(pod_.answers().tree() == site.tree, "once the registry lets go, the volume shows the image")
    observe(f"{ready_to_start(state)}, while the container waits with {reason}", "PodReadyToStartContainers")


def ready_to_start(state: Json) -> str:
    """The value of the condition PodReadyToStartContainers; `absent` where the Pod has no such condition."""
    conditions = (state.get("status") or {}).get("conditions") or ()
    return next((one["status"] for one in conditions if one["type"] == "PodReadyToStartContainers"), "absent")


@verifies("LIFE-13")
def test_propagation_from_the_host_does_no_harm(pods: Pods, site: Asset) -> None:
    """Given a mount with `mountPropagation: HostToContainer` and one without, when a Pod has both, then both show the image and refuse to
    be written.
    Control: the one without does, and an emptyDir with the same propagation can be mounted on this node.
    """
    shared = mount("/scratch", volume="scratch", mountPropagation="HostToContainer")
    pods.started(pod([container(mounts=[shared])], volumes=[empty_dir()]))
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
