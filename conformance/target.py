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
ONE_ID_LABEL = "image-volume.reference/ids"

REACH_SECONDS = 10.0
SHOWN = 300  # characters of an answer that is none of an API server's


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: name, and what its class is made of. one_id: a reference node on which all files are of one user."""

    name: str
    os: str
    architecture: str
    runtime: str
    runtime_version: str
    kubelet: str
    kernel: str
    os_image: str
    one_id: bool = False

    @property
    def class_name(self) -> str:
        """Nodes with the same operating system, architecture, runtime and runtime version are one class."""
        return f"{self.os}/{self.architecture} {self.runtime} {self.runtime_version}"


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
    info = (item.get("status") or {}).get("nodeInfo") or {}
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
        one_id=(item["metadata"].get("labels") or {}).get(ONE_ID_LABEL) == "one",
    )


def hindrances(item: Mapping[str, Any]) -> list[str]:
    """Why ordinary Linux Pods do not come to a node; empty where they do."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])
    system = read_node(item).os
    taints = [taint for taint in spec.get("taints") or [] if taint["effect"] in ("NoSchedule", "NoExecute")]
    return [
        *([] if ready else ["it is not Ready"]),
        *(["it is cordoned"] if spec.get("unschedulable") else []),
        *(f"it is tainted {taint['key']}:{taint['effect']}" for taint in taints),
        *([] if system == "linux" else [f"its system is {system or 'not known'}"]),
    ]


def reach(api: Api) -> str:
    """Return the API server's version (v1.36.2). PreflightRefused where it can't be reached or doesn't know us."""
    host = api.configuration.host
    try:
        response = api.request("GET", "/version", seconds=REACH_SECONDS)
    except ApiUnreachable as error:
        raise PreflightRefused(
            f"The API server {host} cannot be reached: {error}. Is the cluster up, and is this the right context?"
        ) from error
    if response.status == HTTPStatus.UNAUTHORIZED:
        raise PreflightRefused(
            f"The API server {host} does not accept the kubeconfig's credentials (401). Log in again."
        )
    if response.status == HTTPStatus.FORBIDDEN:
        raise PreflightRefused(
            f"The API server {host} does not let us in (403): {response.message}. Does the kubeconfig's context name a user?"
        )
    if not response.ok or not response.body.get("gitVersion"):
        raise PreflightRefused(
            f"{host} does not answer as a Kubernetes API server: {response.status} {response.message[:SHOWN]}"
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
    hindered = {item["metadata"]["name"]: hindrances(item) for item in items}
    for name in wanted:
        if name not in nodes:
            raise UsageError(f"There is no node {name!r} in the cluster. It has: {', '.join(sorted(nodes))}.")
        if hindered[name]:
            raise PreflightRefused(f"The node {name} takes no Pods: {', '.join(hindered[name])}.")
    able = [name for name, why in hindered.items() if not why]
    if not able:
        why = "; ".join(f"{name}: {', '.join(why)}" for name, why in hindered.items())
        raise PreflightRefused(f"No node takes Pods: {why or 'there is none'}.")
    chosen = tuple(wanted) or (able[0],)
    target = Target(
        server=api.configuration.host,
        kubernetes=version,
        reference=reference,
        nodes=tuple(nodes.values()),
        under_test=chosen,
    )
    return target, tuple(name for name in able if name not in chosen)


NEEDED_VERBS = {
    "namespaces": "create delete list",
    "pods": "create delete get list patch watch",
    "pods/log": "get",
    "pods/exec": "create get",
    "pods/ephemeralcontainers": "patch",
    "secrets": "create get patch",
    "configmaps": "create",
    "serviceaccounts": "create list patch watch",
    "events": "list watch",
}


def missing_verbs(api: Api) -> list[str]:
    """What the user may not do of that which every run needs, as `verb resource/subresource`, by access review."""
    missing = []
    for name, verbs in NEEDED_VERBS.items():
        resource, _, subresource = name.partition("/")
        for verb in verbs.split():
            attributes = {"verb": verb, "group": "", "resource": resource, "subresource": subresource}
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
            response = api.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
            if response.ok and not (response.body.get("status") or {}).get("allowed"):
                missing.append(f"{verb} {name}")
    return missing
