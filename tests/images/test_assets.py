"""The asset images: what they promise, that builds share nothing, and that somebody else's reader sees the same."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Callable

import pytest

from images import artifact, empty, hostile, layered, oddities, platforms, scale, site, subpaths
from images.assets import ASSETS
from images.oci.image import Image, Index, Reference
from images.oci.layer import MTIME, Layer
from images.oci.merge import UndefinedTreeError, merged
from images.tree import Tree

BUILDERS: dict[str, Callable[[str], Reference]] = {
    "artifact": artifact.image,
    "artifact, as ORAS makes it": artifact.oras_example,
    "artifact, tar layers": artifact.tar_layers,
    "artifact, per platform": artifact.per_platform,
    "artifact, escaping": artifact.escaping,
    "artifact, untitled": artifact.untitled,
    "artifact, one title twice": artifact.same_titles,
    "empty": empty.image,
    "hostile": hostile.image,
    "layered": layered.image,
    "oddities": oddities.image,
    "oddities, all": lambda build: oddities.image(build, xattrs=True, devices=True),
    "platforms": platforms.image,
    "scale": lambda build: scale.image(build, files=10, large=1000),
    "site": site.image,
    "site, zstd": lambda build: site.image(build, compression="zstd"),
    "site, Docker": lambda build: site.image(build, docker=True),
    "subpaths": subpaths.image,
}
every = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS.keys())
SINGLE = [site.image(), oddities.image(xattrs=True), subpaths.image()]


def digests(image: Reference) -> set[str]:
    """The digests of everything that a push of `image` writes, but for the config that all artifacts share."""
    children = {digest for child in image.children for digest in digests(child)}
    shared = hashlib.sha256(b"{}").hexdigest()
    return ({image.digest, *image.blobs} | children) - {f"sha256:{shared}"}


@every
def test_the_same_build_is_the_same_bytes(build: Callable[[str], Reference]) -> None:
    """An asset is a value: built twice, every digest is the same."""
    assert digests(build("a")) == digests(build("a"))


@every
def test_two_builds_share_nothing(build: Callable[[str], Reference]) -> None:
    """No layer, config or manifest of one build is in another, so no check has bytes by another's doing."""
    assert not digests(build("a")) & digests(build("b"))


@every
def test_blobs_are_what_their_descriptors_say(build: Callable[[str], Reference]) -> None:
    """Digest and size of each blob are those of its bytes."""
    for digest, blob in build("a").blobs.items():
        assert digest == blob.digest == f"sha256:{hashlib.sha256(blob.data).hexdigest()}"
        assert blob.size == len(blob.data)


@pytest.mark.parametrize("image", SINGLE, ids=["site", "oddities", "subpaths"])
def test_a_tar_reader_finds_the_tree(image: Image) -> None:
    """What the layer's tar says of each entry, read by Python's own reader, is what the tree promises."""
    (layer,) = image.layers
    with tarfile.open(fileobj=io.BytesIO(layer.data), encoding="utf-8", errors="surrogateescape") as archive:
        infos = {info.name: info for info in archive.getmembers()}
        assert infos.keys() == image.tree.keys()
        for path, entry in image.tree.items():
            info = infos[path]
            assert (info.mode, info.uid, info.gid, info.mtime) == (
                entry.mode,
                entry.uid,
                entry.gid,
                entry.mtime,
            ), path
            assert entry.target is None or info.linkname == entry.target
            if entry.type == "file":
                file = archive.extractfile(info)
                assert file is not None
                assert hashlib.sha256(file.read()).hexdigest() == entry.sha256


@pytest.mark.parametrize(
    "image",
    [
        layered.image(),
        oddities.image(devices=True),
        subpaths.image(names=["pod-1"]),
        site.image(),
        scale.image(files=3),
    ],
    ids=["layered", "oddities", "subpaths", "site", "scale"],
)
def test_every_directory_has_a_header_in_every_layer(image: Image) -> None:
    """No layer leaves a directory to the runtime, whose choice of mode and time nobody promises."""
    for layer in image.layers:
        named = {member.name.rstrip("/") for member in layer.written if member.type == "directory"}
        for member in layer.written:
            parents = member.name.rstrip("/").split("/")[:-1]
            for depth in range(1, len(parents) + 1):
                assert "/".join(parents[:depth]) in named, member.name
    assert None not in {entry.mtime for entry in image.tree.values()}
    assert None not in {entry.nlink for entry in image.tree.values() if entry.type == "file"}


