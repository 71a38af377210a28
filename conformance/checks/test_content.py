"""File system content: the volume shows the image's layers, merged as for a container image, every byte and every header."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from conformance.control import control, in_time
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.manifests import Look, container, image_volume, mount, mounting, pod, tree
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pod, Pods, Refusal, container_statuses
from images import oddities as oddities_asset
from images import platforms as platforms_asset
from images import site as site_asset
from images.oci.image import Image
from images.oci.layer import Layer, device, directory, fifo, file, hardlink, opaque, symlink, whiteout
from images.oddities import programs
from images.tree import Tree

Observe = Callable[[Any, str], None]
NO_DEVICE = {"EPERM", "EACCES", "ENOENT"}
"""What opening a device node that gives no access ends with: by device control, a mount without devices, or since it was left out."""


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


@verifies("IMG-08")
def test_linked_names_are_one_file(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given files with several names in one layer, of which an upper layer links one anew, when a Pod mounts the image, then the names that
    a layer links with each other are one inode, and know how many they are.
    Control: a file of one name, with the same content, is an inode of its own.
    """
    lower = Layer(
        [
            file("one", build),
            hardlink("two", "one"),
            hardlink("folder/three", "one"),
            file("alone", build),
            file("old", "lower"),
            hardlink("old-too", "old"),
        ]
    )
    upper = Layer([file("old", f"upper {build}"), hardlink("new", "old")])
    asset = repositories.new().push(Image([lower, upper]))
    together = ("/vol/one", "/vol/two", "/vol/folder/three")
    above = ("/vol/old", "/vol/new")
    answers = pods.run(mounting(asset.reference, tree(), ("inodes", *together, *above, "/vol/alone")))

    seen, inodes = answers.tree(), answers.of("inodes")
    control("errno" not in inodes["/vol/alone"], "the files are there")
    assert {tuple(inodes[name]) for name in together} == {(*inodes["/vol/one"][:2], len(together))}
    assert {tuple(inodes[name]) for name in above} == {(*inodes["/vol/old"][:2], len(above))}
    assert inodes["/vol/alone"][1:] != inodes["/vol/one"][1:]
    assert seen == asset.tree, nothing(seen)


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


