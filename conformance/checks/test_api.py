"""The API: what the API server stores, defaults and refuses. Hardly anything here needs a node: most Pods are offered as a dry run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.canary import NO_SUB_PATHS
from conformance.control import control
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.api import Api, Response
from fixtures.errors import Inapplicable, Inconclusive, Lacking
from fixtures.features import ALPHA, STABLE, Features, Gate
from fixtures.kubectl import Kubectl, block
from fixtures.manifests import HOLD, Json, container, empty_dir, image_volume, mount, mounting, pod
from fixtures.node_shell import NodeShell
from fixtures.plugin import PodsAt
from fixtures.repositories import Asset
from fixtures.workloads import Pods

REFERENCE = "registry.example/assets/site:v1"
DIGEST = "sha256:" + "0123456789abcdef" * 4
GATE = "ImageVolume"
WAITING: Json = {"schedulingGates": [{"name": "example.com/never"}]}
"""A Pod with this is stored and never comes to a node."""
STORED_BEFORE = "image-volume-conformance/stored-with-gate-on"
"""A PodTemplate with this label was stored by whoever prepared the target for API-24."""
KUBELET = """
command -v kubelet || for process in $(pidof kubelet); do
  [ "$(readlink /proc/$process/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ] && readlink -f /proc/$process/exe && break
done
"""
"""Prints the path of the node's kubelet. One in another mount namespace is of another node on the same machine."""
REQUIRED = {
    "field": "spec.volumes[0].image.reference",
    "reason": "FieldValueRequired",
    "message": "Required value",
}

Observe = Callable[[Any, str], None]


def declaring(volume: Json) -> Json:
    """A Pod with this volume, which no container mounts: a volume that is refused does not count as declared, and a mount of it would
    add a cause of its own.
    """
    return pod([container()], volumes=[volume])


def offered(pods: Pods, manifest: Json) -> Response:
    """What the API server answers to a Pod, without making it. Inconclusive where admission does not let it through."""
    answer = pods.offer(manifest, dryRun="All")
    if answer.status == 403:
        raise Inconclusive(f"the Pod is not admitted: {answer.message}")
    return answer


def stored(answer: Response) -> Json:
    """The image volume's source as the API server would store it. Inconclusive if it refused the Pod."""
    if not answer.ok:
        raise Inconclusive(f"the API server refuses the Pod: {answer.status} {answer.message}")
    volumes = answer.body["spec"].get("volumes") or []
    found: Json = next((volume.get("image") or {} for volume in volumes if volume["name"] == "volume"), {})
    return found


def lost(source: Json) -> str:
    """What to say where the API server has dropped the image volume."""
    return ignored(when=not source, what="the image volume")


def only_cause(answer: Response) -> Json:
    """The cause of a refusal, as field, reason and message; empty where the Pod was not refused."""
    causes = answer.causes
    return (
        {key: causes[0].get(key) for key in ("field", "reason", "message")}
        if len(causes) == 1
        else {"causes": causes}
    )


@verifies("API-01")
def test_image_volume_is_stored_as_given(pods: Pods, api: Api) -> None:
    """Given a Pod with an image volume, when it is created and read again, then reference and pullPolicy are those given; and the API's
    schema has the type with both fields, neither of them required.
    """
    manifest = mounting(
        REFERENCE, pull_policy="IfNotPresent", schedulingGates=[{"name": "example.com/never"}]
    )
    pod_ = pods.create(manifest)
    volumes = pod_.state()["spec"].get("volumes") or []
    source = next((volume.get("image") or {} for volume in volumes if volume["name"] == "volume"), {})

    assert source == {"reference": REFERENCE, "pullPolicy": "IfNotPresent"}, lost(source)

    schemas = api.get("/openapi/v3/api/v1")["components"]["schemas"]
    assert "io.k8s.api.core.v1.ImageVolumeSource" in schemas
    schema = schemas["io.k8s.api.core.v1.ImageVolumeSource"]
    assert {"reference", "pullPolicy"} <= set(schema["properties"])
    assert not schema.get("required")


@verifies("API-02")
@pytest.mark.parametrize("source", [{}, {"reference": ""}], ids=["missing", "empty"])
def test_pod_without_a_reference_is_refused(pods: Pods, source: Json) -> None:
    """Given a Pod whose image volume has an empty reference or none, when it is offered, then it is refused as invalid: Required.
    Control: the same Pod with a reference is accepted.
    """
    answer = offered(pods, declaring({"name": "volume", "image": source}))

    accepted = stored(offered(pods, mounting(REFERENCE)))
    assert answer.status == 422, lost(accepted)
    assert only_cause(answer) == REQUIRED
    control(accepted.get("reference") == REFERENCE, "the same Pod with one source and a reference is stored")


def offered_template(pods: Pods, api: Api, spec: Json) -> Response:
    """What the API server answers to a Pod template with this spec, without storing it. Inconclusive where none may be made."""
    body = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "template"}}
    path = f"/api/v1/namespaces/{pods.namespace}/podtemplates"
    answer = api.request("POST", path, body | {"template": {"spec": spec}}, query={"dryRun": "All"})
    pods.evidence.add("response", "POST PodTemplate", answer.to_json())
    if answer.status == 403:
        raise Inconclusive(
            f"no PodTemplate can be offered: {answer.message}", missing="the verb create on podtemplates"
        )
    return answer


