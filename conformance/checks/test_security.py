"""Security: an image volume is data from outside; it reaches neither the node nor another tenant, and gives away nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import tenacity

from conformance.checks.refusals import UNPULLED
from conformance.control import control
from conformance.plugin import verifies
from fixtures.api import Api, Response
from fixtures.connection import Connection
from fixtures.credentials import Credentials, User, pull_secrets, with_secrets
from fixtures.errors import Inconclusive, Lacking, TimedOut
from fixtures.manifests import (
    HOLD,
    UNPRIVILEGED_ID,
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
from fixtures.namespaces import Namespaces
from fixtures.plugin import PodsAt
from fixtures.policies import in_force
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Answers, Pods
from images import artifact as artifact_asset
from images import hostile as hostile_asset
from images.oci.image import Image
from images.oci.layer import Layer, device, file, symlink
from images.oddities import programs


@verifies("SEC-08")
@pytest.mark.parametrize("holds", ["no secret", "a wrong secret of the same name"])
def test_tenant_cannot_use_anothers_private_image(
    pods: Pods,
    pods_at: PodsAt,
    namespaces: Namespaces,
    credentials: Credentials,
    private: Asset,
    alice: User,
    mallory: User,
    holds: str,
) -> None:
    """Given a private image that a Pod of one namespace has brought to the node, when Pods of another namespace, without a secret or with a
    wrong one of the same name, mount it under IfNotPresent and Never, then neither starts.
    Control: with the right secret in its own namespace such a Pod starts.
    """
    host = private.repository.host
    theirs = credentials.secret(pods.namespace, {host: alice})
    there = pods.run(with_secrets(private.reference, theirs, policy="IfNotPresent")).tree()
    other = pods_at("baseline", namespace=namespaces.at("baseline"))
    named: list[str] = []
    if holds != "no secret":
        named = [credentials.secret(other.namespace, {host: mallory}, name=theirs)]
    made = [
        other.create(mounting(private.reference, pull_policy=policy, imagePullSecrets=pull_secrets(*named)))
        for policy in ("IfNotPresent", "Never")
    ]
    for pod_ in made:
        pod_.settle()
    refusals = [pod_.refusal() for pod_ in made]

    assert [one.reason in UNPULLED | {"ErrImageNeverPull"} for one in refusals if one] == [True, True]
    control(there == private.tree, "the Pod that brought the image shows it")
    own = credentials.secret(other.namespace, {host: alice})
    right = other.run(with_secrets(private.reference, own, policy="IfNotPresent")).tree()
    control(right == private.tree, "with the right secret of its own the other tenant's Pod starts")


FAR_UP = "../" * 16
LEADING_OUT: Mapping[str, str] = {
    "up": FAR_UP,
    "root": "/",
    "hop": "up/etc",
    "process-root": "/proc/1/root",
    "process-folder": "/proc/self/cwd",
}
"""Symbolic links that leave the image where they are followed on the node."""


@verifies("SEC-02")
@pytest.mark.parametrize(
    "sub_path", ["up/etc", "root/etc", "hop", "process-root/etc", "process-folder", "up/proc/1/root"]
)
def test_sub_path_shows_nothing_of_the_node(
    pods: Pods, repositories: Repositories, build: str, sub_path: str
) -> None:
    """Given links out of the image to directories that every node has, when a container mounts the image with a subPath through one of them,
    then either it is not created or it shows nothing but names of the image, which has a directory `etc` itself.
    Control: another container of the Pod mounts a directory by its own name.
    """
    own = {"etc", "own", f"decoy-{build}", *LEADING_OUT}
    members = [file(f"etc/decoy-{build}", build), file("own/etc", build)]
    members += [symlink(name, target) for name, target in LEADING_OUT.items()]
    asset = repositories.new("links").push(Image([Layer(members)]))
    through = container((("names", "/vol"),), name="through", mounts=[mount(sub_path=sub_path)])
    by_name = container((("names", "/vol"),), name="by-name", mounts=[mount(sub_path="etc")])
    pod_ = pods.start(pod([through, by_name], volumes=[image_volume(asset.reference)]))

    if pod_.refusal("through") is None:
        seen = pod_.answers("through").of("names", "/vol")
        foreign = set(seen) - own if isinstance(seen, list) else set()
        assert foreign == set()
    refusal = pod_.refusal("by-name")
    control(refusal is None, f"a directory is mounted by its own name ({refusal})")


@verifies("SEC-02")
@pytest.mark.parametrize(
    "title", [f"{FAR_UP}etc/passwd", "/etc/passwd", f"{FAR_UP}proc/1/root/etc/passwd", "/proc/self/environ"]
)
def test_title_shows_nothing_of_the_node(
    pods: Pods, repositories: Repositories, build: str, title: str
) -> None:
    """Given an artifact with a title that names a file of every node, when a container mounts it, then either it is not created, or the mount
    shows nothing but the artifact's own bytes.
    """
    hostile = artifact_asset.escaping(build, titles={title: build, "good": f"good {build}"})
    asset = repositories.new("hostile").push(hostile)
    pod_ = pods.start(mounting(asset.reference, tree()))

    if pod_.refusal() is None:
        entries = pod_.answers().of("tree").get("entries") or {}
        seen = {entry["sha256"] for entry in entries.values() if entry["type"] == "file"}
        assert seen <= {hashlib.sha256(one.data).hexdigest() for one in hostile.files}


@verifies("SEC-03")
def test_files_have_the_containers_label(pods: Pods, site: Asset, enforcing: None) -> None:
    """Given a node that enforces SELinux, when a container mounts an image volume, then it reads all of it, and a file of it has the level of
    the container's own label.
    Control: the container's process has a label.
    """
    del enforcing
    inside = next(path for path, entry in site.tree.items() if entry.type == "file")
    answers = pods.run(mounting(site.reference, tree(), ("label", f"/vol/{inside}")))

    labels = answers.of("label")
    control(labels["process"].count(":") > 2, "the container's process has a label with a level")
    assert answers.tree() == site.tree
    assert labels["file"].split(":", 3)[-1] == labels["process"].split(":", 3)[-1]


KUBELET = "/var/lib/kubelet"


SCRATCH = "/scratch"


CANARY = f"{SCRATCH}/{hostile_asset.CANARY}"


HIDDEN = "what only this Pod's emptyDir holds\n"
AT_A_FILE: tuple[hostile_asset.Way, ...] = ("hard link", "whiteout", "whiteout through symlink")
"""The ways that aim at a file which is there; the others would make it."""

NOT_ALLOWED = {"EPERM", "EACCES"}


RUNTIME_FOLDERS = ("/run/containerd", "/var/lib/containerd", "/var/lib/containers/storage", "/run/containers")


@verifies("SEC-01")
@pytest.mark.parametrize("way", hostile_asset.WAYS)
def test_layer_cannot_write_outside(
    pods: Pods, repositories: Repositories, build: str, way: hostile_asset.Way
) -> None:
    """Given a running Pod with an emptyDir and a clean image volume, when another Pod mounts an image whose layer aims at that directory on
    the node by `..`, an absolute name, a symbolic link, a hard link or a whiteout, then either its container waits and says why, or
    everything stays inside: emptyDir and clean volume are as they were, and nothing of the first shows in the hostile volume.
    Control: the directory's path on the node is known from its mount, and the clean image is shown.
    """
    names = [f"exit/{hostile_asset.CANARY}", f"tmp/{hostile_asset.CANARY}", hostile_asset.CANARY]
    clean = repositories.new("clean").push(Image([Layer([file(name, build) for name in names])]))
    mounts = [mount(), mount(SCRATCH, volume="scratch")]
    lay: list[Look] = [("write", CANARY, HIDDEN)] if way in AT_A_FILE else []
    looks = [*lay, ("mounts", SCRATCH), tree(), tree(SCRATCH), HOLD]
    volumes = [image_volume(clean.reference), empty_dir()]
    holder = pods.started(pod([container(looks, mounts=mounts)], volumes=volumes))
    before = holder.answers()
    attackers = []
    for target in on_the_node(before, holder.uid):
        image = hostile_asset.image(build, way=way, target=target.lstrip("/"))
        hostile = repositories.new("hostile").push(image)
        look: Look = ("read", f"/vol/read/{hostile_asset.CANARY}")
        attackers.append(pods.create(mounting(hostile.reference, look)))
    for attacker in attackers:
        attacker.settle()
    after = holder.look(tree(), tree(SCRATCH))

    control(before.tree() == clean.tree, "the clean image is shown")
    control(
        set(before.tree(SCRATCH)) == ({hostile_asset.CANARY} if lay else set()), "the emptyDir is laid out"
    )
    assert after.tree(SCRATCH) == before.tree(SCRATCH), "a layer reached a directory of the node"
    assert after.tree() == clean.tree, "a layer reached another image"
    for attacker in attackers:
        refusal = attacker.refusal()
        if refusal is None:
            assert attacker.answers().of("read").get("text") != HIDDEN, "a volume shows a file of the node"
        else:
            assert refusal.message


def on_the_node(answers: Answers, uid: str) -> list[str]:
    """The directories of the node that a Pod's emptyDir may be: by the kubelet's usual place, and as the mount says it.

    The mount's own word lacks the path of the file system that the directory is on; there it may be, or else in the usual place.
    """
    point = next((one for one in answers.of("mounts", SCRATCH) if one["point"] == SCRATCH), None)
    if point is None or uid not in point["root"]:
        raise Inconclusive(
            "the emptyDir's mount does not tell where it is on the node", missing="a path to aim at"
        )
    usual = f"{KUBELET}/pods/{uid}/volumes/kubernetes.io~empty-dir/scratch"
    return list(dict.fromkeys((usual, point["root"])))


@verifies("SEC-04")
@pytest.mark.parametrize("user", ["root", "user"])
def test_runtimes_directories_are_out_of_reach(
    root_pods: Pods, repositories: Repositories, build: str, user: str
) -> None:
    """Given a container that mounts the volume, as root or as another user, when it looks for the node's directories that the mount names,
    and for those that runtimes use, then none is there, nor anything of them above the volume.
    Control: the mount itself can be listed, and `..` of it is the container's own root.
    """
    asset = repositories.new().push(Image([Layer([file("one", build)])]))
    manifest = mounting(
        asset.reference,
        ("process",),
        ("sources", "/vol"),
        *(("names", folder) for folder in RUNTIME_FOLDERS),
        ("names", "/vol"),
        ("names", "/vol/.."),
        ("names", "/"),
    )
    if user == "user":
        manifest["spec"]["securityContext"] = {"runAsUser": UNPRIVILEGED_ID, "runAsGroup": UNPRIVILEGED_ID}
    answers = root_pods.run(manifest)

    control((answers.of("process")["uid"] == 0) == (user == "root"), f"the container runs as {user}")
    control(answers.of("names", "/vol") == ["one"], "the volume is mounted")
    named = answers.of("sources")
    control(bool(named), "the mount names directories of the node")
    looked_for = named | {folder: answers.of("names", folder) for folder in RUNTIME_FOLDERS}
    reached = {path: found for path, found in looked_for.items() if found != {"errno": "ENOENT"}}
    assert reached == {}
    assert answers.of("names", "/vol/..") == answers.of("names", "/")


def as_user(**more: object) -> Json:
    """A container's security context: an unprivileged user."""
    return {"runAsUser": UNPRIVILEGED_ID, "runAsGroup": UNPRIVILEGED_ID} | more


