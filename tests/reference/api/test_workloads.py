"""Workloads: how they are stored and refused, and what their controllers make of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fixtures.reference.api.errors import Invalid, NotFound
from fixtures.reference.api.objects import at, name_of, now
from fixtures.reference.api.resources import RESOURCES, WORKLOADS, Place
from fixtures.reference.api.rest import Options, Rest
from fixtures.reference.api.store import Store
from fixtures.reference.cluster import CONTROLLERS
from fixtures.reference.faults import Faults

SPACE = "n"
READY = [{"type": "Ready", "status": "True", "lastTransitionTime": now()}]
SELECTED = ("deployments", "replicasets", "statefulsets", "daemonsets")


def template(reference: str = "site:v1", **spec: Any) -> Any:
    """A Pod template with an image volume."""
    fields = {
        "containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "image": {"reference": reference} if reference else {}}],
    }
    return {"metadata": {"labels": {"app": "x"}}, "spec": fields | spec}


def workload(resource: str, pods: Any = None, **spec: Any) -> Any:
    """A workload of this resource (plural name)."""
    pods = pods or template(**({} if resource in SELECTED else {"restartPolicy": "Never"}))
    fields = {"template": pods}
    if resource == "cronjobs":
        fields = {"schedule": "1 1 1 1 1", "jobTemplate": {"spec": fields}}
    if resource in SELECTED:
        fields["selector"] = {"matchLabels": {"app": "x"}}
    return {"metadata": {"name": "w"}, "spec": fields | spec}


def place(resource: str, name: str = "") -> Place:
    """Where an object, or the collection, is."""
    return Place(resource=RESOURCES[resource], namespace=SPACE, name=name)


def rest_of(*faults: str) -> Rest:
    """The verbs on a store with one namespace."""
    store = Store()
    store.create("namespaces", {"metadata": {"name": SPACE}, "status": {"phase": "Active"}})
    store.create("serviceaccounts", {"metadata": {"name": "default", "namespace": SPACE}})
    return Rest(store, Faults(faults))


async def create(rest: Rest, resource: str, body: Any) -> Any:
    """The object that was stored."""
    return (await rest.create(place(resource), body, Options())).object


def stored_volume(resource: str, obj: Any) -> Any:
    """The image volume of a workload's template."""
    spec = obj["spec"]["jobTemplate"]["spec"] if resource == "cronjobs" else obj["spec"]
    return spec["template"]["spec"]["volumes"][0]


@pytest.mark.asyncio
@pytest.mark.parametrize("resource", sorted(WORKLOADS))
async def test_template_keeps_its_image_volume(resource: str) -> None:
    """Every kind of workload stores the volume with the defaults of a Pod's, and counts its generations."""
    rest = rest_of()
    obj = await create(rest, resource, workload(resource))
    assert stored_volume(resource, obj) == {
        "name": "v",
        "image": {"reference": "site:v1", "pullPolicy": "IfNotPresent"},
    }
    assert obj["metadata"]["generation"] == 1
    assert obj["status"] == {}


@pytest.mark.asyncio
@pytest.mark.parametrize("resource", sorted(WORKLOADS))
async def test_template_may_lack_a_reference(resource: str) -> None:
    """A template may leave the reference to others; with the fault it is refused as in a Pod."""
    policy = {} if resource in SELECTED else {"restartPolicy": "Never"}
    body = workload(resource, template("", **policy))
    obj = await create(rest_of(), resource, body)
    assert stored_volume(resource, obj)["image"] == {"pullPolicy": "IfNotPresent"}
    with pytest.raises(Invalid, match=r"template\.spec\.volumes\[0\]\.image\.reference: Required value"):
        await create(rest_of("api-checks-templates-as-pods"), resource, body)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("resource", "body", "text"),
    [
        ("deployments", workload("deployments", selector=None), 'Invalid value: {"app":"x"}: `selector` does not match template `labels`'),
        ("deployments", workload("deployments", selector={}), "empty selector is invalid for deployment"),
        ("deployments", workload("deployments", replicas=-1), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ("deployments", workload("deployments", template(containers=[])), "spec.template.spec.containers: Required value"),
        ("statefulsets", workload("statefulsets", template(restartPolicy="Never")), 'restartPolicy: Unsupported value: "Never"'),
        ("jobs", workload("jobs", template()), 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'),
        ("cronjobs", workload("cronjobs", schedule="1 1"), 'spec.schedule: Invalid value: "1 1": expected exactly 5 fields'),
        ("cronjobs", workload("cronjobs", template(restartPolicy="Never", volumes=[])), "spec.jobTemplate.spec.template.spec.containers[0]"),
    ],
)  # fmt: skip
async def test_refused(resource: str, body: Any, text: str) -> None:
    """What is wrong with a workload is named as there."""
    with pytest.raises(Invalid) as caught:
        await create(rest_of(), resource, body)
    assert text in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("resource", ["deployments", "jobs"])
async def test_fixed_fields(resource: str) -> None:
    """The selector of a Deployment and the template of a Job stay as they are."""
    rest = rest_of()
    obj = await create(rest, resource, workload(resource))
    field = "selector" if resource == "deployments" else "template"
    labels = {"matchLabels": {"app": "x", "more": "y"}} if field == "selector" else None
    obj["spec"][field] = labels or template("site:v2", restartPolicy="Never")
    with pytest.raises(Invalid, match=rf"spec\.{field}: Invalid value: .*: field is immutable"):
        rest.update(place(resource, "w"), obj, Options())


# --- controllers


@asynccontextmanager
async def controlled(*faults: str) -> AsyncIterator[Rest]:
    """A cluster's controllers at work, with one node that runs nothing."""
    rest = rest_of(*faults)
    rest.store.create("nodes", {"metadata": {"name": "a", "labels": {}}, "spec": {}})
    tasks = [asyncio.create_task(controller(rest).run()) for controller in CONTROLLERS]
    try:
        yield rest
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], Any]) -> Any:
    """What a condition says, once it holds."""
    async with asyncio.timeout(5):
        while not (found := condition()):
            await asyncio.sleep(0.002)
        return found


