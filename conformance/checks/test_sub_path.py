"""subPath and subPathExpr: a directory of the image in place of the whole, and never anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.control import control
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.manifests import HOLD, container, image_volume, mount, mounting, pod, tree
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pod, Pods, Refusal
from images import subpaths as subpaths_asset
from images.subpaths import DEEP, ODD_NAMES
from images.tree import Tree

IGNORED = "the subPath"
NOT_CREATED = "CreateContainerError"
HAZARDS = ("a:b", "a,b", "back\\slash", "*glob?[x]", "lowerdir=x")


def shown(pod_: Pod, path: str = "/vol", container: str = "main") -> Tree | None:
    """What a container shows at the mount, or None where it shows no directory."""
    answer = pod_.answers(container).of("tree", path)
    return Tree.from_json(answer["entries"]) if "entries" in answer else None


def is_root(seen: Tree | None, asset: Asset) -> bool:
    """Whether what is shown is the whole image: the subPath had no effect. By names alone: unprivileged readers don't see all."""
    return (
        seen is not None
        and {"build.json", "file.txt", "site"} <= set(seen)
        and "site/marker.txt" in asset.tree
    )


def refusal_or_root(pods: Pods, asset: Asset, sub_path: str) -> tuple[Refusal | None, str]:
    """Start a Pod that must be refused. Its refusal, and what to say where it started on the image's root instead."""
    pod_ = pods.start(mounting(asset.reference, sub_path=sub_path))
    refusal = pod_.refusal("main")
    return refusal, "" if refusal else ignored(when=is_root(shown(pod_), asset), what=IGNORED)


@verifies("SUB-01")
def test_sub_path_mounts_that_directory(pods: Pods, subpaths: Asset) -> None:
    """Given an image with the directory `site`, when a container mounts it with subPath `site`, then the mount shows exactly that directory.
    Control: the same image without a subPath shows `site` below the mount.
    """
    seen = pods.run(mounting(subpaths.reference, sub_path="site")).tree()
    whole = pods.run(mounting(subpaths.reference)).tree()

    assert seen == subpaths.tree / "site", ignored(when=is_root(seen, subpaths), what=IGNORED)
    control("site/marker.txt" in whole, "without a subPath the whole image is shown")


@verifies("SUB-02")
def test_nothing_beside_the_sub_path_is_reachable(pods: Pods, subpaths: Asset) -> None:
    """Given a mount of `nested/one/two`, when the container looks there, above, and through `..`, then no sibling or parent of the directory
    is to be seen.
    """
    looks = (
        tree(),
        ("names", "/vol/.."),
        ("names", "/vol/../three"),
        ("names", "/vol/../../one"),
        ("names", "/"),
    )
    answers = pods.run(mounting(subpaths.reference, *looks, sub_path="nested/one/two"))

    seen = answers.tree()
    assert set(seen) == {"marker.txt"}, ignored(when=is_root(seen, subpaths), what=IGNORED)
    assert answers.of("names", "/vol/..") == answers.of("names", "/")
    assert answers.of("names", "/vol/../three") == {"errno": "ENOENT"}
    assert answers.of("names", "/vol/../../one") == {"errno": "ENOENT"}


@verifies("SUB-03")
def test_missing_sub_path_is_refused(pods: Pods, subpaths: Asset) -> None:
    """Given an image without `nope`, when a container mounts it with subPath `nope`, then the container is not created and the message
    names `nope`; a Warning event says the same.
    Control: the same Pod with subPath `site` shows that directory.
    """
    pod_ = pods.start(mounting(subpaths.reference, sub_path="nope"))
    refusal = pod_.refusal()
    whole = None if refusal else shown(pod_)

    assert refusal is not None, ignored(when=is_root(whole, subpaths), what=IGNORED)
    assert refusal.reason == NOT_CREATED
    assert "nope" in refusal.message
    event = pod_.wait_event(lambda e: e.reason == "Failed" and "nope" in e.message, "the event Failed")
    assert event is not None, "no Warning event names the subPath"
    assert (event.type, event.field_path) == ("Warning", "spec.containers{main}")

    present = pods.run(mounting(subpaths.reference, sub_path="site")).tree()
    control(present == subpaths.tree / "site", "a subPath that is there is mounted")


