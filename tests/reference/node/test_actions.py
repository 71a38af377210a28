"""What is to be done for a Pod, by the latest run of each container."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.reference.node.actions import Actions, Seen, compute

Json = dict[str, Any]

UP = Seen(running=True)
DONE = Seen(running=False, exit_code=0)
FAILED = Seen(running=False, exit_code=1)


def spec(
    *names: str, init: tuple[str, ...] = (), sidecars: tuple[str, ...] = (), policy: str = "Never"
) -> Json:
    """A Pod's spec; sidecars are among the init containers."""
    return {
        "restartPolicy": policy,
        "containers": [{"name": name} for name in names],
        "initContainers": [
            {"name": name} | ({"restartPolicy": "Always"} if name in sidecars else {}) for name in init
        ],
    }


def test_init_containers_run_one_after_the_other() -> None:
    """Each waits for the end of the one before it; the regular ones wait for the last."""
    pod = spec("main", init=("a", "b"))
    assert compute(pod, {}) == Actions(init=["a"])
    assert compute(pod, {"a": UP}) == Actions()
    assert compute(pod, {"a": DONE}) == Actions(init=["b"])
    assert compute(pod, {"a": DONE, "b": DONE}) == Actions(regular=["main"])


def test_a_sidecar_only_has_to_be_started() -> None:
    """The next init container starts beside it, and it is started again when it ends."""
    pod = spec("main", init=("side", "b"), sidecars=("side",))
    assert compute(pod, {"side": UP}) == Actions(init=["b"])
    assert compute(pod, {"side": UP, "b": DONE}) == Actions(regular=["main"])
    assert compute(pod, {"side": FAILED, "b": DONE, "main": UP}).init == ["side"]


def test_a_failed_init_container_ends_a_pod_that_does_not_restart() -> None:
    """Under Never; else it is tried again."""
    assert compute(spec("main", init=("a",)), {"a": FAILED}).end
    assert compute(spec("main", init=("a",), policy="OnFailure"), {"a": FAILED}) == Actions(init=["a"])


@pytest.mark.parametrize(
    ("policy", "latest", "again"),
    [
        ("Always", DONE, True),
        ("Always", FAILED, True),
        ("OnFailure", DONE, False),
        ("OnFailure", FAILED, True),
        ("Never", FAILED, False),
    ],
)
def test_the_restart_policy_decides(policy: str, latest: Seen, again: bool) -> None:  # noqa: FBT001 - a table
    """Whether a container that ended is started again, or the Pod has ended."""
    found = compute(spec("main", policy=policy), {"main": latest})
    assert found.regular == (["main"] if again else [])
    assert found.end is not again


def test_a_pod_ends_when_its_regular_containers_have() -> None:
    """A sidecar does not keep it alive."""
    pod = spec("main", init=("side",), sidecars=("side",))
    assert compute(pod, {"side": UP, "main": DONE}) == Actions(end=True)


def test_ephemeral_containers_start_once() -> None:
    """Also before the init containers are done."""
    pod = spec("main", init=("a",)) | {"ephemeralContainers": [{"name": "debug"}]}
    assert compute(pod, {"a": UP}).ephemeral == ["debug"]
    assert compute(pod, {"a": UP, "debug": DONE}).ephemeral == []
