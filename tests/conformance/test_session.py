"""conformance.session: the cluster and the registry that were asked for, and nothing left behind however it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from conformance import canary, session
from conformance.canary import RegistryUnreached, Sighting
from conformance.options import Options
from conformance.session import (
    DEFAULT_PROBE_IMAGE,
    Opening,
    Reached,
    Where,
    new_run_id,
    reach,
    registry_modes,
    split_address,
    split_ports,
    start,
)
from conformance.target import Target, read_node
from fixtures.api import Api, ApiUnreachable
from fixtures.cluster import kind
from fixtures.cluster.reference import ReferenceProcess
from fixtures.errors import Inconclusive, PreflightRefused, UsageError
from fixtures.namespaces import PREFIX, Namespaces
from fixtures.registry import node as node_registry
from fixtures.registry import process
from fixtures.registry.client import RegistryControl
from fixtures.registry.process import Running
from fixtures.workloads import Pods
from tests.fixtures.fakes import FakeApi


def options(**given: Any) -> Options:
    """The options of a run."""
    return Options(report=Path("report"), **given)


# --- where the registry is


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1:5000", ("10.0.0.1", 5000)),
        ("my.host:65527", ("my.host", 65527)),
        ("[fd00::1]:5000", ("[fd00::1]", 5000)),
    ],
)
def test_address(text: str, expected: tuple[str, int]) -> None:
    """A host and a port are an address, which can be put together again, also of IPv6."""
    assert split_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "host", "host:", ":5000", "host:0", "host:-1", "host:x", "host:65528", "host:99999"),
        *("host:5000/path", "host:5000?a=b", "host:5000#a", "user@host:5000", "user:pw@host:5000"),
        *("[::1", "::1:5000", "fd00::1", "[::1]", "http://host:5000", "host :5000"),
    ],
)
def test_what_is_no_address(text: str) -> None:
    """Anything else is a usage error that repeats it and shows the form."""
    with pytest.raises(UsageError) as error:
        split_address(text)
    assert str(error.value) == f"REGISTRY=runner://{text} is not runner://HOST:PORT."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("5000-5002", range(5000, 5003)),
        ("1-3", range(1, 4)),
        ("65533-65535", range(65533, 65536)),
    ],
)
def test_ports(text: str, expected: range | None) -> None:
    """Three ports at least, both ends included; none is no wish."""
    assert split_ports(text) == expected


@pytest.mark.parametrize(
    "text",
    ["5000", "5000-", "-5000", "5000-5001", "5002-5000", "0-5", "5000-65536", "a-b", "1-2-3", "²-9", "1 - 5"],
)
def test_what_are_no_ports(text: str) -> None:
    """Anything else is a usage error that shows the form."""
    with pytest.raises(UsageError, match="is not node://FIRST-LAST with three ports at least"):
        split_ports(text)


@pytest.mark.parametrize(
    ("registry", "reference", "expected"),
    [
        (None, True, (session.runner_found,)),
        (None, False, (session.runner_found, session.on_node)),
        ("", False, (session.runner_found, session.on_node)),
        ("runner://10.0.0.1:5000", False, (session.runner_given,)),
        ("runner://10.0.0.1:5000", True, (session.runner_given,)),
        ("node", False, (session.on_node,)),
        ("node://", False, (session.on_node,)),
        ("node://5000-5009", False, (session.on_node,)),
    ],
)
def test_registry_modes(registry: str | None, expected: tuple[Any, ...], *, reference: bool) -> None:
    """The registry runs here, and on the node if that does not reach us; unless one of them was asked for."""
    assert tuple(registry_modes(options(registry=registry), reference=reference)) == expected


@pytest.mark.parametrize(
    "registry", ["docker.io/me", "Node", "http://x:1", "runner", "runner://x", "node://5000"]
)
def test_registry_that_is_not_understood(registry: str) -> None:
    """A registry that cannot be is refused before anything is done with it."""
    with pytest.raises(UsageError, match=f"REGISTRY={registry}"):
        registry_modes(options(registry=registry), reference=False)


def test_given_addresses_are_listened_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was given and the one beside it are listened at, and the next ones kept for later."""
    asked: list[Any] = []

    def start_registry(*listen: str, ports: range) -> Running:
        asked.extend([*listen, ports])
        return cast("Running", Fake("registry", []))

    monkeypatch.setattr(process, "start", start_registry)
    where = Where(options=options(registry="runner://[::1]:5000"), api=FakeApi(), run="r", target=TARGET)
    session.runner_given(where, Opening())
    assert asked == ["[::1]:5000", "[::1]:5001", range(5002, 5009)]


