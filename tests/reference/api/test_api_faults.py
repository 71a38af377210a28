"""Each fault of the API server and of admission changes the answers that it is to change, and no others."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fixtures.reference.api.store import Store
from fixtures.reference.cluster import stored_before
from fixtures.reference.faults import load
from tests.reference.api.conversation import (
    DIGEST,
    MERGE,
    RESTRICTED,
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


def _mistakes() -> Iterator[Request]:
    """Pods that are refused for one thing each, and that a fault admits."""
    device = {"name": "v", "devicePath": "/dev/x"}
    for name, body in (
        ("device", mounts(container={"volumeDevices": [device]})),
        ("absolute subPath", mounts(mount(subPath="/etc"))),
        ("leading dots", mounts(mount(subPath="../a"))),
        ("dots within", mounts(mount(subPath="a/../b"))),
        ("name with dots", mounts(mount(subPath="a..b"))),
        ("subPath and subPathExpr", mounts(mount(subPath="a", subPathExpr="b"))),
        ("undeclared", mounts(mount("w"))),
        ("recursiveReadOnly", mounts(mount(recursiveReadOnly="Enabled"))),
        ("Bidirectional", mounts(mount(mountPropagation="Bidirectional"))),
        ("subPath", mounts(mount(subPath="a"))),
        ("reference unparsable", pod(volumes=image("a b"))),
        ("image policy", pod(containers=[{"name": "c", "image": "registry.example/x"}])),
    ):
        yield _pod(name, body, dryRun="All")


def _other_parts() -> Iterator[Request]:
    """What is no creation of a Pod: a template, an ephemeral container, a status, another level of Pod Security."""
    template = {"spec": {"containers": [{"name": "c", "image": "x"}], "volumes": image("")}}
    templates = f"/api/v1/namespaces/{STATE}/podtemplates"
    yield Request(name="template", path=templates, body={"metadata": {"name": "t"}, "template": template})
    one = {"name": "e", "image": "x", "volumeMounts": [mount(subPath="a")]}
    statuses = [{"name": "c", "volumeMounts": [mount(volumeStatus={"image": {}})]}]
    for part, name, body in (
        ("ephemeralcontainers", "debugged", {"spec": {"ephemeralContainers": [one]}}),
        ("status", "status", {"status": {"containerStatuses": statuses}}),
    ):
        yield Request(
            name=name,
            method="PATCH",
            path=f"{PODS}/s/{part}",
            query={"dryRun": "All"},
            body=body,
            content_type=MERGE,
        )
    secure = pod(
        volumes=image("registry.example/site:v1"),
        securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        containers=[
            {
                "name": "c",
                "image": "x:1",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    )
    path = f"/api/v1/namespaces/{RESTRICTED}/pods"
    account = f"/api/v1/namespaces/{RESTRICTED}/serviceaccounts/default"
    yield Request(name="restricted", path=path, body=secure, wait=account)
    kept = Request(
        name="stored before",
        method="PATCH",
        path="/api/v1/namespaces/default/podtemplates/stored-before",
        query={},
        body={"metadata": {"labels": {"a": "b"}}},
        content_type=MERGE,
    )
    yield kept


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

RULES = (
    Request(
        name="restricted namespace",
        path="/api/v1/namespaces",
        query={},
        body={
            "metadata": {"name": RESTRICTED, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        },
    ),
    REQUESTS[0],
    replace(REQUESTS[1], name="account of rules"),
    _pod("stored", pod("s", volumes=image(pullPolicy="Never"))),
    _pod("mounted", mounts(mount(), volumes=image(pullPolicy="Never")), dryRun="All"),
    *_mistakes(),
    *_other_parts(),
    Request(name="metrics", method="GET", path="/metrics", query={}),
)
BROKEN = {
    "api-parses-references": {"reference unparsable"},
    "api-accepts-any-device": {"device"},
    "api-accepts-absolute-sub-path": {"absolute subPath"},
    "api-looks-for-leading-dots-only": {"dots within"},
    "api-accepts-both-sub-paths": {"subPath and subPathExpr"},
    "api-alpha-accepts-sub-path": {
        "absolute subPath",
        "debugged",
        "dots within",
        "leading dots",
        "name with dots",
        "subPath",
        "subPath and subPathExpr",
    },
    "api-accepts-undeclared-mounts": {"undeclared"},
    "api-infers-read-only": {"recursiveReadOnly"},
    "api-accepts-bidirectional": {"Bidirectional"},
    "api-accepts-ephemeral-sub-path": {"debugged"},
    "gate-off-keeps-mounts": {
        "Bidirectional",
        "absolute subPath",
        "dots within",
        "leading dots",
        "mounted",
        "name with dots",
        "recursiveReadOnly",
        "subPath",
        "subPath and subPathExpr",
    },
    "gate-off-drops-stored": {"stored before"},
    "gate-not-locked": {"metrics"},
    "api-keeps-volume-status": {"status"},
    "api-accepts-any-volume-status": {"status"},
    "admission-refuses-image-volumes": {"restricted"},
    "always-pull-images-skips-volumes": {
        "mounted",
        "name with dots",
        "reference unparsable",
        "restricted",
        "status",
        "stored",
        "subPath",
    },
}
"""Fault -> the requests of RULES whose answers it changes."""
TALKS = {"whole": REQUESTS, "rules": RULES}


def converse(*faults: str, requests: Sequence[Request] = REQUESTS) -> dict[str, Any]:
    """The answers of a cluster with these faults."""

    async def run() -> dict[str, Any]:
        store = Store()
        store.create("podtemplates", stored_before())
        async with serving(*faults, store=store) as client:
            return {request.name: await client.answer(request) for request in requests}

    return asyncio.run(run())


@functools.cache
def without(beside: str, talk: str) -> dict[str, Any]:
    """The answers of a cluster without a fault: the conformant one, or one with what a fault shows beside."""
    return converse(*filter(None, [beside]), requests=TALKS[talk])


@pytest.mark.parametrize(
    ("fault", "talk", "changed"),
    [(fault, "whole", names) for fault, names in CHANGED.items()]
    + [(fault, "rules", names) for fault, names in BROKEN.items()],
    ids=[*CHANGED, *BROKEN],
)
def test_fault_changes_what_it_is_to_change(fault: str, talk: str, changed: set[str]) -> None:
    """A fault of the API server shows in the answers that are about it, and nowhere else."""
    beside = load()[fault].beside
    before = without(beside, talk)
    answers = converse(*filter(None, (beside, fault)), requests=TALKS[talk])
    assert {name for name, answer in answers.items() if answer != before[name]} == changed


def test_every_fault_of_the_api_has_its_test() -> None:
    """No fault of the API server or of admission is without a test of what it does."""
    known = {fault.id for fault in load().values() if fault.component in {"API server", "admission"}}
    assert known == set(CHANGED) | set(BROKEN)


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