@verifies("API-03")
@pytest.mark.parametrize("source", [{}, {"reference": ""}], ids=["missing", "empty"])
def test_template_without_a_reference_is_accepted(
    pods: Pods, api: Api, features: Features, source: Json
) -> None:
    """Given a Pod template whose image volume has an empty reference or none, when it is offered, then it is accepted and its policy is
    IfNotPresent; and a Pod made from it as it is is refused.
    Control: a template with a reference is accepted.
    """
    spec = pods.complete(declaring({"name": "volume", "image": source}))["spec"]
    answer = offered_template(pods, api, spec)

    if answer.status == 422 and features.release >= (1, 37):
        raise Inapplicable(f"applies up to 1.36; from 1.37 on templates are refused: {answer.message}")
    assert answer.ok, answer.message
    made = answer.body["template"]["spec"].get("volumes") or []
    volume: Json = next((one for one in made if one["name"] == "volume"), {})
    assert volume.get("image") == {"pullPolicy": "IfNotPresent"}, lost(volume.get("image") or {})
    refused = offered(pods, declaring(volume))
    assert refused.status == 422
    assert only_cause(refused) == REQUIRED
    named = pods.complete(declaring(image_volume(REFERENCE)))["spec"]
    control(offered_template(pods, api, named).ok, "a template with a reference is accepted")


def refusal(answer: Response) -> str:
    """Why a Pod is refused, without its name; empty where it is not."""
    return "" if answer.ok else f"refused: {'; '.join(str(cause.get('message')) for cause in answer.causes)}"


@verifies("API-04")
def test_reference_is_not_parsed(pods: Pods, observe: Observe) -> None:
    """Given references that no runtime could pull, when the Pods are offered, then it is recorded whether each is stored as it is; and, for
    comparison, what becomes of a container's image with a blank before it.
    """
    for reference in (
        " repo:v1",
        "repo:v1 ",
        "${ASSET_VERSION}",
        "UPPER/x",
        "a b",
        "https://registry.example/site",
    ):
        answer = offered(pods, declaring(image_volume(reference)))
        kept = answer.ok and stored(answer).get("reference")
        observe("stored" if kept == reference else refusal(answer) or f"stored as {kept!r}", repr(reference))
    answer = offered(pods, pod([container(image=" repo:v1")]))
    observe(refusal(answer) or "stored", "a container's image ' repo:v1'")