@verifies("IMG-10")
def test_special_bits_are_kept(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given files and directories with the setuid, setgid and sticky bits, when a Pod mounts the image, then each has its own.
    Control: a file and a directory without them have none.
    """
    files = (0o755, 0o4755, 0o2755, 0o6755, 0o1644, 0o4644)
    directories = (0o755, 0o1777, 0o2775, 0o3770)
    members = [file(f"file-{mode:04o}", build, mode=mode) for mode in files]
    members += [directory(f"directory-{mode:04o}", mode=mode) for mode in directories]
    asset = repositories.new().push(Image([Layer(members)]))
    seen = pods.run(mounting(asset.reference)).tree()

    modes = {path: f"{entry.mode:04o}" for path, entry in asset.tree.items()}
    assert {path: f"{entry.mode:04o}" for path, entry in seen.items()} == modes, nothing(seen)


COMMENT = b"kept by the unpacker"
ATTRIBUTES = {"user.comment": "xattrs/user", "security.capability": "xattrs/capability"}


@verifies("IMG-11")
def test_extended_attributes_are_kept(
    root_pods: Pods, repositories: Repositories, build: str, architecture: str
) -> None:
    """Given files with user attributes and capabilities, when one container of a Pod mounts the image and others run from it, then the
    volume has each attribute that the same image has as a root file system, with the layer's value.
    Control: as a root file system it has some.
    """
    programs_ = {
        name: file(f"bin/{name}", programs.attribute(architecture, f"/{path}", name), mode=0o755)
        for name, path in ATTRIBUTES.items()
    }
    image = oddities_asset.attributes(build, architecture=architecture, more=list(programs_.values()))
    asset = repositories.new().push(image)
    volume = container([tree()], mounts=[mount()])
    roots = [
        container(name=name.replace(".", "-"), image=asset.reference, command=[f"/bin/{name}"])
        for name in programs_
    ]
    pod_ = root_pods.started(pod([volume, *roots], volumes=[image_volume(asset.reference)]))
    seen = pod_.answers().tree()
    expected = {
        path: dict(asset.tree[path].xattrs)
        for name, path in ATTRIBUTES.items()
        if printed(pod_, name.replace(".", "-")) == bytes.fromhex(asset.tree[path].xattrs[name])
    }

    control(bool(expected), "the same image shows attributes as a root file system")
    assert {path: seen[path].xattrs for path in expected if path in seen} == expected, nothing(seen)


def printed(pod_: Pod, name: str) -> bytes:
    """What a container that is no probe has written."""
    return pod_.log(name).removesuffix("\n").encode()


@verifies("IMG-12")
def test_pipes_and_devices_do_no_harm(root_pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a pipe and device nodes beside a file, when a container mounts the image as root, then it shows the file and the pipe, and a
    block device cannot be opened.
    Control: the file can be opened; where the mount is refused, the same image without device nodes is shown.
    """
    harmless = [file("beside", build), fifo("pipe")]
    nodes = [device("disk", "block device", 7, 0), device("null", "character device", 1, 3)]
    repository = repositories.new()
    asset = repository.push(Image([Layer([*harmless, *nodes])]))
    looks: list[Look] = [("openings", "/vol/beside", "/vol/disk"), ("names", "/vol"), ("status", "/vol/pipe")]
    pod_ = root_pods.start(mounting(asset.reference, *looks))

    assert pod_.refusal() is None, str(pod_.refusal())
    answers = pod_.answers()
    openings = answers.of("openings")
    assert {"beside", "pipe"} <= set(answers.of("names")), ignored(
        when=not answers.of("names"), what="the image volume"
    )
    assert answers.of("status")["type"] == "fifo"
    control(openings["/vol/beside"] == "ok", "the probe can open a file of the volume")
    assert openings["/vol/disk"] in NO_DEVICE


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


PULL_FAILED = {"ErrImagePull", "ImagePullBackOff"}
HEALING_SECONDS = 60.0  # the kubelet's first back-off is 10 s, the second 20 s
FOREIGN = ("linux/s390x", "linux/mips64le")


@verifies("IMG-17")
@pytest.mark.parametrize("foreign", [*FOREIGN, platforms_asset.FOREIGN])
def test_index_without_the_nodes_platform(
    pods: Pods, repositories: Repositories, build: str, foreign: str
) -> None:
    """Given an index of other platforms only, when a Pod mounts it, then its container waits with ErrImagePull or ImagePullBackOff.
    Control: an index that also has the node's platform is shown.
    """
    repository = repositories.new("platforms")
    nothing_for_it = repository.push(platforms_asset.image(build, platforms=[foreign]), "foreign")
    complete = repository.push(
        platforms_asset.image(build, platforms=[foreign, *platforms_asset.NODES]), "complete"
    )
    pod_ = pods.start(mounting(nothing_for_it.reference))
    beside = pods.start(mounting(complete.reference))

    refusal = pod_.refusal()
    control(beside.refusal() is None, "an index that has the node's platform, too, is mounted")
    assert refusal is not None, "the image of another platform was mounted"
    assert refusal.reason in PULL_FAILED


@verifies("IMG-18")
def test_single_manifest_of_another_architecture(
    pods: Pods, repositories: Repositories, build: str, architecture: str, observe: Observe
) -> None:
    """Given an image outside of any index whose config names another architecture, when a Pod mounts it, then what comes of it is recorded.
    Control: the same image with the node's own architecture is shown.
    """
    repository = repositories.new("platforms")
    foreign = repository.push(platforms_asset.single(FOREIGN[0], build), "foreign")
    own = repository.push(platforms_asset.single(f"linux/{architecture}", build), "own")
    pod_ = pods.start(mounting(foreign.reference))

    control(pods.run(mounting(own.reference)).tree() == own.tree, "the image of the node's own is shown")
    refusal = pod_.refusal()
    if refusal is None:
        seen = shown(pod_) == foreign.tree
    observe(
        f"waits with {refusal.reason}" if refusal else "shown" if seen else "mounted, but not as it is",
        f"an image for {FOREIGN[0]} that is not in an index",
    )


@verifies("IMG-19")
def test_config_of_the_image_has_no_effect(root_pods: Pods, repositories: Repositories, build: str) -> None:
    """Given an image whose config has an environment, a user, a working directory, a command, volumes and ports, when a container mounts
    it, then its environment, user, working directory, arguments and mounts are those of its neighbour that does not.
    Control: the image is mounted.
    """
    config = {
        "Env": ["FROM_THE_VOLUME=1", "HOME=/from-the-volume", "PYTHONDONTWRITEBYTECODE=from-the-volume"],
        "User": "4242:4242",
        "WorkingDir": "/from-the-volume",
        "Entrypoint": ["/from-the-volume"],
        "Cmd": ["--", "names", "/from-the-volume"],
        "Volumes": {"/from-the-volume": {}},
        "ExposedPorts": {"4242/tcp": {}},
        "Labels": {"io.kubernetes.container.name": "from-the-volume"},
        "StopSignal": "SIGKILL",
    }
    asset = repositories.new().push(Image([Layer([file("one", build)])], config=config))
    looks: list[Look] = [("process",), ("mounts", "/"), ("names", "/")]
    neighbour = container(looks, name="neighbour")
    main = container([*looks, tree()], mounts=[mount()])
    pod_ = root_pods.started(pod([main, neighbour], volumes=[image_volume(asset.reference)]))
    answers, plain = pod_.answers(), pod_.answers("neighbour")

    control(answers.tree() == asset.tree, "the image is mounted")
    for fact in ("environment", "uid", "gid", "groups", "cwd"):
        assert answers.of("process")[fact] == plain.of("process")[fact], fact
    assert not [one for one in answers.of("mounts", "/") if one["point"].startswith("/from-the-volume")]
    assert "from-the-volume" not in answers.of("names")
    assert [line["look"] for line in answers.lines] == ["process", "mounts", "names", "tree"]


CORRUPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "a layer with a wrong byte": ("layer", {"corrupt": True}),
    "a layer that is cut": ("layer", {"truncate": 4096}),
    "a config with a wrong byte": ("config", {"corrupt": True}),
    "a manifest with a wrong byte": ("manifest", {"corrupt": True}),
}


