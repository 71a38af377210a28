"""Pods on a right node: what containers are given, how they run and end, what is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.registry.client import RegistryControl
from tests.reference.node.lab import play
from tests.reference.node.pod_scenarios import SCENARIOS

NOT_EXECUTED = 'exec: "/no/such": stat /no/such: no such file or directory'
NO_CAPABILITIES = "0000000000000000"
ROOTFS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/container/rootfs"

EXPECTED: dict[str, Any] = {
    "the_layered_image_looks_as_promised": [],
    "the_odd_image_looks_as_promised": [],
    "identity": [
        {
            "uid": 1000,
            "gid": 3000,
            "groups": [40, 50, 3000],
            "cwd": "/proc",
            "effective": NO_CAPABILITIES,
            "no_new_privs": "1",
            "color": "blue",
            "hostname": "my-name",
            "pid": 1,
        },
        True,
    ],
    "the_configuration_of_the_image": [
        [
            33,
            34,
            [34, 35],
            "/made",
            "pod",
            NO_CAPABILITIES,
            "/srv/web",
            "by the image",
            ["from", "the image"],
        ],
        [33, 34, [34, 35], "/proc", "image", NO_CAPABILITIES, "/srv/web", "by the image", ["mine"]],
    ],
    "capabilities": {
        "default": "0xa80425fb",
        "none": "0x0",
        "more": "0x1000",
        "fewer": "0xa80425fa",
        "all": "many",
    },
    "read_only_root": ['"EROFS"', '"ok"'],
    "mounts_in_mounts": [
        ["new"],
        "StartError",
        f'"/vol/absent": mkdir {ROOTFS}/vol/absent: read-only file system',
    ],
    "places": [[1], [], "0000", True, "here"],
    "volumes": {
        "both/a": ["A", "0o100644"],
        "both/b": ["B", "0o100644"],
        "both/s": ["S", "0o100644"],
        "facts/ns": ["default", "0o100644"],
        "map/x/a": ["A", "0o100400"],
        "secret/s": ["S", "0o100440"],
        "shared/s/f": ["from first", "0o100644"],
    },
    "a_missing_config_map_is_waited_for": [
        ['FailedMount MountVolume.SetUp failed for volume "volume" : configmap "N-late" not found @'],
        {"waiting": {"reason": "ContainerCreating"}},
        "text",
    ],
    "a_group_for_files": [4321, "0o42777"],
    "process_namespaces": [True, 4],
    "endings": [
        {
            "fine": [0, "Completed", ""],
            "told": [7, "Error", "because"],
            "logged": [3, "Error", "last words\n"],
        },
        "Failed",
    ],
    "a_program_that_is_not_there": [
        128,
        "StartError",
        f"unable to start container process: {NOT_EXECUTED}",
    ],
    "a_directory_that_is_not_there": "/made/for/me",
    "not_root": [
        {"main": "CreateContainerConfigError", "zero": "CreateContainerConfigError"},
        [
            "container has runAsNonRoot and image will run as root",
            "container's runAsUser breaks non-root policy",
        ],
        5,
    ],
    "terminations": [True, True],
    "crashes": [
        "CrashLoopBackOff",
        "back-off 2s restarting failed container=main",
        {"exitCode": 1, "reason": "Error"},
        ["run 2", "run 2"],
        ["BackOff Back-off restarting failed container main"],
    ],
    "order": ["one", "side", "two", "main", "side-ends"],
    "an_init_container_that_fails": ["Failed", {"first": "terminated", "main": "waiting"}, ["False"]],
    "an_ephemeral_container": [[True, "text"], "Running"],
    "logs": [
        ["err 0", "err 1", "err 2", "out 0", "out 1", "out 2"],
        2,
        ["err 0", "err 1", "err 2"],
        4,
        True,
    ],
    "logs_of_nothing": [
        [400, 'container "main" in pod "N-waiting" is waiting to start: ContainerCreating'],
        [400, 'previous terminated container "main" in pod "N-waiting" not found'],
    ],
    "programs_run_in_containers": [
        200_000,
        "XX",
        ["True", "xterm", "44"],
        [4, 0, 137],
        NOT_EXECUTED,
    ],
    "a_program_dies_with_its_container": 137,
    "conditions": [
        "Running",
        {
            "PodReadyToStartContainers": "True",
            "Initialized": "True",
            "Ready": "True",
            "ContainersReady": "True",
            "PodScheduled": "True",
        },
        "127.0.0.1",
        True,
        "BestEffort",
        [True, True, 0, "reference"],
        True,
        [{"mountPath": "/vol", "name": "volume"}],
        ["Created", "Pulled", "Pulled", "Pulling", "Pulling", "Started"],
    ],
    "the_node_tells_of_itself": [
        ["v1.36.2", "reference://1.0", "linux"],
        ["kubernetes.io/arch", "kubernetes.io/hostname", "kubernetes.io/os"],
        "True",
        True,
        True,
        ["1", "1", "0"],
    ],
    "too_much_storage": [
        "Evicted",
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ",
    ],
}
"""By scenario: what it sees."""

IDS_ONE: dict[str, Any] = {"a_group_for_files": [0, "0o40777"]}
"""What differs where there is but one user id: files cannot be given to groups."""

ALONE = ("nothing_is_left",)
GROUPS = [list(EXPECTED)[start::4] for start in range(4)]


def test_every_scenario_is_expected_to_show_something() -> None:
    """A scenario that nobody plays is found."""
    assert set(EXPECTED) | set(ALONE) == set(SCENARIOS)


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_pods_are_run_as_documented(names: list[str], registry: RegistryControl) -> None:
    """Each scenario sees what is documented."""
    seen = play("tests.reference.node.pod_scenarios:observe", registry, names=names)
    ids = seen.pop("ids")
    expected = EXPECTED | (IDS_ONE if ids == "one" else {})
    assert seen == {name: expected[name] for name in names}


def test_nothing_is_left_of_a_pod(registry: RegistryControl) -> None:
    """No directory, no container, no worker, no open file."""
    seen = play("tests.reference.node.pod_scenarios:observe", registry, names=list(ALONE))
    assert seen["nothing_is_left"] == [[], 0, 0, True]