@verifies("API-05")
@pytest.mark.parametrize("policy", ["Sometimes", "always", "IfNotPresent "])
def test_unknown_pull_policy_is_refused(pods: Pods, policy: str) -> None:
    """Given a pullPolicy other than Always, IfNotPresent and Never, when the Pod is offered, then it is refused as invalid.
    Control: each of the three is accepted and stored.
    """
    answer = offered(pods, declaring(image_volume(REFERENCE, pull_policy=policy)))

    for known in ("Always", "IfNotPresent", "Never"):
        accepted = stored(offered(pods, mounting(REFERENCE, pull_policy=known)))
        assert accepted.get("pullPolicy") == known, lost(accepted)
    assert answer.status == 422
    assert only_cause(answer) == {
        "field": "spec.volumes[0].image.pullPolicy",
        "reason": "FieldValueNotSupported",
        "message": f'Unsupported value: "{policy}": supported values: "Always", "IfNotPresent", "Never"',
    }


def _policy(pods: Pods, reference: str) -> tuple[str | None, str]:
    """The policy that a reference gets by default, and what to say where the volume is lost."""
    source = stored(offered(pods, mounting(reference)))
    return source.get("pullPolicy"), lost(source)


@verifies("API-06")
@pytest.mark.parametrize("reference", ["registry.example/site:latest", "registry.example:5000/site:latest"])
def test_latest_defaults_to_always(pods: Pods, reference: str) -> None:
    """Given a reference with the tag latest and no pullPolicy, when the Pod is offered, then the policy is Always."""
    policy, otherwise = _policy(pods, reference)
    assert policy == "Always", otherwise


@verifies("API-07")
@pytest.mark.parametrize("reference", ["registry.example/site", "registry.example:5000/site"])
def test_untagged_defaults_to_always(pods: Pods, reference: str) -> None:
    """Given a reference without tag and digest, when the Pod is offered without a pullPolicy, then the policy is Always; the port of a
    registry is no tag.
    """
    policy, otherwise = _policy(pods, reference)
    assert policy == "Always", otherwise


@verifies("API-08")
@pytest.mark.parametrize("reference", ["registry.example/site:v42", "registry.example:5000/site:latest-1"])
def test_other_tags_default_to_if_not_present(pods: Pods, reference: str) -> None:
    """Given a reference with a tag other than latest, when the Pod is offered without a pullPolicy, then the policy is IfNotPresent."""
    policy, otherwise = _policy(pods, reference)
    assert policy == "IfNotPresent", otherwise


@verifies("API-09")
@pytest.mark.parametrize(
    "reference", [f"registry.example/site@{DIGEST}", f"registry.example:5000/site@{DIGEST}"]
)
def test_digest_defaults_to_if_not_present(pods: Pods, reference: str) -> None:
    """Given a reference by digest alone, when the Pod is offered without a pullPolicy, then the policy is IfNotPresent."""
    policy, otherwise = _policy(pods, reference)
    assert policy == "IfNotPresent", otherwise


@verifies("API-10")
def test_latest_with_a_digest(pods: Pods, observe: Observe) -> None:
    """Given a reference with the tag latest and a digest, when the Pod is offered without a pullPolicy, then the policy is recorded.
    Control: the digest alone and the tag alone are stored, too.
    """
    for reference in (f"registry.example/site:latest@{DIGEST}", f"registry.example/site:v42@{DIGEST}"):
        policy, _ = _policy(pods, reference)
        observe(policy, reference.replace(DIGEST, "sha256:…"))


@verifies("API-11")
def test_two_sources_are_refused(pods: Pods) -> None:
    """Given a volume with both image and emptyDir, when the Pod is offered, then it is refused: a volume has one type.
    Control: the same volume with image alone is accepted.
    """
    answer = offered(pods, declaring(image_volume(REFERENCE) | {"emptyDir": {}}))

    accepted = stored(offered(pods, mounting(REFERENCE)))
    assert answer.status == 422, lost(accepted)
    cause = only_cause(answer)
    assert cause.get("reason") == "FieldValueForbidden"
    assert cause.get("message") == "Forbidden: may not specify more than 1 volume type"
    assert str(cause.get("field")).startswith("spec.volumes[0].")
    control(accepted.get("reference") == REFERENCE, "the same Pod with one source and a reference is stored")


