"""Requests whose answers were recorded from kube-apiserver: what the reference cluster must answer alike.

`REQUESTS` is sent in this order, to a cluster without scheduler and kubelet. `record.py` writes what a real one answers into
`recorded.json`; `test_recorded.py` compares.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any

NAMESPACE = "recorded"
RESTRICTED = "recorded-restricted"
BASELINE = "recorded-baseline"
STATE = "recorded-state"
ENDING = "recorded-ending"
DIGEST = "sha256:" + "0123456789abcdef" * 4
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. name: what it is about, unique. wait: until a GET of this path finds something, before it is sent."""

    name: str
    method: str = "POST"
    path: str = f"/api/v1/namespaces/{NAMESPACE}/pods"
    query: Mapping[str, str] = field(default_factory=lambda: {"dryRun": "All"})
    body: Json = None
    content_type: str = "application/json"
    wait: str = ""


def pod(name: str = "p", /, **spec: Json) -> Json:
    """A Pod with one container, and these fields in its spec."""
    fields = {"containers": [{"name": "c", "image": "x:1"}], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": fields | spec}


def volume(name: str = "v", /, **source: Json) -> Json:
    """A volume; without a source, an image volume."""
    return {"name": name} | (source or {"image": {"reference": "reg.example:5000/site:v1"}})


def image(reference: str | None = "reg.example:5000/site:v1", **fields: Json) -> Json:
    """A list of one image volume."""
    source = ({} if reference is None else {"reference": reference}) | fields
    return [volume(image=source)]


def mounts(*found: Json, volumes: Json = None, container: Json = None, **spec: Json) -> Json:
    """A Pod whose container has these volumeMounts."""
    one = {"name": "c", "image": "x:1", "volumeMounts": list(found)} | (container or {})
    return pod(containers=[one], volumes=[volume()] if volumes is None else volumes, **spec)


def mount(name: str = "v", path: str = "/vol", **fields: Json) -> Json:
    """A volumeMount."""
    return {"name": name, "mountPath": path} | fields


def normalized(value: Json) -> Json:
    """An answer without what differs from run to run: ids, versions, times, and who manages which field."""
    if isinstance(value, dict):
        dropped = {"uid", "resourceVersion", "managedFields", "creationTimestamp"}
        return {key: normalized(item) for key, item in value.items() if key not in dropped}
    if isinstance(value, list):
        return [normalized(item) for item in value]
    if isinstance(value, str):
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>", value)
        text = re.sub(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", "<uid>", text)
        # What follows is a difference between two specs, in the server's internal spelling.
        return re.sub(r"\n@@ .*", "\n<difference>", text, flags=re.DOTALL)
    return value


def _pod(name: str, body: Json, **query: str) -> Request:
    return Request(name=name, body=body, query={"dryRun": "All"} | query)


def _image_volumes() -> Iterator[Request]:
    yield _pod("an image volume", pod(volumes=image(pullPolicy="Always")))
    yield _pod("reference missing", pod(volumes=image(None)))
    yield _pod("reference empty", pod(volumes=image("")))
    yield _pod("reference null", pod(volumes=[volume(image={"reference": None})]))
    yield _pod("image null", pod(volumes=[volume(image=None)]))
    for policy in ("Always", "IfNotPresent", "Never", "Sometimes", "always", ""):
        yield _pod(f"pull policy {policy!r}", pod(volumes=image(pullPolicy=policy)))
    for reference in (
        "site",
        "site:latest",
        "site:v42",
        "reg.example:5000/site",
        "reg.example:5000/site:latest",
        "reg.example:5000/site:v42",
        "127.0.0.1:5000/team/site",
        "localhost/site",
        "[::1]:5000/site",
        f"reg.example/site@{DIGEST}",
        f"reg.example/site:latest@{DIGEST}",
        f"reg.example/site:v42@{DIGEST}",
        "reg.example/site@sha256:abc",
        "site:v42:latest",
        " repo:v1",
        "repo:v1 ",
        " ",
        "${ASSET_VERSION}",
        "$(X)",
        "UPPER/x",
        "reg.example/UPPER",
        "UPPER",
        "repo:latest-2",
        "repo:LATEST",
        "a/b/c/d:latest",
        "b" * 300,
        "0123456789abcdef" * 4,
        "repo@latest",
        "repo:",
        "https://reg.example/site",
        "-repo",
        "repo_:v1",
        "re__po",
        "ünicode",
    ):
        yield _pod(f"default pull policy of volume {reference[:60]!r}", pod(volumes=image(reference)))
        container = {"name": "c", "image": reference}
        yield _pod(f"default pull policy of container {reference[:60]!r}", pod(containers=[container]))
    yield _pod("image and emptyDir", pod(volumes=[volume(image={"reference": "a:1"}, emptyDir={})]))
    yield _pod(
        "image and hostPath", pod(volumes=[volume(image={"reference": "a:1"}, hostPath={"path": "/x"})])
    )
    yield _pod(
        "image without reference, and secret", pod(volumes=[volume(image={}, secret={"secretName": "s"})])
    )
    yield _pod("three sources", pod(volumes=[volume(image={}, secret={}, configMap={"name": "x"})]))
    yield _pod("no source", pod(volumes=[{"name": "v"}]))
    yield _pod("volume without a name", pod(volumes=[{"image": {"reference": "a:1"}}]))
    yield _pod("volume names not unique", pod(volumes=[volume(), volume()]))
    yield _pod(
        "volume names wrong", pod(volumes=[volume("UP"), volume("a.b"), volume("x" * 64), volume("-")])
    )
    for fields in ({"reference": 5}, {"reference": ["a"]}, {"pullPolicy": True}, {"reference": {"a": "b"}}):
        yield _pod(f"image of wrong type {fields}", pod(volumes=[volume(image=fields)]))
    yield _pod("image is a string", pod(volumes=[volume(image="a:1")]))
    yield _pod("volumes is an object", pod(volumes={}))
    for validation in ("Strict", "Warn", "Ignore", "", "Loud"):
        strange = pod(volumes=[volume(image={"reference": "a:1", "digest": "x"}, imagee={})], foo=1)
        yield _pod(f"unknown fields, fieldValidation {validation!r}", strange, fieldValidation=validation)
    yield _pod("image known to strict validation", pod(volumes=image()), fieldValidation="Strict")
    deep = pod(
        containers=[{"name": "c", "image": "x:1", "volumeMounts": [mount(subpath="x")], "bar": {"a": 1}}]
    )
    deep["spec"]["volumes"] = [volume()]
    yield _pod("unknown field in a mount", deep, fieldValidation="Strict")
    top = pod() | {"extra": 1}
    top["metadata"]["label"] = {}
    yield _pod("unknown field at the top", top, fieldValidation="Strict")


def _mounts() -> Iterator[Request]:
    yield _pod("mounted", mounts(mount()))
    yield _pod(
        "mounted thrice", mounts(mount(), mount(path="/b", subPath="b"), mount(path="/c", readOnly=True))
    )
    yield _pod("mount of an undeclared volume", mounts(mount("w")))
    yield _pod("mount of a wrong volume", mounts(mount(), volumes=image("")))
    yield _pod("mount without a name", mounts({"mountPath": "/vol"}))
    yield _pod("mount without a path", mounts({"name": "v"}))
    yield _pod("mount paths not unique", mounts(mount(), mount()))
    yield _pod("mount paths alike", mounts(mount(path="/vol"), mount(path="/vol/")))
    yield _pod("mount path relative", mounts(mount(path="vol")))
    yield _pod("mount path with colon", mounts(mount(path="/a:b")))
    yield _pod("mount path /", mounts(mount(path="/")))
    for sub_path in (
        "",
        ".",
        "dir",
        "dir/",
        "./dir",
        "a//b",
        "a..b",
        "..a",
        "/etc",
        "..",
        "../x",
        "a/../../b",
        "a/..",
    ):
        yield _pod(f"subPath {sub_path!r}", mounts(mount(subPath=sub_path)))
    for expression in ("", "$(POD)", "/$(POD)", "../$(POD)", "a/../b", "$(UNDEFINED)"):
        yield _pod(f"subPathExpr {expression!r}", mounts(mount(subPathExpr=expression)))
    yield _pod("subPath and subPathExpr", mounts(mount(subPath="a", subPathExpr="b")))
    yield _pod("subPath and subPathExpr, both wrong", mounts(mount(subPath="/a", subPathExpr="../b")))
    yield _pod("readOnly false", mounts(mount(readOnly=False)))
    for mode in ("Disabled", "Enabled", "IfPossible", "Sometimes"):
        yield _pod(f"recursiveReadOnly {mode}", mounts(mount(recursiveReadOnly=mode)))
        yield _pod(
            f"recursiveReadOnly {mode}, readOnly", mounts(mount(recursiveReadOnly=mode, readOnly=True))
        )
    both = mount(recursiveReadOnly="Enabled", readOnly=True, mountPropagation="HostToContainer")
    yield _pod("recursiveReadOnly with propagation", mounts(both))
    privileged = {"securityContext": {"privileged": True}}
    for mode in ("None", "HostToContainer", "Bidirectional", "Sideways"):
        yield _pod(f"propagation {mode}", mounts(mount(mountPropagation=mode)))
        yield _pod(
            f"propagation {mode}, privileged", mounts(mount(mountPropagation=mode), container=privileged)
        )
    device = {"name": "v", "devicePath": "/dev/x"}
    yield _pod("volumeDevices", mounts(container={"volumeDevices": [device]}))
    yield _pod("volumeDevices and mount", mounts(mount(), container={"volumeDevices": [device]}))
    strange = [{"name": "w", "devicePath": "/a"}, {"name": "w", "devicePath": "/a"}, {"devicePath": "../b"}]
    yield _pod("volumeDevices wrong", mounts(container={"volumeDevices": strange}))
    init = {"name": "i", "image": "x:1", "volumeMounts": [mount(subPath="/x")]}
    yield _pod("mount in an init container", mounts(mount(), initContainers=[init]))
    yield _pod("mount in a sidecar", mounts(mount(), initContainers=[init | {"restartPolicy": "Always"}]))


def _containers() -> Iterator[Request]:
    yield _pod("no containers", pod(containers=[]))
    yield _pod("containers null", pod(containers=None))
    yield _pod("container without name and image", pod(containers=[{}]))
    yield _pod("container names not unique", pod(containers=[{"name": "c", "image": "x"}] * 2))
    yield _pod("container name wrong", pod(containers=[{"name": "C_", "image": "x"}]))
    yield _pod("container image with spaces", pod(containers=[{"name": "c", "image": " x:1 "}]))
    yield _pod(
        "container pull policy wrong", pod(containers=[{"name": "c", "image": "x", "imagePullPolicy": "No"}])
    )
    yield _pod("init container of the same name", pod(initContainers=[{"name": "c", "image": "x"}]))
    probe = {"httpGet": {"port": 80}}
    yield _pod(
        "probe in an init container",
        pod(initContainers=[{"name": "i", "image": "x", "livenessProbe": probe}]),
    )
    yield _pod(
        "probes", pod(containers=[{"name": "c", "image": "x", "livenessProbe": probe, "readinessProbe": {}}])
    )
    sidecar = {
        "name": "i",
        "image": "x",
        "restartPolicy": "Always",
        "startupProbe": {"exec": {"command": ["x"]}},
    }
    yield _pod("sidecar", pod(initContainers=[sidecar]))
    yield _pod("sidecar's restart policy wrong", pod(initContainers=[sidecar | {"restartPolicy": "Maybe"}]))
    yield _pod("ephemeral containers on create", pod(ephemeralContainers=[{"name": "e", "image": "x"}]))
    env = [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "", "value": "x"},
        {"name": "C=D", "value": "x"},
        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nope"}}},
        {"name": "E", "valueFrom": {}},
        {"name": "F", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "G", "valueFrom": {"secretKeyRef": {"name": "s"}}},
        {"name": "H", "valueFrom": {"configMapKeyRef": {"name": "S", "key": "a b"}}},
        {"name": "I", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
        {"name": "J", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}},
    ]
    yield _pod("environment", pod(containers=[{"name": "c", "image": "x", "env": env}]))
    sources = [{"configMapRef": {"name": "x"}}, {"secretRef": {}}, {}]
    yield _pod("environment from", pod(containers=[{"name": "c", "image": "x", "envFrom": sources}]))
    ports = [
        {"containerPort": 80},
        {"containerPort": 70000, "name": "UP"},
        {"name": "http", "protocol": "ICMP", "containerPort": 1},
        {"name": "http", "containerPort": 81, "hostPort": 81},
        {},
    ]
    yield _pod("ports", pod(containers=[{"name": "c", "image": "x", "ports": ports}]))
    resources = {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "2"}}
    yield _pod("resources", pod(containers=[{"name": "c", "image": "x", "resources": resources}]))
    equal = {"limits": {"cpu": "1", "memory": "64Mi"}}
    yield _pod("resources guaranteed", pod(containers=[{"name": "c", "image": "x", "resources": equal}]))
    some = {"requests": {"cpu": "100m"}}
    yield _pod("resources burstable", pod(containers=[{"name": "c", "image": "x", "resources": some}]))
    bad = {"limits": {"cpu": "a lot"}}
    yield _pod("resources no quantity", pod(containers=[{"name": "c", "image": "x", "resources": bad}]))
    security = {"runAsUser": -1, "runAsGroup": 1 << 31}
    yield _pod("security context", pod(containers=[{"name": "c", "image": "x", "securityContext": security}]))
    seccomp = {"seccompProfile": {"type": "Localhost"}}
    yield _pod("seccomp", pod(securityContext=seccomp))


