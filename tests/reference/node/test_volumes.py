"""What the kubelet itself provides as volumes."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from fixtures.reference.api.store import Store
from fixtures.reference.node.environment import ConfigError, Surroundings
from fixtures.reference.node.volumes import PodVolumes, VolumeError, usage

Json = dict[str, Any]
AROUND = Surroundings(node="node-1", host_ip="127.0.0.1", pod_ip="127.64.0.9")


@pytest.fixture
def store() -> Store:
    """A store with a config map."""
    store = Store()
    metadata = {"name": "cm", "namespace": "ns"}
    store.create("configmaps", {"metadata": metadata, "data": {"k": "v"}, "binaryData": {"b": "AAE="}})
    return store


def provide(folder: Path, store: Store, *volumes: Json) -> PodVolumes:
    """The volumes of a Pod that has these."""
    pod = {
        "metadata": {"name": "pod", "namespace": "ns", "uid": "u"},
        "spec": {"containers": [], "volumes": volumes},
    }
    provided = PodVolumes(folder, store, owners=False)
    provided.prepare(pod, AROUND)
    return provided


def test_contents_are_as_they_are_stored(tmp_path: Path, store: Store) -> None:
    """Text and bytes; chosen keys under other names, with modes of their own."""
    items = [{"key": "b", "path": "deep/bytes", "mode": 0o400}]
    everything = {"name": "all", "configMap": {"name": "cm"}}
    chosen = {"name": "some", "configMap": {"name": "cm", "items": items}}
    provided = provide(tmp_path, store, everything, chosen)
    assert (provided.path("all") / "k").read_text() == "v"
    deep = provided.path("some") / "deep/bytes"
    assert deep.read_bytes() == b"\0\1"
    assert stat.S_IMODE(deep.stat().st_mode) == 0o400
    assert not (provided.path("some") / "k").exists()


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
        ({"secret": {"secretName": "no"}}, 'secret "no" not found'),
        (
            {"configMap": {"name": "cm", "items": [{"key": "no", "path": "x"}]}},
            "references non-existent config key: no",
        ),
    ],
)
def test_what_cannot_be_provided_is_told(tmp_path: Path, store: Store, volume: Json, words: str) -> None:
    """It becomes the message of FailedMount."""
    with pytest.raises(VolumeError) as refused:
        provide(tmp_path, store, {"name": "v", **volume})
    assert str(refused.value) == f'MountVolume.SetUp failed for volume "v" : {words}'


def test_a_path_in_a_volume_is_made_and_does_not_lead_out(tmp_path: Path, store: Store) -> None:
    """A subPath of a directory for writing; a link in it that leads elsewhere is refused."""
    provided = provide(tmp_path, store, {"name": "v", "emptyDir": {}})
    place = Path(provided.mounted("v", "a/b"))
    assert place == provided.path("v") / "a/b"
    assert place.is_dir()
    (provided.path("v") / "out").symlink_to("/etc")
    for bad in ("out", "../x", "/etc"):
        with pytest.raises(ConfigError):
            provided.mounted("v", bad)


def test_image_volumes_are_not_provided_here(tmp_path: Path, store: Store) -> None:
    """The runtime mounts them."""
    provided = provide(tmp_path, store, {"name": "v", "image": {"reference": "x"}})
    with pytest.raises(KeyError):
        provided.path("v")


def test_usage_counts_what_is_on_disk(tmp_path: Path) -> None:
    """Blocks, not sizes; nothing for what is not there."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(bytes(100_000))
    assert usage(tmp_path) >= 100_000
    assert usage(tmp_path / "absent") == 0


def test_what_tells_of_the_pod_is_kept_up_to_date(tmp_path: Path, store: Store) -> None:
    """A downwardAPI volume shows the annotations as they are at each sync."""
    item = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}
    metadata = {"name": "pod", "namespace": "ns", "uid": "u", "annotations": {"a": "1"}}
    volumes = [{"name": "about", "downwardAPI": {"items": [item]}}]
    provided = PodVolumes(tmp_path, store, owners=False)
    seen = []
    for value in ("1", "1", "2"):
        metadata["annotations"] = {"a": value}
        provided.prepare({"metadata": metadata, "spec": {"containers": [], "volumes": volumes}}, AROUND)
        seen.append((provided.path("about") / "annotations").read_text())
    assert seen == ['a="1"', 'a="1"', 'a="2"']
    assert [path.name for path in provided.path("about").iterdir()] == ["annotations"]
