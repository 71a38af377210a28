"""Scheduling: what the scheduler knows of image volumes when it chooses a node.

A placement has many reasons. So two nodes are made to compete, one of them leaning towards by a preference that is worth a known number of
points, and the Pod with the image is seen to go against it; the same Pods without the image follow it, both ways.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from conformance.control import control
from conformance.plugin import verifies
from fixtures.api import Api
from fixtures.errors import Inconclusive
from fixtures.evidence import Evidence
from fixtures.manifests import HOLD, Json, mounting
from fixtures.repositories import Asset, Repositories
from fixtures.workloads import Pods, container_status, refusals
from images import scale

MEBIBYTE = 1 << 20
SMALLEST, LARGEST = 23 * MEBIBYTE, 1000 * MEBIBYTE  # image_locality.go: minThreshold, maxContainerThreshold
AFFINITY_WEIGHT = 2  # of the plugin NodeAffinity, whose points go up to 100
WANTED = 1000 * MEBIBYTE  # of the image for each of the cluster's nodes: all points
MOST_PIECES = 100
LEAST_POINTS = 20.0
STATUS_SECONDS = 120.0  # kubelets list their images every 30 s, and report what has changed every 10 s
ROUNDS, PAUSE_SECONDS = 8, 2.0


def points(size: float, containers: int = 1) -> float:
    """What ImageLocality gives for images of this size, to a Pod of so many containers."""
    return max(0.0, 100 * (size - SMALLEST) / (LARGEST * containers - SMALLEST))


@dataclass(slots=True)
class Contest:
    """Two nodes that compete for Pods. holder has the image, rival has not. size: what the score counts of it, once it is told."""

    api: Api
    evidence: Evidence
    pods: Pods
    holder: str
    rival: str
    image: Asset
    size: float = 0.0

    def placed(self, reference: str, *, towards: str, by: float) -> str:
        """Where a Pod goes that mounts `reference` and prefers the node `towards` by so many points. It is removed again."""
        other = self.rival if towards == self.holder else self.holder
        weights = {towards: 100, other: 100 - round(by / AFFINITY_WEIGHT)}
        affinity = {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [named(node) for node in weights]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": weight, "preference": named(node)} for node, weight in weights.items()
            ],
        }
        tolerations = [{"operator": "Exists", "effect": "PreferNoSchedule"}]
        manifest = mounting(reference, HOLD, affinity={"nodeAffinity": affinity}, tolerations=tolerations)
        pod = self.pods.create(manifest)
        state = pod.wait(lambda s: bool(s["spec"].get("nodeName")), "the Pod to be bound", seconds=30)
        pod.delete(grace_seconds=0, wait=False)
        self.evidence.add(
            "fact", f"{pod.name} was bound", {"towards": towards, "to": state["spec"]["nodeName"]}
        )
        return str(state["spec"]["nodeName"])

    @property
    def absent(self) -> str:
        """A reference that no node has."""
        return f"{self.image.repository.address}:absent"

    def even(self, by: float) -> bool:
        """Whether all else is worth less than so many points: Pods without the image follow a preference of that, both ways."""
        return all(
            self.placed(self.absent, towards=node, by=by) == node for node in (self.rival, self.holder)
        )

    def decided(self, *, by: float, within: float) -> str:
        """Where a Pod with the image goes that prefers the rival by so many points, while all else is worth less than `within`.

        Inconclusive where the nodes' loads differ too much, or change all the time.
        """
        for _ in range(ROUNDS):
            if self.even(within):
                found = self.placed(self.image.reference, towards=self.rival, by=by)
                if self.even(within):
                    return found
            time.sleep(PAUSE_SECONDS)
        raise Inconclusive(
            f"without the image, Pods do not follow a preference of {within:.0f} points for one of two nodes",
            missing="two nodes that are equally loaded, and a scheduler with the default plugins",
        )


def named(node: str) -> Json:
    """A node selector term for one node."""
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}


@pytest.fixture
def contest(
    pods: Pods,
    api: Api,
    evidence: Evidence,
    repositories: Repositories,
    build: str,
    node: str,
    second_node: str,
) -> Contest:
    """The node under test with a large image, as its status says, and another without."""
    number = len(api.get("/api/v1/nodes")["items"])
    pieces = min(MOST_PIECES, -(-WANTED * number // scale.PIECE))
    image = repositories.new("heavy").push(scale.heavy(build, pieces=pieces))
    pods.started(mounting(image.reference, HOLD)).delete(grace_seconds=0, wait=False)

    def listed(state: Json | None) -> bool:
        return size_of(state or {}, image.reference) > 0

    with evidence.waiting("the node's status to list the image"):
        state = api.wait(
            "/api/v1/nodes", node, listed, what="the image in the node's status", seconds=STATUS_SECONDS
        )
    size = size_of(state or {}, image.reference)
    evidence.add("fact", "the image in the node's status", {"sizeBytes": size, "nodes": number})
    if points(size / number) < LEAST_POINTS:
        raise Inconclusive(
            f"the image, {size} bytes on one of {number} nodes, is worth {points(size / number):.0f} points",
            missing="a cluster of fewer nodes",
        )
    return Contest(api, evidence, pods, node, second_node, image, size / number)


def size_of(node: Json, reference: str) -> int:
    """The size of an image by a node's status, 0 where it is not listed."""
    images = (node.get("status") or {}).get("images") or []
    return next((int(one["sizeBytes"]) for one in images if reference in (one.get("names") or [])), 0)


