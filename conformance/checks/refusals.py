"""What checks of several areas say of a Pod that does not start."""

from __future__ import annotations

from fixtures.workloads import Pod, Refusal

UNPULLED = frozenset({"ErrImagePull", "ImagePullBackOff"})


def refused(pod_: Pod) -> Refusal:
    """Why the Pod's container waits: it must, for want of its image."""
    refusal = pod_.refusal()
    assert refusal is not None, "the container started without the right credential"
    assert refusal.reason in UNPULLED, str(refusal)
    return refusal