def pods(rest: Rest, reference: str = "") -> list[Any]:
    """The Pods, or those that mount this reference, that are not being deleted."""
    return [
        pod
        for pod in rest.store.list("pods")[0]
        if reference in {"", pod["spec"]["volumes"][0]["image"]["reference"]}
    ]


def tell(rest: Rest, pod: Any, phase: str = "Running") -> None:
    """Be the kubelet: the Pod is ready, or has ended."""

    def change(current: Any) -> None:
        current["status"]["phase"] = phase
        current["status"]["conditions"] = READY if phase == "Running" else []

    rest.store.modify("pods", name_of(pod), SPACE, change)


def status(rest: Rest, resource: str, field: str) -> Any:
    """A field of the workload's status."""
    return at(rest.store.get(resource, "w", SPACE), f"status.{field}", 0)


def update_reference(rest: Rest, resource: str, reference: str) -> None:
    """Give the template another reference."""
    obj = rest.store.get(resource, "w", SPACE)
    obj["spec"]["template"] = template(reference)
    rest.update(place(resource, "w"), obj, Options())


async def rolled_out(rest: Rest, resource: str = "deployments", number: int = 2) -> None:
    """Create a workload and have all of its Pods ready."""
    await create(
        rest, resource, workload(resource, **({} if resource == "daemonsets" else {"replicas": number}))
    )
    field = "numberReady" if resource == "daemonsets" else "readyReplicas"

    def step() -> bool:
        for pod in pods(rest):
            tell(rest, pod)
        return bool(status(rest, resource, field) == number)

    await until(step)


@pytest.mark.asyncio
async def test_new_template_rolls_out() -> None:
    """A changed reference makes another ReplicaSet, whose Pods take the old ones' places once they are ready."""
    async with controlled() as rest:
        await rolled_out(rest)
        assert len(pods(rest, "site:v1")) == 2
        update_reference(rest, "deployments", "site:v2")
        (new,) = await until(lambda: pods(rest, "site:v2"))
        assert len(pods(rest, "site:v1")) == 2, "an old Pod went before a new one was ready"
        tell(rest, new)
        await until(lambda: len(pods(rest, "site:v2")) == 2)
        for pod in pods(rest, "site:v2"):
            tell(rest, pod)
        await until(lambda: not pods(rest, "site:v1"))
        await until(lambda: status(rest, "deployments", "updatedReplicas") == 2)
        assert status(rest, "deployments", "observedGeneration") == 2
        revision = rest.store.get("deployments", "w", SPACE)["metadata"]["annotations"]
        assert revision == {"deployment.kubernetes.io/revision": "2"}


@pytest.mark.asyncio
async def test_rollout_waits_for_ready_pods() -> None:
    """While the new Pods are not ready the old ones stay."""
    async with controlled() as rest:
        await rolled_out(rest)
        update_reference(rest, "deployments", "site:v2")
        await until(lambda: status(rest, "deployments", "observedGeneration") == 2)
        await until(lambda: status(rest, "deployments", "updatedReplicas") == 1)
        assert len(pods(rest, "site:v1")) == 2
        assert len(pods(rest, "site:v2")) == 1