@verifies("SUB-04")
def test_file_as_sub_path(pods: Pods, subpaths: Asset) -> None:
    """Given an image with the file `file.txt`, when a container mounts it with that subPath, then either the container is not created or
    the mount is exactly that file: never the directory that holds it.
    """
    manifest = mounting(subpaths.reference, ("status", "/vol"), ("read", "/vol"), tree(), sub_path="file.txt")
    pod_ = pods.start(manifest)
    refusal = pod_.refusal()
    if refusal is None:
        answers = pod_.answers()
        listed = answers.of("tree", "/vol")
        seen = Tree.from_json(listed["entries"]) if "entries" in listed else None
        sha256 = answers.of("status", "/vol").get("sha256")
        expected = subpaths.tree["file.txt"].sha256
        assert sha256 == expected, ignored(when=is_root(seen, subpaths), what=IGNORED)
    else:
        assert refusal.reason in (NOT_CREATED, "RunContainerError", "StartError")


@verifies("SUB-05")
@pytest.mark.parametrize(
    ("link", "target"),
    [("cur", "v2"), ("nested/up", "v1"), ("chain", "v2"), ("through/two", "nested/one/two")],
)
def test_link_inside_the_image_is_followed(pods: Pods, subpaths: Asset, link: str, target: str) -> None:
    """Given a relative symbolic link to a directory of the image, when a container mounts it with the link as subPath, then the mount shows
    the directory that the link means.
    """
    pod_ = pods.start(mounting(subpaths.reference, sub_path=link))
    refusal = pod_.refusal()

    assert refusal is None, str(refusal)
    seen = shown(pod_)
    assert seen == subpaths.tree / target, ignored(when=is_root(seen, subpaths), what=IGNORED)


@verifies("SUB-06")
@pytest.mark.parametrize("link", ["evil", "evil-absolute", "nested/evil", "evil-parent"])
def test_link_out_of_the_image_shows_nothing_of_the_node(pods: Pods, subpaths: Asset, link: str) -> None:
    """Given a symbolic link that leaves the image, when a container mounts it with the link as subPath, then either the container is not
    created or the mount shows what the link means inside the image: never a file of the node.
    Control: a directory of the same image, by its own name, is mounted.
    """
    pod_ = pods.start(mounting(subpaths.reference, sub_path=link))
    refusal = pod_.refusal()
    if refusal is None:
        seen = shown(pod_)
        foreign = set(seen or {}) - set(subpaths.tree)
        assert foreign == set()
        assert link == "evil-parent" or not is_root(seen, subpaths), ignored(when=True, what=IGNORED)
    else:
        assert refusal.reason == NOT_CREATED

    by_name = pods.run(mounting(subpaths.reference, sub_path="v1")).tree()
    control(by_name == subpaths.tree / "v1", "a directory by its own name is mounted")


@verifies("SUB-07")
def test_absolute_link_inside_the_image(
    pods: Pods, subpaths: Asset, observe: Callable[[Any, str], None]
) -> None:
    """Given an absolute symbolic link that means a directory of the image if the image's root is the root, when a container mounts it with
    the link as subPath, then what comes of it is recorded.
    Control: the same directory, by its own name, is mounted.
    """
    pod_ = pods.start(mounting(subpaths.reference, sub_path="abs"))
    refusal = pod_.refusal()
    seen = None if refusal else shown(pod_)
    by_name = pods.run(mounting(subpaths.reference, sub_path="site")).tree()

    if refusal is not None:
        told = f"refused with {refusal.reason}"
    elif seen == subpaths.tree / "site":
        told = "the directory in the image"
    else:
        told = "the image's root" if is_root(seen, subpaths) else "something else"
    observe(told, "a subPath that is an absolute symbolic link to a directory of the image")
    control(
        by_name == subpaths.tree / "site" or is_root(by_name, subpaths),
        "by its own name the directory is mounted, or the root where subPaths are ignored",
    )


