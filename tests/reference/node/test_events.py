"""Events, as the kubelet records them."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.reference.api.store import Store
from fixtures.reference.node.events import Events

Json = dict[str, Any]
POD: Json = {"metadata": {"name": "pod", "namespace": "default", "uid": "u", "resourceVersion": "1"}}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time that was set."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def store() -> Store:
    """An empty store."""
    return Store()


@pytest.fixture
def events(store: Store, clock: Clock) -> Events:
    """What records events on node-1."""
    return Events(store, "node-1", clock)


def recorded(store: Store) -> list[Json]:
    """The events so far."""
    return store.list("events")[0]


def test_an_event_says_who_about_what_and_when(events: Events, store: Store) -> None:
    """All fields that clients read, and no fieldPath for the Pod itself."""
    events.normal(POD, "Pulling", "Pulling image")
    event = recorded(store)[0]
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "pod",
        "namespace": "default",
        "resourceVersion": "1",
        "uid": "u",
    }
    assert event["source"] == {"component": "kubelet", "host": "node-1"}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("kubelet", "node-1")
    assert (event["type"], event["count"]) == ("Normal", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"]


def test_the_same_event_again_is_counted(events: Events, store: Store) -> None:
    """One object with a count; another container's is another event."""
    for _ in range(3):
        events.warning(POD, "Failed", "Error: x", "spec.containers{a}")
    events.warning(POD, "Failed", "Error: x", "spec.containers{b}")
    found = {event["involvedObject"]["fieldPath"]: event["count"] for event in recorded(store)}
    assert found == {"spec.containers{a}": 3, "spec.containers{b}": 1}


def test_an_event_that_was_removed_comes_anew(events: Events, store: Store) -> None:
    """The count begins again."""
    events.normal(POD, "Pulling", "x")
    store.remove("events", recorded(store)[0]["metadata"]["name"], "default")
    events.normal(POD, "Pulling", "x")
    assert [event["count"] for event in recorded(store)] == [1]


def test_many_messages_of_one_reason_are_combined(events: Events, store: Store) -> None:
    """From the tenth on, as for the errors of containerd 1.7, which hold an id each."""
    for number in range(12):
        events.warning(POD, "Failed", f"Error: {number}")
    combined = [event for event in recorded(store) if event["message"].startswith("(combined")]
    assert len(recorded(store)) == 10
    assert [event["count"] for event in combined] == [3]


def test_too_many_events_about_one_pod_are_dropped(events: Events, store: Store, clock: Clock) -> None:
    """25 of a type at once, then one every five minutes; another Pod has its own."""
    for _ in range(40):
        events.normal(POD, "BackOff", "x")
    assert recorded(store)[0]["count"] == 25
    clock.now = 301.0
    for _ in range(2):
        events.normal(POD, "BackOff", "x")
    assert recorded(store)[0]["count"] == 26
    events.normal({"metadata": POD["metadata"] | {"name": "other", "uid": "v"}}, "BackOff", "x")
    assert len(recorded(store)) == 2
