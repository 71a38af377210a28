"""What the cluster under test is: versions, node classes, and what its image volumes do before anything is judged.

Nothing is guessed from a version: a canary Pod shows what the target does with an image volume and with a subPath, and the versions only
say of whom that is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from fixtures.api import Api, ApiError, ApiUnreachable
from fixtures.errors import PreflightRefused, UsageError

Json = dict[str, Any]

MOUNT = "mount"
SUB_PATH = "sub-path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: name, and what its class is made of."""

    name: str
    os: str
    architecture: str
    runtime: str
    runtime_version: str
    kubelet: str
    kernel: str
    os_image: str

    @property
    def class_name(self) -> str:
        """Nodes with the same operating system, architecture, runtime and runtime version are one class."""
        return f"{self.os}/{self.architecture} {self.runtime} {self.runtime_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What the target lacks of a feature that checks need.

    kind: "refused" (visibly: what needs it is unsupported) or "lost" (silently: what needs it fails as ignored).
    platform: what does so, in the catalogue's words. text: the target's own.
    """

    kind: str
    platform: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The cluster under test. components: version by component, as the list of known defects names them."""

    server: str
    kubernetes: str
    reference: bool
    nodes: tuple[Node, ...]
    under_test: tuple[str, ...]

    @property
    def components(self) -> dict[str, str]:
        """Versions of what can have a known defect."""
        node = self.node
        return {"kubernetes": node.kubelet, node.runtime: node.runtime_version}

    @property
    def node(self) -> Node:
        """The first node under test."""
        return next(node for node in self.nodes if node.name == self.under_test[0])

    def to_json(self) -> Json:
        """Return it for the report."""
        nodes = [asdict(node) | {"class": node.class_name} for node in self.nodes]
        return {
            "server": self.server,
            "kubernetes": self.kubernetes,
            "reference": self.reference,
            "nodes": nodes,
            "nodes_under_test": list(self.under_test),
            "components": self.components,
        }


def read_node(item: Mapping[str, Any]) -> Node:
    """Read a node object (status.nodeInfo). containerRuntimeVersion is RUNTIME://VERSION."""
    info = item["status"]["nodeInfo"]
    runtime, _, version = str(info.get("containerRuntimeVersion", "")).partition("://")
    return Node(
        name=item["metadata"]["name"],
        os=info.get("operatingSystem", ""),
        architecture=info.get("architecture", ""),
        runtime=runtime,
        runtime_version=version.removeprefix("v"),
        kubelet=str(info.get("kubeletVersion", "")).removeprefix("v"),
        kernel=info.get("kernelVersion", ""),
        os_image=info.get("osImage", ""),
    )


def schedulable(item: Mapping[str, Any]) -> bool:
    """Whether a node is Ready, not cordoned and not tainted against ordinary Pods."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])
    tainted = any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in spec.get("taints") or [])
    return ready and not spec.get("unschedulable") and not tainted


def reach(api: Api) -> str:
    """Return the API server's version (v1.36.2). PreflightRefused where it can't be reached or doesn't know us."""
    host = api.configuration.host
    try:
        response = api.request("GET", "/version", seconds=10)
    except ApiUnreachable as error:
        raise PreflightRefused(
            f"The API server {host} cannot be reached: {error}. Is the cluster up, and is this the right context?"
        ) from error
    if response.status == HTTPStatus.UNAUTHORIZED:
        raise PreflightRefused(
            f"The API server {host} does not accept the kubeconfig's credentials (401). Log in again."
        )
    if not response.ok or "gitVersion" not in response.body:
        raise PreflightRefused(
            f"{host} does not answer as a Kubernetes API server: {response.status} {response.message}"
        )
    return str(response.body["gitVersion"])


def survey(api: Api, wanted: Sequence[str], *, reference: bool) -> tuple[Target, tuple[str, ...]]:
    """Look at the cluster. wanted: names of the nodes to test; none takes one schedulable Linux node.

    Returns the target and the names of further schedulable nodes. Raises PreflightRefused or UsageError.
    """
    version = reach(api)
    try:
        items = api.get("/api/v1/nodes")["items"]
    except ApiError as error:
        if error.response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise PreflightRefused(
                f"The nodes cannot be listed: {error.response.message} "
                "The suite needs the verbs get and list on nodes, to know what it judges."
            ) from error
        raise
    nodes = {item["metadata"]["name"]: read_node(item) for item in items}
    able = [
        item["metadata"]["name"]
        for item in items
        if schedulable(item) and nodes[item["metadata"]["name"]].os == "linux"
    ]
    for name in wanted:
        if name not in nodes:
            raise UsageError(f"There is no node {name!r} in the cluster. It has: {', '.join(sorted(nodes))}.")
        if name not in able:
            raise PreflightRefused(
                f"The node {name} takes no Pods: it is not Ready, cordoned, tainted, or not Linux."
            )
    if not able:
        raise PreflightRefused("No node takes Pods: none is Ready, Linux, and free of cordons and taints.")
    chosen = tuple(wanted) or (able[0],)
    target = Target(
        server=api.configuration.host,
        kubernetes=version,
        reference=reference,
        nodes=tuple(nodes.values()),
        under_test=chosen,
    )
    return target, tuple(name for name in able if name not in chosen)


NEEDED_VERBS = (
    ("create", "", "namespaces", ""),
    ("delete", "", "namespaces", ""),
    ("create", "", "pods", ""),
    ("delete", "", "pods", ""),
    ("watch", "", "pods", ""),
    ("get", "", "pods", "log"),
    ("create", "", "pods", "exec"),
    ("get", "", "pods", "exec"),
    ("create", "", "secrets", ""),
    ("create", "", "configmaps", ""),
    ("patch", "", "serviceaccounts", ""),
    ("list", "", "events", ""),
)


def missing_verbs(api: Api) -> list[str]:
    """What the user may not do of that which every run needs, as `verb resource/subresource`, by access review."""
    missing = []
    for verb, group, resource, subresource in NEEDED_VERBS:
        attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        response = api.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
        if response.ok and not (response.body.get("status") or {}).get("allowed"):
            missing.append(f"{verb} {resource}{'/' + subresource if subresource else ''}")
    return missing
