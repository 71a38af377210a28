"""The API: what the API server stores, defaults and refuses. Nothing here needs a node: every Pod is offered as a dry run."""

from __future__ import annotations

import pytest

from conformance.control import control
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.api import Api, Response
from fixtures.errors import Inconclusive
from fixtures.manifests import HOLD, Json, container, image_volume, mounting, pod
from fixtures.repositories import Asset
from fixtures.workloads import Pods

REFERENCE = "registry.example/assets/site:v1"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def declaring(volume: Json) -> Json:
    """A Pod with this volume, which no container mounts: a volume that is refused does not count as declared, and a mount of it would
    add a cause of its own.
    """
    return pod([container()], volumes=[volume])


def offered(pods: Pods, manifest: Json) -> Response:
    """What the API server answers to a Pod, without making it."""
    return pods.offer(manifest, dryRun="All")


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
    assert only_cause(answer) == {
        "field": "spec.volumes[0].image.reference",
        "reason": "FieldValueRequired",
        "message": "Required value",
    }
    control(accepted.get("reference") == REFERENCE, "the same Pod with one source and a reference is stored")


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
