"""A target made ready to be judged: reached, surveyed, with a test registry that its nodes can pull from; and left clean."""

from __future__ import annotations

import contextlib
import re
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kubernetes import client as kubernetes_client

from conformance import canary
from conformance.options import Options
from conformance.target import Target, missing_verbs, survey
from fixtures.api import Api
from fixtures.cluster import kind, kubeconfig
from fixtures.cluster.reference import ReferenceProcess
from fixtures.connection import Connection
from fixtures.errors import Inconclusive, PreflightRefused, UsageError
from fixtures.evidence import Evidence
from fixtures.manifests import Surroundings
from fixtures.namespaces import Namespaces, run_labels, sweep, sweep_expired
from fixtures.node_shell import NodeCommands
from fixtures.preloaded import sandbox_images
from fixtures.registry import node as node_registry
from fixtures.registry import process
from fixtures.registry.client import RegistryControl
from fixtures.repositories import Repositories
from fixtures.workloads import Pods
from images.probe import probe_image

Json = dict[str, Any]

DEFAULT_PROBE_IMAGE = "docker.io/library/python:3.12-alpine"
DEFAULT_KUBECONFIG = "~/.kube/config"
REFERENCE_NODES = 2
REFERENCE_REBOOT = "reboot"
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


@dataclass(slots=True)
class Session:
    """See conformance.plugin.hooks.Session. A context for everything that has to be given back, in the reverse order."""

    connection: Mapping[str, Any]
    target: Mapping[str, Any]
    secrets: Sequence[str]
    _close: Callable[[], list[str]]

    def close(self) -> list[str]:
        """Remove everything of the run; a line for whatever resists."""
        return self._close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A way to a cluster. kubeconfig: path or paths. reference: whether it is the reference cluster. node_shell: its own."""

    kubeconfig: str
    context: str | None
    reference: bool
    node_shell: str = ""

    def api(self, run: str) -> Api:
        """A client of it."""
        configuration: kubernetes_client.Configuration = kubeconfig.load(self.kubeconfig, self.context)
        return Api(configuration, user_agent=f"image-volume-conformance/{run}")


@dataclass(slots=True)
class Opening:
    """What has been opened so far: closed again, last first, when the session ends or cannot begin."""

    leftovers: list[str] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def on_close(self, give_back: Callable[[], object]) -> None:
        """Have something given back at the end. What it meets then is left over, and keeps nothing else from being given back."""
        self._stack.callback(self._attempt, give_back)

    def _attempt(self, give_back: Callable[[], object]) -> None:
        try:
            give_back()
        except (Inconclusive, OSError) as error:
            self.leftovers.append(str(error))

    def close(self) -> list[str]:
        """Close everything; return what could not be removed."""
        self._stack.close()
        return self.leftovers


def start(options: Options) -> Session:
    """Make the target ready. Raises UsageError or PreflightRefused, and then nothing is left behind."""
    opening = Opening()
    try:
        return _start(options, opening)
    except BaseException:
        opening.close()
        raise


def _start(options: Options, opening: Opening) -> Session:
    if len(options.nodes) > 1:
        raise UsageError(
            f"NODES names {len(options.nodes)} nodes, and a run judges one. Run the suite for each: NODES={options.nodes[0]}"
        )
    run = new_run_id()
    reached = reach(options, opening)
    modes = registry_modes(options, reference=reached.reference)
    api = reached.api(run)
    target, others = survey(api, options.nodes, reference=reached.reference)
    missing = missing_verbs(api)
    if missing:
        raise PreflightRefused(
            "The kubeconfig's user may not do what every run needs: "
            + ", ".join(missing)
            + ". Grant these verbs and try again."
        )
    opening.on_close(lambda: opening.leftovers.extend(sweep(api, run)))
    swept = sweep_expired(api)
    for open_registry in modes:
        registry = open_registry(Where(options=options, api=api, run=run, target=target), opening)
        connection = connect(options, reached, run, target, others, registry)
        try:
            sighting = fly_canary(connection, api, registry)
            break
        except canary.RegistryUnreached:
            if open_registry is not runner_found:
                raise
    listed = sandbox_images(api.find(f"/api/v1/nodes/{connection.nodes[0]}") or {})
    connection = replace(connection, sandbox_images=tuple(listed))
    return Session(
        connection=connection.to_json() | {"platform": dict(sighting.lacks)},
        target=describe(target, registry, connection.probe_image, sighting, swept),
        secrets=(registry.token,),
        _close=opening.close,
    )


def connect(
    options: Options,
    reached: Reached,
    run: str,
    target: Target,
    others: tuple[str, ...],
    registry: RegistryControl,
) -> Connection:
    """What every worker needs to know."""
    image = options.probe_image or (push_probe(registry, run) if reached.reference else DEFAULT_PROBE_IMAGE)
    return Connection(
        run=run,
        kubeconfig=reached.kubeconfig,
        context=reached.context,
        nodes=target.under_test,
        architecture=target.node.architecture,
        other_nodes=others,
        probe_image=image,
        registry_control=registry.control_url,
        registry_token=registry.token,
        registry_hosts=tuple(registry.hosts),
        many_ids=not target.node.one_id,
        runtime=target.node.runtime,
        node_commands=node_commands(options, reached),
        patience=options.patience,
    )


def node_commands(options: Options, reached: Reached) -> dict[str, str]:
    """The commands that the node shell uses: those that were given, else the reference cluster's own."""
    if reached.reference and not options.node_shell:
        return {"shell": reached.node_shell, "reboot": REFERENCE_REBOOT}
    given = NodeCommands(
        shell=options.node_shell or "",
        restart_kubelet=options.node_restart_kubelet or "",
        restart_runtime=options.node_restart_runtime or "",
        reboot=options.node_reboot or "",
    )
    return asdict(given)