@verifies("API-12")
@pytest.mark.parametrize(
    "change",
    [{"reference": "registry.example/assets/site:v2"}, {"pullPolicy": "Never"}],
    ids=["reference", "pullPolicy"],
)
@pytest.mark.parametrize("stage", ["gated", "pending", "running"])
def test_image_of_a_pod_cannot_be_changed(
    pods: Pods, api: Api, site: Asset, change: Json, stage: str
) -> None:
    """Given a Pod that waits behind a scheduling gate, waits for a node, or runs, when its volume's reference or pullPolicy is patched, then
    the change is refused, the Pod is as it was, and the registry is not asked for anything.
    Control: a label of the same Pod can be changed.
    """
    waits: dict[str, Json] = {
        "gated": {"schedulingGates": [{"name": "example.com/never"}]},
        "pending": {"nodeSelector": {"example.com/no": "node"}},
        "running": {},
    }
    pod_ = pods.create(mounting(site.reference, HOLD, pull_policy="IfNotPresent", **waits[stage]))
    if stage == "running":
        pod_.wait_running()
    mark = site.repository.mark()
    before = pod_.state()["spec"].get("volumes")
    patch = {"spec": {"volumes": [{"name": "volume", "image": change}]}}
    answer = api.request("PATCH", pod_.path, patch, content_type="application/strategic-merge-patch+json")

    assert "image" in (before or [{}])[0], ignored(when=True, what="the image volume")
    assert answer.status == 422
    assert "pod updates may not change fields other than" in answer.message
    assert pod_.state()["spec"].get("volumes") == before
    assert site.repository.requests(after=mark) == []
    labelled = api.patch(pod_.path, {"metadata": {"labels": {"changed": "yes"}}})
    control(labelled["metadata"]["labels"].get("changed") == "yes", "a label of the Pod can be changed")


def with_mounts(*mounts: Json, **fields: Any) -> Json:
    """A Pod whose container has these mounts, of an image volume."""
    return pod([container(mounts=mounts, **fields)], volumes=[image_volume(REFERENCE)])


def accepted(pods: Pods, manifest: Json) -> Json:
    """The image volume of a Pod which must be accepted for a check to be able to tell; empty where it is dropped."""
    source = stored(offered(pods, manifest))
    control(source.get("reference") in (None, REFERENCE), "the same Pod with what is allowed is stored")
    return source


@verifies("API-14")
def test_image_volume_is_no_device(pods: Pods) -> None:
    """Given a container that names an image volume in volumeDevices, when the Pod is offered, then it is refused.
    Control: the same volume in volumeMounts is accepted.
    """
    device = {"name": "volume", "devicePath": "/dev/volume"}
    answer = offered(pods, with_mounts(volumeDevices=[device]))

    source = accepted(pods, with_mounts(mount()))
    assert answer.status == 422, lost(source)
    text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
    assert only_cause(answer) == {
        "field": "spec.containers[0].volumeDevices[0].name",
        "reason": "FieldValueInvalid",
        "message": f'Invalid value: "volume": {text}',
    }


@verifies("API-15")
@pytest.mark.parametrize("field", ["subPath", "subPathExpr"])
def test_absolute_sub_path_is_refused(pods: Pods, field: str) -> None:
    """Given a mount with an absolute subPath, when the Pod is offered, then it is refused.
    Control: the same path without its slash is accepted.
    """
    answer = offered(pods, with_mounts(mount() | {field: "/etc"}))

    source = accepted(pods, with_mounts(mount() | {field: "etc"}))
    assert answer.status == 422, lost(source)
    assert only_cause(answer) == {
        "field": f"spec.containers[0].volumeMounts.{field}",
        "reason": "FieldValueInvalid",
        "message": 'Invalid value: "/etc": must be a relative path',
    }


