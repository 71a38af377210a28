"""conformance.target: what the cluster is, or in plain words why it cannot be judged."""

from __future__ import annotations

from typing import Any

import pytest

from conformance import target as target_module
from conformance.target import hindrances, missing_verbs, reach, read_node, survey
from fixtures.api import ApiError, Response
from fixtures.errors import PreflightRefused, UsageError
from fixtures.reference.api.certificate import self_signed
from tests.fixtures.fakes import FakeApi, status
from tests.fixtures.server import Answer, api_at, plain, refusal, refusing, reply, serving

Json = dict[str, Any]

NODES = "/api/v1/nodes"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
INFO = {
    "operatingSystem": "linux",
    "architecture": "amd64",
    "containerRuntimeVersion": "containerd://v2.1.4",
    "kubeletVersion": "v1.36.2",
    "kernelVersion": "6.18",
    "osImage": "Debian",
}
VERSION: Json = {"major": "1", "minor": "36", "gitVersion": "v1.36.2"}


def node(name: str, *, ready: str = "True", spec: Json | None = None, **info: str) -> Json:
    """A node as the API server shows it."""
    return {
        "metadata": {"name": name},
        "spec": spec or {},
        "status": {
            "nodeInfo": INFO | info,
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": ready}],
        },
    }


def tainted(effect: str) -> Json:
    """The spec of a node with a taint."""
    return {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": effect}]}


def cluster(*nodes: Json) -> FakeApi:
    """A cluster with these nodes."""
    api = FakeApi()
    api.answers["GET", "/version"] = lambda _: Response(status=200, body=VERSION)
    for one in nodes:
        api.put(NODES, one)
    return api


# --- reaching it


def test_version() -> None:
    """A Kubernetes API server tells its version."""
    with serving(reply(VERSION)) as server:
        assert reach(server.api) == "v1.36.2"


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that cannot be reached is named, with what to check."""
    monkeypatch.setattr(target_module, "REACH_SECONDS", 0.2)
    with refusing() as url, pytest.raises(PreflightRefused) as error:
        reach(api_at(url))
    assert f"The API server {url} cannot be reached" in str(error.value)
    assert "Is the cluster up, and is this the right context?" in str(error.value)


def test_foreign_certificate() -> None:
    """A server with another certificate than the kubeconfig's authority vouches for is told at once."""
    with (
        serving(reply(VERSION), tls=self_signed().server_context()) as server,
        pytest.raises(PreflightRefused, match=r"(?i)certificate verify failed"),
    ):
        reach(server.api)


def test_tls_where_there_is_none() -> None:
    """So is https to a server that has none."""
    with serving(reply(VERSION)) as server, pytest.raises(PreflightRefused, match=r"cannot be reached.*SSL"):
        reach(api_at(server.url.replace("http:", "https:")))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal(401, "Unauthorized", "Unauthorized"), "does not accept the kubeconfig's credentials"),
        (
            refusal(403, "Forbidden", 'user "system:anonymous" may not'),
            'does not let us in.*"system:anonymous"',
        ),
        (
            plain(b"<html><body>Welcome to nginx</body></html>"),
            "does not answer as a Kubernetes API server: 200",
        ),
        (plain(b"not here", 404), "does not answer as a Kubernetes API server: 404 not here"),
        (
            plain(b"Client sent an HTTP request to an HTTPS server.\n", 400),
            "server: 400 Client sent an HTTP request",
        ),
        (plain(b"", 302, Location="/login"), "does not answer as a Kubernetes API server: 302"),
        (reply(["v1"]), "does not answer as a Kubernetes API server"),
        (reply({"gitVersion": None}), "does not answer as a Kubernetes API server"),
    ],
)
def test_what_lets_nobody_in(answer: Answer, words: str) -> None:
    """A server that refuses us, or is something else, is told from one that is down, in its own words."""
    with serving(answer) as server, pytest.raises(PreflightRefused, match=words):
        reach(server.api)


def test_long_pages_are_cut() -> None:
    """A web page in place of an answer does not fill the screen."""
    with serving(plain(b"<html>" + b"x" * 5000)) as server, pytest.raises(PreflightRefused) as error:
        reach(server.api)
    assert len(str(error.value)) < 600


# --- what it is


def test_node_is_read() -> None:
    """A node's class is made of its system, architecture, runtime and runtime version."""
    found = read_node(node("a"))
    assert (found.runtime, found.runtime_version, found.kubelet) == ("containerd", "2.1.4", "1.36.2")
    assert found.class_name == "linux/amd64 containerd 2.1.4"
    assert (
        read_node(node("b", containerRuntimeVersion="cri-o://1.36.0")).class_name
        == "linux/amd64 cri-o 1.36.0"
    )


@pytest.mark.parametrize("state", [{}, {"status": {}}, {"status": {"nodeInfo": None}}, {"status": None}])
def test_node_that_tells_nothing(state: Json) -> None:
    """A node of which nothing is known yet is no error."""
    assert read_node({"metadata": {"name": "a"}} | state).class_name.strip() == "/"
    assert hindrances({"metadata": {"name": "a"}} | state) == ["it is not Ready", "its system is not known"]