def new_run_id() -> str:
    """A short random word that can be part of every name."""
    alphabet = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(6))


# --- the cluster


def reach(options: Options, opening: Opening) -> Reached:
    """Find the way to the cluster that was named; with none named, start the reference cluster."""
    chosen, _, detail = (options.cluster or "").partition(":")
    if options.cluster and (options.kubeconfig or options.context):
        raise UsageError("CLUSTER and KUBECONFIG or CONTEXT both name a cluster: give one of them.")
    if chosen == "kind":
        path = kind.kubeconfig(detail or "kind")
        opening.on_close(lambda: path.unlink(missing_ok=True))
        return Reached(kubeconfig=str(path), context=None, reference=False)
    if options.cluster and chosen != "reference":
        raise UsageError(
            f"There is no way to a cluster called {options.cluster!r}: CLUSTER is kind, kind:NAME, reference or reference:FAULT,FAULT."
        )
    if options.kubeconfig or options.context:
        path_ = options.kubeconfig or str(Path(DEFAULT_KUBECONFIG).expanduser())
        return Reached(kubeconfig=path_, context=options.context, reference=False)
    faults = [fault for fault in detail.split(",") if fault]
    reference = ReferenceProcess.start(nodes=REFERENCE_NODES, collecting=True, faults=faults)
    opening.on_close(reference.stop)
    return Reached(
        kubeconfig=reference.kubeconfig, context=None, reference=True, node_shell=reference.node_shell
    )


# --- the test registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What a registry mode needs to know."""

    options: Options
    api: Api
    run: str
    target: Target


Mode = Callable[[Where, Opening], RegistryControl]


