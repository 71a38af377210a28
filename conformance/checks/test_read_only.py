"""Read-only: no container can change what an image volume holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.control import control
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.api import Api
from fixtures.errors import Inapplicable, Inconclusive
from fixtures.manifests import (
    HOLD,
    PRIVILEGED,
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
from fixtures.workloads import Answers, Pods, container_status
from images.oci.image import Image
from images.oci.layer import Layer, directory, file, symlink

SCRATCH = "/scratch"
CONTROL: Look = ("control", SCRATCH)
NOT_PERMITTED = {"EROFS", "EACCES", "EPERM"}


def writes(top: str = "/vol") -> Look:
    """Look: every mutating call on what `open_to_all` holds."""
    return ("writes", top, "file", "folder", "link")


@pytest.fixture
def open_to_all(repositories: Repositories, build: str) -> Asset:
    """An image whose modes forbid nobody anything, so that nothing but the mount can refuse a write; the same again below `sub`."""
    contents = [
        [
            file(f"{top}file", f"written at build {build}\n", mode=0o666),
            directory(f"{top}folder", mode=0o777),
            symlink(f"{top}link", "file"),
        ]
        for top in ("", "sub/")
    ]
    members = [*contents[0], directory("sub", mode=0o777), *contents[1]]
    return repositories.new("open-to-all").push(Image([Layer(members)]))


def with_scratch(
    asset: Asset, *looks: Look, read_only: bool | None = None, sub_path: str | None = None, **fields: Any
) -> Json:
    """A Pod that mounts the image at /vol and an emptyDir, for the control, at /scratch."""
    mounts = [mount(read_only=read_only, sub_path=sub_path), mount(SCRATCH, volume="scratch")]
    return pod(
        [container(looks, mounts=mounts, **fields)], volumes=[image_volume(asset.reference), empty_dir()]
    )


def refused(answers: Answers, top: str = "/vol") -> dict[str, str]:
    """The errno of every mutating call on the volume, once the control has shown that the probe can make each of them.

    A file system without user attributes answers ENOTSUP to setxattr where it is writable, too: a read-only mount answers before it is
    asked, so EROFS proves the same.
    """
    control: dict[str, str] = answers.of("control")
    failed = {
        call: errno
        for call, errno in control.items()
        if errno != "ok" and not ("xattr" in call and errno in ("EOPNOTSUPP", "ENOTSUP"))
    }
    if failed:
        raise Inconclusive(f"the same calls fail on an emptyDir: {failed}", missing="a working control")
    found: dict[str, str] = answers.of("writes", top)
    return found


def all_erofs(calls: dict[str, str]) -> dict[str, str]:
    """What `calls` is when every one of them is refused as on a read-only file system."""
    return dict.fromkeys(calls, "EROFS")


@verifies("RO-01")
def test_volume_is_mounted_read_only(pods: Pods, open_to_all: Asset) -> None:
    """Given an image whose files and directories anybody may write by their modes, when an ordinary container mounts it,
    then every write is refused by the mount itself.
    Control: the same calls succeed on an emptyDir in the same container.
    """
    answers = pods.run(with_scratch(open_to_all, writes(), CONTROL))

    calls = refused(answers)
    assert calls["create"] == "EROFS"
    assert calls["open for writing"] == "EROFS"


@verifies("RO-02")
def test_root_cannot_create_a_file(root_pods: Pods, open_to_all: Asset) -> None:
    """Given a container that runs as root, when it creates a file in the volume, then the call fails with EROFS.
    Control: root creates the same file in an emptyDir.
    """
    answers = root_pods.run(with_scratch(open_to_all, ("process",), writes(), CONTROL))

    needs_root(answers)
    assert refused(answers)["create"] == "EROFS"


@verifies("RO-03")
def test_no_call_changes_the_volume(root_pods: Pods, open_to_all: Asset) -> None:
    """Given a container that runs as root, when it tries every call that changes a file system, then each fails with EROFS and the
    tree is as it was.
    Control: every one of these calls succeeds on an emptyDir in the same container.
    """
    answers = root_pods.run(
        with_scratch(open_to_all, ("process",), tree(), writes(), CONTROL, tree("/vol/"), ("names", "/vol"))
    )

    needs_root(answers)
    calls = refused(answers)
    assert calls == all_erofs(calls)
    assert answers.tree("/vol/") == answers.tree("/vol")
    control(set(answers.of("names")) == {"file", "folder", "link", "sub"}, "the volume shows the image")


@verifies("RO-04")
@pytest.mark.parametrize("read_only", [False, None], ids=["readOnly false", "readOnly unset"])
def test_mount_cannot_ask_for_writing(pods: Pods, open_to_all: Asset, read_only: bool | None) -> None:
    """Given a mount that says `readOnly: false`, or nothing, when its container writes to the volume, then it is refused all the same.
    Control: the same calls succeed on an emptyDir in the same container.
    """
    answers = pods.run(with_scratch(open_to_all, writes(), CONTROL, read_only=read_only))

    calls = refused(answers)
    assert calls == all_erofs(calls)


@verifies("RO-05")
@pytest.mark.parametrize("kind", ["init", "sidecar", "regular", "ephemeral"])
def test_read_only_in_every_kind_of_container(pods: Pods, open_to_all: Asset, kind: str) -> None:
    """Given a Pod with the volume, when an init, sidecar, regular or ephemeral container writes to it, then it is refused.
    Control: the same calls succeed on an emptyDir in the same container.
    """
    mounts = [mount(), mount(SCRATCH, volume="scratch")]
    volumes = [image_volume(open_to_all.reference), empty_dir()]
    one = container((writes(), CONTROL), name=kind, mounts=mounts)
    holder = container((HOLD,), mounts=mounts)

    if kind == "init":
        answers = pods.run(pod([holder], init=[one], volumes=volumes), kind)
    elif kind == "sidecar":
        one = container((writes(), CONTROL, HOLD), name=kind, mounts=mounts, restartPolicy="Always")
        answers = pods.run(pod([holder], init=[one], volumes=volumes), kind)
    elif kind == "regular":
        answers = pods.run(pod([one], volumes=volumes), kind)
    else:
        running = pods.started(pod([holder], volumes=volumes))
        pods.add_ephemeral(running, one)
        running.wait_started(kind)
        answers = running.answers(kind)

    calls = refused(answers)
    assert calls == all_erofs(calls)


@verifies("RO-06")
def test_read_only_when_privileged(privileged_pods: Pods, open_to_all: Asset) -> None:
    """Given a privileged container, when it writes to the volume as root, then it is refused.
    Control: the same calls succeed on an emptyDir in the same container.
    """
    answers = privileged_pods.run(
        with_scratch(open_to_all, ("process",), writes(), CONTROL, securityContext=PRIVILEGED)
    )

    needs_root(answers)
    calls = refused(answers)
    assert calls == all_erofs(calls)


WRITTEN = "written by a privileged container\n"
ATTACK: tuple[Look, ...] = (
    ("remount", "/vol"),
    ("overwrite", "/vol/file", WRITTEN),
    ("touch", "/vol/new"),
    ("read", "/vol/file"),
)


@verifies("RO-07")
def test_nobody_writes_for_others(privileged_pods: Pods, pods: Pods, open_to_all: Asset) -> None:
    """Given a running Pod with the volume, when a privileged container of another Pod remounts its own volume writable and writes to it, then
    the first Pod, and one that starts afterwards, read the image's own bytes.
    Control: before, the first Pod read them; the other container was privileged: it mounted a tmpfs.
    """
    before = pods.started(mounting(open_to_all.reference, HOLD))
    content = before.look(tree()).tree()
    attack = container(
        (*ATTACK, ("mount-tmpfs", SCRATCH)),
        mounts=[mount(), mount(SCRATCH, volume="scratch")],
        securityContext=PRIVILEGED,
    )
    attacker = pod([attack], volumes=[image_volume(open_to_all.reference), empty_dir()])
    answers = privileged_pods.run(attacker)
    afterwards = pods.run(mounting(open_to_all.reference))

    control(content == open_to_all.tree, "before, the first Pod read the image's bytes")
    control(answers.of("mount-tmpfs") == "ok", "the other container may mount")
    assert before.look(tree()).tree() == open_to_all.tree
    assert afterwards.tree() == open_to_all.tree


@verifies("RO-08")
def test_own_pod_after_a_remount(
    privileged_pods: Pods, open_to_all: Asset, observe: Callable[[Any, str], None]
) -> None:
    """Given a Pod with a privileged and an ordinary container on one volume, when the privileged one remounts it writable and writes to it,
    then whether that succeeds and whether the other container sees it are recorded.
    Control: before, the ordinary container read the image's bytes.
    """
    root = container((HOLD,), name="root", mounts=[mount()], securityContext=PRIVILEGED)
    other = container((HOLD,), name="other", mounts=[mount()])
    pod_ = privileged_pods.started(pod([root, other], volumes=[image_volume(open_to_all.reference)]))
    before = pod_.look(("read", "/vol/file"), container="other").of("read")
    attack = pod_.look(*ATTACK, container="root")
    after = pod_.look(("read", "/vol/file"), container="other").of("read")

    control("text" in before, "before, the ordinary container read the file")
    observe(attack.of("remount"), "a remount by a privileged container")
    observe(attack.of("overwrite"), "its write after that")
    observe("sees it" if after != before else "does not see it", "the other container of the Pod")


@verifies("RO-09")
def test_fs_group_changes_nothing(pods: Pods, repositories: Repositories, build: str, many_ids: None) -> None:
    """Given an image with a file of root's that others may not read, when a Pod with fsGroup 2000 mounts it, then owner, group and mode are
    those of the image and the group gives no access.
    Control: the container is in group 2000, and an emptyDir of the same Pod belongs to it.
    """
    del many_ids
    members = [file("private", f"build {build}\n", mode=0o640), file("public", f"build {build}\n")]
    asset = repositories.new().push(Image([Layer(members)]))
    looks = (tree(), ("read", "/vol/private"), ("read", "/vol/public"), ("status", SCRATCH), ("process",))
    manifest = with_scratch(asset, *looks)
    manifest["spec"]["securityContext"] = {"fsGroup": 2000, "fsGroupChangePolicy": "Always"}

    answers = pods.run(manifest)

    if 2000 not in answers.of("process")["groups"] or answers.of("status", SCRATCH)["gid"] != 2000:
        raise Inconclusive("fsGroup 2000 is not in force in this Pod", missing="a working control")
    assert answers.of("read", "/vol/private") == {"errno": "EACCES"}
    assert "text" in answers.of("read", "/vol/public")
    assert answers.tree().without("sha256") == asset.tree.without("sha256")


@verifies("RO-10")
def test_sub_path_is_read_only(root_pods: Pods, open_to_all: Asset) -> None:
    """Given a mount of a subPath, when its container writes below it as root, then every call fails with EROFS.
    Control: the same calls succeed on an emptyDir in the same container, and what is mounted is the subPath.
    """
    answers = root_pods.run(
        with_scratch(open_to_all, ("process",), tree(), writes(), CONTROL, sub_path="sub")
    )

    needs_root(answers)
    calls = refused(answers)
    assert calls == all_erofs(calls)
    seen = set(answers.tree())
    assert seen == set(open_to_all.tree / "sub"), ignored(
        when=seen == set(open_to_all.tree), what="the subPath"
    )


@verifies("RO-11")
def test_recursive_read_only_is_honoured(pods: Pods, open_to_all: Asset, api: Api, node: str) -> None:
    """Given a node whose runtime handler offers recursive read-only mounts, when a mount asks for them, then the Pod starts, its status
    says Enabled, and every write is refused.
    Control: a mount in the same Pod that doesn't ask has another status, and the same calls succeed on an emptyDir.
    """
    handlers = {
        one.get("name", ""): one
        for one in api.get(f"/api/v1/nodes/{node}")["status"].get("runtimeHandlers") or ()
    }
    if not ((handlers.get("") or {}).get("features") or {}).get("recursiveReadOnlyMounts"):
        raise Inapplicable(
            "speaks of runtime handlers with recursive read-only mounts; this node's default one has none"
        )
    asked = mount(read_only=True, recursiveReadOnly="Enabled")
    mounts = [asked, mount("/plain", read_only=True), mount(SCRATCH, volume="scratch")]
    main = container([writes(), CONTROL], mounts=mounts)
    pod_ = pods.start(pod([main], volumes=[image_volume(open_to_all.reference), empty_dir()]))

    assert pod_.refusal() is None, str(pod_.refusal())
    calls = refused(pod_.answers())
    assert calls == all_erofs(calls)
    told = {
        one["mountPath"]: one.get("recursiveReadOnly")
        for one in container_status(pod_.state(), "main")["volumeMounts"]
    }
    control(told["/plain"] != "Enabled", "a mount that does not ask is told apart")
    assert told["/vol"] == "Enabled"


@verifies("RO-12")
def test_reading_changes_nothing(pods: Pods, site: Asset) -> None:
    """Given a running container, when it reads the whole tree twice, then every read shows the same bytes and the files' times and sizes
    stay what they were.
    """
    answers = pods.run(
        mounting(site.reference, ("times", "/vol"), ("reads", "/vol", "3", "0.4"), tree(), ("times", "/vol/"))
    )

    assert answers.of("times", "/vol/") == answers.of("times", "/vol")
    assert len(set(answers.of("reads"))) == 1
    assert answers.tree() == site.tree


def needs_root(answers: Answers) -> None:
    """Inconclusive unless the probe was root: what an ordinary user may not do says nothing about the mount."""
    if answers.of("process")["uid"] != 0:
        raise Inconclusive("the container does not run as root", missing="a Pod that may run as root")