@verifies("API-16")
@pytest.mark.parametrize("path", ["..", "../a", "a/..", "a/../../b"])
def test_sub_path_with_dots_is_refused(pods: Pods, path: str) -> None:
    """Given a mount whose subPath has `..` as an element, at its beginning or later, when the Pod is offered, then it is refused.
    Control: a name that merely holds two dots is accepted.
    """
    answer = offered(pods, with_mounts(mount(sub_path=path)))

    plain = offered(pods, with_mounts(mount(sub_path="a..b")))
    if NO_SUB_PATHS in plain.message:
        raise Inapplicable(f"applies from 1.33 on; before, no subPath is accepted: {plain.message}")
    assert plain.ok, f"a..b is refused: {plain.message}"
    assert answer.status == 422, lost(stored(plain))
    assert only_cause(answer) == {
        "field": "spec.containers[0].volumeMounts.subPath",
        "reason": "FieldValueInvalid",
        "message": f"Invalid value: \"{path}\": must not contain '..'",
    }


@verifies("API-17")
def test_sub_path_and_sub_path_expr_exclude_each_other(pods: Pods) -> None:
    """Given a mount with both subPath and subPathExpr, when the Pod is offered, then it is refused.
    Control: a mount with either of them is accepted.
    """
    answer = offered(pods, with_mounts(mount(sub_path="a", sub_path_expr="b")))

    for one in (mount(sub_path="a"), mount(sub_path_expr="b")):
        source = accepted(pods, with_mounts(one))
    assert answer.status == 422, lost(source)
    assert only_cause(answer) == {
        "field": "spec.containers[0].volumeMounts[0].subPathExpr",
        "reason": "FieldValueInvalid",
        "message": 'Invalid value: "b": subPathExpr and subPath are mutually exclusive',
    }


@verifies("API-18")
@pytest.mark.parametrize("field", ["subPath", "subPathExpr"])
def test_alpha_api_has_no_sub_paths(pods_at: PodsAt, features: Features, field: str) -> None:
    """Given an API server whose gate ImageVolume is on and of stage ALPHA, when a Pod is offered that mounts an image volume with a subPath,
    then it is refused.
    Control: the same Pod without a subPath is accepted, where Pod Security admits everything: it knows no image volumes yet.
    """
    gate = features.gate(GATE)
    if gate is None or gate.stage != ALPHA or not gate.on:
        raise Inapplicable(
            f"applies where the gate {GATE} is on as ALPHA, in 1.31 and 1.32; here it is {gate or 'not known'}"
        )
    pods = pods_at("privileged")
    answer = offered(pods, with_mounts(mount() | {field: "x"}))

    accepted(pods, with_mounts(mount()))
    assert answer.status == 422, "the Pod is accepted"
    assert only_cause(answer) == {
        "field": f"spec.containers[0].volumeMounts[0].{field}",
        "reason": "FieldValueInvalid",
        "message": 'Invalid value: "x": not allowed in image volume sources',
    }


@verifies("API-19")
@pytest.mark.parametrize(
    ("mounts", "cause"),
    [
        (
            [mount(volume="other")],
            {"field": "[0].name", "reason": "FieldValueNotFound", "message": 'Not found: "other"'},
        ),
        (
            [{"name": "volume", "mountPath": ""}],
            {"field": "[0].mountPath", "reason": "FieldValueRequired", "message": "Required value"},
        ),
        (
            [mount(), mount()],
            {
                "field": "[1].mountPath",
                "reason": "FieldValueInvalid",
                "message": 'Invalid value: "/vol": must be unique',
            },
        ),
    ],
    ids=["undeclared", "without a path", "path taken"],
)
def test_mounts_name_a_volume_and_a_path(pods: Pods, mounts: list[Json], cause: Json) -> None:
    """Given a mount of a volume that is not declared, one without a path, or two with one path, when the Pod is offered, then it is refused.
    Control: two mounts of the volume with a path each are accepted.
    """
    answer = offered(pods, with_mounts(*mounts))

    source = accepted(pods, with_mounts(mount(), mount("/another")))
    assert answer.status == 422, lost(source)
    assert only_cause(answer) == cause | {"field": f"spec.containers[0].volumeMounts{cause['field']}"}