@verifies("SEC-05")
def test_setuid_program_gains_nothing(
    root_pods: Pods, repositories: Repositories, build: str, architecture: str, many_ids: None
) -> None:
    """Given root's setuid program in the volume, when an unprivileged container with `allowPrivilegeEscalation: false` runs it, then it runs
    as that user.
    Control: in a container that allows it, the same program runs as root, and without the bit as the user.
    """
    del many_ids
    program = programs.effective_user(architecture)
    members = [
        file("setuid", program, mode=0o4755),
        file("plain", program, mode=0o755),
        file("build", build),
    ]
    asset = repositories.new().push(Image([Layer(members)]))
    looks: list[Look] = [("execute", "/vol/setuid"), ("execute", "/vol/plain")]
    containers = [
        container(looks, name="allowed", mounts=[mount()], securityContext=as_user()),
        container(
            looks, name="main", mounts=[mount()], securityContext=as_user(allowPrivilegeEscalation=False)
        ),
    ]
    pod_ = root_pods.started(pod(containers, volumes=[image_volume(asset.reference)]))
    allowed, answers = pod_.answers("allowed"), pod_.answers()

    control(ran_as(allowed, "plain") == "user", "without the bit, the program runs as its caller")
    control(ran_as(allowed, "setuid") == "root", "where it is allowed, the program runs as root")
    assert ran_as(answers, "setuid") == "user"