@verifies("SCHED-01")
def test_node_with_the_image_is_preferred(contest: Contest) -> None:
    """Given two nodes of which one has a large image, when a Pod mounts it that prefers the other node, by a quarter of what ImageLocality
    should give for the image, then it is bound to the node that has it.
    Control: Pods that mount an image which is nowhere follow such a preference, for either node.
    """
    quarter = points(contest.size) / 4
    assert contest.decided(by=quarter, within=quarter) == contest.holder


@verifies("SCHED-03")
def test_whether_volumes_count_in_the_maximum(contest: Contest, observe: Callable[[Any, str], None]) -> None:
    """Given two nodes of which one has a large image, when a Pod mounts it that prefers the other node by more than the image is worth if
    volumes count in the maximum, and by less than it is worth if they don't, then where it is bound tells.
    Control: by less than either, it goes to the node that has the image; without the image, Pods follow a much smaller preference.
    """
    alone, counted = points(contest.size), points(contest.size, 2)
    between, margin = (alone + counted) / 2, (alone - counted) / 2
    control(
        contest.decided(by=counted - margin, within=margin) == contest.holder,
        "a node with the image is preferred",
    )
    held = contest.decided(by=between, within=margin) == contest.holder
    observe(not held, f"image volumes {'do not count' if held else 'count'} in the maximum")


@verifies("SCHED-02")
def test_whether_nodes_without_support_are_avoided(
    pods: Pods, site: Asset, node: str, observe: Callable[[Any, str], None]
) -> None:
    """Given a node that cannot mount image volumes, when a Pod with one may run nowhere else, then whether it is bound there tells.
    Control: such a Pod does not start there.
    """
    pod = pods.create(mounting(site.reference))
    state = pod.wait(told, "the scheduler to have decided")
    bound = state["spec"].get("nodeName") == node
    if bound:
        after = pod.settle()
        control(
            bool(refusals(after)) or "running" not in container_status(after, "main")["state"],
            "the node cannot mount image volumes",
        )
    observe(
        bound, f"a Pod with an image volume is {'bound' if bound else 'not bound'} to a node without support"
    )


def told(state: Json) -> bool:
    """Whether a Pod is bound, or the scheduler has said why not."""
    conditions = (state.get("status") or {}).get("conditions") or []
    unfit = any(one["type"] == "PodScheduled" and one.get("reason") == "Unschedulable" for one in conditions)
    return unfit or bool(state["spec"].get("nodeName"))