def test_run_ids_are_names() -> None:
    """A run's id can be part of every name, and is another one each time."""
    found = {new_run_id() for _ in range(50)}
    assert len(found) == 50
    assert all(one.isascii() and one.isalnum() and one == one.lower() and len(one) == 6 for one in found)


# --- which cluster


@pytest.mark.parametrize("given", [{"kubeconfig": "/k"}, {"context": "c"}])
@pytest.mark.parametrize("cluster", ["kind", "reference"])
def test_two_clusters_at_once(cluster: str, given: dict[str, str]) -> None:
    """Two ways that name a cluster are one too many."""
    with pytest.raises(UsageError, match="give one of them"):
        reach(options(cluster=cluster, **given), Opening())


@pytest.mark.parametrize("cluster", ["minikube", "Kind", "kind2:x", ":x"])
def test_unknown_way_to_a_cluster(cluster: str) -> None:
    """An unknown way is named, with those that there are."""
    with pytest.raises(UsageError, match="CLUSTER is kind, kind:NAME, reference or reference:FAULT,FAULT"):
        reach(options(cluster=cluster), Opening())


def test_kubeconfig_and_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig is taken as it was given; a context alone is one of the usual file."""
    monkeypatch.setenv("HOME", "/home/ann")
    assert reach(options(kubeconfig="/a:/b"), Opening()) == Reached(
        kubeconfig="/a:/b", context=None, reference=False
    )
    assert reach(options(context="c"), Opening()) == Reached(
        kubeconfig="/home/ann/.kube/config", context="c", reference=False
    )


@pytest.mark.parametrize(("cluster", "name"), [("kind", "kind"), ("kind:mine", "mine"), ("kind:", "kind")])
def test_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: str, name: str) -> None:
    """A kind cluster's kubeconfig is ours, and removed in the end."""
    file = tmp_path / "config"
    file.touch()
    asked: list[str] = []

    def kubeconfig(name: str) -> Path:
        asked.append(name)
        return file

    monkeypatch.setattr(kind, "kubeconfig", kubeconfig)
    opening = Opening()
    assert reach(options(cluster=cluster), opening) == Reached(
        kubeconfig=str(file), context=None, reference=False
    )
    assert asked == [name]
    opening.close()
    assert not file.exists()


@dataclass
class Fake:
    """Something that was opened. log: where it says what becomes of it. error: what closing it meets."""

    name: str
    log: list[str]
    error: Exception | None = None
    kubeconfig: str = "/reference"
    node_shell: str = "shell {node}"
    control: Any = None
    hosts: tuple[str, ...] = ("127.0.0.1:1", "127.0.0.1:2")

    def stop(self) -> None:
        """Close it."""
        self.log.append(f"stop {self.name}")
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("cluster", "faults"),
    [(None, []), ("reference", []), ("reference:a,b", ["a", "b"]), ("reference:,a,", ["a"])],
)
def test_reference(monkeypatch: pytest.MonkeyPatch, cluster: str | None, faults: list[str]) -> None:
    """With nothing named, or by its name, the reference cluster is started with its faults, and stopped in the end."""
    log: list[str] = []

    def start_reference(*, nodes: int, collecting: bool, faults: list[str]) -> Fake:
        log.append(f"start {nodes} {collecting} {faults}")
        return Fake("reference", log)

    monkeypatch.setattr(ReferenceProcess, "start", start_reference)
    opening = Opening()
    assert reach(options(cluster=cluster), opening) == Reached(
        kubeconfig="/reference", context=None, reference=True, node_shell="shell {node}"
    )
    opening.close()
    assert log == [f"start 2 True {faults}", "stop reference"]


# --- the whole of it, on parts that only pretend


NODE = {
    "metadata": {"name": "n"},
    "status": {
        "nodeInfo": {
            "operatingSystem": "linux",
            "architecture": "arm64",
            "containerRuntimeVersion": "containerd://2.1",
            "kubeletVersion": "v1.36.2",
        }
    },
}
TARGET = Target(
    server="https://c", kubernetes="v1.36.2", reference=False, nodes=(read_node(NODE),), under_test=("n",)
)


@dataclass
class Control:
    """A registry's control."""

    control_url: str
    token: str = "secret"
    hosts: tuple[str, ...] = ("127.0.0.1:1", "127.0.0.1:2")
    pushed: list[Any] = field(default_factory=list)

    def push(self, *what: Any) -> None:
        """Take an image."""
        self.pushed.append(what[1:])


