"""The protobuf bodies that kubectl sends for plain objects."""

from __future__ import annotations

import pytest

from fixtures.reference.api.protobuf import ProtobufError, decode


def field(number: int, content: bytes | int) -> bytes:
    """One field: of bytes, or a number below 128."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def enveloped(kind: str, content: bytes) -> bytes:
    """A body."""
    type_meta = field(1, b"v1") + field(2, kind.encode())
    return b"k8s\x00" + field(1, type_meta) + field(2, content) + field(3, b"") + field(4, b"")


def test_secret() -> None:
    """Maps, bytes, numbers and nested messages are decoded; unknown fields and fixed-width values are passed over."""
    metadata = field(1, b"login") + field(3, b"n") + field(15, b"x")
    labels = field(11, field(1, b"a") + field(2, b"b"))
    content = (
        field(1, metadata + labels) + field(2, field(1, b"key") + field(2, b"\xff")) + field(3, b"Opaque")
    )
    content += field(5, 1) + b"\x79" + bytes(8) + b"\x7d" + bytes(4)
    assert decode(enveloped("Secret", content)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "n", "labels": {"a": "b"}},
        "data": {"key": "/w=="},
        "type": "Opaque",
        "immutable": True,
    }


def test_service_account() -> None:
    """Repeated messages are lists."""
    content = field(3, field(1, b"one")) + field(3, field(1, b"two")) + field(4, 0)
    decoded = decode(enveloped("ServiceAccount", content))
    assert decoded["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert decoded["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{}", "does not begin"),
        (enveloped("Pod", b""), "does not take Pod"),
        (b"k8s\x00", "does not take this"),
        (b"k8s\x00\x0a", "in the middle"),
        (b"k8s\x00\x0b\x00", "wire type"),
    ],
)
def test_what_is_not_decoded(content: bytes, text: str) -> None:
    """Anything else is refused with words."""
    with pytest.raises(ProtobufError, match=text):
        decode(content)