def test_the_site_is_the_articles() -> None:
    """The site lies under /site: page, style, script and the build."""
    assert list(site.image().tree) == [
        "site",
        *(f"site/{name}" for name in ("app.css", "app.js", "build.json", "index.html")),
    ]
    assert site.image("7").tree["site/build.json"] != site.image("8").tree["site/build.json"]


def test_encodings_do_not_change_the_tree() -> None:
    """Every compression and both families of media types show the same files."""
    trees = [
        site.image(compression=way, docker=docker).tree
        for way in ("gzip", "zstd", "none")
        for docker in (False, True)
    ]
    assert trees == [site.image().tree] * 6


def test_layered_is_what_its_layers_leave() -> None:
    """Written down by hand: the names that remain, where each comes from, and what the last headers say."""
    image = layered.image("7")
    tree = image.tree
    assert len(image.layers) == 4
    assert list(tree) == LAYERED
    assert tree["config/overridden.conf"].sha256 == digest("from = the third layer, build 7\n")
    assert tree["config/kept.conf"].sha256 == digest("from = the first layer\n")
    assert tree["data/returning.txt"].sha256 == digest("from the fourth layer, build 7\n")
    assert tree["cache/again.txt"].sha256 == digest("from the second layer, build 7\n")
    assert (tree["config/closed.conf"].mode, tree["config/closed.conf"].uid) == (0o600, 1000)
    assert (tree["config"].mode, tree["config"].gid, tree["config"].mtime) == (0o750, 1000, 1_000_000_000)
    assert tree["data"].mtime == MTIME
    assert (tree["data/large.bin"].size or 0) >= 256 * 1024
    assert [tree[f"links/{name}"].nlink for name in ("one", "two", "three")] == [3, 3, 3]
    assert {
        path: tree[path].type for path in LAYERED if path.count("/") == 1 and path.startswith("types")
    } == {
        "types/directory-file-directory": "directory",
        "types/directory-to-file": "file",
        "types/directory-to-link": "symlink",
        "types/file-to-directory": "directory",
        "types/file-to-link": "symlink",
        "types/link-to-directory": "directory",
        "types/link-to-file": "file",
    }


LAYERED = [
    "cache",
    "cache/again.txt",
    "cache/later.txt",
    "cache/new.txt",
    "config",
    "config/closed.conf",
    "config/kept.conf",
    "config/overridden.conf",
    "data",
    "data/large.bin",
    "data/rebuilt-directory",
    "data/rebuilt-directory/new.txt",
    "data/returning.txt",
    "history",
    "history/0.json",
    "history/1.json",
    "history/2.json",
    "history/3.json",
    "links",
    "links/one",
    "links/three",
    "links/two",
    "types",
    "types/directory-file-directory",
    "types/directory-file-directory/second.txt",
    "types/directory-to-file",
    "types/directory-to-link",
    "types/file-to-directory",
    "types/file-to-directory/inner.txt",
    "types/file-to-link",
    "types/link-to-directory",
    "types/link-to-directory/inner.txt",
    "types/link-to-file",
]