def _specs() -> Iterator[Request]:
    yield _pod("plain", pod())
    yield _pod(
        "empty values", pod(nodeName="", hostNetwork=False, tolerations=[], volumes=None, nodeSelector={})
    )
    yield _pod(
        "hostNetwork",
        pod(hostNetwork=True, containers=[{"name": "c", "image": "x", "ports": [{"containerPort": 1}]}]),
    )
    yield _pod("restart policy wrong", pod(restartPolicy="Maybe"))
    yield _pod("dns policy wrong", pod(dnsPolicy="Maybe"))
    yield _pod("grace", pod(terminationGracePeriodSeconds=0))
    yield _pod("grace of wrong type", pod(terminationGracePeriodSeconds="1"))
    yield _pod("grace a fraction", pod(terminationGracePeriodSeconds=1.5))
    yield _pod("flag of wrong type", pod(hostNetwork="yes"))
    yield _pod("deadline 0", pod(activeDeadlineSeconds=0))
    yield _pod("names", pod(nodeName="A B", hostname="a.b", serviceAccountName="default", subdomain="-"))
    yield _pod("node selector wrong", pod(nodeSelector={"a b": "c d"}))
    yield _pod("unknown service account", pod(serviceAccountName="nobody"))
    yield _pod("unknown priority class", pod(priorityClassName="nothing"))
    yield _pod("priority class", pod(priorityClassName="system-node-critical"))
    yield _pod("pull secrets", pod(imagePullSecrets=[{"name": "a"}, {"name": "b"}]))
    tolerations = [
        {
            "key": "node.kubernetes.io/not-ready",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 5,
        },
        {"operator": "Exists"},
    ]
    yield _pod("tolerations", pod(tolerations=tolerations[:1]))
    yield _pod("tolerations of everything", pod(tolerations=tolerations[1:]))
    wrong = [
        {"key": "a b"},
        {"value": "x"},
        {"key": "a", "effect": "Never"},
        {"key": "a", "tolerationSeconds": 1},
    ]
    wrong += [{"key": "a", "operator": "Exists", "value": "x"}, {"key": "a", "operator": "Like"}]
    yield _pod("tolerations wrong", pod(tolerations=wrong))
    yield _pod("scheduling gates", pod(schedulingGates=[{"name": "example.com/wait"}]))
    yield _pod(
        "scheduling gates and node",
        pod(schedulingGates=[{"name": "a b"}, {"name": "x"}, {"name": "x"}], nodeName="n"),
    )
    field_term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}
    yield _pod("affinity", pod(affinity=_affinity(field_term)))
    wrong_terms = [
        {
            "matchFields": [
                {"key": "metadata.uid", "operator": "Exists"},
                {"key": "metadata.name", "operator": "In"},
            ]
        },
        {
            "matchExpressions": [
                {"key": "a", "operator": "In"},
                {"key": "a b", "operator": "Exists", "values": ["x"]},
            ]
        },
        {"matchExpressions": [{"key": "a", "operator": "Gt"}, {"key": "a", "operator": "Like"}]},
    ]
    yield _pod("affinity wrong", pod(affinity=_affinity(*wrong_terms)))
    yield _pod("affinity without terms", pod(affinity=_affinity()))
    yield _pod("hostUsers", pod(hostUsers=False, hostPID=True, hostIPC=True))
    yield _pod(
        "pod security context",
        pod(securityContext={"fsGroup": -1, "supplementalGroups": [1, -1], "fsGroupChangePolicy": "X"}),
    )
    volumes = [
        volume("a", secret={"secretName": "s"}),
        volume("b", configMap={"name": "x", "items": [{"key": "k", "path": "../p"}]}),
        volume("c", hostPath={"path": "/x"}),
        volume("d", downwardAPI={"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}),
        volume(
            "e", projected={"sources": [{"serviceAccountToken": {"path": "t"}}, {"configMap": {"name": "x"}}]}
        ),
        volume("f", emptyDir={"medium": "Memory", "sizeLimit": "1Mi"}),
        volume("g", persistentVolumeClaim={"claimName": "x"}),
    ]
    yield _pod("other volumes", pod(volumes=[one for one in volumes if one["name"] != "b"]))
    yield _pod(
        "other volumes wrong",
        pod(volumes=[volumes[1], volume("h", secret={"defaultMode": 512 * 8}), volume("i", hostPath={})]),
    )
    yield _pod("emptyDir of wrong size", pod(volumes=[volume(emptyDir={"sizeLimit": "big"})]))
    yield _pod("name missing", pod() | {"metadata": {}})
    yield _pod("name wrong", pod("Up_per"))
    yield _pod("name with dots", pod("a.b"))
    yield _pod("name too long", pod("a" * 254))
    for kind, found in (
        ("labels", {"a b": "c d"}),
        ("labels", {"ok": "x" * 64}),
        ("labels", {"x" * 64: "ok"}),
        ("labels", {"a/b/c": "ok"}),
        ("labels", {"A_/c": "ok"}),
        ("annotations", {"a b": "c d"}),
    ):
        labelled = pod()
        labelled["metadata"][kind] = found
        yield _pod(f"{kind} {found}", labelled)
    elsewhere = pod()
    elsewhere["metadata"]["namespace"] = "elsewhere"
    yield _pod("another namespace in the object", elsewhere)
    yield _pod("another kind", pod() | {"kind": "Podling"})
    yield _pod("another version", pod() | {"apiVersion": "v2"})
    yield _pod(
        "kind and version left out",
        {key: value for key, value in pod().items() if key in {"metadata", "spec"}},
    )
    yield _pod("an array", [])
    yield _pod("a status of its own", pod() | {"status": {"phase": "Running", "message": "x"}})
    yield Request(name="dry run of another kind", body=pod(), query={"dryRun": "Some"})
    yield Request(name="a namespace that is missing", path="/api/v1/namespaces/missing/pods", body=pod())
    yield Request(name="a type that is not taken", body=pod(), content_type="text/plain")


def _affinity(*terms: Json) -> Json:
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    }


def _pod_security() -> Iterator[Request]:
    restricted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {
        "name": "c",
        "image": "x:1",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    good = pod(
        securityContext=restricted, containers=[container | {"volumeMounts": [mount()]}], volumes=[volume()]
    )
    bad_security = {
        "privileged": True,
        "runAsUser": 0,
        "procMount": "Default",
        "capabilities": {"add": ["NET_ADMIN", "CHOWN"]},
        "seLinuxOptions": {"type": "spc_t", "user": "u"},
        "seccompProfile": {"type": "Unconfined"},
    }
    many = pod(
        containers=[
            {
                "name": "c",
                "image": "x:1",
                "securityContext": bad_security,
                "ports": [{"containerPort": 1, "hostPort": 80}],
            },
            {"name": "d", "image": "x:1", "securityContext": {"runAsNonRoot": False}},
        ],
        initContainers=[{"name": "i", "image": "x:1", "ports": [{"containerPort": 1, "hostPort": 90}]}],
        volumes=[
            volume(),
            volume("h", hostPath={"path": "/"}),
            volume("n", nfs={"server": "s", "path": "/"}),
        ],
        hostPID=True,
        securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}], "runAsUser": 0},
    )
    without_drop = copy.deepcopy(good)
    del without_drop["spec"]["containers"][0]["securityContext"]["capabilities"]
    adding = copy.deepcopy(good)
    adding["spec"]["containers"][0]["securityContext"]["capabilities"]["add"] = ["NET_BIND_SERVICE", "CHOWN"]
    userns = pod(
        hostUsers=False,
        securityContext={"seccompProfile": {"type": "RuntimeDefault"}},
        containers=[container],
    )
    for name, body in (
        ("good", good),
        ("plain", pod(volumes=image())),
        ("many wrongs", many),
        ("nothing dropped", without_drop),
        ("capabilities added", adding),
        ("user namespace", userns),
        ("invalid besides", pod(volumes=image(""))),
    ):
        for namespace in (RESTRICTED, BASELINE):
            path = f"/api/v1/namespaces/{namespace}/pods"
            yield Request(name=f"pod security, {namespace}: {name}", path=path, body=body)


