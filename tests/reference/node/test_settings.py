"""What variants and faults make of a node's settings, and what the kubelet says of them."""

from __future__ import annotations

import pytest

from fixtures.reference.faults import Faults
from fixtures.reference.node.settings import Settings


@pytest.mark.parametrize(
    ("switch", "said"),
    [
        ("", (False, 0)),
        ("serialize-image-pulls", (True, 0)),
        ("volumes-jump-the-queue", (True, 0)),
        ("registry-qps", (False, 5)),
        ("volumes-bypass-throttle", (False, 5)),
    ],
)
def test_the_kubelet_says_how_it_pulls(switch: str, said: tuple[bool, int]) -> None:
    """Each variant, and each fault about a limit, sets the limit that it is about and leaves the rest as it was given."""
    settings = Settings(retry=7.0).under(Faults([switch] if switch else []))
    told = settings.configz()
    assert (told["serializeImagePulls"], told["registryPullQPS"]) == said
    assert told["registryBurst"] == 10
    assert settings.retry == 7.0


def test_a_fault_takes_the_limit_on_silence_away() -> None:
    """A node with the fault waits longer than any check."""
    assert Settings().under(Faults(["no-pull-timeout"])).pull_silence > 1000
