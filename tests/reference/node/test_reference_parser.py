"""Image references, as distribution/reference reads them."""

from __future__ import annotations

import pytest

from fixtures.reference.node.reference_parser import (
    InvalidReferenceError,
    Reference,
    for_pull,
    parse,
    trimmed,
    with_default_tag,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", Reference(domain="docker.io", path="library/busybox")),
        ("user/app:1", Reference(domain="docker.io", path="user/app", tag="1")),
        ("localhost/app", Reference(domain="localhost", path="app")),
        ("127.0.0.1:5000/a/b:v1", Reference(domain="127.0.0.1:5000", path="a/b", tag="v1")),
        (f"reg.io/a@{DIGEST}", Reference(domain="reg.io", path="a", digest=DIGEST)),
        (f"reg.io/a:t@{DIGEST}", Reference(domain="reg.io", path="a", tag="t", digest=DIGEST)),
        ("index.docker.io/app", Reference(domain="docker.io", path="library/app")),
        ("[::1]:5000/app", Reference(domain="[::1]:5000", path="app")),
    ],
)
def test_a_reference_is_read_in_full(text: str, expected: Reference) -> None:
    """Short names get registry and `library/`; tag and digest are told apart from the registry's port."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${X}", "invalid reference format: repository name (library/${X}) must be lowercase"),
        (
            "127.0.0.1:1/UPPER/x:v1",
            "invalid reference format: repository name (UPPER/x) must be lowercase",
        ),
        (" app", "invalid reference format"),
        ("app:", "invalid reference format"),
        ("reg.io/a@sha256:abc", "invalid reference format"),
        (f"reg.io/a@sha256:{'a' * 63}", "invalid checksum digest length"),
        (f"reg.io/a@md5:{'a' * 32}", "unsupported digest algorithm"),
        ("b" * 64, f"invalid repository name ({'b' * 64}), cannot specify 64-byte hexadecimal strings"),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_same_words(text: str, words: str) -> None:
    """The words come to users in the Pod's status, so they are those of distribution/reference."""
    with pytest.raises(InvalidReferenceError) as refused:
        parse(text)
    assert str(refused.value) == words


def test_the_default_tag_is_added_without_touching_the_rest() -> None:
    """Only a reference without tag and digest gets `latest`, and no registry is written into a short name."""
    assert with_default_tag("busybox") == "busybox:latest"
    assert with_default_tag("reg:5000/a") == "reg:5000/a:latest"
    assert with_default_tag("a:v1") == "a:v1"
    assert with_default_tag(f"a@{DIGEST}") == f"a@{DIGEST}"


def test_a_digest_wins_over_a_tag() -> None:
    """What is pulled for `repo:tag@digest` is the digest."""
    assert str(for_pull(f"reg.io/a:t@{DIGEST}")) == f"reg.io/a@{DIGEST}"
    assert str(for_pull("reg.io/a")) == "reg.io/a:latest"


@pytest.mark.parametrize(
    "text", ["reg:5000/a", "reg:5000/a:t", f"reg:5000/a@{DIGEST}", f"reg:5000/a:t@{DIGEST}"]
)
def test_trimming_leaves_the_name_alone(text: str) -> None:
    """Tag and digest go, the registry's port stays."""
    assert trimmed(text) == "reg:5000/a"
