"""Runs scenarios with real nodes, in a process that may mount and start containers, and brings back what they saw.

    seen = play("tests.reference.node.some_module:scenario", registry, argument=...)

A scenario is a coroutine function of a `Lab` and JSON arguments that returns a JSON value. It runs in a child of the
test's process, since entering new namespaces changes a process for good. Containers run the machine's own Python by way
of hostPath volumes and an image without layers, which takes no time to pull; nothing of the API server is needed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import secrets
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fixtures.reference.api.store import NotFound, Store
from fixtures.reference.faults import Faults
from fixtures.reference.node.node import Node
from fixtures.reference.node.privileges import Privileges, PrivilegesError, enter
from fixtures.reference.node.settings import Settings
from fixtures.registry.client import RegistryControl
from images.oci.image import Image, Reference

Json = dict[str, Any]

CHECKOUT = Path(__file__).resolve().parents[3]
RUN_SECONDS = 120.0
WAIT_SECONDS = 30.0
NOT_GRANTED = 77
TRANSIENT = frozenset({"", "ContainerCreating", "PodInitializing"})
HOLD = "import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); print('up', flush=True)\nwhile 1: signal.pause()"
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from tests.reference.node import lab; lab.main()"


def play(scenario: str, registry: RegistryControl | None = None, **arguments: Any) -> Any:
    """Run a scenario, `module:function`, and return what it returns. Skips where the kernel does not grant it."""
    request: Json = {"scenario": scenario, "arguments": arguments}
    if registry is not None:
        request["registry"] = {
            "control_url": registry.control_url,
            "token": registry.token,
            "hosts": registry.hosts,
        }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(CHECKOUT)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
        cwd=CHECKOUT,
    )
    if done.returncode == NOT_GRANTED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """In the child: become privileged, run the scenario, print what it returns."""
    request = json.loads(sys.stdin.read())
    try:
        privileges = enter()
    except PrivilegesError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the parent reads it
        sys.exit(NOT_GRANTED)
    module, _, name = request["scenario"].partition(":")
    control = RegistryControl(**request["registry"]) if "registry" in request else None
    function = getattr(importlib.import_module(module), name)
    try:
        answer = asyncio.run(_run(function, privileges, control, request["arguments"]))
    except Exception:  # noqa: BLE001 - it must be told, whatever it is
        traceback.print_exc()
        sys.exit(1)
    print(json.dumps(answer), flush=True)  # noqa: T201 - the parent reads it


async def _run(
    function: Callable[..., Any],
    privileges: Privileges,
    control: RegistryControl | None,
    arguments: Mapping[str, Any],
) -> Any:
    lab = Lab(privileges, control)
    try:
        return await function(lab, **arguments)
    finally:
        await lab.close()


class Lab:
    """A store with nodes. Nodes are made by `node`; all work on one store and one registry."""

    def __init__(self, privileges: Privileges, control: RegistryControl | None) -> None:
        self.privileges = privileges
        self.store = Store()
        self.prefix = f"lab-{secrets.token_hex(4)}"
        """Of repositories, so that labs can share a registry."""
        self._control = control
        self._nodes: list[tuple[Node, asyncio.Task[None]]] = []
        self._numbers = iter(range(1, 10_000))

    @property
    def registry(self) -> RegistryControl:
        """The test registry."""
        assert self._control is not None
        return self._control

    async def node(self, *faults: str, settings: Settings | None = None) -> Bench:
        """A new node with these faults."""
        name = f"node-{next(self._numbers)}"
        node = Node(name, self.store, self.privileges.state / name, Faults(faults), self.privileges, settings)
        task = asyncio.create_task(node.run())
        self._nodes.append((node, task))
        bench = Bench(self, node)
        await bench.until(lambda: _exists(self.store, "nodes", name), "the node to register")
        return bench

    async def close(self) -> None:
        """End every node."""
        for node, task in self._nodes:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await node.stop()


class Bench:
    """One node, and what a scenario does with it. Names of Pods and repositories are its own."""

    def __init__(self, lab: Lab, node: Node) -> None:
        self.lab = lab
        self.node = node
        self.store = lab.store
        self._pushed: asyncio.Future[str] | None = None

    # --- the registry

    @property
    def host(self) -> str:
        """The registry's first address."""
        return self.lab.registry.hosts[0]

    def repository(self, name: str) -> str:
        """A repository of this bench's own."""
        return f"{self.lab.prefix}/{self.node.name}/{name}"

    def reference(self, name: str, tag: str = "v1") -> str:
        """How a node names an image."""
        return f"{self.host}/{self.repository(name)}:{tag}"

    async def push(self, name: str, image: Reference, tag: str = "v1") -> str:
        """Push an image; how a node names it."""
        await asyncio.to_thread(self.lab.registry.push, image, self.repository(name), tag)
        return self.reference(name, tag)

    async def requests(self, name: str, kind: str = "manifest", method: str = "") -> list[str]:
        """What nodes have asked of a repository: the paths' last parts, in order."""
        found = await asyncio.to_thread(self.lab.registry.requests, self.repository(name))
        return [
            one.path.rpartition("/")[2]
            for one in found
            if not one.runner and one.kind == kind and method in ("", one.method)
        ]

    async def users(self, name: str) -> list[str]:
        """The users whose credentials came with requests for manifests; an empty name for none."""
        found = await asyncio.to_thread(self.lab.registry.requests, self.repository(name))
        return [one.user or "" for one in found if not one.runner and one.kind == "manifest"]

    # --- Pods

    async def create(
        self,
        name: str,
        volumes: Sequence[Json] = (),
        containers: Sequence[Json] | None = None,
        *,
        init: Sequence[Json] = (),
        **spec: Any,
    ) -> Json:
        """Create a Pod on the node. The first container is `main` and mounts the first volume at /vol unless given."""
        everything = [*init, *(containers or [container()])]
        await self.empty_image()
        for one in everything:
            self.complete(one)
        pod = {
            "metadata": {"name": f"{self.node.name}-{name}", "namespace": "default"},
            "spec": {
                "nodeName": self.node.name,
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "enableServiceLinks": False,
                "containers": everything[len(init) :],
                "initContainers": everything[: len(init)],
                "volumes": [*volumes, *machine_volumes()],
            }
            | spec,
        }
        return self.store.create("pods", pod)

    async def empty_image(self) -> None:
        """See that the image of the containers is in the registry."""
        if self._pushed is None:
            self._pushed = asyncio.ensure_future(self.push("python", Image([])))
        await self._pushed

    def complete(self, one: Json) -> None:
        """Give a container what it needs to run the machine's Python."""
        one.setdefault("image", self.reference("python"))
        one["volumeMounts"] = [*one.get("volumeMounts", ()), *machine_mounts()]
        one.setdefault("env", []).append({"name": "PYTHONDONTWRITEBYTECODE", "value": "1"})

    def pod(self, name: str) -> Json:
        """A Pod as it is now."""
        return self.store.get("pods", f"{self.node.name}-{name}", "default")

    async def until(self, condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
        """Wait until `condition` gives something, and return it."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds} s for {what} on {self.node.name}")
            await asyncio.sleep(0.01)
        return found

    async def settled(self, name: str) -> Json:
        """Wait until every container of a Pod has started or waits for a reason of its own; the Pod."""
        return dict(await self.until(lambda: _settled(self.pod(name)), f"{name} to settle"))

    async def run(self, name: str, *arguments: Any, **more: Any) -> Json:
        """Create a Pod and wait until it has ended, or waits for a reason; the Pod."""
        await self.create(name, *arguments, **more)
        return await self.finished(name)

    async def finished(self, name: str) -> Json:
        """Wait until a Pod has ended, or a container of it waits for a reason; the Pod."""

        def condition() -> Json | None:
            pod = self.pod(name)
            ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
            return pod if ended or reasons(pod) else None

        return dict(await self.until(condition, f"{name} to end"))

    def relabel(self, name: str, value: str) -> None:
        """Change a label of a Pod, which makes its node look at it."""

        def change(pod: Json) -> None:
            pod["metadata"]["labels"] = {"changed": value}

        self.store.modify("pods", f"{self.node.name}-{name}", "default", change)

    async def gone(self, name: str) -> None:
        """Delete a Pod as the API server does, and wait until it is gone."""

        def mark(pod: Json) -> None:
            pod["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 1}

        full = f"{self.node.name}-{name}"
        self.store.modify("pods", full, "default", mark)
        await self.until(lambda: not _exists(self.store, "pods", full, "default"), f"{name} to be gone")

    async def log(self, name: str, container: str = "main") -> str:
        """What a container has written."""
        pieces = [piece async for piece in self.node.logs(self.pod(name), container)]
        return b"".join(pieces).decode()

    async def said(self, name: str, container: str = "main") -> Any:
        """What a container has written, as JSON; None if that is none."""
        text = (await self.log(name, container)).strip()
        try:
            return json.loads(text)
        except ValueError:
            return text

    async def outcome(self, name: str, container: str = "main") -> Any:
        """Why a container waits, or what it has written."""
        pod = await self.finished(name)
        waiting = reasons(pod).get(container)
        return waiting or await self.said(name, container)

    async def ask(self, name: str, code: str, container: str = "main") -> Any:
        """Run Python in a running container, and return what it prints, as JSON."""
        session = await self.node.exec(self.pod(name), container, [*PYTHON, code], stdin=False, tty=False)
        out, error = await asyncio.gather(session.stdout.read(), session.stderr.read())
        assert await session.wait() == 0, error.decode()
        return json.loads(out)

    async def holds(self, name: str, container: str = "main") -> None:
        """Wait until a holding container is ready to be told to end."""
        await self.until(
            lambda: statuses(self.pod(name)).get(container, {}).get("state", {}).get("running"), "a start"
        )
        async for piece in self.node.logs(self.pod(name), container, follow=True):
            if b"up" in piece:
                return

    async def restart(self, name: str, container: str = "main") -> Json:
        """End a holding container's process, and wait until it has been started again or waits; the Pod."""
        before = statuses(self.pod(name))[container]["restartCount"]
        session = await self.node.exec(
            self.pod(name), container, [*PYTHON, "import os; os.kill(1, 15)"], stdin=False, tty=False
        )
        await session.wait()

        def condition() -> Json | None:
            pod = self.pod(name)
            one = statuses(pod)[container]
            again = one["restartCount"] > before and "running" in one["state"]
            return pod if again or container in reasons(pod) else None

        return dict(await self.until(condition, f"{container} to restart"))

    def events(self, name: str) -> list[str]:
        """A Pod's events so far, oldest first: `reason message @fieldPath`."""
        uid = self.pod(name)["metadata"]["uid"]
        events, _ = self.store.list("events")
        mine = [event for event in events if event["involvedObject"]["uid"] == uid]
        mine.sort(key=lambda event: int(event["metadata"]["name"].rpartition(".")[2], 16))
        return [
            f"{event['reason']} {event['message']} @{event['involvedObject'].get('fieldPath', '')}"
            for event in mine
        ]


# --- manifests


def container(code: str = "print(1)", *mounts: Json, name: str = "main", **more: Any) -> Json:
    """A container that runs Python code."""
    return {"name": name, "command": [*PYTHON, code], "volumeMounts": list(mounts)} | more


def mount(path: str = "/vol", *, volume: str = "volume", **more: Any) -> Json:
    """A mount of a volume."""
    return {"name": volume, "mountPath": path} | more


def image(reference: str, policy: str = "IfNotPresent", *, name: str = "volume") -> Json:
    """An image volume."""
    return {"name": name, "image": {"reference": reference, "pullPolicy": policy}}


def listing(path: str = "/vol") -> str:
    """Code that prints the names in a directory."""
    return f"import os, json; print(json.dumps(sorted(os.listdir({path!r}))))"


def reading(path: str) -> str:
    """Code that prints a file's text, or the name of the error."""
    return (
        "import errno, json\n"
        f"try: print(json.dumps(open({path!r}).read()))\n"
        "except OSError as e: print(json.dumps(errno.errorcode[e.errno]))"
    )


def trying(statement: str) -> str:
    """Code that prints "ok" if a statement works, else the name of the error."""
    return (
        "import errno, json, os\n"
        f"try:\n {statement}\n print(json.dumps('ok'))\n"
        "except OSError as e: print(json.dumps(errno.errorcode[e.errno]))"
    )


# --- the machine's Python in a container


def _interpreter() -> Path:
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


PYTHON = (str(_interpreter()), "-I", "-S", "-c")


def _machine_folders() -> list[str]:
    wanted = ["/usr", "/lib", "/lib64", str(Path(sys.base_prefix).resolve())]
    return [folder for folder in dict.fromkeys(wanted) if Path(folder).is_dir()]


def machine_volumes() -> list[Json]:
    """The folders that the machine's Python needs, as volumes."""
    return [
        {"name": f"machine-{number}", "hostPath": {"path": folder}}
        for number, folder in enumerate(_machine_folders())
    ]


def machine_mounts() -> list[Json]:
    """Their mounts."""
    return [
        {"name": f"machine-{number}", "mountPath": folder, "readOnly": True}
        for number, folder in enumerate(_machine_folders())
    ]


# --- what a Pod's status says


def statuses(pod: Json) -> dict[str, Json]:
    """The statuses of a Pod's containers, by name."""
    found = pod.get("status", {})
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    return {one["name"]: one for kind in kinds for one in found.get(kind) or ()}


def reasons(pod: Json) -> dict[str, str]:
    """Why containers wait, by name, if they wait for a reason of their own. Back-off counts as the pull's error."""
    waiting = {name: one["state"].get("waiting", {}).get("reason", "") for name, one in statuses(pod).items()}
    same = {"ImagePullBackOff": "ErrImagePull"}
    return {name: same.get(reason, reason) for name, reason in waiting.items() if reason not in TRANSIENT}


def message(pod: Json, container: str = "main") -> str:
    """What explains why a container waits."""
    return str(statuses(pod)[container]["state"].get("waiting", {}).get("message", ""))


def _settled(pod: Json) -> Json | None:
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return pod
    waiting, known = reasons(pod), statuses(pod)
    if any(one["name"] in waiting for one in pod["spec"].get("initContainers") or ()):
        return pod
    names: Iterable[str] = [one["name"] for one in pod["spec"]["containers"]]
    started = all(
        name in waiting or (name in known and {"running", "terminated"} & set(known[name]["state"]))
        for name in names
    )
    return pod if started else None


def _exists(store: Store, resource: str, name: str, namespace: str | None = None) -> bool:
    try:
        store.get(resource, name, namespace)
    except NotFound:
        return False
    return True
