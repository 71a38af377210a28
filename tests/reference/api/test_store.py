"""The store: versions, conflicts, copies, and watches that miss nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest

from fixtures.reference.api import store as store_module
from fixtures.reference.api.objects import Object
from fixtures.reference.api.selectors import SelectorError
from fixtures.reference.api.store import AlreadyExists, Conflict, Gone, NotFound, Store, Watch

pytestmark = pytest.mark.asyncio


def pod(name: str = "p", namespace: str = "n", **spec: str) -> Object:
    """A Pod with a label."""
    return {"metadata": {"name": name, "namespace": namespace, "labels": {"app": name}}, "spec": dict(spec)}


async def drained(watch: Watch) -> list[tuple[str, str]]:
    """The type and name of each event that is held."""
    watch.close()
    return [(kind, obj["metadata"]["name"]) async for kind, obj in watch]


async def test_created_object_gets_what_the_server_sets() -> None:
    """uid, creation time, version, kind and apiVersion are set on creation."""
    created = Store().create("pods", pod())
    assert created["kind"] == "Pod"
    assert created["apiVersion"] == "v1"
    assert {"uid", "creationTimestamp", "resourceVersion"} <= set(created["metadata"])


async def test_name_is_generated() -> None:
    """A generateName gives different names of at most 63 characters that begin with it."""
    store = Store()
    names = {
        store.create("events", {"metadata": {"generateName": "x" * 70, "namespace": "n"}})["metadata"]["name"]
        for _ in range(5)
    }
    assert len(names) == 5
    assert {len(name) for name in names} == {63}


async def test_name_is_taken_once() -> None:
    """A name can be taken once in a namespace, and again in another."""
    store = Store()
    store.create("pods", pod())
    store.create("pods", pod(namespace="m"))
    with pytest.raises(AlreadyExists, match='pods "p" already exists'):
        store.create("pods", pod())


async def test_what_goes_in_and_out_is_copied() -> None:
    """Nobody's later change of a dict reaches the store."""
    store, given = Store(), pod(a="b")
    created = store.create("pods", given)
    given["spec"]["a"] = created["spec"]["a"] = "changed"
    store.get("pods", "p", "n")["spec"]["a"] = "changed"
    store.list("pods")[0][0]["spec"]["a"] = "changed"
    assert store.get("pods", "p", "n")["spec"] == {"a": "b"}


async def test_missing_object_is_not_found() -> None:
    """get, update and remove of what is not there carry a Status of 404."""
    store = Store()
    attempts: tuple[Callable[[], Object], ...] = (
        lambda: store.get("pods", "p", "n"),
        lambda: store.remove("pods", "p", "n"),
        lambda: store.update("pods", pod(), expect_version=False),
    )
    for attempt in attempts:
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.status["code"] == 404
        assert caught.value.status["details"] == {"name": "p", "kind": "pods"}


async def test_old_version_conflicts() -> None:
    """An update made from an old version is refused if a version is expected, else it wins."""
    store = Store()
    old = store.create("pods", pod())
    store.update("pods", old | {"spec": {"a": "1"}}, expect_version=True)
    with pytest.raises(Conflict, match="the object has been modified"):
        store.update("pods", old | {"spec": {"a": "2"}}, expect_version=True)
    assert store.update("pods", old | {"spec": {"a": "3"}}, expect_version=False)["spec"] == {"a": "3"}


async def test_other_uid_conflicts() -> None:
    """An update meant for an earlier object of that name is refused."""
    store = Store()
    old = store.create("pods", pod())
    store.remove("pods", "p", "n")
    store.create("pods", pod())
    with pytest.raises(Conflict, match="Precondition failed: UID"):
        store.update("pods", old, expect_version=False)


async def test_equal_update_changes_nothing() -> None:
    """An update without a change makes no version and no event."""
    store = Store()
    created = store.create("pods", pod())
    watch = store.watch("pods", since=store.version)
    assert store.update("pods", created, expect_version=True) == created
    assert await drained(watch) == []


async def test_modify_reads_and_writes_at_once() -> None:
    """A modification changes the present object, whatever was read before."""
    store = Store()
    store.create("pods", pod())
    store.modify("pods", "p", "n", lambda obj: obj["spec"].update(a="1"))
    assert store.modify("pods", "p", "n", lambda obj: obj["spec"].update(b="2"))["spec"] == {
        "a": "1",
        "b": "2",
    }


