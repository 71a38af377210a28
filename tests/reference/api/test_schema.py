"""Decoding by the schema: what kube-apiserver's decoder drops, keeps and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.reference.api.schema import SCALARS, DecodingError, load, schema_for
from fixtures.reference.faults import Faults


def test_every_type_is_known() -> None:
    """Each field's type is a scalar or another struct of the schema."""
    schema = load()
    for struct in schema.structs.values():
        for field in struct.fields.values():
            kind = field.type
            while kind.item:
                kind = kind.item
            assert kind.name in SCALARS or kind.name in schema.structs


def test_image_volume_source_has_two_optional_fields() -> None:
    """The fields reference and pullPolicy are strings, and the API's documentation requires neither."""
    fields = load().structs["ImageVolumeSource"].fields
    assert {(name, field.type.name, field.required) for name, field in fields.items()} == {
        ("reference", "string", False),
        ("pullPolicy", "string", False),
    }


def test_unknown_fields_are_told_in_order_and_dropped() -> None:
    """Unknown fields are named by their path, in the document's order, and are not in the object."""
    decoded = load().decode(
        "Pod", {"foo": 1, "spec": {"containers": [{"name": "c", "bar": {"a": 1}}], "baz": []}}
    )
    assert decoded.unknown_fields == ("foo", "spec.containers[0].bar", "spec.baz")
    assert decoded.object["spec"] == {"containers": [{"name": "c", "resources": {}}]}


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ({"hostNetwork": False}, {}),
        ({"automountServiceAccountToken": False}, {"automountServiceAccountToken": False}),
        ({"nodeName": ""}, {}),
        ({"nodeName": None}, {}),
        ({"tolerations": []}, {}),
        ({"terminationGracePeriodSeconds": 0}, {"terminationGracePeriodSeconds": 0}),
        ({"securityContext": {}}, {"securityContext": {}}),
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, {"volumes": [{"name": "v", "emptyDir": {}}]}),
        ({"volumes": [{"name": "v", "image": {"reference": ""}}]}, {"volumes": [{"name": "v", "image": {}}]}),
        ({"activeDeadlineSeconds": 5.0}, {"activeDeadlineSeconds": 5}),
    ],
)
def test_empty_values(spec: Any, kept: Any) -> None:
    """An empty value of an optional field is no value, unless the field tells them apart."""
    assert load().decode("Pod", {"spec": spec}).object["spec"] == kept


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("Pod", {"spec": 1}, "cannot unmarshal number into Go struct field Pod.spec of type v1.PodSpec"),
        ("Pod", {"spec": {"containers": {}}}, "object into Go struct field PodSpec.spec.containers of type []v1.Container"),
        ("Pod", {"spec": {"nodeSelector": {"a": 1}}}, "number into Go struct field PodSpec.spec.nodeSelector of type string"),
        ("Pod", {"spec": {"priority": 1 << 40}}, "number into Go struct field PodSpec.spec.priority of type int32"),
        ("Pod", {"spec": {"hostPID": "x"}}, "string into Go struct field PodSpec.spec.hostPID of type bool"),
        ("Pod", {"metadata": {"labels": ["x"]}}, "array into Go struct field ObjectMeta.metadata.labels of type map[string]string"),
        ("Secret", {"data": {"a": "%"}}, "illegal base64 data at input byte 0"),
        ("Secret", {"data": {"a": 1}}, "number into Go struct field Secret.data of type []uint8"),
        ("Node", {"status": {"capacity": {"cpu": "x"}}}, "quantities must match the regular expression"),
        ("Pod", [], "cannot unmarshal array into Go value of type v1.Pod"),
    ],
)  # fmt: skip
def test_wrong_type(kind: str, value: Any, text: str) -> None:
    """A value of another type is refused with the path and the type that Go would name."""
    with pytest.raises(DecodingError) as caught:
        load().decode(kind, value)
    assert text in str(caught.value)


def test_fault_hides_the_image_field() -> None:
    """With the fault, the cluster's schema lacks the field, and only that."""
    schema = schema_for(Faults(["api-unknown-image-field"]))
    known, hidden = load().structs["Volume"].fields, schema.structs["Volume"].fields
    assert set(known) - set(hidden) == {"image"}
    assert schema_for(Faults()) is load()