@verifies("API-20")
@pytest.mark.parametrize("mode", ["Enabled", "IfPossible"])
def test_recursive_read_only_needs_read_only(pods: Pods, mode: str) -> None:
    """Given a mount of an image volume with recursiveReadOnly and without readOnly, when the Pod is offered, then it is refused, although
    the volume is read-only all the same.
    Control: with readOnly it is accepted.
    """
    answer = offered(pods, with_mounts(mount(recursiveReadOnly=mode)))

    source = accepted(pods, with_mounts(mount(recursiveReadOnly=mode, read_only=True)))
    assert answer.status == 422, lost(source)
    assert only_cause(answer) == {
        "field": "spec.containers[0].volumeMounts.recursiveReadOnly",
        "reason": "FieldValueForbidden",
        "message": "Forbidden: may only be specified when readOnly is true",
    }


@verifies("API-21")
def test_bidirectional_propagation_needs_privilege(pods: Pods, pods_at: PodsAt) -> None:
    """Given an unprivileged container that mounts an image volume with Bidirectional propagation, when the Pod is offered, then it is
    refused; with HostToContainer and None it is accepted.
    Control: a privileged container may have it.
    """
    answer = offered(pods, with_mounts(mount(mountPropagation="Bidirectional")))

    for mode in ("HostToContainer", "None"):
        plain = offered(pods, with_mounts(mount(mountPropagation=mode)))
        assert plain.ok, f"{mode} is refused: {plain.message}"
    assert answer.status == 422, lost(stored(plain))
    assert only_cause(answer) == {
        "field": "spec.containers[0].volumeMounts.mountPropagation",
        "reason": "FieldValueForbidden",
        "message": "Forbidden: Bidirectional mount propagation is available only to privileged containers",
    }
    privileged = with_mounts(mount(mountPropagation="Bidirectional"), securityContext={"privileged": True})
    accepted(pods_at("privileged"), privileged)


@verifies("API-22")
def test_ephemeral_containers_mount_without_sub_path(pods: Pods) -> None:
    """Given a Pod with an image volume, when an ephemeral container is added that mounts it with a subPath or subPathExpr, then it is
    refused; and one that mounts the whole is accepted.
    """
    pod_ = pods.create(mounting(REFERENCE, **WAITING))
    for field in ("subPath", "subPathExpr"):
        answer = pods.add_ephemeral(pod_, container(name="debugger", mounts=[mount() | {field: "site"}]))
        assert answer.status == 422
        assert only_cause(answer) == {
            "field": f"spec.ephemeralContainers[0].volumeMounts[0].{field}",
            "reason": "FieldValueForbidden",
            "message": "Forbidden: cannot be set for an Ephemeral Container",
        }, ignored(when='Not found: "volume"' in answer.message, what="the image volume")

    whole = pods.add_ephemeral(pod_, container(name="debugger", mounts=[mount()]))
    assert whole.ok, whole.message


def needs_gate_off(features: Features) -> None:
    """Inapplicable unless the gate ImageVolume is a switch, and off."""
    gate = features.gate(GATE)
    if gate is None or gate.on or gate.stage == STABLE:
        raise Inapplicable(f"applies with the gate {GATE} off, up to 1.35; here it is {gate or 'not known'}")