async def test_list_selects_and_orders() -> None:
    """A list is ordered, holds one namespace or all, and what the selectors choose."""
    store = Store()
    for name, namespace in (("b", "n"), ("a", "n"), ("a", "m")):
        store.create("pods", pod(name, namespace, nodeName=name))

    def found(namespace: str | None = None, **selectors: str) -> list[tuple[str, str]]:
        items, _ = store.list("pods", namespace, **selectors)
        return [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]

    assert found() == [("m", "a"), ("n", "a"), ("n", "b")]
    assert found("n") == [("n", "a"), ("n", "b")]
    assert found(labels="app in (b, c)") == [("n", "b")]
    assert found("n", fields="spec.nodeName=a") == [("n", "a")]
    with pytest.raises(SelectorError):
        found(fields="spec.foo=a")


async def test_watch_starts_with_what_exists() -> None:
    """Without a version, a watch first tells what is there."""
    store = Store()
    store.create("pods", pod("a"))
    watch = store.watch("pods")
    store.create("pods", pod("b"))
    assert await drained(watch) == [("ADDED", "a"), ("ADDED", "b")]


async def test_watch_since_a_version_misses_nothing() -> None:
    """A watch from a list's version tells every change after it, and none before."""
    store = Store()
    store.create("pods", pod("a"))
    _, version = store.list("pods")
    store.create("pods", pod("b"))
    watch = store.watch("pods", since=version)
    store.remove("pods", "a", "n")
    assert await drained(watch) == [("ADDED", "b"), ("DELETED", "a")]


async def test_watch_holds_changes_until_they_are_read() -> None:
    """What happens between two reads is told in order, as it was then."""
    store = Store()
    watch = store.watch("pods")
    store.create("pods", pod(a="1"))
    store.modify("pods", "p", "n", lambda obj: obj["spec"].update(a="2"))
    seen = [await anext(watch) for _ in range(2)]
    assert [(kind, obj["spec"]["a"]) for kind, obj in seen] == [("ADDED", "1"), ("MODIFIED", "2")]


async def test_watch_sees_objects_come_into_and_leave_its_selection() -> None:
    """A change into the selection is ADDED, one out of it DELETED."""
    store = Store()
    watch = store.watch("pods", "n", fields={"spec.nodeName": "x"})
    store.create("pods", pod())
    store.create("pods", pod(namespace="m", nodeName="x"))
    store.modify("pods", "p", "n", lambda obj: obj["spec"].update(nodeName="x"))
    store.modify("pods", "p", "n", lambda obj: obj["spec"].update(other="y"))
    store.modify("pods", "p", "n", lambda obj: obj["spec"].update(nodeName="z"))
    store.remove("pods", "p", "n")
    assert await drained(watch) == [("ADDED", "p"), ("MODIFIED", "p"), ("DELETED", "p")]


async def test_waiting_watch_wakes_up() -> None:
    """A reader that waits gets the next change, and the end."""
    store = Store()
    watch = store.watch("pods")
    reader = asyncio.create_task(anext(watch))
    await asyncio.sleep(0)
    store.create("pods", pod())
    assert (await reader)[0] == "ADDED"
    reader = asyncio.create_task(anext(watch))
    await asyncio.sleep(0)
    watch.close()
    with pytest.raises(StopAsyncIteration):
        await reader


async def test_too_old_version_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch from a version whose history is forgotten is refused with 410."""
    monkeypatch.setattr(store_module, "HISTORY", 3)
    store = Store()
    for number in range(5):
        store.create("pods", pod(str(number)))
    with pytest.raises(Gone, match="too old resource version: 1"):
        store.watch("pods", since="1")
    assert await drained(store.watch("pods", since="2")) == [("ADDED", "2"), ("ADDED", "3"), ("ADDED", "4")]


async def test_forgotten_watch_is_dropped() -> None:
    """A watch that nobody holds any more costs nothing."""
    store = Store()
    watch = store.watch("pods")
    assert len(store._watches["pods"]) == 1
    del watch
    gc.collect()
    assert len(store._watches["pods"]) == 0
