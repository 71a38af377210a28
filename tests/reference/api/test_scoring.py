"""The scheduler's scores: who wins, and by how many points."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.reference.api.scoring import MEBIBYTE, Situation, scores
from fixtures.reference.faults import Faults

REFERENCE = "registry.example/site"


def node(name: str, *, size: int = 0, taints: Any = ()) -> Any:
    """A node of 2 CPUs and 8 GiB, with the image in this size if it has one."""
    images = [{"names": [f"{REFERENCE}:latest"], "sizeBytes": size}] if size else []
    status = {"allocatable": {"cpu": "2", "memory": "8Gi"}, "images": images}
    return {"metadata": {"name": name, "labels": {}}, "spec": {"taints": list(taints)}, "status": status}


def pod(*, volume: bool = False, owner: str = "", **spec: Any) -> Any:
    """A Pod of one container, with the image as a volume if it has one."""
    volumes = [{"name": "v", "image": {"reference": REFERENCE}}] if volume else []
    owners = [{"uid": owner, "controller": True}] if owner else []
    containers = [{"name": "c", "image": "i"}]
    return {
        "metadata": {"ownerReferences": owners},
        "spec": {"containers": containers, "volumes": volumes} | spec,
    }


def compared(one: Any, a: Any, b: Any, *faults: str, bound: Any = None) -> int:
    """How many points more a Pod gives to node a than to node b."""
    found = scores(one, [a, b], Situation(nodes=[a, b], bound=bound or {}, faults=Faults(faults)))
    return found["a"] - found["b"]


@pytest.mark.parametrize(
    ("size", "faults", "points"),
    [
        (2000 * MEBIBYTE, (), 100),
        (4000 * MEBIBYTE, (), 100),
        (1000 * MEBIBYTE, (), 48),
        (46 * MEBIBYTE, (), 0),
        (2000 * MEBIBYTE, ("image-locality-ignores-volumes",), 0),
        (2000 * MEBIBYTE, ("image-locality-maximum-counts-volumes",), 49),
    ],
)
def test_image_locality(size: int, faults: tuple[str, ...], points: int) -> None:
    """An image volume's image counts with its size, times the share of the nodes that have it."""
    assert compared(pod(volume=True), node("a", size=size), node("b"), *faults) == points


def test_without_the_image_nodes_are_equal() -> None:
    """A Pod that does not mount the image does not care for it."""
    assert compared(pod(), node("a", size=4000 * MEBIBYTE), node("b")) == 0


def test_less_allocated_is_better() -> None:
    """A Pod without requests counts as 100m and 200 MiB: 5 % of the CPUs, 2.4 % of the memory."""
    assert compared(pod(), node("a"), node("b"), bound={"b": [pod()]}) == 3 + 1


def test_balance_counts_for_pods_with_requests() -> None:
    """A Pod that needs CPU goes where memory is in use rather than CPU, though as much is left in all."""

    def using(cpu: str, memory: str) -> Any:
        return pod(containers=[{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}])

    bound = {"a": [using("0", "4Gi")], "b": [using("1", "0")]}
    assert compared(using("500m", "0"), node("a"), node("b"), bound=bound) == 13


def test_preference_is_worth_twice_its_share() -> None:
    """Preferences are scaled to 100 points for the best node, and count twice."""
    terms = [
        {
            "weight": weight,
            "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]},
        }
        for name, weight in (("a", 100), ("b", 75))
    ]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}
    assert compared(pod(affinity=affinity), node("a"), node("b")) == 50


def test_untolerated_preference_of_a_node() -> None:
    """A PreferNoSchedule taint costs 300 points, unless it is tolerated."""
    tainted = node("b", taints=[{"key": "k", "effect": "PreferNoSchedule"}])
    assert compared(pod(), node("a"), tainted) == 300
    assert compared(pod(tolerations=[{"operator": "Exists"}]), node("a"), tainted) == 0


def test_replicas_are_spread() -> None:
    """A workload's Pods go where fewer of them are; other Pods don't count."""
    crowded = {"b": [pod(owner="u")] * 2}
    spread = compared(pod(owner="u"), node("a"), node("b"), bound=crowded)
    others = compared(pod(owner="w"), node("a"), node("b"), bound=crowded)
    assert spread > others > 0