def ran_as(answers: Answers, program: str) -> str:
    """What the program said of its effective user."""
    return str(answers.of("execute", f"/vol/{program}").get("output", "")).strip()


DEVICES = {
    "fuse": device("fuse", "character device", 10, 229),
    "kmsg": device("kmsg", "character device", 1, 11),
    "loop0": device("loop0", "block device", 7, 0),
}
"""Opening any of them for reading changes nothing."""


@verifies("SEC-06")
def test_device_node_gives_no_access(
    root_pods: Pods, privileged_pods: Pods, repositories: Repositories, build: str
) -> None:
    """Given device nodes in the volume that everybody may read by their modes, when a container that was given no device opens them as root,
    then it is refused.
    Control: a privileged container is let through to at least one of them, and to a plain file beside them.
    """
    asset = repositories.new().push(Image([Layer([file("beside", build), *DEVICES.values()])]))
    look: Look = ("openings", "/vol/beside", *(f"/vol/{name}" for name in DEVICES))
    privileged = {"privileged": True, "runAsUser": 0, "runAsNonRoot": False}
    main = container([look], mounts=[mount()], securityContext=privileged)
    through = privileged_pods.run(pod([main], volumes=[image_volume(asset.reference)])).of("openings")
    answers = root_pods.run(mounting(asset.reference, ("process",), look))
    found = answers.of("openings")

    control(answers.of("process")["uid"] == 0, "the container runs as root")
    control(found["/vol/beside"] == "ok", "the probe can open a file of the volume")
    open_to_all = {name for name in DEVICES if through[f"/vol/{name}"] not in NOT_ALLOWED | {"ENOENT"}}
    if not open_to_all:
        raise Lacking(
            f"a privileged container is not let through to the devices either: {through}",
            need="privileged",
            missing="a node whose privileged containers may use devices",
        )
    assert {found[f"/vol/{name}"] for name in open_to_all} <= NOT_ALLOWED | {"ENOENT"}