@verifies("IMG-20")
def test_wrong_bytes_are_never_mounted(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a registry that sends a layer, a config or a manifest with a wrong byte, or a layer cut short, when Pods mount these images by
    digest, then each container waits with ErrImagePull or ImagePullBackOff; and starts with the right content once the right bytes come.
    """
    started: dict[str, tuple[Asset, Pod]] = {}
    for name, (part, effect) in CORRUPTIONS.items():
        image = plain_image(f"{build} {name}")
        parts = {
            "layer": image.layers[0].digest,
            "config": image.config_blob.digest,
            "manifest": image.digest,
        }
        asset = repositories.new().push(image)
        asset.repository.misbehave(references=[parts[part]], methods=["GET"], **effect)
        started[name] = asset, pods.create(mounting(asset.pinned))
    refusals: dict[str, Refusal | None] = {}
    for name, (_, pod_) in started.items():
        pod_.settle()
        refusals[name] = pod_.refusal()
    for asset, _ in started.values():
        asset.repository.heal()

    for name, refusal in refusals.items():
        assert refusal is not None, f"{name} was accepted"
        assert refusal.reason in PULL_FAILED, name
    for name, (asset, pod_) in started.items():
        healed = in_time(partial(pod_.wait_started, "main", seconds=HEALING_SECONDS))
        assert healed is not None, (
            f"{name}: the Pod did not start within {HEALING_SECONDS:.0f} s of the healing"
        )
        assert shown(pod_) == asset.tree, name


def plain_image(build: str) -> Image:
    """An image that a wrong byte in its middle leaves readable: only its digest tells."""
    config = {"Labels": {"padding": "x" * 4000}}
    return Image([Layer([file("one", f"{build}\n".encode() * 4000)], compression="none")], config=config)


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


@verifies("IMG-23")
def test_no_container_is_made_of_the_image(pods: Pods, repositories: Repositories, build: str) -> None:
    """Given a Pod that shares its process namespace, and an image with a command, when it mounts the image, then its status has its own
    container and no other, none is of that image, and there are no more processes than in the same Pod without the volume.
    Control: the image is mounted.
    """
    config = {"Entrypoint": ["/hello"], "Cmd": ["/hello"]}
    asset = repositories.new().push(Image([Layer([file("hello", build, mode=0o755)])], config=config))
    look: Look = ("process",)
    plain = pods.started(pod([container([look])], shareProcessNamespace=True))
    pod_ = pods.started(mounting(asset.reference, look, tree(), shareProcessNamespace=True))
    answers, beside = pod_.answers(), plain.answers()
    statuses = container_statuses(pod_.state())

    control(answers.tree() == asset.tree, "the image is mounted")
    assert [one["name"] for one in statuses] == ["main"]
    assert all(asset.repository.name not in one["image"] + one["imageID"] for one in statuses)
    assert len(answers.of("process")["processes"]) == len(beside.of("process")["processes"])
