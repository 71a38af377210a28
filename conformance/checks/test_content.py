"""File system content: the volume shows the image's layers, merged as for a container image, every byte and every header."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.manifests import Look, container, image_volume, mount, mounting, pod, tree
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pod, Pods
from images import platforms as platforms_asset
from images import site as site_asset
from images.oci.image import Image
from images.oci.layer import Layer, directory, file, opaque, symlink, whiteout
from images.oddities import programs
from images.tree import Tree


def shown(pod_: Pod, path: str = "/vol") -> Tree:
    """What a started Pod shows at the mount: an empty tree where there is nothing to list."""
    answer = pod_.answers().of("tree", path)
    return Tree.from_json(answer.get("entries") or {})


def nothing(seen: Tree) -> str:
    """What to say where the mount shows nothing at all."""
    return ignored(when=not len(seen), what="the image volume")


@verifies("IMG-01")
def test_scratch_image_can_be_mounted(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given an image of files only, without command, entrypoint, shell or anything to run, when a Pod mounts it, then its container starts
    and shows the files.
    """
    image = Image([Layer([file("data/one.txt", f"build {build}\n")])], config={})
    asset = repositories.new().push(image)
    pod_ = pods.start(mounting(asset.reference))

    assert pod_.refusal() is None, str(pod_.refusal())
    seen = shown(pod_)
    assert seen == asset.tree, nothing(seen)