@verifies("SUB-08")
def test_file_on_the_way_is_refused(pods: Pods, subpaths: Asset) -> None:
    """Given a subPath that leads through a file, when a container mounts it, then the container is not created.
    Control: a subPath through a directory is mounted.
    """
    refusal, otherwise = refusal_or_root(pods, subpaths, "file.txt/below")

    assert refusal is not None, otherwise
    assert refusal.reason == NOT_CREATED
    through = pods.run(mounting(subpaths.reference, sub_path="nested/one")).tree()
    control(through == subpaths.tree / "nested/one", "a subPath through a directory is mounted")


@verifies("SUB-09")
def test_expression_is_expanded(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given subPathExpr with a variable of the container's environment, from a value and from the downward API, when the container starts,
    then the mount shows the directory of that name.
    """
    name = f"expression-{build}"
    asset = repositories.new("subpaths").push(subpaths_asset.image(build, names=[name]))
    manifest = mounting(asset.reference, sub_path_expr="$(POD_NAME)")
    manifest["metadata"]["name"] = name
    main = manifest["spec"]["containers"][0]
    main["env"] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "PART", "value": "one"},
    ]
    main["volumeMounts"].append(mount("/nested", sub_path_expr="nested/$(PART)/two"))
    main["command"] += ["--", *tree("/nested")]
    pod_ = pods.start(manifest)
    refusal = pod_.refusal()

    assert refusal is None, str(refusal)
    seen = shown(pod_)
    assert seen == asset.tree / name, ignored(when=is_root(seen, asset), what="the subPathExpr")
    nested = shown(pod_, "/nested")
    assert nested == asset.tree / "nested/one/two", ignored(
        when=is_root(nested, asset), what="the subPathExpr"
    )


@verifies("SUB-10")
def test_undefined_variable_is_refused(pods: Pods, subpaths: Asset) -> None:
    """Given subPathExpr with a variable that is not defined, when the Pod starts, then the container is not created and the message names
    the variable.
    Control: with the variable defined, the container starts.
    """
    manifest = mounting(subpaths.reference, sub_path_expr="$(VERSION)")
    refusal = pods.start(manifest).refusal()

    assert refusal is not None
    assert refusal.reason == "CreateContainerConfigError"
    assert "VERSION" in refusal.message
    pods.started(mounting(subpaths.reference, sub_path_expr="$(VERSION)", env={"VERSION": "v1"}))


@verifies("SUB-11")
@pytest.mark.parametrize(
    "value", ["/etc", "../site", "v1/../../site"], ids=["absolute", "parent", "parent inside"]
)
def test_expression_that_leaves_the_volume_is_refused(pods: Pods, subpaths: Asset, value: str) -> None:
    """Given subPathExpr that expands to an absolute path or to one with `..`, when the Pod starts, then the kubelet refuses the container.
    Control: the same expression expanded to a directory starts.
    """
    refusal = pods.start(
        mounting(subpaths.reference, sub_path_expr="$(WHERE)", env={"WHERE": value})
    ).refusal()

    assert refusal is not None
    assert refusal.reason == "CreateContainerConfigError"
    assert value in refusal.message
    pods.started(mounting(subpaths.reference, sub_path_expr="$(WHERE)", env={"WHERE": "v1"}))


@verifies("SUB-12")
def test_several_sub_paths_in_one_container(pods: Pods, subpaths: Asset) -> None:
    """Given one volume mounted three times in a container, with two subPaths and whole, when it starts, then each mount shows its own
    directory, and the registry saw one pull.
    """
    mounts = [mount("/one", sub_path="v1"), mount("/two", sub_path="v2"), mount("/whole")]
    main = container((tree("/one"), tree("/two"), tree("/whole")), mounts=mounts)
    pod_ = pods.start(pod([main], volumes=[image_volume(subpaths.reference)]))
    refusal = pod_.refusal()

    assert refusal is None, str(refusal)
    one, two, whole = (shown(pod_, path) for path in ("/one", "/two", "/whole"))
    assert one == subpaths.tree / "v1", ignored(when=is_root(one, subpaths), what=IGNORED)
    assert two == subpaths.tree / "v2", ignored(when=is_root(two, subpaths), what=IGNORED)
    assert is_root(whole, subpaths)
    assert subpaths.repository.requests().downloads(subpaths.layers) == dict.fromkeys(subpaths.layers, 1)


@verifies("SUB-13")
@pytest.mark.parametrize("first", ["good", "bad"])
def test_bad_sub_path_fails_its_container_only(pods: Pods, subpaths: Asset, first: str) -> None:
    """Given two containers of one Pod, one with a subPath that exists and one with a subPath that doesn't, in either order, when the Pod
    starts, then the good one runs and shows its directory and the bad one is not created.
    """
    good = container((tree(), HOLD), name="good", mounts=[mount(sub_path="v1")])
    bad = container((tree(),), name="bad", mounts=[mount(sub_path="nope")])
    order = [good, bad] if first == "good" else [bad, good]
    pod_ = pods.start(pod(order, volumes=[image_volume(subpaths.reference)]))
    refusal = pod_.refusal("bad")
    otherwise = "" if refusal else ignored(when=is_root(shown(pod_, container="bad"), subpaths), what=IGNORED)

    assert refusal is not None, otherwise
    assert refusal.reason == NOT_CREATED
    assert pod_.refusal("good") is None
    seen = shown(pod_, container="good")
    assert seen == subpaths.tree / "v1", ignored(when=is_root(seen, subpaths), what=IGNORED)
    pod_.wait_refusal(NOT_CREATED, container="bad")
    assert Tree.from_json(pod_.look(tree(), container="good").of("tree")["entries"]) == subpaths.tree / "v1"


@verifies("SUB-14")
@pytest.mark.parametrize(
    ("written", "meant"),
    [("", ""), (".", ""), ("nested/", "nested"), ("./nested", "nested"), ("nested//one", "nested/one")],
    ids=["nothing", "dot", "slash at the end", "dot slash", "two slashes"],
)
def test_spellings_of_one_path(pods: Pods, subpaths: Asset, written: str, meant: str) -> None:
    """Given a spelling of a directory's path, or of the root's, when a container mounts it as subPath, then the mount shows that directory."""
    pod_ = pods.start(mounting(subpaths.reference, sub_path=written))
    refusal = pod_.refusal()

    assert refusal is None, str(refusal)
    seen = shown(pod_)
    if meant:
        assert seen == subpaths.tree / meant, ignored(when=is_root(seen, subpaths), what=IGNORED)
    else:
        assert is_root(seen, subpaths)


@verifies("SUB-15")
@pytest.mark.parametrize(
    "name",
    [DEEP, *(f"names/{name}" for name in ODD_NAMES if name not in HAZARDS)],
    ids=["20 levels", *(name[:16] for name in ODD_NAMES if name not in HAZARDS)],
)
def test_deep_long_and_foreign_names(pods: Pods, subpaths: Asset, name: str) -> None:
    """Given a directory 20 levels down, or with a name of 255 bytes, of other alphabets, or with spaces, when a container mounts it as
    subPath, then the mount shows that directory.
    """
    pod_ = pods.start(mounting(subpaths.reference, sub_path=name))
    refusal = pod_.refusal()

    assert refusal is None, str(refusal)
    seen = shown(pod_)
    assert seen == subpaths.tree / name, ignored(when=is_root(seen, subpaths), what=IGNORED)


@verifies("SUB-16")
@pytest.mark.parametrize("name", HAZARDS)
def test_name_is_not_interpreted(pods: Pods, subpaths: Asset, name: str) -> None:
    """Given a directory whose name holds characters that mount options or shells give a meaning, when a container mounts it as subPath, then
    the mount shows that directory or the container is not created: never another directory.
    """
    pod_ = pods.start(mounting(subpaths.reference, sub_path=f"names/{name}"))
    refusal = pod_.refusal()
    if refusal is None:
        seen = shown(pod_)
        assert seen == subpaths.tree / f"names/{name}", ignored(when=is_root(seen, subpaths), what=IGNORED)
    else:
        assert refusal.reason in (NOT_CREATED, "RunContainerError", "StartError")
