"""Nodes that do as CRI-O or containerd do, where the two differ: neither is wrong."""

from __future__ import annotations

from fixtures.registry.client import RegistryControl
from tests.reference.node.lab import play


def test_nodes_do_as_the_runtimes_do(registry: RegistryControl) -> None:
    """CRI-O resolves links as if the image were the root and mounts artifacts file by file; containerd refuses artifacts."""
    sub_paths, artifacts, pulls, refusals = play("tests.reference.node.variant_scenarios:observe", registry)
    assert sub_paths["absolute"] == ["index.html", "other.html"]
    assert sub_paths["old"] == ["old.html"]
    for absent in ("absent", "out"):
        assert sub_paths[absent].startswith(
            f'ImageVolumeMountFailed: sub path "{absent}" does not exist in image volume "'
        )
    assert sub_paths["build.txt"].endswith('invalid argument"')
    assert sub_paths["build.txt/below"].endswith("build.txt/below: not a directory")

    assert artifacts.pop("absent").startswith(
        'ImageVolumeMountFailed: sub path "absent" does not exist in OCI artifact volume "'
    )
    assert artifacts == {"names": ["deep", "out"], "create": "ok", "change": "EROFS"}

    text, used = pulls
    assert "unable to pull image or OCI artifact: pull image err: initializing source docker://" in text
    assert used == 0

    assert [text.rpartition(": ")[2] for text in refusals] == [
        "mismatched image rootfs and manifest layers",
        "1 != 0",
    ]