def _state() -> Iterator[Request]:
    """One Pod's life without a kubelet, and other objects."""
    pods = f"/api/v1/namespaces/{STATE}/pods"
    none: Mapping[str, str] = {}
    path = f"{pods}/p"

    def change(name: str, body: Json, kind: str = MERGE, sub: str = "", **query: str) -> Request:
        return Request(
            name=name, method="PATCH", path=f"{path}{sub}", query=query, body=body, content_type=kind
        )

    yield Request(
        name="created",
        path=pods,
        query=none,
        body=pod(volumes=image(), containers=[{"name": "c", "image": "x:1", "volumeMounts": [mount()]}]),
    )
    yield Request(name="created again", path=pods, query=none, body=pod())
    yield Request(name="created again, dry run", path=pods, body=pod())
    yield change("label", {"metadata": {"labels": {"a": "b"}}})
    yield change("label removed", {"metadata": {"labels": {"a": None}}})
    yield change("nothing changed", {"metadata": {"labels": {}}})
    yield change("reference, merge patch", {"spec": {"volumes": image("other:1")}})
    yield change("reference, strategic patch", {"spec": {"volumes": image("other:1")}}, STRATEGIC)
    yield change("pull policy, strategic patch", {"spec": {"volumes": image(pullPolicy="Never")}}, STRATEGIC)
    replace = [{"op": "replace", "path": "/spec/volumes/0/image/reference", "value": "other:1"}]
    yield change("reference, JSON patch", replace, PATCH)
    yield change("reference, JSON patch, dry run", replace, PATCH, dryRun="All")
    yield change("a missing path", [{"op": "replace", "path": "/spec/volumes/7/name", "value": "x"}], PATCH)
    yield change("a failing test", [{"op": "test", "path": "/metadata/name", "value": "x"}], PATCH)
    yield change("volume added", {"spec": {"volumes": [volume("w")]}}, STRATEGIC)
    yield change("volume removed", {"spec": {"volumes": [{"name": "v", "$patch": "delete"}]}}, STRATEGIC)
    yield change("container image", {"spec": {"containers": [{"name": "c", "image": "x:2"}]}}, STRATEGIC)
    yield change("container image empty", {"spec": {"containers": [{"name": "c", "image": ""}]}}, STRATEGIC)
    yield change("container added", {"spec": {"containers": [{"name": "d", "image": "x:2"}]}}, STRATEGIC)
    yield change(
        "toleration added", {"spec": {"tolerations": [{"key": "x", "operator": "Exists"}]}}, STRATEGIC
    )
    yield change("tolerations replaced", {"spec": {"tolerations": []}})
    yield change("gate added", {"spec": {"schedulingGates": [{"name": "x"}]}})
    yield change("name", {"metadata": {"name": "q"}})
    yield change("patch of no known type", {}, "application/json")
    yield change("unknown field, Strict", {"spec": {"foo": 1}}, STRATEGIC, fieldValidation="Strict")
    yield change("unknown field", {"spec": {"foo": 1}})
    ephemeral = {"name": "e", "image": "x", "volumeMounts": [mount()]}

    def debug(name: str, container: Json) -> Request:
        return change(name, {"spec": {"ephemeralContainers": [container]}}, STRATEGIC, "/ephemeralcontainers")

    yield debug("ephemeral container with subPath", ephemeral | {"volumeMounts": [mount(subPath="x")]})
    yield debug(
        "ephemeral container with subPathExpr", ephemeral | {"volumeMounts": [mount(subPathExpr="x")]}
    )
    yield debug("ephemeral container with an unknown volume", ephemeral | {"volumeMounts": [mount("w")]})
    yield debug(
        "ephemeral container with ports",
        ephemeral | {"ports": [{"containerPort": 1}], "resources": {"limits": {"cpu": "1"}}},
    )
    yield debug("ephemeral container of an existing name", ephemeral | {"name": "c"})
    yield debug("ephemeral container with an unknown target", ephemeral | {"targetContainerName": "z"})
    yield debug("ephemeral container with spaces", ephemeral | {"image": " x "})
    yield debug("ephemeral container", ephemeral | {"targetContainerName": "c"})
    yield debug("ephemeral container changed", {"name": "e", "image": "y"})
    yield change(
        "ephemeral containers removed", {"spec": {"ephemeralContainers": []}}, MERGE, "/ephemeralcontainers"
    )
    yield change("ephemeral containers by the Pod itself", {"spec": {"ephemeralContainers": []}})
    statuses = [
        {
            "name": "c",
            "image": "x",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "volumeMounts": [mount(volumeStatus={"image": {"imageRef": ""}})],
        }
    ]
    yield change(
        "status",
        {"status": {"message": "m", "containerStatuses": statuses}, "spec": {"nodeName": "n"}},
        MERGE,
        "/status",
    )
    yield change("status by the Pod itself", {"status": {"message": "other"}})
    yield change("status of an unknown field", {"status": {"foo": 1}}, MERGE, "/status")
    long = [
        one | {"volumeMounts": [mount(volumeStatus={"image": {"imageRef": "x" * 257}})]} for one in statuses
    ]
    yield change("status with a long imageRef", {"status": {"containerStatuses": long}}, MERGE, "/status")
    yield Request(name="one", method="GET", path=path, query=none)
    yield Request(name="its log", method="GET", path=f"{path}/log", query={"container": "z"})
    yield Request(name="bound to nothing", path=f"{path}/binding", query=none, body={"target": {}})
    yield Request(
        name="bound",
        path=f"{path}/binding",
        query=none,
        body={"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}},
    )
    yield Request(
        name="bound again",
        path=f"{path}/binding",
        query=none,
        body={"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}},
    )
    yield Request(name="bound, seen", method="GET", path=path, query=none)
    yield Request(
        name="list", method="GET", path=pods, query={"fieldSelector": "spec.nodeName=n,metadata.name=p"}
    )
    yield Request(
        name="list of nothing", method="GET", path=pods, query={"fieldSelector": "spec.nodeName!=n"}
    )
    yield Request(
        name="list by phase and label",
        method="GET",
        path=pods,
        query={"fieldSelector": "status.phase=Pending", "labelSelector": "!a,b notin (c),d!=e"},
    )
    yield Request(
        name="list by an unknown field", method="GET", path=pods, query={"fieldSelector": "spec.foo=x"}
    )
    yield Request(name="replaced without a spec", method="PUT", path=path, query=none, body=pod())
    yield Request(
        name="replaced, version wrong",
        method="PUT",
        path=path,
        query=none,
        body=pod() | {"metadata": {"name": "p", "resourceVersion": "1"}},
    )
    yield Request(name="deleted, dry run", method="DELETE", path=path)
    yield Request(
        name="deleted, wrong uid",
        method="DELETE",
        path=path,
        query=none,
        body={"preconditions": {"uid": "x"}},
    )
    yield Request(name="deleted", method="DELETE", path=path, query=none)
    yield Request(
        name="deleted, later", method="DELETE", path=path, query=none, body={"gracePeriodSeconds": 60}
    )
    yield Request(
        name="deleted, sooner", method="DELETE", path=path, query=none, body={"gracePeriodSeconds": 5}
    )
    yield Request(name="deleted, at once", method="DELETE", path=path, query={"gracePeriodSeconds": "0"})
    yield Request(name="deleted, gone", method="DELETE", path=path, query=none)
    yield Request(name="gone", method="GET", path=path, query=none)
    yield Request(name="unbound", path=pods, query=none, body=pod("u"))
    yield Request(name="unbound, deleted", method="DELETE", path=f"{pods}/u", query=none)
    gated = pod("g", schedulingGates=[{"name": "example.com/wait"}], volumes=image())
    yield Request(name="gated", path=pods, query=none, body=gated)
    yield Request(
        name="gated, reference",
        method="PATCH",
        path=f"{pods}/g",
        query=none,
        content_type=MERGE,
        body={"spec": {"volumes": image("other:1")}},
    )
    yield Request(
        name="gated, selector added",
        method="PATCH",
        path=f"{pods}/g",
        query=none,
        content_type=MERGE,
        body={"spec": {"nodeSelector": {"a": "b"}}},
    )
    yield Request(
        name="ungated",
        method="PATCH",
        path=f"{pods}/g",
        query=none,
        content_type=MERGE,
        body={"spec": {"schedulingGates": []}},
    )
    yield Request(name="all deleted", method="DELETE", path=pods, query=none)
    yield Request(name="put to a collection", method="PUT", path=pods, query=none, body=pod())
    yield Request(name="post to an object", path=path, query=none, body=pod())
    yield Request(
        name="no such resource", method="GET", path=f"/api/v1/namespaces/{STATE}/podlings", query=none
    )
    yield Request(name="no such group", method="GET", path="/apis/example.com/v1/things", query=none)
    yield Request(name="no such subresource", method="GET", path=f"{path}/soul", query=none)


def _others() -> Iterator[Request]:
    base = f"/api/v1/namespaces/{STATE}"
    none: Mapping[str, str] = {}
    secrets = f"{base}/secrets"

    def secret(name: str, body: Json) -> Request:
        return Request(name=f"secret, {name}", path=secrets, body={"metadata": {"name": "s"}} | body)

    yield secret("plain", {"stringData": {"a": "b"}, "data": {"c": "ZA=="}})
    yield secret("not base64", {"data": {"a": "%%"}})
    yield secret("key wrong", {"data": {"a b": "ZA=="}})
    kind = "kubernetes.io/dockerconfigjson"
    yield secret("docker config missing", {"type": kind, "stringData": {"a": "b"}})
    yield secret("docker config no JSON", {"type": kind, "stringData": {".dockerconfigjson": "b"}})
    yield secret("docker config", {"type": kind, "stringData": {".dockerconfigjson": '{"auths":{}}'}})
    yield secret("old docker config", {"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": "[]"}})
    yield secret("basic auth", {"type": "kubernetes.io/basic-auth", "data": {}})
    yield Request(
        name="config map",
        path=f"{base}/configmaps",
        query=none,
        body={"metadata": {"name": "m"}, "data": {"a": "b"}},
    )
    yield Request(
        name="config map, patched",
        method="PATCH",
        path=f"{base}/configmaps/m",
        query=none,
        content_type=MERGE,
        body={"data": {"c": "d"}, "immutable": True},
    )
    yield Request(
        name="config map, immutable",
        method="PATCH",
        path=f"{base}/configmaps/m",
        query=none,
        content_type=MERGE,
        body={"data": {"c": "e"}},
    )
    yield Request(name="config map, deleted", method="DELETE", path=f"{base}/configmaps/m", query=none)
    yield Request(
        name="config map, wrong",
        path=f"{base}/configmaps",
        body={"metadata": {"name": "m"}, "data": {"a b": "c"}, "binaryData": {"..x": ""}},
    )
    account = {"metadata": {"name": "puller"}, "imagePullSecrets": [{"name": "one"}, {"name": "two"}]}
    yield Request(name="service account", path=f"{base}/serviceaccounts", query=none, body=account)
    pods = f"{base}/pods"
    yield Request(name="pull secrets from the account", path=pods, body=pod(serviceAccountName="puller"))
    yield Request(
        name="pull secrets of its own",
        path=pods,
        body=pod(serviceAccountName="puller", imagePullSecrets=[{"name": "own"}]),
    )
    yield Request(name="service account by its old name", path=pods, body=pod(serviceAccount="puller"))
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{STATE}/leases"
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "x", "leaseDurationSeconds": 10}}
    yield Request(name="lease", path=leases, query=none, body=lease)
    yield Request(name="lease, taken", path=leases, query=none, body=lease)
    yield Request(name="lease, wrong", path=leases, body=lease | {"spec": {"leaseDurationSeconds": 0}})
    yield Request(name="lease, without version", method="PUT", path=f"{leases}/l", query=none, body=lease)
    yield Request(
        name="lease, old version",
        method="PUT",
        path=f"{leases}/l",
        query=none,
        body=lease | {"metadata": {"name": "l", "resourceVersion": "1"}},
    )
    yield Request(name="lease, missing", method="GET", path=f"{leases}/none", query=none)
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": STATE, "uid": "1"},
        "reason": "R",
        "message": "m",
        "type": "Normal",
    }
    yield Request(name="event", path=f"{base}/events", query=none, body=event)
    yield Request(
        name="events of a Pod",
        method="GET",
        path=f"{base}/events",
        query={"fieldSelector": "involvedObject.name=p,reason=R,type=Normal,involvedObject.kind=Pod"},
    )
    yield Request(name="a namespace", method="GET", path=f"/api/v1/namespaces/{RESTRICTED}", query=none)
    yield Request(
        name="a namespace's name wrong", path="/api/v1/namespaces", body={"metadata": {"name": "a.b"}}
    )
    yield Request(
        name="a namespace, labelled",
        method="PATCH",
        path=f"/api/v1/namespaces/{STATE}",
        query=none,
        content_type=MERGE,
        body={"metadata": {"labels": {"a": "b"}}},
    )
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}}}
    yield Request(
        name="access review",
        path="/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        query=none,
        body=review,
    )
    ending = f"/api/v1/namespaces/{ENDING}"
    yield Request(
        name="held",
        path=f"{ending}/configmaps",
        query=none,
        body={"metadata": {"name": "m", "finalizers": ["example.com/hold"]}},
        wait=f"{ending}/serviceaccounts/default",
    )
    yield Request(name="a namespace, deleted", method="DELETE", path=ending, query=none)
    yield Request(name="created in an ending namespace", path=f"{ending}/pods", body=pod())
    yield Request(
        name="an ending namespace created",
        path="/api/v1/namespaces",
        query=none,
        body={"metadata": {"name": ENDING}},
    )
    yield Request(name="held, deleted", method="DELETE", path=f"{ending}/configmaps/m", query=none)
    yield Request(
        name="let go",
        method="PATCH",
        path=f"{ending}/configmaps/m",
        query=none,
        content_type=MERGE,
        body={"metadata": {"finalizers": []}},
        wait=f"{ending}/configmaps/m",
    )


