"""images/__main__.py and images/oci/layout.py: layouts on disk, which other tools read, and folders that are not ours."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from images import __main__ as program
from images import artifact, empty, layered, oddities, platforms, scale, site, subpaths
from images.oci.image import Image, Reference
from images.oci.layout import write_layout
from tests.images.registry import serving
from tests.images.walk import walk

needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
needs_umoci = pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed")

OCI_IMAGES: dict[str, Reference] = {
    "site": site.image(),
    "site-zstd": site.image(compression="zstd"),
    "site-plain": site.image(compression="none"),
    "layered": layered.image(),
    "oddities": oddities.image(xattrs=True, devices=True),
    "empty": empty.image(),
    "empty-layer": empty.image(shape="empty layer"),
    "no-layers": empty.image(shape="no layers"),
    "subpaths": subpaths.image(),
    "scale": scale.image(files=20, large=1 << 20),
    "platforms": platforms.image(),
    "artifact": artifact.image(),
}

UNPACKED = [name for name, image in OCI_IMAGES.items() if isinstance(image, Image) and name != "site-zstd"]
"""umoci up to 0.4 reads no zstd."""


def skopeo(*arguments: str | Path) -> str:
    """What skopeo prints; CalledProcessError if it fails."""
    command = ["skopeo", "--insecure-policy", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_layout_is_what_the_specification_says(tmp_path: Path) -> None:
    """The version file, an index with a name for each image, and every blob under its digest."""
    index = platforms.image()
    write_layout(tmp_path, {"v1": site.image(), "all": index})
    assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    entries = json.loads((tmp_path / "index.json").read_text())["manifests"]
    names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries]
    assert (names, entries[1]["digest"]) == (["v1", "all"], index.digest)
    blobs = list((tmp_path / "blobs" / "sha256").iterdir())
    assert {blob.name for blob in blobs} == {hashlib.sha256(blob.read_bytes()).hexdigest() for blob in blobs}
    assert len(blobs) == 3 + 1 + 3 * 3


def test_a_layout_is_not_written_over_something(tmp_path: Path) -> None:
    """A folder with anything in it is left alone."""
    (tmp_path / "mine").write_text("x")
    with pytest.raises(FileExistsError, match="not empty"):
        write_layout(tmp_path, {"v1": site.image()})
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@needs_skopeo
@pytest.mark.parametrize("name", OCI_IMAGES)
def test_skopeo_copies_the_layout(tmp_path: Path, name: str) -> None:
    """Another tool reads every OCI image, index and artifact, and finds the same manifest."""
    image = OCI_IMAGES[name]
    write_layout(tmp_path / "layout", {"v1": image})
    source = f"oci:{tmp_path / 'layout'}:v1"
    assert skopeo("inspect", "--raw", source).encode() == image.manifest
    skopeo("copy", "--all", "--preserve-digests", source, f"oci:{tmp_path / 'copy'}:v1")
    copied = {path.name for path in (tmp_path / "copy" / "blobs" / "sha256").iterdir()}
    assert copied == {path.name for path in (tmp_path / "layout" / "blobs" / "sha256").iterdir()}


@needs_skopeo
@pytest.mark.parametrize("image", [site.image(docker=True), platforms.image(docker=True), site.image()])
def test_skopeo_pulls_what_was_pushed(tmp_path: Path, image: Reference) -> None:
    """Another client gets the image from a registry, as Docker's types and as OCI's, and every digest fits."""
    with serving() as registry:
        registry.manifests["v1"] = registry.manifests[image.digest] = (image.media_type, image.manifest)
        registry.manifests |= {child.digest: (child.media_type, child.manifest) for child in image.children}
        registry.blobs |= {digest: blob.data for digest, blob in image.blobs.items()}
        source = f"docker://{registry.url.removeprefix('http://')}/run/site:v1"
        skopeo("copy", "--all", "--preserve-digests", "--src-tls-verify=false", source, f"dir:{tmp_path}")
    assert (tmp_path / "manifest.json").read_bytes() == image.manifest


@needs_umoci
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", UNPACKED)
def test_umoci_unpacks_the_tree(tmp_path: Path, name: str) -> None:
    """Another implementation of the specification unpacks exactly the tree that is promised."""
    image = OCI_IMAGES[name]
    assert isinstance(image, Image)
    write_layout(tmp_path / "layout", {"v1": image})
    command = ["umoci", "unpack", "--image", f"{tmp_path / 'layout'}:v1", str(tmp_path / "bundle")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert image.tree.differences(walk(tmp_path / "bundle" / "rootfs")) == []


def test_the_program_writes_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes a layout for each name and prints name, digest and size, and may do so again over its own."""
    out = tmp_path / "out"
    for _ in range(2):
        assert program.main(["--out", str(out), "site", "platforms"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["site", site.image().digest, f"{program.size(site.image()):,}", "bytes"]
        assert [line.split()[0] for line in lines] == ["site", "platforms"]
    assert sorted(path.name for path in out.iterdir()) == [program.MARK, "platforms", "site"]
    assert program.main(["--out", str(out), "empty"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [program.MARK, "empty"]


def test_the_size_is_that_of_a_pull() -> None:
    """The size counts manifests and blobs, each once."""
    index = platforms.image()
    children = sum(len(child.manifest) for child in index.children)
    assert program.size(index) == len(index.manifest) + children + sum(
        blob.size for blob in index.blobs.values()
    )


@pytest.mark.parametrize("stranger", ["before", "beside"])
def test_a_folder_of_somebody_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stranger: str
) -> None:
    """A folder that it did not write, or with something in it that it did not write, is refused and stays as it is."""
    if stranger == "beside":
        program.write(tmp_path, ["site"])
    (tmp_path / "mine").write_text("x")
    before = walk(tmp_path)
    assert program.main(["--out", str(tmp_path), "site"]) == 4
    assert "did not write" in capsys.readouterr().err
    assert walk(tmp_path) == before


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the folder's place is refused."""
    (tmp_path / "file").write_text("x")
    assert program.main(["--out", str(tmp_path / "file"), "site"]) == 4
    assert "not a folder" in capsys.readouterr().err


def test_an_unknown_name_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped asset ends with a message that names the ones there are."""
    with pytest.raises(SystemExit) as caught:
        program.main(["--out", str(tmp_path / "out"), "sight"])
    assert caught.value.code == 2
    assert "no such asset: sight; there are artifact" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_program_runs_as_a_module(tmp_path: Path) -> None:
    """`python -m images --out DIR` is the way in that the README names."""
    command = [sys.executable, "-m", "images", "--out", str(tmp_path / "out"), "empty"]
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert empty.image().digest in result.stdout