class World:
    """A cluster, registries and a canary that only pretend. Each step is logged; `fail` makes one of them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.errors: dict[str, BaseException] = {}
        self.left: list[str] = []
        self.unreached: set[str] = set()
        self.missing: list[str] = []
        self.here = Fake("registry here", self.log, control=Control("here"))
        self.there = Fake("registry on the node", self.log, control=Control("node"))
        self.reference = Fake("reference", self.log)
        patch: Callable[[Any, str, Any], None] = monkeypatch.setattr
        patch(ReferenceProcess, "start", lambda **_: self.step("reference", self.reference))
        patch(Reached, "api", lambda *_: self.step("api", FakeApi()))
        patch(session, "survey", lambda *_, **__: self.step("survey", (TARGET, ("m",))))
        patch(session, "missing_verbs", lambda _: self.step("verbs", self.missing))
        patch(session, "sweep_expired", lambda _: self.step("sweep expired", ["old"]))
        patch(session, "sweep", lambda _, run: self.step("sweep", self.left if len(run) == 6 else ["?"]))
        patch(process, "start", lambda *_, **__: self.step("registry", self.here))
        patch(node_registry, "deploy", lambda *_, **__: self.step("deploy", self.there))
        patch(Namespaces, "at", lambda _, level: level)
        patch(session, "probe_image", lambda: None)
        patch(session, "fly_canary", self.fly)

    def step(self, name: str, value: Any) -> Any:
        """Do a step, unless it is to fail."""
        self.log.append(name)
        if name in self.errors:
            raise self.errors[name]
        return value

    def fly(self, connection: Any, api: Api, registry: Control) -> Sighting:
        """Fly the canary."""
        del connection, api
        self.log.append(f"canary {registry.control_url}")
        if registry.control_url in self.unreached:
            raise RegistryUnreached(f"the node does not reach {registry.control_url}")
        return cast(
            "Sighting", self.step("flown", Sighting(lacks={"sub-path": canary.lost("x")}, remark="odd"))
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which everything works."""
    return World(monkeypatch)


REAL = options(kubeconfig="/k", context="c")


def test_session(world: World) -> None:
    """A session tells the workers and the report what they need, and gives back everything, last first."""
    found = start(REAL)
    assert world.log == ["api", "survey", "verbs", "sweep expired", "registry", "canary here", "flown"]
    assert found.connection["nodes"] == ("n",)
    assert (found.connection["other_nodes"], found.connection["architecture"]) == (("m",), "arm64")
    assert (found.connection["kubeconfig"], found.connection["context"]) == ("/k", "c")
    assert (found.connection["registry_control"], found.connection["probe_image"]) == (
        "here",
        DEFAULT_PROBE_IMAGE,
    )
    assert found.connection["platform"] == {"sub-path": {"kind": "lost", "text": "x"}}
    assert (found.target["remark"], found.target["swept"]) == ("odd", ["old"])
    assert "secret" not in str(found.target)
    assert found.secrets == ("secret",)
    del world.log[:]
    assert found.close() == []
    assert world.log == ["stop registry here", "sweep"]


def test_reference_session(world: World) -> None:
    """On the reference cluster the probe image comes from the test registry; the cluster stops last."""
    found = start(options(cluster="reference"))
    assert found.connection["probe_image"].startswith("127.0.0.1:1/")
    assert len(world.here.control.pushed) == 1
    del world.log[:]
    found.close()
    assert world.log == ["stop registry here", "sweep", "stop reference"]


def test_probe_image_that_was_given(world: World) -> None:
    """A probe image that was given is taken, on any cluster."""
    for named in (
        options(cluster="reference", probe_image="mine:1"),
        options(kubeconfig="/k", probe_image="mine:1"),
    ):
        assert start(named).connection["probe_image"] == "mine:1"
    assert world.here.control.pushed == []


def test_registry_moves_to_the_node(world: World) -> None:
    """When the node does not reach the registry here, one is run on the node, and both are given back."""
    world.unreached = {"here"}
    found = start(REAL)
    assert found.connection["registry_control"] == "node"
    del world.log[:]
    found.close()
    assert world.log == ["stop registry on the node", "stop registry here", "sweep"]