@pytest.mark.parametrize("spec", [{}, tainted("PreferNoSchedule"), {"unschedulable": False, "taints": None}])
def test_node_that_takes_pods(spec: Json) -> None:
    """Nothing keeps ordinary Pods from a Linux node that is Ready, and neither cordoned nor tainted against them."""
    assert hindrances(node("a", spec=spec)) == []


def test_survey() -> None:
    """Without a wish one schedulable Linux node is judged; the others that take Pods are told besides."""
    windows = node("a-windows", operatingSystem="windows")
    api = cluster(
        windows, node("b-down", ready="False"), node("c"), node("d"), node("e", spec=tainted("NoExecute"))
    )
    found, others = survey(api, (), reference=False)
    assert (found.under_test, others) == (("c",), ("d",))
    assert (found.server, found.kubernetes) == ("http://fake", "v1.36.2")
    assert found.components == {"kubernetes": "1.36.2", "containerd": "2.1.4"}
    told = found.to_json()
    assert [one["name"] for one in told["nodes"]] == ["a-windows", "b-down", "c", "d", "e"]
    assert told["nodes"][2]["class"] == "linux/amd64 containerd 2.1.4"
    assert (told["reference"], told["nodes_under_test"]) == (False, ["c"])


def test_survey_of_wanted_nodes() -> None:
    """The nodes that were asked for are judged, in that order."""
    found, others = survey(cluster(node("a"), node("b"), node("c")), ("c", "a"), reference=True)
    assert (found.under_test, found.node.name, others) == (("c", "a"), "c", ("b",))


def test_unknown_node() -> None:
    """A node that isn't there is named, with those that are."""
    with pytest.raises(UsageError, match=r"no node 'x' in the cluster. It has: a, b\."):
        survey(cluster(node("b"), node("a")), ("x",), reference=False)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (node("a", ready="Unknown"), "it is not Ready"),
        (node("a", ready="False"), "it is not Ready"),
        (node("a", spec={"unschedulable": True}), "it is cordoned"),
        (node("a", spec=tainted("NoSchedule")), "tainted node-role.kubernetes.io/control-plane:NoSchedule"),
        (
            node("a", spec=tainted("NoExecute") | {"unschedulable": True}),
            "it is cordoned, it is tainted .*:NoExecute",
        ),
        (node("a", operatingSystem="windows"), "its system is windows"),
    ],
)
def test_node_that_takes_no_pods(one: Json, why: str) -> None:
    """A wanted node that takes no Pods of ours is refused, and so is a cluster without any other; both say why."""
    with pytest.raises(PreflightRefused, match=f"The node a takes no Pods: .*{why}"):
        survey(cluster(one, node("b")), ("a",), reference=False)
    with pytest.raises(PreflightRefused, match=f"No node takes Pods: a: .*{why}"):
        survey(cluster(one), (), reference=False)


def test_no_nodes() -> None:
    """A cluster without nodes is refused."""
    with pytest.raises(PreflightRefused, match="No node takes Pods"):
        survey(cluster(), (), reference=False)


def test_nodes_that_may_not_be_listed() -> None:
    """That nodes may not be listed is told with the verbs that are missing."""
    api = cluster()
    api.answers["GET", NODES] = lambda _: status(403, "Forbidden", "ann cannot list nodes")
    with pytest.raises(PreflightRefused, match=r"ann cannot list nodes.*get and list on nodes"):
        survey(api, (), reference=False)
    api.answers["GET", NODES] = lambda _: status(500, "InternalError", "etcd")
    with pytest.raises(ApiError, match="etcd"):
        survey(api, (), reference=False)


# --- what we may do


def may(api: FakeApi, *forbidden: str) -> None:
    """Have an API server that allows everything but `verb resource`."""

    def review(body: Any) -> Response:
        asked = body["spec"]["resourceAttributes"]
        name = f"{asked['resource']}{'/' + asked['subresource'] if asked['subresource'] else ''}"
        return Response(status=201, body={"status": {"allowed": f"{asked['verb']} {name}" not in forbidden}})

    api.answers["POST", REVIEWS] = review


def test_nothing_is_missing() -> None:
    """A user who may do everything lacks nothing; each permission is asked for in every namespace."""
    api = FakeApi()
    may(api)
    assert missing_verbs(api) == []
    assert all("namespace" not in body["spec"]["resourceAttributes"] for _, _, body in api.calls)


@pytest.mark.parametrize(
    "verb",
    [
        *("create namespaces", "delete namespaces", "list namespaces"),
        *("create pods", "delete pods", "get pods", "list pods", "watch pods", "patch pods"),
        *("get pods/log", "create pods/exec", "get pods/exec", "patch pods/ephemeralcontainers"),
        *(
            "create secrets",
            "get secrets",
            "patch secrets",
            "create configmaps",
            "list events",
            "watch events",
        ),
        *("create serviceaccounts", "list serviceaccounts", "watch serviceaccounts", "patch serviceaccounts"),
    ],
)
def test_missing_verb(verb: str) -> None:
    """Each verb that a run needs is named when it is missing."""
    api = FakeApi()
    may(api, verb)
    assert missing_verbs(api) == [verb]


def test_server_that_reviews_nothing() -> None:
    """A server that does not tell what we may do is believed to allow it: what it refuses will show."""
    api = FakeApi()
    api.answers["POST", REVIEWS] = lambda _: status(404)
    assert missing_verbs(api) == []
