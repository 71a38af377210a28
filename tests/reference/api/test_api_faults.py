"""Each fault of the API server and of admission changes the answers that it is to change, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.reference.faults import load
from tests.reference.api.conversation import (
    DIGEST,
    MERGE,
    STATE,
    Request,
    image,
    mount,
    mounts,
    pod,
    volume,
)
from tests.reference.api.support import serving

PODS = f"/api/v1/namespaces/{STATE}/pods"
ACCOUNT = {"metadata": {"name": "puller"}, "imagePullSecrets": [{"name": "one"}]}


def _pod(name: str, body: Any, **query: str) -> Request:
    return Request(name=name, path=PODS, query=query, body=body)


def _job(name: str, volumes: Any) -> Request:
    spec = pod("", volumes=volumes)["spec"] | {"restartPolicy": "Never"}
    body = {"metadata": {"name": name.replace(" ", "-")}, "spec": {"template": {"spec": spec}}}
    return Request(
        name=name, path=f"/apis/batch/v1/namespaces/{STATE}/jobs", query={"dryRun": "All"}, body=body
    )


def _references() -> list[Request]:
    references = ("site:latest", "site", "site:v42", f"reg.example/site@{DIGEST}")
    return [
        _pod(f"default of {reference}", pod(f"p{number}", volumes=image(reference)))
        for number, reference in enumerate(references)
    ]


REQUESTS = (
    Request(name="namespace", path="/api/v1/namespaces", query={}, body={"metadata": {"name": STATE}}),
    Request(
        name="account",
        path=f"/api/v1/namespaces/{STATE}/serviceaccounts",
        query={},
        body=ACCOUNT,
        wait=f"/api/v1/namespaces/{STATE}/serviceaccounts/default",
    ),
    _pod("image volume", mounts(mount(), volumes=image(pullPolicy="Never"))),
    _pod("image volume, strict", pod("q", volumes=image(pullPolicy="Never")), fieldValidation="Strict"),
    _pod("reference empty", pod("e", volumes=image(""))),
    _pod("pull policy unknown", pod("s", volumes=image(pullPolicy="Sometimes"))),
    *_references(),
    _pod("two sources", pod("t", volumes=[volume(image={"reference": "a:1"}, emptyDir={})])),
    Request(
        name="image changed",
        method="PATCH",
        path=f"{PODS}/p",
        query={},
        body={"spec": {"volumes": image("other:1", pullPolicy="Always")}},
        content_type=MERGE,
    ),
    _job("template", image()),
    _job("template without a reference", image("")),
    _pod("account's secrets", pod("a", serviceAccountName="puller")),
    _pod("own secrets", pod("o", serviceAccountName="puller", imagePullSecrets=[{"name": "own"}])),
    _pod("emptyDir", pod("d", volumes=[volume(emptyDir={})])),
    Request(name="metrics", method="GET", path="/metrics", query={}),
    Request(name="openapi", method="GET", path="/openapi/v3/api/v1", query={}),
)

CHANGED = {
    "api-drops-image-volumes": {
        "image volume",
        "image volume, strict",
        "reference empty",
        "pull policy unknown",
        "default of site:latest",
        "default of site",
        "default of site:v42",
        f"default of reg.example/site@{DIGEST}",
        "two sources",
        "image changed",
        "template",
        "template without a reference",
        "metrics",
    },
    "api-unknown-image-field": {
        "image volume",
        "image volume, strict",
        "reference empty",
        "pull policy unknown",
        "default of site:latest",
        "default of site",
        "default of site:v42",
        f"default of reg.example/site@{DIGEST}",
        "two sources",
        "image changed",
        "template",
        "template without a reference",
        "metrics",
        "openapi",
    },
    "api-accepts-empty-reference": {"reference empty"},
    "api-accepts-any-pull-policy": {"pull policy unknown"},
    "api-latest-defaults-to-if-not-present": {"default of site:latest"},
    "api-untagged-defaults-to-if-not-present": {"default of site"},
    "api-tagged-defaults-to-always": {"default of site:v42", "template"},
    "api-digest-defaults-to-always": {f"default of reg.example/site@{DIGEST}"},
    "api-accepts-two-sources": {"two sources"},
    "api-allows-image-change": {"image changed"},
    "api-checks-templates-as-pods": {"template without a reference"},
    "api-drops-image-volumes-of-templates": {"template", "template without a reference"},
    "admission-skips-service-account-secrets": {"account's secrets"},
    "admission-merges-service-account-secrets": {"own secrets"},
}
"""Fault -> the requests whose answers it changes."""


def converse(*faults: str) -> dict[str, Any]:
    """The answers of a cluster with these faults."""

    async def run() -> dict[str, Any]:
        async with serving(*faults) as client:
            return {request.name: await client.answer(request) for request in REQUESTS}

    return asyncio.run(run())


@pytest.fixture(scope="module")
def conformant() -> dict[str, Any]:
    """The answers of a cluster without faults."""
    return converse()


@pytest.mark.parametrize("fault", CHANGED)
def test_fault_changes_what_it_is_to_change(conformant: dict[str, Any], fault: str) -> None:
    """A fault of the API server shows in the answers that are about it, and nowhere else."""
    answers = converse(fault)
    assert {name for name, answer in answers.items() if answer != conformant[name]} == CHANGED[fault]


def test_every_fault_of_the_api_has_its_test() -> None:
    """No fault of the API server or of admission is without a test of what it does."""
    known = {fault.id for fault in load().values() if fault.component in {"API server", "admission"}}
    assert known == set(CHANGED)


def _volumes(answer: Any) -> Any:
    return answer["body"]["spec"].get("volumes")


def _reference(answer: Any) -> Any:
    return _volumes(answer)[0]["image"]


@pytest.mark.parametrize(
    ("fault", "name", "look", "seen"),
    [
        ("api-drops-image-volumes", "image volume", _volumes, None),
        (
            "api-drops-image-volumes",
            "image volume",
            lambda a: a["body"]["spec"]["containers"][0].get("volumeMounts"),
            None,
        ),
        (
            "api-drops-image-volumes",
            "image volume, strict",
            lambda a: (a["status"], a["warnings"]),
            (201, []),
        ),
        ("api-unknown-image-field", "image volume", _volumes, [{"name": "v", "emptyDir": {}}]),
        (
            "api-unknown-image-field",
            "image volume",
            lambda a: a["warnings"],
            ['"unknown field \\"spec.volumes[0].image\\""'],
        ),
        ("api-unknown-image-field", "image volume, strict", lambda a: a["status"], 400),
        ("api-accepts-empty-reference", "reference empty", _reference, {"pullPolicy": "IfNotPresent"}),
        (
            "api-accepts-any-pull-policy",
            "pull policy unknown",
            lambda a: _reference(a)["pullPolicy"],
            "Sometimes",
        ),
        (
            "api-accepts-two-sources",
            "two sources",
            lambda a: sorted(_volumes(a)[0]),
            ["emptyDir", "image", "name"],
        ),
        (
            "api-allows-image-change",
            "image changed",
            _reference,
            {"reference": "other:1", "pullPolicy": "Always"},
        ),
        (
            "admission-skips-service-account-secrets",
            "account's secrets",
            lambda a: "imagePullSecrets" in a["body"]["spec"],
            False,
        ),
        (
            "admission-merges-service-account-secrets",
            "own secrets",
            lambda a: a["body"]["spec"]["imagePullSecrets"],
            [{"name": "own"}, {"name": "one"}],
        ),
    ],
)
def test_fault_does_what_it_says(fault: str, name: str, look: Callable[[Any], Any], seen: Any) -> None:
    """What a fault's record says that it does is what is answered."""
    assert look(converse(fault)[name]) == seen