def registry_modes(options: Options, *, reference: bool) -> Sequence[Mode]:
    """The ways to run the test registry, in the order in which they are tried. UsageError where REGISTRY is none of them.

    With none named it is run here, which serves nodes on this machine; where the node does not reach that, on the node.
    """
    scheme, _, detail = (options.registry or "").partition("://")
    if not options.registry:
        return (runner_found,) if reference else (runner_found, on_node)
    if scheme == "runner":
        split_address(detail)
        return (runner_given,)
    if scheme == "node":
        split_ports(detail)
        return (on_node,)
    raise UsageError(
        f"REGISTRY={options.registry} is not understood: give runner://HOST:PORT, an address here that the nodes reach,"
        " or node, or node://FIRST-LAST with ports on the node."
    )


def runner_found(where: Where, opening: Opening) -> RegistryControl:
    """Run it here, on loopback: for nodes of this machine."""
    del where
    running = process.start("127.0.0.1:0", "127.0.0.1:0")
    opening.on_close(running.stop)
    return running.control


def runner_given(where: Where, opening: Opening) -> RegistryControl:
    """Run it here, at the address that was given and the one beside it; further ones follow on demand."""
    host, port = split_address((where.options.registry or "").partition("://")[2])
    running = process.start(f"{host}:{port}", f"{host}:{port + 1}", ports=range(port + 2, port + 9))
    opening.on_close(running.stop)
    return running.control


def on_node(where: Where, opening: Opening) -> RegistryControl:
    """Run it on the node under test, on that node's loopback, as a Pod with host network."""
    namespaces = Namespaces(where.api, where.run, "registry")
    deployed = node_registry.deploy(
        where.api,
        namespace=namespaces.at("privileged"),
        node=where.target.under_test[0],
        image=where.options.probe_image or DEFAULT_PROBE_IMAGE,
        labels=run_labels(where.run),
        ports=split_ports((where.options.registry or "").partition("://")[2]),
    )
    opening.on_close(deployed.stop)
    return deployed.control


def split_ports(text: str) -> range | None:
    """FIRST-LAST as a range of ports; None for nothing. UsageError where it is neither."""
    if not text:
        return None
    found = _PORTS.fullmatch(text)
    first, last = map(int, found.groups()) if found else (0, 0)
    if not 0 < first < last - 1 < 65535:
        raise UsageError(f"REGISTRY=node://{text} is not node://FIRST-LAST with three ports at least.")
    return range(first, last + 1)


def split_address(address: str) -> tuple[str, int]:
    """HOST:PORT as a pair; an IPv6 address keeps its brackets. UsageError where it is not one."""
    found = _ADDRESS.fullmatch(address)
    port = int(found[2]) if found else 0
    if found is None or not 0 < port <= 65535 - 8:
        raise UsageError(f"REGISTRY=runner://{address} is not runner://HOST:PORT.")
    return found[1], port


def push_probe(registry: RegistryControl, run: str) -> str:
    """Build the probe image from the running interpreter and push it: the reference cluster has no other registry."""
    repository = f"{run}/probe"
    registry.push(probe_image(), repository, "v1")
    return f"{registry.hosts[0]}/{repository}:v1"


# --- the canary


def fly_canary(connection: Connection, api: Api, registry: RegistryControl) -> canary.Sighting:
    """See what the target does with an image volume and a subPath."""
    evidence = Evidence()
    namespaces = Namespaces(api, connection.run, "preflight")
    around = Surroundings(
        node=connection.nodes[0], probe_image=connection.probe_image, labels=run_labels(connection.run)
    )
    pods = Pods(api, evidence, namespaces.at("restricted"), "canary", around)
    repositories = Repositories(registry, evidence, connection.registry_hosts, f"{connection.run}-canary")
    try:
        return canary.fly(pods, repositories.new("canary"))
    finally:
        with contextlib.suppress(Inconclusive):  # what remains goes with its namespace
            pods.remove_all()


def describe(
    target: Target, registry: RegistryControl, image: str, sighting: canary.Sighting, swept: list[str]
) -> Json:
    """What the report says of the target."""
    return target.to_json() | {
        "registry": list(registry.hosts),
        "probe_image": image,
        "lacks": dict(sighting.lacks),
        "remark": sighting.remark,
        "swept": swept,
    }
