"""Security: what an image volume must not reach, and must not give away."""

from __future__ import annotations

from conformance.control import control
from conformance.plugin import verifies
from fixtures.manifests import mounting, tree
from fixtures.repositories import Asset
from fixtures.workloads import Pods


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
