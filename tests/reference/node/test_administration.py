"""fixtures.reference.node.administration: what crictl, systemctl and cri-fault do on a node, and how they refuse."""

from __future__ import annotations

from fixtures.registry.client import RegistryControl
from tests.reference.node.lab import play


def test_commands_of_a_node(registry: RegistryControl) -> None:
    """Images and sandboxes are listed, removed and stopped, components restart, and what cannot be is refused as the real commands do."""
    seen = play("tests.reference.node.administration_scenarios:commands", registry)
    wrong = seen.pop("wrong")
    assert wrong[0] == 1
    assert "invalid choice" in wrong[1]
    fine = [0, ""]
    assert seen == {
        "images": fine,
        "listed": True,
        "pods": fine,
        "stop": fine,
        "changed": True,
        "inspect": fine,
        "remove": fine,
        "inspect removed": [1, 'no such image "absent.example/x:y" present'],
        "fault": fine,
        "inspect faulty": [1, "E rpc error: no answer"],
        "restart": fine,
        "restart runtime": fine,
        "restart other": [5, "Failed to restart other.service: Unit other.service not found."],
        "unknown": [127, "dance: not found"],
        "still": 1,
    }
