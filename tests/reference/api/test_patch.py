"""The three kinds of patches."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.reference.api.errors import ApiError
from fixtures.reference.api.patch import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, apply
from fixtures.reference.api.schema import load


def patched(target: Any, patch: Any, kind: str) -> Any:
    """A Pod's patch, applied."""
    return apply("Pod", load(), target, patch, kind)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, result: Any) -> None:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    assert patched(target, patch, MERGE_PATCH) == result


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/b", "value": 2}, {"a": [1, 2], "x/y": {}, "b": 2}),
        ({"op": "add", "path": "/a/0", "value": 0}, {"a": [0, 1, 2], "x/y": {}}),
        ({"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3], "x/y": {}}),
        ({"op": "remove", "path": "/a/0"}, {"a": [2], "x/y": {}}),
        ({"op": "replace", "path": "/x~1y", "value": 1}, {"a": [1, 2], "x/y": 1}),
        ({"op": "move", "from": "/a", "path": "/c"}, {"x/y": {}, "c": [1, 2]}),
        ({"op": "copy", "from": "/a/1", "path": "/a/0"}, {"a": [2, 1, 2], "x/y": {}}),
        ({"op": "test", "path": "/a/0", "value": 1}, {"a": [1, 2], "x/y": {}}),
    ],
)
def test_json_patch(operation: Any, result: Any) -> None:
    """RFC 6902, operation by operation."""
    target = {"a": [1, 2], "x/y": {}}
    assert patched(target, [operation], JSON_PATCH) == result
    assert target == {"a": [1, 2], "x/y": {}}


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([{"op": "remove", "path": "/nothing"}], 422),
        ([{"op": "replace", "path": "/nothing", "value": 1}], 422),
        ([{"op": "test", "path": "/a", "value": 1}], 422),
        ([{"op": "add", "path": "/a/7", "value": 1}], 422),
        ([{"op": "add", "path": "no/slash", "value": 1}], 422),
        ([{"op": "dance", "path": "/a"}], 400),
        ([{"op": "add"}], 400),
        ({"op": "add"}, 400),
    ],
)
def test_json_patch_that_cannot_be_applied(patch: Any, code: int) -> None:
    """What does not fit the object is 422, what is no patch 400."""
    with pytest.raises(ApiError) as caught:
        patched({"a": [1, 2]}, patch, JSON_PATCH)
    assert caught.value.code == code


CONTAINERS: Any = [{"name": "a", "image": "1"}, {"name": "b", "image": "2", "args": ["x"]}]
POD: Any = {
    "metadata": {"finalizers": ["a"], "labels": {"x": "1", "y": "2"}},
    "spec": {
        "containers": CONTAINERS,
        "volumes": [{"name": "v", "image": {"reference": "r", "pullPolicy": "Never"}}],
        "tolerations": [{"key": "t"}],
    },
}


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"containers": [{"name": "b", "image": "3"}]}, {"containers": [CONTAINERS[0], {"name": "b", "image": "3", "args": ["x"]}]}),
        ({"containers": [{"name": "b", "args": ["y"]}]}, {"containers": [CONTAINERS[0], CONTAINERS[1] | {"args": ["y"]}]}),
        ({"containers": [{"name": "c"}]}, {"containers": [*CONTAINERS, {"name": "c"}]}),
        ({"containers": [{"name": "a", "$patch": "delete"}]}, {"containers": CONTAINERS[1:]}),
        ({"containers": [{"$patch": "replace"}, {"name": "z"}]}, {"containers": [{"name": "z"}]}),
        ({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}, {"containers": CONTAINERS[::-1]}),
        ({"tolerations": [{"key": "u"}]}, {"tolerations": [{"key": "u"}]}),
        (
            {"volumes": [{"name": "v", "image": {"reference": "q"}}]},
            {"volumes": [{"name": "v", "image": {"reference": "q", "pullPolicy": "Never"}}]},
        ),
        (
            {"volumes": [{"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]},
            {"volumes": [{"name": "v", "emptyDir": {}}]},
        ),
    ],
)  # fmt: skip
def test_strategic_patch_of_a_spec(patch: Any, result: Any) -> None:
    """Lists with a key are merged item by item, others are replaced; directives are followed."""
    assert patched(POD, {"spec": patch}, STRATEGIC_PATCH)["spec"] == POD["spec"] | result


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"finalizers": ["b"]}, {"finalizers": ["a", "b"], "labels": {"x": "1", "y": "2"}}),
        ({"$deleteFromPrimitiveList/finalizers": ["a"]}, {"finalizers": [], "labels": {"x": "1", "y": "2"}}),
        ({"labels": {"x": None, "z": "3"}}, {"finalizers": ["a"], "labels": {"y": "2", "z": "3"}}),
        ({"labels": {"$patch": "replace", "z": "3"}}, {"finalizers": ["a"], "labels": {"z": "3"}}),
    ],
)
def test_strategic_patch_of_metadata(patch: Any, result: Any) -> None:
    """Sets grow and shrink, maps merge."""
    assert patched(POD, {"metadata": patch}, STRATEGIC_PATCH)["metadata"] == result


def test_strategic_patch_needs_the_key() -> None:
    """An item of a keyed list without its key is refused."""
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        patched(POD, {"spec": {"containers": [{"image": "x"}]}}, STRATEGIC_PATCH)
