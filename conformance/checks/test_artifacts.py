"""OCI artifacts that are no images: their files, where a runtime mounts them, and a visible failure where it doesn't."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from conformance.control import control
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.crio import Crio
from fixtures.errors import Inapplicable, Unsupported
from fixtures.manifests import container, empty_dir, image_volume, mount, mounting, pod, tree
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pod, Pods, Refusal
from images import artifact as artifact_asset
from images.oci.image import Artifact, ArtifactFile
from images.oddities import programs
from images.tree import Tree

WHAT = "the artifact"
NEED = "artifacts"
TMP = "/tmp"  # noqa: S108 - the container's
NOT_CREATED = {"CreateContainerError", "RunContainerError", "StartError"}

FILE_CALLS = (
    "open for writing",
    "open for reading and writing",
    "append",
    "truncate on opening",
    "truncate",
    "chmod",
    "chown",
    "utime",
)
DIRECTORY_CALLS = ("create", "mkdir", "symlink", "mknod")


def shown(pod_: Pod, path: str = "/vol") -> Tree:
    """What a started Pod shows at the mount: an empty tree where there is nothing, not even a directory."""
    return Tree.from_json(pod_.answers().of("tree", path).get("entries") or {})


def as_files(tree_: Tree) -> Tree:
    """A tree as far as an artifact says what it must be: names and bytes. A layer has no mode, owner or time."""
    return tree_.without("mode", "uid", "gid", "mtime", "nlink")


def hashes(tree_: Tree) -> set[str | None]:
    """The contents of a tree's files, whatever they are called."""
    return {entry.sha256 for entry in tree_.values() if entry.type == "file"}


def refused(refusal: Refusal) -> Unsupported:
    """A target that refuses artifacts visibly need not have them."""
    return Unsupported(str(refusal), need=NEED)


@pytest.fixture
def artifact(repositories: Repositories, build: str) -> Asset:
    """An artifact of plain files with the empty config, pushed."""
    return repositories.new("artifact").push(artifact_asset.image(build))


@pytest.fixture
def mounted(pods: Pods, artifact: Asset) -> Asset:
    """The artifact, on a target that mounts artifacts. Unsupported where it refuses, Inapplicable where nothing of it is shown."""
    pod_ = pods.start(mounting(artifact.reference))
    refusal = pod_.refusal()
    if refusal is not None:
        raise refused(refusal)
    if not hashes(shown(pod_)) & hashes(artifact.tree):
        raise Inapplicable(
            "applies where artifacts are mounted: here the container started without any of its files (ART-03)"
        )
    return artifact


@verifies("ART-01")
def test_layers_become_files(pods: Pods, artifact: Asset) -> None:
    """Given an artifact whose layers are plain files with titles, when a container mounts it, then the mount shows each of them by its
    title, with the layer's bytes, and nothing else.
    """
    pod_ = pods.start(mounting(artifact.reference))
    refusal = pod_.refusal()
    if refusal is not None:
        raise refused(refusal)

    seen = as_files(shown(pod_))
    assert seen == as_files(artifact.tree), ignored(when=not hashes(seen), what=WHAT)


@verifies("ART-02")
def test_example_of_the_kep(pods: Pods, repositories: Repositories, build: str, architecture: str) -> None:
    """Given the KEP's ORAS example, two tar layers and a config of an image's type without `rootfs.diff_ids`, when a container mounts it,
    then the mount shows the files of both layers.
    """
    example = artifact_asset.oras_example(build, architecture=architecture)
    asset = repositories.new("oras").push(example)
    pod_ = pods.start(mounting(asset.reference))
    refusal = pod_.refusal()
    if refusal is not None:
        raise refused(refusal)

    seen = as_files(shown(pod_))
    assert seen == as_files(asset.tree), ignored(when=not hashes(seen), what=WHAT)


