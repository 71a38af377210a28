"""What the kubelet makes of security contexts."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.reference.node.container_config import check_non_root, effective_security
from fixtures.reference.node.content import Image
from fixtures.reference.node.environment import ConfigError

Json = dict[str, Any]


def image(user: str) -> Image:
    """An image that runs as a user."""
    return Image(
        id="sha256:1",
        target="sha256:2",
        manifest="sha256:2",
        config={"User": user},
        layers=(),
        diff_ids=(),
        artifact=False,
        size=0,
    )


def test_the_container_s_context_goes_before_the_pod_s() -> None:
    """Field by field; a null is no answer."""
    pod = {"securityContext": {"runAsUser": 1, "runAsGroup": 2, "runAsNonRoot": True, "fsGroup": 3}}
    own = {"securityContext": {"runAsUser": 5, "runAsGroup": None, "privileged": True}}
    assert effective_security(pod, own) == {
        "runAsUser": 5,
        "runAsGroup": 2,
        "runAsNonRoot": True,
        "privileged": True,
    }
    assert effective_security({}, {}) == {}


@pytest.mark.parametrize(
    ("security", "user", "words"),
    [
        ({}, "", "container has runAsNonRoot and image will run as root"),
        ({"runAsUser": 5}, "", ""),
        ({}, "5", ""),
        ({}, "5:0", ""),
        ({"runAsUser": 0}, "5", "container's runAsUser breaks non-root policy"),
        ({}, "0", "container has runAsNonRoot and image will run as root"),
        (
            {},
            "web",
            "container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root",
        ),
    ],
)
def test_a_container_that_must_not_be_root(security: Json, user: str, words: str) -> None:
    """The Pod's wish decides, then the image's user, which must be a number."""
    strict = {"runAsNonRoot": True, **security}
    if words:
        with pytest.raises(ConfigError) as refused:
            check_non_root("pod_ns(u)", "main", strict, image(user))
        assert str(refused.value) == f'{words} (pod: "pod_ns(u)", container: main)'
    else:
        check_non_root("pod_ns(u)", "main", strict, image(user))
    check_non_root("pod_ns(u)", "main", security, image(user))