@pytest.mark.asyncio
async def test_rollout_that_takes_unready_pods_for_available() -> None:
    """With the fault, the old Pods go although the new ones are not ready."""
    async with controlled("unready-pods-count-as-available") as rest:
        await rolled_out(rest)
        update_reference(rest, "deployments", "site:v2")
        await until(lambda: not pods(rest, "site:v1"))


@pytest.mark.asyncio
async def test_rollout_that_ignores_volumes() -> None:
    """With the fault, another reference is no other template."""
    async with controlled("rollout-ignores-volumes") as rest:
        await rolled_out(rest)
        update_reference(rest, "deployments", "site:v2")
        await until(lambda: status(rest, "deployments", "observedGeneration") == 2)
        assert len(rest.store.list("replicasets")[0]) == 1


@pytest.mark.asyncio
async def test_recreate_ends_the_old_pods_first() -> None:
    """The strategy Recreate makes no new Pod while an old one is there."""
    async with controlled() as rest:
        await rolled_out(rest)
        obj = rest.store.get("deployments", "w", SPACE)
        obj["spec"] |= {"strategy": {"type": "Recreate"}, "template": template("site:v2")}
        rest.update(place("deployments", "w"), obj, Options())
        await until(lambda: len(pods(rest, "site:v2")) == 2)
        assert not pods(rest, "site:v1")


@pytest.mark.asyncio
async def test_pod_that_cannot_be_made_is_told() -> None:
    """A ReplicaSet whose Pods are refused says so in its status, its Deployment's status and an event, and tries again."""
    async with controlled() as rest:
        await create(rest, "deployments", workload("deployments", template("")))
        found = await until(
            lambda: [
                one
                for one in status(rest, "deployments", "conditions") or []
                if one["type"] == "ReplicaFailure"
            ]
        )
        assert found[0]["reason"] == "FailedCreate"
        assert "spec.volumes[0].image.reference: Required value" in found[0]["message"]
        said = await until(
            lambda: [one for one in rest.store.list("events")[0] if one["reason"] == "FailedCreate"][1:]
        )
        assert said[0]["message"].startswith('Error creating: Pod "w-')


@pytest.mark.asyncio
@pytest.mark.parametrize("resource", ["statefulsets", "daemonsets"])
async def test_pods_are_replaced(resource: str) -> None:
    """StatefulSets and DaemonSets delete the Pods of an old template and make them anew."""
    number = 2 if resource == "statefulsets" else 1
    async with controlled() as rest:
        await rolled_out(rest, resource, number)
        names = [name_of(pod) for pod in pods(rest)]
        assert resource == "daemonsets" or names == ["w-0", "w-1"]
        update_reference(rest, resource, "site:v2")

        def step() -> bool:
            for pod in pods(rest):
                tell(rest, pod)
            return len(pods(rest, "site:v2")) == number

        await until(step)


@pytest.mark.asyncio
async def test_stateful_set_makes_pods_in_order() -> None:
    """The second Pod is made when the first is ready."""
    async with controlled() as rest:
        await create(rest, "statefulsets", workload("statefulsets", replicas=2))
        (first,) = await until(lambda: pods(rest))
        await until(lambda: status(rest, "statefulsets", "replicas") == 1)
        assert [name_of(pod) for pod in pods(rest)] == ["w-0"]
        tell(rest, first)
        await until(lambda: [name_of(pod) for pod in pods(rest)] == ["w-0", "w-1"])


@pytest.mark.asyncio
@pytest.mark.parametrize(("phase", "condition"), [("Succeeded", "Complete"), ("Failed", "Failed")])
async def test_job_ends(phase: str, condition: str) -> None:
    """A Job is complete when its Pod has ended well, and has failed when more have not than it allows."""
    async with controlled() as rest:
        await create(rest, "jobs", workload("jobs", backoffLimit=0))
        (pod,) = await until(lambda: pods(rest))
        assert pod["metadata"]["labels"]["job-name"] == "w"
        tell(rest, pod, phase)
        conditions = await until(lambda: status(rest, "jobs", "conditions"))
        assert conditions[-1]["type"] == condition
        assert conditions[-1]["status"] == "True"


@pytest.mark.asyncio
@pytest.mark.parametrize(("policy", "left"), [("Background", 0), ("Orphan", 2)])
async def test_what_is_owned_goes_with_its_owner(policy: str, left: int) -> None:
    """ReplicaSet and Pods go with their Deployment, and stay where it is deleted with Orphan."""
    async with controlled() as rest:
        await rolled_out(rest)
        rest.delete(place("deployments", "w"), {"propagationPolicy": policy}, dry_run=False)
        with pytest.raises(NotFound):
            rest.store.get("deployments", "w", SPACE)
        await until(lambda: len(rest.store.list("replicasets")[0]) == (1 if left else 0))
        await until(lambda: len(pods(rest)) == left)