def _templates() -> Iterator[Request]:
    """Pod templates, which may leave more open than Pods."""
    none: Mapping[str, str] = {}
    templates = f"/api/v1/namespaces/{STATE}/podtemplates"

    def template(name: str, spec: Json, /, *, dry_run: bool = True, **metadata: Json) -> Request:
        body = {"metadata": {"name": "t"}, "template": {"metadata": metadata, "spec": spec}}
        query = {"dryRun": "All"} if dry_run else none
        return Request(name=f"template, {name}", path=templates, query=query, body=body)

    def change(name: str, body: Json) -> Request:
        return Request(
            name=f"template, {name}",
            method="PATCH",
            path=f"{templates}/t",
            query=none,
            body=body,
            content_type=STRATEGIC,
        )

    container = {"name": "c", "image": " x "}
    for reference in (None, "", "site", "site:v42"):
        yield template(f"reference {reference!r}", {"containers": [container], "volumes": image(reference)})
    yield template(
        "pull policy wrong",
        {
            "containers": [container | {"volumeMounts": [mount(subPath="/a")]}],
            "volumes": image("", pullPolicy="Sometimes"),
        },
    )
    limits = {"resources": {"limits": {"cpu": "1"}}, "ports": [{"containerPort": 80}]}
    yield template("limits and host network", {"containers": [container | limits], "hostNetwork": True})
    yield template(
        "many wrongs",
        {
            "containers": [container, {"name": "c", "image": ""}],
            "initContainers": [{"name": "i"}],
            "ephemeralContainers": [{"name": "e", "image": "x"}],
            "restartPolicy": "Maybe",
            "nodeName": "A B",
            "nodeSelector": {"a b": "c d"},
            "activeDeadlineSeconds": 0,
            "schedulingGates": [{"name": "a b"}],
            "tolerations": [{"key": "a b"}],
            "affinity": _affinity(),
        },
        labels={"a b": "c"},
    )
    yield template("empty", {})
    yield Request(name="template, nothing", path=templates, body={"metadata": {"name": "t"}})
    yield template(
        "stored", {"containers": [container], "volumes": image("")}, dry_run=False, labels={"a": "b"}
    )
    yield change("reference filled in", {"template": {"spec": {"volumes": image("site:v1")}}})
    yield change("label", {"metadata": {"labels": {"a": "b"}}})
    yield Request(name="templates", method="GET", path=templates, query=none)
    yield Request(name="template, deleted", method="DELETE", path=f"{templates}/t", query=none)


def _namespaces() -> Iterator[Request]:
    for name, level in (
        (NAMESPACE, ""),
        (RESTRICTED, "restricted"),
        (BASELINE, "baseline"),
        (STATE, ""),
        (ENDING, ""),
    ):
        metadata: Json = {"name": name}
        if level:
            metadata["labels"] = {"pod-security.kubernetes.io/enforce": level}
        yield Request(
            name=f"namespace {name}", path="/api/v1/namespaces", query={}, body={"metadata": metadata}
        )
    for name in (NAMESPACE, RESTRICTED, BASELINE, STATE):
        path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        yield Request(name=f"default account of {name}", method="GET", path=path, query={}, wait=path)


REQUESTS: tuple[Request, ...] = (
    *_namespaces(),
    *_image_volumes(),
    *_mounts(),
    *_containers(),
    *_specs(),
    *_pod_security(),
    *_state(),
    *_others(),
    *_templates(),
)
"""Everything that is compared, in the order in which it is sent."""
