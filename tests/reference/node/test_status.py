"""A Pod's status, from its containers' runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fixtures.reference.node.status import Facts, Run, status

Json = dict[str, Any]

RUN = Run(
    id="1" * 64,
    state="running",
    attempt=0,
    image="reg/probe:v1",
    image_id="reg/probe@sha256:1",
    started=1.0,
    finished=0.0,
    exit_code=0,
    reason="",
    message="",
    user=(0, 0, (0,)),
)
FACTS = Facts(
    runs={},
    waiting={},
    sandbox=True,
    terminal=False,
    pod_ip="127.64.0.1",
    host_ip="127.0.0.1",
    start_time=1.0,
)
PULL = ("ErrImagePull", "no such image")


def ended(code: int) -> Run:
    """A run that has ended."""
    reason = "Completed" if code == 0 else "Error"
    return dataclasses.replace(RUN, state="exited", exit_code=code, finished=2.0, reason=reason)


def pod(*names: str, init: tuple[Json, ...] = (), policy: str = "Always", **spec: Any) -> Json:
    """A Pod whose containers mount a volume."""
    mounts = [{"name": "volume", "mountPath": "/vol"}]
    containers = [{"name": name, "image": "reg/probe:v1", "volumeMounts": mounts} for name in names]
    return {
        "metadata": {"name": "pod", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {"restartPolicy": policy, "containers": containers, "initContainers": list(init)} | spec,
    }


def found(pod: Json, **changes: Any) -> Json:
    """The status of a Pod by these facts."""
    return status(pod, dataclasses.replace(FACTS, **changes))


def condition(seen: Json, kind: str) -> Json:
    """One condition, without its times."""
    one = next(one for one in seen["conditions"] if one["type"] == kind)
    return {key: one[key] for key in ("status", "reason", "message") if key in one}


@pytest.mark.parametrize(
    ("policy", "runs", "terminal", "phase"),
    [
        ("Never", {}, False, "Pending"),
        ("Never", {"a": [RUN], "b": [RUN]}, False, "Running"),
        ("Never", {"a": [RUN], "b": [ended(0)]}, False, "Running"),
        ("Never", {"a": [ended(0)], "b": [ended(0)]}, False, "Succeeded"),
        ("Never", {"a": [ended(1)], "b": [ended(0)]}, False, "Failed"),
        ("OnFailure", {"a": [ended(1)], "b": [ended(0)]}, False, "Running"),
        ("Always", {"a": [ended(0)], "b": [ended(0)]}, False, "Running"),
        ("Always", {"a": [ended(0)], "b": [ended(143)]}, True, "Failed"),
        ("Always", {"a": [RUN]}, False, "Pending"),
    ],
)
def test_the_phase_follows_from_the_containers(
    policy: str,
    runs: dict[str, list[Run]],
    terminal: bool,  # noqa: FBT001 - a table
    phase: str,
) -> None:
    """getPhase: a container that never started keeps the Pod Pending."""
    assert found(pod("a", "b", policy=policy), runs=runs, terminal=terminal)["phase"] == phase


def test_a_failed_pull_shows_on_the_container_and_leaves_the_pod_pending() -> None:
    """Under any restart policy, and with nothing on the Pod itself (ERR-10, ERR-11)."""
    seen = found(pod("main", policy="Never"), waiting={"main": PULL})
    assert seen["phase"] == "Pending"
    waiting = seen["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "ErrImagePull", "message": "no such image"}
    assert "reason" not in seen
    assert "message" not in seen


def test_containers_wait_for_init_containers() -> None:
    """PodInitializing with, ContainerCreating without."""
    first = ({"name": "init", "image": "i"},)
    waiting = found(pod("main", init=first))["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "PodInitializing"}
    waiting = found(pod("main"))["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "ContainerCreating"}


def test_a_failed_init_container_fails_the_pod_under_never() -> None:
    """And is tried again otherwise."""
    first = ({"name": "init", "image": "i"},)
    runs = {"init": [ended(3)]}
    assert found(pod("main", init=first, policy="Never"), runs=runs)["phase"] == "Failed"
    assert found(pod("main", init=first), runs=runs)["phase"] == "Pending"


def test_a_restart_keeps_the_last_end() -> None:
    """restartCount, lastState and the state of the run that goes on."""
    again = dataclasses.replace(RUN, attempt=1)
    one = found(pod("main"), runs={"main": [again, ended(7)]})["containerStatuses"][0]
    assert one["restartCount"] == 1
    assert one["lastState"]["terminated"]["exitCode"] == 7
    assert "running" in one["state"]
    assert one["ready"] is True


def test_crash_loop_back_off_moves_the_end_to_the_last_state() -> None:
    """A container that will be started again waits."""
    waiting = {"main": ("CrashLoopBackOff", "back-off 10s")}
    one = found(pod("main"), runs={"main": [ended(7)]}, waiting=waiting)["containerStatuses"][0]
    assert one["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert one["lastState"]["terminated"]["exitCode"] == 7


def test_a_reason_of_old_does_not_hide_a_running_container() -> None:
    """What counts is what runs."""
    one = found(pod("main"), runs={"main": [RUN]}, waiting={"main": PULL})["containerStatuses"][0]
    assert "running" in one["state"]


def test_mounts_are_listed_as_the_pod_asks_for_them() -> None:
    """ReadOnly only where the Pod wrote it (STAT-01, STAT-02)."""
    one = found(pod("main"))["containerStatuses"][0]
    assert one["volumeMounts"] == [{"mountPath": "/vol", "name": "volume"}]


def test_conditions_of_a_pod_that_waits() -> None:
    """The sandbox is there, the containers are not ready and are named."""
    seen = found(pod("a", "b"), runs={"a": [RUN]}, waiting={"b": PULL})
    assert condition(seen, "PodReadyToStartContainers") == {"status": "True"}
    assert condition(seen, "Initialized") == {"status": "True"}
    not_ready = {
        "status": "False",
        "reason": "ContainersNotReady",
        "message": "containers with unready status: [b]",
    }
    assert condition(seen, "Ready") == not_ready
    assert condition(seen, "ContainersReady") == not_ready


def test_a_condition_keeps_its_time_while_it_keeps_its_status() -> None:
    """LastTransitionTime is that of the change."""
    first = pod("main")
    first["status"] = found(first)
    for one in first["status"]["conditions"]:
        one["lastTransitionTime"] = "2000-01-01T00:00:00Z"
    times = {
        one["type"]: one["lastTransitionTime"] for one in found(first, runs={"main": [RUN]})["conditions"]
    }
    assert times["Initialized"] == "2000-01-01T00:00:00Z"
    assert times["Ready"] != "2000-01-01T00:00:00Z"


def test_a_final_phase_is_final() -> None:
    """Whatever the containers say later."""
    over = pod("main", policy="Never")
    over["status"] = found(over, runs={"main": [ended(0)]})
    assert over["status"]["phase"] == "Succeeded"
    assert found(over, runs={"main": [RUN]})["phase"] == "Succeeded"


def test_conditions_of_others_stay() -> None:
    """Those that the kubelet does not own."""
    one = pod("main")
    one["status"] = {"conditions": [{"type": "Foreign", "status": "True"}]}
    assert {"type": "Foreign", "status": "True"} in found(one)["conditions"]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_the_qos_class_follows_from_the_resources(resources: Json, expected: str) -> None:
    """As the API server sets it, where it has not."""
    one = pod("main")
    one["spec"]["containers"][0]["resources"] = resources
    assert found(one)["qosClass"] == expected