def digest(text: str) -> str:
    """The hex SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("wrong", ["reversed", "whiteouts ignored", "opaque ignored"])
def test_layered_notices_a_wrong_merge(wrong: str) -> None:
    """The layers in reverse, or without their whiteouts or opaque marks, make another tree."""
    image = layered.image()
    layers = list(image.layers)
    if wrong == "reversed":
        layers.reverse()
    else:
        opaque = wrong == "opaque ignored"
        for number, layer in enumerate(layers):
            kept = [
                m
                for m in layer.members
                if "/.wh." not in m.name or (m.name.endswith(".wh..wh..opq") != opaque)
            ]
            layers[number] = type(layer)(kept)
    try:
        seen = Image(layers).tree
    except UndefinedTreeError:
        return
    assert image.tree.differences(seen)


def test_oddities_have_every_kind_of_entry() -> None:
    """Names, modes, owners, links and times of the requirements are there."""
    tree = oddities.image(devices=True, xattrs=True).tree
    names = [os.fsencode(name) for name in tree / "names"]
    assert max(map(len, names)) == 255
    assert len([name for name in names if len(name) == 255]) == 2
    assert {entry.mode for entry in (tree / "modes").values()} >= {0o400, 0o600, 0o640, 0o755, 0o1777, 0o4755}
    assert {entry.uid for entry in (tree / "owners").values()} == {0, 1000, 65532}
    assert {tree[f"times/{name}"].mtime for name in oddities.TIMES} == set(oddities.TIMES.values())
    assert max(path.count("/") for path in tree / "deep") == oddities.DEPTH - 1
    assert tree["hardlinks/one"].nlink == tree["elsewhere/three"].nlink == 3
    assert (tree["empty-file"].size, len(tree / "empty-directory")) == (0, 0)
    assert tree["xattrs/user"].xattrs == {"user.comment": b"kept by the unpacker".hex()}
    kinds = {"fifo", "character device", "block device"}
    assert {entry.type for entry in (tree / "devices").values()} == kinds
    assert tree["bin/effective-user-setuid"].mode & stat.S_ISUID


def test_oddities_need_nothing_special_by_default() -> None:
    """Without being asked, there are no device nodes and no attributes, which not every node can unpack."""
    tree = oddities.image().tree
    assert {entry.type for entry in tree.values()} == {"file", "directory", "symlink"}
    assert not any(entry.xattrs for entry in tree.values())


def test_subpaths_have_a_marker_in_each_directory() -> None:
    """Every directory to be mounted, and every name that was asked for, tells by its marker which one it is."""
    tree = subpaths.image("7", names=["pod-1"]).tree
    odd = [f"names/{name}" for name in subpaths.ODD_NAMES]
    for path in (*subpaths.DIRECTORIES, *odd, "pod-1", "closed/inner"):
        assert (tree / path)["marker.txt"].sha256 == digest(subpaths.marker(path, "7"))
    assert len(tree / "empty") == 0


def test_subpath_links_lead_where_they_say() -> None:
    """Links inside the image lead to a directory of it; escaping ones leave it from wherever it lies."""
    tree = subpaths.image().tree
    for links in (subpaths.ESCAPING, subpaths.INSIDE, subpaths.ABSOLUTE):
        assert {name: tree[name].target for name in links} == links
    assert tree["v2"].type == tree["v1"].type == tree["nested/one"].type == tree["site"].type == "directory"
    assert subpaths.ESCAPING["evil"].count("../") > 10


def test_platforms_differ_by_their_marker() -> None:
    """Each platform's tree says for whom it is, the first entry is for nobody, and a foreign index has nothing for nodes."""
    index = platforms.image()
    assert list(index.images) == ["wasip1/wasm", "linux/amd64", "linux/arm64"]
    for architecture in ("amd64", "arm64"):
        assert index.tree_for(architecture)["platform.txt"].sha256 == digest(f"linux/{architecture}\n")
    with pytest.raises(KeyError, match="nothing for linux/amd64"):
        platforms.image(platforms=[platforms.FOREIGN]).tree_for("amd64")


@pytest.mark.parametrize(
    ("shape", "layers", "entries"), [("directory", 1, 1), ("empty layer", 1, 0), ("no layers", 0, 0)]
)
def test_empty_has_every_shape_of_nothing(shape: empty.Shape, layers: int, entries: int) -> None:
    """An empty directory, a layer without an entry and an image without a layer."""
    image = empty.image(shape=shape)
    assert (len(image.layers), len(image.tree)) == (layers, entries)
    assert empty.image("2", shape=shape).digest != image.digest