@pytest.mark.parametrize("registry", ["runner://10.0.0.1:5000", "node"])
def test_asked_for_registry_is_not_exchanged(world: World, registry: str) -> None:
    """A registry that was asked for and is not reached is an error, and no other is tried."""
    world.unreached = {"here", "node"}
    with pytest.raises(RegistryUnreached):
        start(options(kubeconfig="/k", registry=registry))
    assert len([line for line in world.log if line.startswith("canary")]) == 1


def test_no_registry_is_reached(world: World) -> None:
    """When the node reaches neither, the last one's trouble is told, and everything is given back."""
    world.unreached = {"here", "node"}
    with pytest.raises(RegistryUnreached, match="reach node"):
        start(REAL)
    assert world.log[-3:] == ["stop registry on the node", "stop registry here", "sweep"]


def test_missing_verbs_are_told_before_anything_is_made(world: World) -> None:
    """What the user may not do is told at once, and nothing has been touched."""
    world.missing = ["create pods/exec", "list events"]
    with pytest.raises(PreflightRefused, match=r"create pods/exec, list events\. Grant these verbs"):
        start(REAL)
    assert world.log == ["api", "survey", "verbs"]


def test_impossible_registry_is_told_before_anything_is_made(world: World) -> None:
    """So is a registry that cannot be."""
    with pytest.raises(UsageError):
        start(options(kubeconfig="/k", registry="nonsense"))
    assert "sweep expired" not in world.log
    assert "verbs" not in world.log


STEPS = {
    "api": ["stop reference"],
    "survey": ["stop reference"],
    "verbs": ["stop reference"],
    "sweep expired": ["sweep", "stop reference"],
    "registry": ["sweep", "stop reference"],
    "flown": ["stop registry here", "sweep", "stop reference"],
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [Inconclusive("broken"), KeyboardInterrupt(), UsageError("no")])
def test_failure_midway(world: World, step: str, error: BaseException) -> None:
    """Whichever step fails, and however, what was opened before it is given back and the error goes on."""
    world.errors[step] = error
    with pytest.raises(type(error)) as raised:
        start(options(cluster="reference"))
    assert raised.value is error
    assert world.log[world.log.index(step) + 1 :] == STEPS[step]


def test_failure_of_the_cleaning_does_not_hide_the_first(world: World) -> None:
    """When giving back fails too, the error that ended the session is the one that is told, and the rest is given back."""
    first = Inconclusive("first")
    world.errors = {"flown": first, "sweep": ApiUnreachable("second")}
    world.here.error = Inconclusive("third")
    with pytest.raises(Inconclusive) as raised:
        start(options(cluster="reference"))
    assert raised.value is first
    assert world.log[-3:] == ["stop registry here", "sweep", "stop reference"]


def test_leftovers_are_told(world: World) -> None:
    """What resists is told line by line, what the sweep met included, and the rest is given back."""
    world.left = ["namespace a: stuck"]
    found = start(REAL)
    assert found.close() == ["namespace a: stuck"]
    world.errors["sweep"] = ApiUnreachable("GET: connection refused")
    world.here.error = Inconclusive("no registry")
    found = start(options(cluster="reference"))
    assert found.close() == ["no registry", "GET: connection refused"]
    assert world.log[-1] == "stop reference"


# --- the canary's surroundings


def test_canary_s_pods_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary flies in a namespace of its own, and its Pods are removed also when it fails, without hiding why."""
    api = FakeApi()
    connection = session.connect(
        REAL,
        Reached(kubeconfig="/k", context=None, reference=False),
        "abc123",
        TARGET,
        (),
        RegistryControl("http://127.0.0.1:1", "secret", ("127.0.0.1:2",)),
    )
    seen: list[Pods] = []

    def fly(pods: Pods, repository: Any) -> Sighting:
        assert repository.name.startswith("abc123-canary")
        seen.append(pods)
        raise RegistryUnreached("not reached")

    def fail(_: Pods) -> None:
        raise Inconclusive("and the Pods could not be deleted")

    namespace = f"{PREFIX}-abc123-preflight-restricted"
    api.put(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    monkeypatch.setattr(canary, "fly", fly)
    monkeypatch.setattr(Pods, "remove_all", fail)
    with pytest.raises(RegistryUnreached):
        session.fly_canary(connection, api, cast("RegistryControl", None))
    (pods,) = seen
    assert (pods.namespace, pods.around.node) == (namespace, "n")


def test_several_nodes_are_refused(tmp_path: Path) -> None:
    """A run judges one node, so several in NODES are a usage error, before anything is reached."""
    with pytest.raises(UsageError, match="a run judges one"):
        session.start(Options(nodes=("a", "b"), report=tmp_path))
