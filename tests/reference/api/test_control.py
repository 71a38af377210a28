"""The scheduler and the namespace controller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fixtures.reference.api.controllers.namespaces import NamespaceController
from fixtures.reference.api.resources import RESOURCES, Place
from fixtures.reference.api.rest import Rest
from fixtures.reference.api.scheduler import Scheduler, obstacle
from fixtures.reference.api.store import NotFound, Store
from fixtures.reference.faults import Faults


def node(name: str = "a", labels: Any = None, **spec: Any) -> Any:
    """A node."""
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def pod(name: str = "p", **spec: Any) -> Any:
    """A Pod that waits for the scheduler."""
    fields = {"schedulerName": "default-scheduler", "containers": []} | spec
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "n"},
        "spec": fields,
        "status": {"phase": "Pending"},
    }


def affinity(*terms: Any) -> Any:
    """Required node affinity."""
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    }


def expression(operator: str, *values: str, key: str = "zone") -> Any:
    """A term of one expression on labels."""
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def field(operator: str, *values: str) -> Any:
    """A term on the node's name."""
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": list(values)}]}


NAME, UNSCHEDULABLE, TAINT, AFFINITY = (
    "node(s) didn't satisfy plugin(s) [NodeAffinity]",
    "node(s) were unschedulable",
    "node(s) had untolerated taint(s)",
    "node(s) didn't match Pod's node affinity/selector",
)
TAINTED = node(taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])


@pytest.mark.parametrize(
    ("spec", "found", "reason"),
    [
        ({}, node(), ""),
        ({"nodeSelector": {"zone": "1"}}, node(labels={"zone": "1"}), ""),
        ({"nodeSelector": {"zone": "1"}}, node(labels={"zone": "2"}), AFFINITY),
        ({"affinity": affinity(field("In", "a"))}, node("a"), ""),
        ({"affinity": affinity(field("In", "a"))}, node("b"), NAME),
        ({"affinity": affinity(field("NotIn", "a"))}, node("a"), AFFINITY),
        ({"affinity": affinity(field("In", "b"), field("In", "a"))}, node("a"), ""),
        ({"affinity": affinity(expression("In", "1", "2"))}, node(labels={"zone": "2"}), ""),
        ({"affinity": affinity(expression("NotIn", "1"))}, node(labels={"zone": "1"}), AFFINITY),
        ({"affinity": affinity(expression("Exists"))}, node(), AFFINITY),
        ({"affinity": affinity(expression("DoesNotExist"))}, node(), ""),
        ({"affinity": affinity(expression("Gt", "1"))}, node(labels={"zone": "2"}), ""),
        ({"affinity": affinity(expression("Lt", "1"))}, node(labels={"zone": "x"}), AFFINITY),
        ({"affinity": affinity({})}, node(), AFFINITY),
        ({}, node(unschedulable=True), UNSCHEDULABLE),
        ({"tolerations": [{"operator": "Exists"}]}, node(unschedulable=True), ""),
        ({}, TAINTED, TAINT),
        ({"tolerations": [{"key": "k", "value": "v"}]}, TAINTED, ""),
        ({"tolerations": [{"key": "k", "value": "w"}]}, TAINTED, TAINT),
        ({"tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute"}]}, TAINTED, TAINT),
        ({}, node(taints=[{"key": "k", "effect": "PreferNoSchedule"}]), ""),
    ],
)
def test_obstacle(spec: Any, found: Any, reason: str) -> None:
    """A node is fit for a Pod, or the first of the scheduler's filters that says no is named in its words."""
    assert obstacle(pod(**spec), found) == reason


@asynccontextmanager
async def scheduling(*nodes: Any) -> AsyncIterator[Store]:
    """A store with these nodes and a scheduler that works."""
    store = Store()
    for one in nodes:
        store.create("nodes", one)
    task = asyncio.create_task(Scheduler(store, Faults()).run())
    await asyncio.sleep(0)
    try:
        yield store
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(store: Store, resource: str, condition: Any) -> Any:
    """The first object of a resource, now or later, for which the condition holds."""
    async with asyncio.timeout(5):
        async for _, obj in store.watch(resource):
            if condition(obj):
                return obj
    raise AssertionError("a watch has no end")


@pytest.mark.asyncio
async def test_pod_is_bound_and_it_is_said() -> None:
    """A Pod that fits gets its node, the condition PodScheduled, and the event Scheduled."""
    async with scheduling(node("a")) as store:
        store.create("pods", pod())
        bound = await until(store, "pods", lambda obj: obj["spec"].get("nodeName"))
        assert bound["spec"]["nodeName"] == "a"
        assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
        assert bound["status"]["conditions"][0]["status"] == "True"
        event = await until(store, "events", lambda obj: obj["reason"] == "Scheduled")
        assert event["message"] == "Successfully assigned n/p to a"
        assert event["involvedObject"]["uid"] == bound["metadata"]["uid"]


