"""Images, indexes and artifacts: manifests, configs and the blobs that they name.

Each is a value with the same face (`Reference`): what to push, under which digest, and what a mount of it must show.
Every field of a manifest can be made wrong on purpose, because several requirements are about wrong images.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from images.oci import content
from images.oci.content import Blob, Bytes
from images.oci.layer import Layer
from images.oci.merge import UndefinedTreeError, merged
from images.oci.tar import MTIME
from images.tree import Entry, Tree

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

CREATED = "2026-01-01T00:00:00Z"
TITLE = "org.opencontainers.image.title"
"""The annotation that names a file of an artifact (OCI image specification 1.1, annotations.md)."""

JSONObject: TypeAlias = Mapping[str, Any]


class Reference(Protocol):
    """What a reference in a registry can stand for: an image, an index or an artifact."""

    @property
    def manifest(self) -> bytes:
        """The bytes of the manifest (or index)."""

    @property
    def media_type(self) -> str:
        """The manifest's media type."""

    @property
    def digest(self) -> str:
        """The manifest's digest."""

    @property
    def blobs(self) -> Mapping[str, Blob]:
        """Every blob of it and of its children, by digest, in the order of the push; without the manifests."""

    @property
    def children(self) -> Sequence[Reference]:
        """What an index points to; nothing for an image."""


@dataclasses.dataclass(frozen=True, eq=False)
class Image:
    """An image: layers, lowest first, and a config. The fields after `annotations` are there to be wrong on purpose."""

    layers: Sequence[Layer]
    _: dataclasses.KW_ONLY
    config: JSONObject = dataclasses.field(default_factory=dict)
    """The `config` section: Env, Cmd, User, Labels, Volumes and so on."""
    architecture: str = "amd64"
    os: str = "linux"
    variant: str | None = None
    docker: bool = False
    """Docker schema 2 media types in place of OCI's."""
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of the manifest; OCI only."""
    rootfs: bool = True
    """False leaves `rootfs` and `history` out of the config, as `oras push --config` examples do (KEP-4639, ORAS)."""
    config_fields: JSONObject = dataclasses.field(default_factory=dict)
    """Fields of the config blob that replace its own."""
    manifest_fields: JSONObject = dataclasses.field(default_factory=dict)
    """Fields of the manifest that replace its own, such as `artifactType`."""
    descriptors: Mapping[int, JSONObject] = dataclasses.field(default_factory=dict)
    """By the layer's index: fields of its descriptor that replace its own, such as a wrong `size` or `digest`."""
    missing: Collection[int] = ()
    """Indexes of the layers whose blobs are not among `blobs`."""

    @functools.cached_property
    def config_blob(self) -> Blob:
        """The image's configuration."""
        shape: dict[str, Any] = {
            "architecture": self.architecture,
            "os": self.os,
            "created": CREATED,
            "config": dict(self.config),
        }
        if self.variant:
            shape["variant"] = self.variant
        if self.rootfs:
            shape["rootfs"] = {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]}
            shape["history"] = [{"created": CREATED} for _ in self.layers]
        return content.blob(
            _json(shape | dict(self.config_fields)), DOCKER_CONFIG if self.docker else OCI_CONFIG
        )

    @functools.cached_property
    def manifest(self) -> bytes:
        """The bytes of the manifest."""
        layers = [
            _descriptor(layer.blob(docker=self.docker)) | dict(self.descriptors.get(number, {}))
            for number, layer in enumerate(self.layers)
        ]
        shape = {"config": _descriptor(self.config_blob), "layers": layers}
        return _manifest(self.media_type, shape, self.annotations, self.manifest_fields)

    @property
    def media_type(self) -> str:
        """The manifest's media type."""
        return DOCKER_MANIFEST if self.docker else OCI_MANIFEST

    @functools.cached_property
    def digest(self) -> str:
        """The manifest's digest."""
        return content.digest(self.manifest)

    @functools.cached_property
    def blobs(self) -> Mapping[str, Blob]:
        """The config and the layers, by digest."""
        layers = [
            layer.blob(docker=self.docker)
            for number, layer in enumerate(self.layers)
            if number not in self.missing
        ]
        return {blob.digest: blob for blob in (*layers, self.config_blob)}

    @property
    def children(self) -> Sequence[Reference]:
        """None: an image stands for itself."""
        return ()

    @functools.cached_property
    def tree(self) -> Tree:
        """What a mount of the image must show; UndefinedTreeError where the specification leaves that open."""
        return merged(self.layers)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """One layer of an artifact: a blob, and the name that its annotation gives it (None: it has no title)."""

    title: str | None
    data: bytes
    media_type: str = "application/octet-stream"