FORCE_SECONDS = 20.0
"""An API server looks for new policies every second."""
TOLD = "admission sees "
CEL = (
    f'\'{TOLD}\' + \'{{"containers": ["\' + object.spec.containers.map(c, c.image).join(\'", "\') + \'"], "volumes": ["\''
    " + object.spec.volumes.filter(v, has(v.image)).map(v, v.image.reference).join('\", \"') + '\"]}'"
)

Observe = Callable[[Any, str], None]


@verifies("SEC-07")
def test_admission_sees_image_volumes(
    pods: Pods, api: Api, cluster: Connection, worker_name: str, observe: Observe
) -> None:
    """Given an admission policy that refuses our Pod and says which images it sees, when a Pod with two image volumes is offered, then it is
    recorded whether their references are among them.
    Control: the image of the container is, and a Pod without the policy's label is admitted.
    """
    references = ["registry.example/site:v1", "registry.example/site@sha256:" + "0" * 64]
    volumes = [image_volume(reference, name=f"volume-{n}") for n, reference in enumerate(references)]
    manifest = pod([container()], volumes=volumes)
    unlabelled = pods.offer(manifest, dryRun="All")

    with in_force(api, cluster.run, worker_name, CEL) as labels:
        manifest["metadata"]["labels"] = dict(labels)
        answer = refusal(pods, manifest)
    seen = json.loads(answer.message.partition(TOLD)[2])
    control(unlabelled.ok, "a Pod without the policy's label is admitted")
    control(seen["containers"] == [cluster.probe_image], "the image of the container is seen")
    observe("seen" if seen["volumes"] == references else seen["volumes"], "the references of image volumes")


def refusal(pods: Pods, manifest: dict[str, Any]) -> Response:
    """The policy's refusal of a Pod, once it is in force. TimedOut if it never is."""
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_delay(FORCE_SECONDS),
        wait=tenacity.wait_fixed(0.25),
        retry=tenacity.retry_if_result(lambda answer: TOLD not in answer.message),
        retry_error_callback=lambda _: None,
    )
    answer: Response | None = attempts(lambda: pods.offer(manifest, dryRun="All"))
    if answer is None:
        raise TimedOut(f"the policy was not in force within {FORCE_SECONDS:.0f} s")
    return answer