@pytest.mark.parametrize("way", hostile.WAYS)
def test_hostile_layers_aim_outside(way: hostile.Way) -> None:
    """Each way names the canary outside, as it is, and no tree is promised."""
    image = hostile.image(way=way)
    with tarfile.open(fileobj=io.BytesIO(image.layers[0].data)) as archive:
        infos = archive.getmembers()
    outside = [text for info in infos for text in (info.name, info.linkname) if text.startswith(("/", ".."))]
    assert outside
    assert any(hostile.CANARY in info.name + info.linkname for info in infos)
    with pytest.raises(UndefinedTreeError):
        _ = image.tree


def test_artifacts_come_in_every_form() -> None:
    """Plain files, an image without diff_ids, tar layers, files without titles, and an index of artifacts."""
    assert list(artifact.image().tree) == [
        "artifact.txt",
        "model",
        "model/config.json",
        "model/weights",
        "model/weights/part-1.bin",
    ]
    assert list(artifact.oras_example().tree) == ["dir", "dir/file", "file"]
    assert len(artifact.tar_layers().blobs) == 3
    assert list(artifact.untitled().tree) == []
    assert artifact.same_titles().tree["twice.txt"].sha256 == digest("two, build 1\n")
    assert artifact.per_platform().tree_for("arm64")["platform.txt"].sha256 == digest(
        "linux/arm64, build 1\n"
    )
    with pytest.raises(UndefinedTreeError):
        _ = artifact.escaping().tree


def test_scale_is_as_large_as_asked() -> None:
    """Numbers of files, depth and size are those that were asked for."""
    tree = scale.image(files=2005, depth=64, large=(1 << 20) + 1).tree
    assert len([path for path in tree if path.endswith(".txt") and path.startswith("files/")]) == 2005
    assert max(path.count("/") for path in tree) == 64
    assert tree["large/file.bin"].size == (1 << 20) + 1


def test_a_crowd_is_the_layer_of_its_members() -> None:
    """What is written fast is byte for byte what the plain layer would be, and its summary that of the tree."""
    fields = ("type", "mode", "size", "sha256", "mtime")
    crowd = scale.Crowd(1002, "build")
    plain = Layer(list(crowd.members))
    assert crowd.digest == plain.digest
    assert crowd.summary(*fields) == merged([plain]).summary(*fields)
    assert len(merged([plain])) == len(crowd.members) == 1004


def test_a_large_file_travels_small() -> None:
    """A sparse file's layer is a thousandth of it, unpacks to the file, and two builds differ."""
    image = scale.large("1", size=(32 << 20) + 5)
    assert image.layers[0].size < 64 << 10
    with tarfile.open(fileobj=io.BytesIO(image.layers[0].data)) as archive:
        member = archive.extractfile("file.bin")
        assert member is not None
        assert hashlib.sha256(member.read()).hexdigest() == image.tree["file.bin"].sha256
    assert scale.large("2", size=(32 << 20) + 5).digest != image.digest


def test_names_and_stacks_are_as_long_as_promised() -> None:
    """Names of 255 bytes, 64 levels, a path beyond a ustar header's 255 bytes; as many layers as asked for, the last one's file on top."""
    names = list(scale.names().tree)
    assert max(len(part.encode()) for name in names for part in name.split("/")) == scale.LONGEST
    assert max(name.count("/") for name in names) == scale.DEPTH
    assert max(len(name.encode()) for name in names) > 1900
    stacked = scale.stacked("1", layers=7)
    assert len(stacked.layers) == 7
    assert stacked.tree["common"].sha256 == digest("layer 6\n")


@pytest.mark.parametrize("name", ASSETS)
def test_every_asset_can_be_built_by_name(name: str) -> None:
    """`ASSETS` builds each asset, and those for nodes name a tree or say why there is none."""
    image = ASSETS[name]()
    assert image.digest.startswith("sha256:")
    if isinstance(image, Index):
        assert isinstance(image.tree_for("amd64"), Tree)
    elif isinstance(image, Image) and name != "hostile":
        assert len(image.tree) > 0