@dataclasses.dataclass(frozen=True, eq=False)
class Artifact:
    """An OCI artifact that is no image: each layer is a file, named by its title annotation."""

    files: Sequence[ArtifactFile]
    _: dataclasses.KW_ONLY
    artifact_type: str = "application/vnd.example.files"
    config_media_type: str = OCI_EMPTY
    config_data: bytes = b"{}"
    """The empty config (sha256:44136fa3…) unless said otherwise."""
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    manifest_fields: JSONObject = dataclasses.field(default_factory=dict)
    """Fields of the manifest that replace its own."""

    @functools.cached_property
    def manifest(self) -> bytes:
        """The bytes of the manifest."""
        layers = []
        for file in self.files:
            descriptor = _descriptor(content.blob(file.data, file.media_type))
            layers.append(
                descriptor if file.title is None else descriptor | {"annotations": {TITLE: file.title}}
            )
        config = _descriptor(content.blob(self.config_data, self.config_media_type))
        shape = {"artifactType": self.artifact_type, "config": config, "layers": layers}
        return _manifest(self.media_type, shape, self.annotations, self.manifest_fields)

    @property
    def media_type(self) -> str:
        """The manifest's media type."""
        return OCI_MANIFEST

    @functools.cached_property
    def digest(self) -> str:
        """The manifest's digest."""
        return content.digest(self.manifest)

    @functools.cached_property
    def blobs(self) -> Mapping[str, Blob]:
        """The files and the config, by digest."""
        files = [content.blob(file.data, file.media_type) for file in self.files]
        return {
            blob.digest: blob for blob in (*files, content.blob(self.config_data, self.config_media_type))
        }

    @property
    def children(self) -> Sequence[Reference]:
        """None: an artifact stands for itself."""
        return ()

    @functools.cached_property
    def tree(self) -> Tree:
        """The files by their titles, and the directories that these name; a file without a title is not shown.

        Nothing promises mode, owner, time or links of an artifact's files: compare `tree.without("mode", "uid", "gid",
        "mtime", "nlink")`. UndefinedTreeError for a title that is absolute or holds `..`.
        """
        entries: dict[str, Entry] = {}
        for file in self.files:
            if file.title is None:
                continue
            parts = file.title.split("/")
            if any(part in ("", ".", "..") for part in parts):
                raise UndefinedTreeError(
                    f"the title {file.title!r} is no plain relative path, so no tree can be expected"
                )
            for depth in range(1, len(parts)):
                entries["/".join(parts[:depth])] = Entry(
                    type="directory", mode=0o755, uid=0, gid=0, mtime=None
                )
            data = Bytes(file.data)
            entries[file.title] = Entry(
                type="file", mode=0o644, uid=0, gid=0, mtime=MTIME, size=data.size, sha256=data.sha256
            )
        return Tree(entries)


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """An index (or Docker manifest list): platform to image, in this order. A platform is `arch`, `os/arch` or `os/arch/variant`.

    The platform written into the index is the key's, whatever the image's own config says.
    """

    images: Mapping[str, Image | Artifact]
    _: dataclasses.KW_ONLY
    docker: bool = False
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    manifest_fields: JSONObject = dataclasses.field(default_factory=dict)
    """Fields of the index that replace its own."""

    @functools.cached_property
    def manifest(self) -> bytes:
        """The bytes of the index."""
        entries = [
            {
                "mediaType": image.media_type,
                "digest": image.digest,
                "size": len(image.manifest),
                "platform": _platform(platform),
            }
            for platform, image in self.images.items()
        ]
        return _manifest(self.media_type, {"manifests": entries}, self.annotations, self.manifest_fields)

    @property
    def media_type(self) -> str:
        """The index's media type."""
        return DOCKER_LIST if self.docker else OCI_INDEX

    @functools.cached_property
    def digest(self) -> str:
        """The index's digest."""
        return content.digest(self.manifest)

    @functools.cached_property
    def blobs(self) -> Mapping[str, Blob]:
        """Every blob of every image of the index, by digest."""
        return {digest: blob for image in self.images.values() for digest, blob in image.blobs.items()}

    @property
    def children(self) -> Sequence[Reference]:
        """The images."""
        return tuple(self.images.values())

    def image_for(self, architecture: str, *, os: str = "linux") -> Image | Artifact:
        """The image that a node of this platform must get; KeyError naming the platforms there are."""
        for platform, image in self.images.items():
            named = _platform(platform)
            if (named["os"], named["architecture"]) == (os, architecture):
                return image
        raise KeyError(f"the index has nothing for {os}/{architecture}; it has {', '.join(self.images)}")

    def tree_for(self, architecture: str, *, os: str = "linux") -> Tree:
        """What a mount of the index must show on a node of this platform; KeyError if it has no image for it."""
        return self.image_for(architecture, os=os).tree


def _platform(text: str) -> dict[str, str]:
    parts = text.split("/")
    if len(parts) == 1:
        parts = ["linux", *parts]
    if len(parts) > 3 or not all(parts):
        raise ValueError(f"{text!r} is no platform: arch, os/arch or os/arch/variant")
    return dict(zip(("os", "architecture", "variant"), parts, strict=False))


def _descriptor(blob: Blob) -> dict[str, Any]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}


def _manifest(
    media_type: str, shape: JSONObject, annotations: Mapping[str, str], replaced: JSONObject
) -> bytes:
    whole: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type, **shape}
    if annotations:
        whole["annotations"] = dict(annotations)
    return _json(whole | dict(replaced))


def _json(shape: JSONObject) -> bytes:
    return json.dumps(shape, separators=(",", ":"), sort_keys=True).encode()