@verifies("API-23")
@pytest.mark.parametrize("kind", ["Pod", "PodTemplate"])
def test_gate_off_removes_image_volumes(pods: Pods, api: Api, features: Features, kind: str) -> None:
    """Given an API server whose gate ImageVolume is off, when a Pod or a template is offered whose containers of every kind mount an image
    volume and an emptyDir, then it is accepted without the image volume and its mounts, and with everything else.
    """
    needs_gate_off(features)
    both = [mount(), mount("/scratch", volume="scratch")]
    kinds = [
        container(name="init", mounts=both),
        container(name="sidecar", mounts=both, restartPolicy="Always"),
    ]
    manifest = pod(
        [container(mounts=both)],
        init=kinds,
        volumes=[image_volume(REFERENCE, pull_policy="Never"), empty_dir()],
    )
    sent = pods.complete(manifest)
    answer = (
        offered_template(pods, api, sent["spec"]) if kind == "PodTemplate" else pods.post(sent, dryRun="All")
    )

    assert answer.ok, answer.message
    spec = answer.body["template"]["spec"] if kind == "PodTemplate" else answer.body["spec"]
    names = {one["name"] for one in spec["volumes"]}
    assert "volume" not in names
    assert "scratch" in names
    for one in [*spec["initContainers"], *spec["containers"]]:
        mounted = {each["name"] for each in one["volumeMounts"]}
        assert "volume" not in mounted, f"{one['name']} keeps its mount"
        assert "scratch" in mounted, f"{one['name']} loses the mount of the emptyDir"


@verifies("API-24")
def test_gate_off_keeps_what_is_stored(api: Api, features: Features) -> None:
    """Given an API server whose gate ImageVolume is off, and a template that was stored with an image volume while it was on, when a label of
    it is changed (a dry run), then the answer holds the label and the volume.
    """
    needs_gate_off(features)
    listed = api.request("GET", "/api/v1/podtemplates", query={"labelSelector": STORED_BEFORE})
    found = [
        (item, volumes)
        for item in listed.body.get("items") or []
        if (volumes := item["template"]["spec"].get("volumes")) and any("image" in one for one in volumes)
    ]
    if not found:
        raise Lacking(
            f"no PodTemplate labelled {STORED_BEFORE} holds an image volume: {listed.message or 'none is there'}",
            need="apiserver configuration",
            missing=f"a PodTemplate with an image volume and the label {STORED_BEFORE}, made while the gate was on",
        )
    item, before = found[0]
    path = f"/api/v1/namespaces/{item['metadata']['namespace']}/podtemplates/{item['metadata']['name']}"
    answer = api.request(
        "PATCH",
        path,
        {"metadata": {"labels": {"changed": "yes"}}},
        query={"dryRun": "All"},
        content_type="application/merge-patch+json",
    )

    control(answer.ok and answer.body["metadata"]["labels"].get("changed") == "yes", "the label is changed")
    assert answer.body["template"]["spec"].get("volumes") == before


def needs_gate_locked(features: Features) -> Gate:
    """The gate ImageVolume. Inapplicable where it is a switch."""
    gate = features.gate(GATE)
    if gate is None or gate.stage != STABLE:
        raise Inapplicable(
            f"applies from 1.36 on, where the gate {GATE} is GA; here it is {gate or 'not known'}"
        )
    return gate


@verifies("API-25")
def test_api_server_runs_with_the_gate_on(features: Features) -> None:
    """Given an API server whose gate ImageVolume is generally available, then it is on, whatever the server was told at its start."""
    gate = needs_gate_locked(features)
    assert gate.on, "the API server runs with the gate turned off"


@verifies("API-25")
def test_kubelet_does_not_start_with_the_gate_off(node_shell: NodeShell, features: Features) -> None:
    """Given the kubelet's program on the node, when it is started once more with the gate ImageVolume turned off, and with a configuration
    file that does not exist so that it comes to nothing in any case, then it ends and says that the gate is locked.
    Control: without the gate it ends for the sake of the file.
    """
    needs_gate_locked(features)
    program = node_shell.run(KUBELET).out.strip()
    if not program:
        raise Lacking(
            "no program called kubelet is found on the node",
            need="node shell",
            missing="the kubelet's program",
        )
    if f"{GATE}=true|false" in node_shell.run(f"{program} --help").out:
        raise Inapplicable(f"applies from 1.36 on; to the kubelet of this node the gate {GATE} is a switch")
    nowhere = "--config=/nonexistent/image-volume-conformance.yaml"
    ended = node_shell.run(f"{program} --feature-gates={GATE}=false {nowhere}")

    plain = node_shell.run(f"{program} {nowhere}")
    control(
        not plain.ok and "no such file" in plain.out + plain.err, "the kubelet reads its configuration file"
    )
    assert not ended.ok
    assert f"cannot set feature gate {GATE} to false, feature is locked to true" in ended.out + ended.err


