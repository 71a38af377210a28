"""Security: an image volume is data from outside; it reaches neither the node nor another tenant, and gives away nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from conformance.checks.refusals import UNPULLED
from conformance.control import control
from conformance.plugin import verifies
from fixtures.credentials import Credentials, User, pull_secrets, with_secrets
from fixtures.manifests import container, image_volume, mount, mounting, pod, tree
from fixtures.namespaces import Namespaces
from fixtures.plugin import PodsAt
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pods
from images import artifact as artifact_asset
from images.oci.image import Image
from images.oci.layer import Layer, file, symlink


@verifies("SEC-08")
@pytest.mark.parametrize("holds", ["no secret", "a wrong secret of the same name"])
def test_tenant_cannot_use_anothers_private_image(
    pods: Pods,
    pods_at: PodsAt,
    namespaces: Namespaces,
    credentials: Credentials,
    private: Asset,
    alice: User,
    mallory: User,
    holds: str,
) -> None:
    """Given a private image that a Pod of one namespace has brought to the node, when Pods of another namespace, without a secret or with a
    wrong one of the same name, mount it under IfNotPresent and Never, then neither starts.
    Control: with the right secret in its own namespace such a Pod starts.
    """
    host = private.repository.host
    theirs = credentials.secret(pods.namespace, {host: alice})
    there = pods.run(with_secrets(private.reference, theirs, policy="IfNotPresent")).tree()
    other = pods_at("baseline", namespace=namespaces.at("baseline"))
    named: list[str] = []
    if holds != "no secret":
        named = [credentials.secret(other.namespace, {host: mallory}, name=theirs)]
    made = [
        other.create(mounting(private.reference, pull_policy=policy, imagePullSecrets=pull_secrets(*named)))
        for policy in ("IfNotPresent", "Never")
    ]
    for pod_ in made:
        pod_.settle()
    refusals = [pod_.refusal() for pod_ in made]

    assert [one.reason in UNPULLED | {"ErrImageNeverPull"} for one in refusals if one] == [True, True]
    control(there == private.tree, "the Pod that brought the image shows it")
    own = credentials.secret(other.namespace, {host: alice})
    right = other.run(with_secrets(private.reference, own, policy="IfNotPresent")).tree()
    control(right == private.tree, "with the right secret of its own the other tenant's Pod starts")


FAR_UP = "../" * 16
LEADING_OUT: Mapping[str, str] = {
    "up": FAR_UP,
    "root": "/",
    "hop": "up/etc",
    "process-root": "/proc/1/root",
    "process-folder": "/proc/self/cwd",
}
"""Symbolic links that leave the image where they are followed on the node."""


@verifies("SEC-02")
@pytest.mark.parametrize(
    "sub_path", ["up/etc", "root/etc", "hop", "process-root/etc", "process-folder", "up/proc/1/root"]
)
def test_sub_path_shows_nothing_of_the_node(
    pods: Pods, repositories: Repositories, build: str, sub_path: str
) -> None:
    """Given links out of the image to directories that every node has, when a container mounts the image with a subPath through one of them,
    then either it is not created or it shows nothing but names of the image, which has a directory `etc` itself.
    Control: another container of the Pod mounts a directory by its own name.
    """
    own = {"etc", "own", f"decoy-{build}", *LEADING_OUT}
    members = [file(f"etc/decoy-{build}", build), file("own/etc", build)]
    members += [symlink(name, target) for name, target in LEADING_OUT.items()]
    asset = repositories.new("links").push(Image([Layer(members)]))
    through = container((("names", "/vol"),), name="through", mounts=[mount(sub_path=sub_path)])
    by_name = container((("names", "/vol"),), name="by-name", mounts=[mount(sub_path="etc")])
    pod_ = pods.start(pod([through, by_name], volumes=[image_volume(asset.reference)]))

    if pod_.refusal("through") is None:
        seen = pod_.answers("through").of("names", "/vol")
        foreign = set(seen) - own if isinstance(seen, list) else set()
        assert foreign == set()
    refusal = pod_.refusal("by-name")
    control(refusal is None, f"a directory is mounted by its own name ({refusal})")


@verifies("SEC-02")
@pytest.mark.parametrize(
    "title", [f"{FAR_UP}etc/passwd", "/etc/passwd", f"{FAR_UP}proc/1/root/etc/passwd", "/proc/self/environ"]
)
def test_title_shows_nothing_of_the_node(
    pods: Pods, repositories: Repositories, build: str, title: str
) -> None:
    """Given an artifact with a title that names a file of every node, when a container mounts it, then either it is not created, or the mount
    shows nothing but the artifact's own bytes.
    """
    hostile = artifact_asset.escaping(build, titles={title: build, "good": f"good {build}"})
    asset = repositories.new("hostile").push(hostile)
    pod_ = pods.start(mounting(asset.reference, tree()))

    if pod_.refusal() is None:
        entries = pod_.answers().of("tree").get("entries") or {}
        seen = {entry["sha256"] for entry in entries.values() if entry["type"] == "file"}
        assert seen <= {hashlib.sha256(one.data).hexdigest() for one in hostile.files}


@verifies("SEC-03")
def test_files_have_the_containers_label(pods: Pods, site: Asset, enforcing: None) -> None:
    """Given a node that enforces SELinux, when a container mounts an image volume, then it reads all of it, and a file of it has the level of
    the container's own label.
    Control: the container's process has a label.
    """
    del enforcing
    inside = next(path for path, entry in site.tree.items() if entry.type == "file")
    answers = pods.run(mounting(site.reference, tree(), ("label", f"/vol/{inside}")))

    labels = answers.of("label")
    control(labels["process"].count(":") > 2, "the container's process has a label with a level")
    assert answers.tree() == site.tree
    assert labels["file"].split(":", 3)[-1] == labels["process"].split(":", 3)[-1]