@verifies("IMG-02")
def test_every_byte_is_the_layers(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given files from empty to several hundred KiB, when a Pod mounts the image, then each file has the size and hash that it has in the
    layer.
    """
    contents = {"empty": b"", "line": b"one line\n", "zeros": bytes(1 << 20), "build": build.encode()}
    contents |= {"binary": bytes(range(256)) * 3000, "edge": b"x" * 65536, "beyond": b"y" * 65537}
    asset = repositories.new().push(Image([Layer([file(name, data) for name, data in contents.items()])]))
    seen = pods.run(mounting(asset.reference)).tree()

    expected = {name: (entry.size, entry.sha256) for name, entry in asset.tree.items()}
    assert {name: (entry.size, entry.sha256) for name, entry in seen.items()} == expected, nothing(seen)


@verifies("IMG-03")
def test_later_layers_win(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a file that three of four layers have, and files that one layer has, when a Pod mounts the image, then it shows the file of the
    last of these layers and all the others.
    """
    names = ["0", "1", "2", "3"]
    layers = [
        Layer(
            [file("which", f"layer {name}\n"), file(f"only-{name}", f"{build} {name}\n")]
            if name != "3"
            else [file("only-3", build)]
        )
        for name in names
    ]
    asset = repositories.new().push(Image(layers))
    answers = pods.run(mounting(asset.reference, tree(), ("read", "/vol/which")))

    seen = answers.tree()
    assert set(seen) == {"which", *(f"only-{name}" for name in names)}, nothing(seen)
    assert answers.of("read") == {"text": "layer 2\n"}
    assert seen == asset.tree


@verifies("IMG-04")
def test_whiteout_hides(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a file and a directory of a lower layer that an upper layer whites out, when a Pod mounts the image, then neither is there, nor
    is any whiteout; what stands beside them is.
    Control: the files beside the hidden ones are shown.
    """
    lower = Layer(
        [
            file("gone", "lower"),
            file("kept", build),
            file("folder/gone", "lower"),
            file("dropped/inner", "lower"),
        ]
    )
    upper = Layer(
        [
            whiteout("gone"),
            directory("folder"),
            whiteout("folder/gone"),
            whiteout("dropped"),
            file("new", build),
        ]
    )
    asset = repositories.new().push(Image([lower, upper]))
    seen = pods.run(mounting(asset.reference)).tree()

    assert set(seen) == {"kept", "folder", "new"}, nothing(seen)
    assert set(seen) == set(asset.tree)


@verifies("IMG-05")
def test_opaque_directory_hides_what_is_below(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a directory that an upper layer makes opaque, when a Pod mounts the image, then it shows the upper layer's entries of that
    directory alone.
    Control: another directory of the lower layer is shown whole.
    """
    lower = Layer([file("opaque/old", "lower"), file("opaque/again", "lower"), file("other/old", build)])
    upper = Layer(
        [directory("opaque"), file("opaque/again", "upper"), opaque("opaque"), file("opaque/new", build)]
    )
    asset = repositories.new().push(Image([lower, upper]))
    answers = pods.run(mounting(asset.reference, tree(), ("read", "/vol/opaque/again")))

    seen = answers.tree()
    assert set(seen) == {"opaque", "opaque/again", "opaque/new", "other", "other/old"}, nothing(seen)
    assert answers.of("read") == {"text": "upper"}


@verifies("IMG-06")
def test_upper_layer_decides_the_type(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given names that are a directory, a file or a link in a lower layer and something else in an upper one, when a Pod mounts the image,
    then each is what the upper layer says, and nothing of the lower one shows through.
    """
    lower = Layer(
        [
            file("directory-to-file/inner", "lower"),
            file("file-to-directory", "lower"),
            file("target/inner", build),
            symlink("link-to-directory", "target"),
            file("file-to-link", "lower"),
            file("directory-to-link/inner", "lower"),
        ]
    )
    upper = Layer(
        [
            file("directory-to-file", "upper"),
            file("file-to-directory/inner", "upper"),
            file("link-to-directory/own", "upper"),
            symlink("file-to-link", "target/inner"),
            symlink("directory-to-link", "target"),
        ]
    )
    asset = repositories.new().push(Image([lower, upper]))
    seen = pods.run(mounting(asset.reference)).tree()

    assert {path: entry.type for path, entry in seen.items()} == {
        path: entry.type for path, entry in asset.tree.items()
    }, nothing(seen)


@verifies("IMG-07")
def test_links_are_kept_as_they_are(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given relative, absolute and dangling symbolic links, when a Pod mounts the image, then each has its own target, and an absolute one
    leads to the container's root: not to the volume's.
    Control: a relative link to a file of the image can be read.
    """
    links = {"relative": "here", "absolute": "/probe/probe.py", "inside": "/here", "dangling": "nowhere"}
    members = [file("here", build), *(symlink(name, target) for name, target in links.items())]
    asset = repositories.new().push(Image([Layer(members)]))
    reads: list[Look] = [("read", f"/vol/{name}") for name in links]
    answers = pods.run(mounting(asset.reference, tree(), *reads))

    seen = answers.tree()
    assert {name: seen[name].target for name in links if name in seen} == links, nothing(seen)
    assert answers.of("read", "/vol/relative") == {"text": build}
    assert "The probe" in answers.of("read", "/vol/absolute").get("text", "")
    assert answers.of("read", "/vol/inside") == {"errno": "ENOENT"}
    assert answers.of("read", "/vol/dangling") == {"errno": "ENOENT"}


@verifies("IMG-09")
def test_modes_owners_and_times_are_the_headers(root_pods: Pods, oddities: Asset, many_ids: None) -> None:
    """Given entries of every mode, of several owners, and of times past and future, when a Pod mounts the image, then mode, uid, gid and
    mtime of each are those of its header.
    """
    del many_ids
    seen = root_pods.run(mounting(oddities.reference)).tree()

    def headers(found: Tree) -> dict[str, tuple[int, int, int, int | None]]:
        return {
            path: (entry.mode & 0o777, entry.uid, entry.gid, entry.mtime) for path, entry in found.items()
        }

    assert headers(seen) == headers(oddities.tree), nothing(seen)


Variation = Callable[[str], Image]
ENCODINGS: dict[str, Variation] = {
    "OCI gzip": lambda build: site_asset.image(build, compression="gzip"),
    "OCI zstd": lambda build: site_asset.image(build, compression="zstd"),
    "OCI plain": lambda build: site_asset.image(build, compression="none"),
    "Docker gzip": lambda build: site_asset.image(build, docker=True),
}


@verifies("IMG-15")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_of_layers(pods: Pods, repositories: Repositories, build: str, encoding: str) -> None:
    """Given the same tree in layers that are gzip, zstd or plain tar, and with Docker's media types, when a Pod mounts the image, then it
    shows the same tree.
    """
    asset = repositories.new().push(ENCODINGS[encoding](build))
    pod_ = pods.start(mounting(asset.reference))

    assert pod_.refusal() is None, str(pod_.refusal())
    seen = shown(pod_)
    assert seen == asset.tree, nothing(seen)


@verifies("IMG-16")
def test_index_resolves_to_the_nodes_platform(
    pods: Pods, repositories: Repositories, build: str, architecture: str
) -> None:
    """Given an index of several platforms, the first of them foreign, when a Pod mounts it, then it shows the image of the node's platform."""
    repository = repositories.new("platforms")
    index = platforms_asset.image(build)
    asset = repository.push(index)
    pod_ = pods.start(mounting(asset.reference, tree(), ("read", "/vol/platform.txt")))

    assert pod_.refusal() is None, str(pod_.refusal())
    assert pod_.answers().of("read") == {"text": f"linux/{architecture}\n"}
    assert shown(pod_) == asset.as_shown(index.tree_for(architecture))


@verifies("IMG-21")
@pytest.mark.parametrize("root_read_only", [False, True], ids=["root writable", "root read-only"])
def test_mount_replaces_its_path_only(pods: Pods, site: Asset, root_read_only: bool) -> None:
    """Given a mountPath that the container's image has, and one that it hasn't, when a Pod mounts the volume at both, then each shows the
    volume, what the image had below the first is hidden, and everything beside it is as before.
    Control: without the mount, the same container shows its own files there.
    """
    looks = (("names", "/"), ("names", "/etc"), tree("/etc/own"), tree("/made/for/it"), ("names", "/made"))
    mounts = [mount("/etc/own"), mount("/made/for/it")]
    main = container(looks, mounts=mounts)
    if root_read_only:
        main["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
    before = pods.run(pod([container((("names", "/"), ("names", "/etc")))]))
    pod_ = pods.start(pod([main], volumes=[image_volume(site.reference)]))

    assert pod_.refusal() is None, str(pod_.refusal())
    answers = pod_.answers()
    assert answers.tree("/etc/own") == site.tree
    assert answers.tree("/made/for/it") == site.tree
    assert answers.of("names", "/made") == ["for"]
    assert set(answers.of("names", "/")) == {*before.of("names", "/"), "made"}
    assert set(own(before.of("names", "/etc"))) <= set(answers.of("names", "/etc"))


@verifies("IMG-22")
def test_program_of_the_volume_runs(
    pods: Pods, repositories: Repositories, build: str, architecture: str
) -> None:
    """Given an image with a static program, when the container executes it from the volume, then it runs.
    Control: a file without the execute bit is refused.
    """
    members = [
        file("hello", programs.hello(architecture), mode=0o755),
        file("plain", programs.hello(architecture), mode=0o644),
        file("build", build),
    ]
    asset = repositories.new().push(Image([Layer(members)], architecture=architecture))
    looks = (("execute", "/vol/hello"), ("execute", "/vol/plain"), ("mounts", "/vol"))
    answers = pods.run(mounting(asset.reference, *looks))

    assert answers.of("execute", "/vol/hello") == {"exit": 0, "output": programs.GREETING}
    assert answers.of("execute", "/vol/plain") == {"errno": "EACCES"}


def own(names: list[str]) -> list[str]:
    """The names of an image's /etc, without those that runtimes put into a container besides."""
    return [name for name in names if name not in ("hostname", "hosts", "resolv.conf", "mtab")]