@verifies("API-30")
def test_kubectl_describes_image_volumes(pods: Pods, kubectl: Kubectl) -> None:
    """Given a Pod with an image volume, when kubectl describes it, then the volume's type, reference and policy are told.
    Control: the volume beside it is described, too.
    """
    pod_ = pods.create(mounting(REFERENCE, pull_policy="Never", **WAITING))
    kept = stored(api_answer(pod_.state()))
    text = kubectl.run("describe", "pod", pod_.name, f"--namespace={pod_.namespace}")

    control(block(text, "Volumes", "probe").get("Name") == "probe", "the volume of the probe is described")
    assert block(text, "Volumes", "volume") == {
        "Type": "Image (a container image or OCI artifact)",
        "Reference": REFERENCE,
        "PullPolicy": "Never",
    }, lost(kept)


def api_answer(state: Json) -> Response:
    """An object as it would be answered."""
    return Response(status=200, body=state)


LONGEST = 256  # bytes; kubernetes v1.36.2 pkg/apis/core/validation/validation.go:validateImageVolumeStatus


@verifies("API-31")
@pytest.mark.parametrize(
    ("reference", "cause"),
    [
        ("x" * LONGEST, None),
        ("", ("FieldValueRequired", "Required value: imageRef must not be empty")),
        ("x" * (LONGEST + 1), ("FieldValueTooLong", f"Too long: may not be more than {LONGEST} bytes")),
    ],
    ids=["as long as may be", "empty", "too long"],
)
def test_volume_status_is_checked_or_dropped(
    pods: Pods, api: Api, features: Features, reference: str, cause: tuple[str, str] | None
) -> None:
    """Given a Pod with an image volume, when its status is written with a volumeStatus, then that is dropped while the gate
    ImageVolumeWithDigest is off; while it is on, an imageRef is stored, and refused where it is empty or too long.
    Control: the rest of the status is stored, but where it is refused.
    """
    gate = features.gate("ImageVolumeWithDigest")
    if gate is None:
        raise Inapplicable("applies where the gate ImageVolumeWithDigest is known; here it is not")
    pod_ = pods.create(mounting(REFERENCE, **WAITING))
    seen = {"name": "volume", "mountPath": "/vol", "volumeStatus": {"image": {"imageRef": reference}}}
    status = {
        "name": "main",
        "image": "x",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "volumeMounts": [seen],
    }
    answer = api.request(
        "PATCH",
        f"{pod_.path}/status",
        {"status": {"containerStatuses": [status]}},
        query={"dryRun": "All"},
        content_type="application/merge-patch+json",
    )
    pods.evidence.add("response", "PATCH status", answer.to_json())
    if answer.status == 403:
        raise Lacking(
            answer.message,
            need="apiserver configuration",
            missing="the verb patch on pods/status, for this check",
        )

    if gate.on and cause is not None:
        assert answer.status == 422
        field = "status.containerStatuses[0].volumeMounts[0].volumeStatus.imageVolumeStatus.imageRef"
        assert only_cause(answer) == dict(zip(("reason", "message"), cause, strict=True)) | {"field": field}
        return
    assert answer.ok, answer.message
    kept = answer.body["status"]["containerStatuses"][0]["volumeMounts"][0]
    control(kept.get("mountPath") == "/vol", "the mount in the status is stored")
    assert kept.get("volumeStatus") == (seen["volumeStatus"] if gate.on else None)