@verifies("ART-03")
@pytest.mark.parametrize(
    "kind",
    [
        artifact_asset.image,
        artifact_asset.tar_layers,
        artifact_asset.untitled,
        artifact_asset.same_titles,
    ],
    ids=["plain files", "tar layers", "no titles", "one title twice"],
)
def test_never_an_empty_or_foreign_directory(
    pods: Pods, repositories: Repositories, build: str, kind: Callable[[str], Artifact]
) -> None:
    """Given an artifact of some kind, when a container mounts it, then either the container waits with an error, or the mount shows files of
    the artifact, as blobs or unpacked, and none that is not the artifact's.
    """
    pushed = kind(build)
    asset = repositories.new("artifact").push(pushed)
    pod_ = pods.start(mounting(asset.reference))

    if pod_.refusal() is None:
        blobs = {hashlib.sha256(one.data).hexdigest() for one in pushed.files}
        seen = hashes(shown(pod_))
        assert seen, ignored(when=True, what=WHAT)
        assert seen <= blobs | hashes(artifact_asset.oras_example(build).tree)


@verifies("ART-04")
def test_artifacts_with_one_config_stay_apart(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given two artifacts with the same config, the empty one, when one Pod mounts both, then each mount shows its own artifact's files, or
    the container waits with an error.
    """
    one, two = (
        repositories.new(name).push(artifact_asset.image(f"{build}-{name}")) for name in ("one", "two")
    )
    mounts = [mount("/one", volume="one"), mount("/two", volume="two")]
    volumes = [image_volume(one.reference, name="one"), image_volume(two.reference, name="two")]
    pod_ = pods.start(pod([container((tree("/one"), tree("/two")), mounts=mounts)], volumes=volumes))

    if pod_.refusal() is None:
        seen = hashes(shown(pod_, "/one")), hashes(shown(pod_, "/two"))
        expected = hashes(one.tree), hashes(two.tree)
        assert seen == expected, ignored(when=not any(seen), what=WHAT)


@verifies("ART-05")
def test_sub_path_chooses_files(pods: Pods, mounted: Asset) -> None:
    """Given an artifact with titles in directories, when containers mount it with the subPath `model`, then they see the files whose titles
    begin so; with one that no title begins with, not even as a part of a name, the container is not created.
    Control: without a subPath the files are mounted.
    """
    below = pods.start(mounting(mounted.reference, sub_path="model"))
    refusal = below.refusal()
    assert refusal is None, str(refusal)
    seen, whole = as_files(shown(below)), as_files(mounted.tree)
    assert seen == whole / "model", ignored(when=seen == whole, what="the subPath")

    for absent in ("nope", "mod"):
        pod_ = pods.start(mounting(mounted.reference, sub_path=absent))
        refusal = pod_.refusal()
        assert refusal is not None, ignored(when=as_files(shown(pod_)) == whole, what="the subPath")
        assert refusal.reason == "CreateContainerError"
        assert absent in refusal.message


@verifies("ART-06")
@pytest.mark.parametrize(
    "title", ["../{name}", "model/../../{name}", f"{TMP}/{{name}}", f"../../..{TMP}/{{name}}", "/../{name}"]
)
def test_title_stays_below_the_mount(
    pods: Pods, repositories: Repositories, mounted: Asset, build: str, title: str
) -> None:
    """Given an artifact with a title that is absolute or holds `..`, when a container mounts it, then the file is below mountPath, or nowhere,
    or the container is not created: never in another place.
    Control: a title with directories in it gives a file in those directories.
    """
    control("model/config.json" in mounted.tree, "an artifact with directories in a title is mounted")
    name = f"canary-{build}"
    hostile = artifact_asset.escaping(build, titles={title.format(name=name): build, "good": f"good {build}"})
    asset = repositories.new("hostile").push(hostile)
    looks = (tree(), ("names", "/"), ("names", TMP), ("names", "/vol/.."))
    pod_ = pods.start(mounting(asset.reference, *looks))
    refusal = pod_.refusal()
    if refusal is None:
        answers = pod_.answers()
        for place in ("/", TMP, "/vol/.."):
            assert name not in answers.of("names", place)
        assert hashes(shown(pod_)) <= {hashlib.sha256(one.data).hexdigest() for one in hostile.files}
    else:
        assert refusal.reason in NOT_CREATED


@verifies("ART-07")
@pytest.mark.usefixtures("mounted")
def test_files_are_read_only(
    root_pods: Pods,
    repositories: Repositories,
    build: str,
    architecture: str,
    observe: Callable[[Any, str], None],
) -> None:
    """Given a container that runs as root, when it tries to write to an artifact's file in every way, then each fails with EROFS, and the
    files are as they were. Whether a program among them can be executed, and whether files can be made beside them, is recorded.
    Control: the same calls succeed on an emptyDir in the same container.
    """
    program = ArtifactFile(title="hello", data=programs.hello(architecture) + build.encode())
    asset = repositories.new("program").push(artifact_asset.image(build, extra=[program]))
    looks = (
        ("process",),
        ("execute", "/vol/hello"),
        ("control", "/scratch"),
        ("writes", "/vol", "artifact.txt", "model", "artifact.txt"),
        tree(),
    )
    main = container(looks, mounts=[mount(), mount("/scratch", volume="scratch")])
    answers = root_pods.run(pod([main], volumes=[image_volume(asset.reference), empty_dir()]))

    control(answers.of("process")["uid"] == 0, "the container runs as root")
    possible = answers.of("control")
    control(
        all(possible[call] == "ok" for call in (*FILE_CALLS, *DIRECTORY_CALLS)), "the calls work elsewhere"
    )
    found = answers.of("writes")
    assert {call: found[call] for call in FILE_CALLS} == dict.fromkeys(FILE_CALLS, "EROFS")
    assert hashes(answers.tree()) >= hashes(asset.tree)
    ran = answers.of("execute")
    observe("runs" if "exit" in ran else ran["errno"], "a program in the artifact, when executed")
    observe({call: found[call] for call in DIRECTORY_CALLS}, "new entries beside the files, by call")


@verifies("ART-08")
@pytest.mark.disruptive
def test_artifacts_can_be_turned_off(crio: Crio, pods: Pods, mounted: Asset, build: str) -> None:
    """Given a CRI-O that runs with `oci_artifact_mount_support = false`, when a container mounts an artifact that is on the node, then it is
    not created.
    Control: with the option as it was, the same artifact is mounted.
    """
    was = crio.image_options().get("oci_artifact_mount_support")
    with crio.configured(build, "oci_artifact_mount_support", value=False):
        now = crio.image_options().get("oci_artifact_mount_support")
        pod_ = pods.start(mounting(mounted.reference, pull_policy="IfNotPresent"))
        refusal = pod_.refusal()

    control((was, now) == (True, False), f"the option was on and is off (it was {was} and is {now})")
    assert refusal is not None, ignored(when=True, what="oci_artifact_mount_support = false")
    assert refusal.reason == "CreateContainerError"


@verifies("ART-09")
def test_index_resolves_to_the_nodes_platform(
    pods: Pods, repositories: Repositories, mounted: Asset, build: str, architecture: str
) -> None:
    """Given an index of artifacts whose first entry is for another platform, when a container mounts it, then the mount shows the file of the
    artifact for the node's platform.
    Control: an artifact that is in no index is mounted.
    """
    index = artifact_asset.per_platform(build)
    asset = repositories.new("index").push(index)
    pod_ = pods.start(mounting(asset.reference))
    refusal = pod_.refusal()

    control(bool(hashes(mounted.tree)), "an artifact that is in no index is mounted")
    assert refusal is None, str(refusal)
    seen = as_files(shown(pod_))
    assert seen == as_files(index.tree_for(architecture)), ignored(when=not hashes(seen), what=WHAT)