@pytest.mark.asyncio
async def test_pods_are_spread() -> None:
    """Nodes with fewer Pods come first."""
    async with scheduling(node("a"), node("b")) as store:
        for name in ("p", "q"):
            store.create("pods", pod(name))
        nodes = {
            (
                await until(
                    store,
                    "pods",
                    lambda obj, name=name: obj["metadata"]["name"] == name and obj["spec"].get("nodeName"),
                )
            )["spec"]["nodeName"]
            for name in ("p", "q")
        }
        assert nodes == {"a", "b"}


@pytest.mark.asyncio
async def test_pod_that_fits_nowhere_waits_and_it_is_said() -> None:
    """A Pod that fits nowhere gets condition and event with the counted reasons, and is bound when a node comes that fits."""
    async with scheduling(node("a", unschedulable=True), TAINTED | {"metadata": {"name": "b"}}) as store:
        store.create("pods", pod())
        waiting = await until(store, "pods", lambda obj: obj["status"].get("conditions"))
        condition = waiting["status"]["conditions"][0]
        expected = (
            f"0/2 nodes are available: 1 {TAINT}, 1 {UNSCHEDULABLE}. no new claims to deallocate, "
            "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
        )
        assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
        assert condition["message"] == expected
        event = await until(store, "events", lambda obj: obj["reason"] == "FailedScheduling")
        assert (event["type"], event["message"]) == ("Warning", expected)
        store.create("nodes", node("c"))
        bound = await until(store, "pods", lambda obj: obj["spec"].get("nodeName"))
        assert bound["spec"]["nodeName"] == "c"


@pytest.mark.asyncio
async def test_what_is_not_the_schedulers_is_left_alone() -> None:
    """Gated Pods, Pods of another scheduler and Pods that are being deleted are not bound."""
    async with scheduling(node("a")) as store:
        store.create("pods", pod("gated", schedulingGates=[{"name": "x"}]))
        store.create("pods", pod("other", schedulerName="mine"))
        ended = pod("ended")
        ended["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        store.create("pods", ended)
        store.create("pods", pod("p"))
        await until(store, "pods", lambda obj: obj["spec"].get("nodeName"))
        names = [obj["metadata"]["name"] for obj in store.list("pods")[0] if obj["spec"].get("nodeName")]
        assert names == ["p"]
        store.modify("pods", "gated", "n", lambda obj: obj["spec"].pop("schedulingGates"))
        await until(
            store, "pods", lambda obj: obj["metadata"]["name"] == "gated" and obj["spec"].get("nodeName")
        )


@asynccontextmanager
async def controlling() -> AsyncIterator[Rest]:
    """A store with the namespace `n` and the namespace controller."""
    rest = Rest(Store(), Faults())
    task = asyncio.create_task(NamespaceController(rest).run())
    await asyncio.sleep(0)
    rest.store.create(
        "namespaces", {"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}, "status": {}}
    )
    try:
        yield rest
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def end(rest: Rest) -> None:
    """Delete the namespace."""
    rest.delete(Place(resource=RESOURCES["namespaces"], name="n"), {}, dry_run=False)


@pytest.mark.asyncio
async def test_each_namespace_has_its_account() -> None:
    """The default account comes with its namespace, and comes back when it is deleted."""
    async with controlling() as rest:
        account = await until(rest.store, "serviceaccounts", lambda _: True)
        rest.store.remove("serviceaccounts", "default", "n")
        again = await until(
            rest.store, "serviceaccounts", lambda obj: obj["metadata"]["uid"] != account["metadata"]["uid"]
        )
        assert again["metadata"]["name"] == "default"


@pytest.mark.asyncio
async def test_namespace_ends_after_its_last_pod() -> None:
    """A deleted namespace takes its content with it; Pods end gracefully, and the namespace after them."""
    async with controlling() as rest:
        store = rest.store
        store.create("configmaps", {"metadata": {"name": "m", "namespace": "n"}})
        store.create("pods", pod(nodeName="a", terminationGracePeriodSeconds=7))
        end(rest)
        ending = await until(store, "pods", lambda obj: obj["metadata"].get("deletionTimestamp"))
        assert ending["metadata"]["deletionGracePeriodSeconds"] == 7
        assert store.get("namespaces", "n")["status"]["phase"] == "Terminating"
        assert store.list("configmaps")[0] == []
        gone = store.watch("namespaces", since=store.version)
        store.remove("pods", "p", "n")
        async with asyncio.timeout(5):
            assert (await anext(gone))[0] == "DELETED"
        with pytest.raises(NotFound):
            store.get("namespaces", "n")
        assert store.list("serviceaccounts")[0] == []
