"""conformance.canary: what a target lacks is told from what is wrong with the run, by what one Pod shows."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from conformance import canary
from conformance.canary import (
    RegistryUnreached,
    Sighting,
    api_lack,
    fly,
    lost,
    manifest,
    read_refusal,
    refused,
    told,
    without_volumes,
)
from fixtures.api import Response
from fixtures.errors import Inconclusive, PreflightRefused, TimedOut
from fixtures.evidence import Evidence
from fixtures.manifests import Surroundings
from fixtures.repositories import Asset, Repository, Requests
from fixtures.workloads import Pods, Refusal
from images import site
from images.tree import Tree
from tests.fixtures.fakes import FakeApi, status

Json = dict[str, Any]

REFERENCE = "127.0.0.1:5000/run-canary-1/canary:v1"
PROBE = "docker.io/library/python:3.12-alpine"
PODS = "/api/v1/namespaces/ns/pods"
EVENTS = "/api/v1/namespaces/ns/events"

# --- what the API server makes of it


def answer(volumes: list[Json] | None, *warnings: str) -> Response:
    """The Pod that a dry run answers."""
    spec = {} if volumes is None else {"volumes": volumes}
    return Response(status=201, body={"kind": "Pod", "spec": spec}, warnings=warnings)


CONFIG: Json = {"name": "probe", "configMap": {"name": "probe"}}


def test_field_is_kept() -> None:
    """An API server that keeps the field lacks nothing."""
    assert api_lack(answer([{"name": "volume", "image": {"reference": REFERENCE}}, CONFIG])) is None


@pytest.mark.parametrize("volumes", [[CONFIG], [], None])
def test_field_is_dropped(volumes: list[Json] | None) -> None:
    """One that drops the volume without a word has lost it (1.31 to 1.34 with the gate off)."""
    lack = api_lack(answer(volumes))
    assert lack is not None
    assert lack["kind"] == "lost"
    assert "without a word" in lack["text"]


def test_field_becomes_an_empty_dir() -> None:
    """One that makes an emptyDir of it has lost it too, and its warning is told (1.30 and older)."""
    made = [{"name": "volume", "emptyDir": {}}, CONFIG]
    assert api_lack(answer(made, 'unknown field "spec.volumes[0].image"')) == lost(
        'the API server makes an emptyDir of an image volume, warning: unknown field "spec.volumes[0].image"'
    )
    assert api_lack(answer(made)) == lost("the API server makes an emptyDir of an image volume")


def test_field_is_refused() -> None:
    """One that refuses the field says so itself."""
    message = 'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.volumes[0].image"'
    lack = api_lack(status(400, "BadRequest", message))
    assert lack == refused(f"the API server does not know image volumes: {message}")


def test_field_is_not_admitted() -> None:
    """Where Pod Security knows no such volume (1.31, 1.32) the target refuses image volumes in its own words."""
    message = 'violates PodSecurity: restricted volume types (volume "volume" uses restricted volume type "unknown")'
    lack = api_lack(status(403, "Forbidden", message))
    assert lack == refused(f"Pod Security does not admit image volumes: {message}")


@pytest.mark.parametrize(
    "response",
    [
        status(403, "Forbidden", 'violates PodSecurity "restricted:latest"'),
        status(422, "Invalid", "spec.containers[0].image: Required value"),
        status(400, "BadRequest", 'strict decoding error: unknown field "spec.hostUsers"'),
        status(500, "InternalError", "failed calling webhook"),
    ],
)
def test_other_refusals_say_nothing_of_the_feature(response: Response) -> None:
    """A Pod that is refused for another reason is inconclusive, with the reason."""
    with pytest.raises(
        Inconclusive, match=f"refuses the canary Pod: {response.status} {response.message[:10]}"
    ):
        api_lack(response)


# --- what a refusal of the container means


def refusal(reason: str, message: str) -> Refusal:
    """Why the container with the whole volume waits."""
    return Refusal(container="whole", reason=reason, message=message)


PULL_REASONS = ["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"]


@pytest.mark.parametrize("reason", PULL_REASONS)
def test_registry_is_out_of_reach(reason: str) -> None:
    """A node that did not even ask the test registry does not reach it: the message says which address, and what to do."""
    text = (
        f'failed to pull and unpack image "{REFERENCE}": dial tcp 127.0.0.1:5000: connect: connection refused'
    )
    with pytest.raises(RegistryUnreached, match=r"127\.0\.0\.1:5000.*REGISTRY=runner"):
        read_refusal(refusal(reason, text), PROBE, REFERENCE, asked=False)


def test_registry_is_out_of_reach_without_a_name() -> None:
    """Nor need the message name the image: that nobody asked is enough."""
    with pytest.raises(RegistryUnreached):
        read_refusal(refusal("ErrImagePull", "pull QPS exceeded"), PROBE, REFERENCE, asked=False)


@pytest.mark.parametrize("reason", PULL_REASONS)
def test_volume_image_cannot_be_pulled(reason: str) -> None:
    """A node that asked, and failed all the same, has a trouble that no lack of the feature explains."""
    text = f'Back-off pulling image "{REFERENCE}": server gave HTTP response to HTTPS client'
    with pytest.raises(Inconclusive, match=r"canary's image cannot be pulled.*HTTPS client") as error:
        read_refusal(refusal(reason, text), PROBE, REFERENCE, asked=True)
    assert not isinstance(error.value, RegistryUnreached)


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("reason", [*PULL_REASONS, "InvalidImageName"])
def test_probe_image_cannot_be_pulled(reason: str, *, asked: bool) -> None:
    """When it is the probe image that cannot be had, that is said, whichever of the two the node pulls first."""
    text = f'Back-off pulling image "{PROBE}": i/o timeout'
    with pytest.raises(
        PreflightRefused, match=f"The probe image {PROBE} cannot be pulled.*PROBE_IMAGE="
    ) as error:
        read_refusal(refusal(reason, text), PROBE, REFERENCE, asked=asked)
    assert not isinstance(error.value, RegistryUnreached)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (
            "CreateContainerError",
            'failed to generate spec: failed to mkdir "": mkdir : no such file or directory',
        ),
        ("CreateContainerError", "mount has both host_path and image"),
        ("RunContainerError", "OCI runtime create failed"),
    ],
)
@pytest.mark.parametrize("asked", [True, False])
def test_runtime_refuses(reason: str, message: str, *, asked: bool) -> None:
    """A runtime that refuses the container lacks the feature visibly, in its own words."""
    lack = read_refusal(refusal(reason, message), PROBE, REFERENCE, asked=asked)
    assert lack == refused(f"{reason}: {message}")


def test_told() -> None:
    """What was there instead of the image is told in words."""
    entry = {"type": "directory", "mode": 0o755, "uid": 0, "gid": 0, "mtime": 0}
    full = {
        name: entry | dict.fromkeys(("size", "sha256", "target", "nlink")) | {"xattrs": {}}
        for name in "fedcba"
    }
    assert told(None) == "there is no directory at its mountPath"
    assert told(Tree.from_json({})) == "its directory is empty"
    assert told(Tree.from_json(full)) == "its directory holds a, b, c, d, e"


# --- the whole flight


class FakeRepository:
    """A repository that takes every image and tells what it was asked."""

    owners = True
    name = "run-canary-1/canary"
    address = "127.0.0.1:5000/run-canary-1/canary"
    asked = True

    def push(self, image: Any) -> Asset:
        """Take an image."""
        self.asset = Asset(cast("Repository", self), "v1", image)
        return self.asset

    def requests(self) -> Requests:
        """What was asked of it."""
        return cast("Requests", ["a request"] if self.asked else [])


class Flight:
    """A canary's flight on a cluster that shows this."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.repository = FakeRepository()
        around = Surroundings(node="n", probe_image=PROBE, labels={})
        self.pods = Pods(self.api, Evidence(), "ns", "canary", around)
        self.image = site.image(self.repository.name).tree
        self.logs: dict[str, Any] = {}
        self.api.answers["GET", EVENTS] = lambda _: Response(status=200, body={"items": []})

    def shows(self, whole: Json, below: Json) -> None:
        """Have the two containers in these states as soon as the Pod is there."""

        def create(body: Json) -> Response:
            if self.api.queries[-1].get("dryRun"):
                return Response(status=201, body=body)
            statuses = [{"name": "whole", "state": whole}, {"name": "below", "state": below}]
            found = body | {"status": {"phase": "Pending", "containerStatuses": statuses}}
            return Response(status=201, body=self.api.put(PODS, found))

        self.api.answers["POST", PODS] = create

    def logs_are(self, whole: Any, below: Any) -> None:
        """Have the two containers print these answers of their look."""

        def lines(path: str, *, seconds: float, **query: Any) -> Any:
            del path, seconds
            seen = whole if query["container"] == "whole" else below
            yield json.dumps({"look": "tree", "arguments": ["/vol"], "answer": seen}).encode()
            yield b'{"end": 1}'

        self.api.lines = lines  # type: ignore[method-assign]  # each container has a log of its own

    def fly(self) -> Sighting:
        """Fly."""
        return fly(self.pods, cast("Repository", self.repository))


@pytest.fixture
def flight() -> Flight:
    """A flight on a cluster that has image volumes and subPaths."""
    found = Flight()
    found.shows({"running": {}}, {"running": {}})
    found.logs_are(entries(found.image), entries(found.image / "site"))
    return found


def entries(tree: Tree) -> Json:
    """A look's answer for a tree."""
    return {"entries": tree.to_json()}


def waiting(reason: str, message: str = "no") -> Json:
    """The state of a container that waits."""
    return {"waiting": {"reason": reason, "message": message}}


def test_nothing_lacks(flight: Flight) -> None:
    """A target that shows the image and its subPath lacks nothing."""
    assert flight.fly() == Sighting(lacks={})
    assert manifest(REFERENCE)["spec"]["volumes"][0]["image"] == {"reference": REFERENCE}


def test_api_server_drops_the_field(flight: Flight) -> None:
    """Nothing is started where the API server has lost the volume already."""
    flight.api.answers["POST", PODS] = lambda _: answer([CONFIG])
    assert {lack["kind"] for lack in flight.fly().lacks.values()} == {"lost"}
    assert len(flight.api.asked("POST")) == 1


def test_kubelet_has_no_driver(flight: Flight) -> None:
    """A kubelet that tells it in an event alone is understood, though the Pod never settles."""
    flight.shows(waiting("ContainerCreating"), waiting("ContainerCreating"))
    message = 'Unable to attach or mount volumes: no volume plugin matched name "volume"'
    metadata = {"name": "e", "resourceVersion": "1"}
    event = {"metadata": metadata, "type": "Warning", "reason": "FailedMount", "message": message}
    flight.api.answers["GET", EVENTS] = lambda _: Response(status=200, body={"items": [event]})
    assert flight.fly() == without_volumes(refused(message))


def test_pod_never_settles(flight: Flight, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Pod of which nothing becomes is no lack, and says so."""
    monkeypatch.setattr(canary, "SECONDS", 0.1)
    flight.shows(waiting("ContainerCreating"), waiting("ContainerCreating"))
    with pytest.raises(TimedOut, match="the canary Pod to settle"):
        flight.fly()


def test_runtime_lacks_the_feature(flight: Flight) -> None:
    """A runtime that refuses the volume refuses a subPath of it too."""
    flight.shows(waiting("CreateContainerError"), waiting("CreateContainerError"))
    assert flight.fly() == without_volumes(refused("CreateContainerError: no"))


def test_node_does_not_reach_the_registry(flight: Flight) -> None:
    """A pull that failed without a request at the registry is about the way to it."""
    flight.repository.asked = False
    flight.shows(waiting("ErrImagePull"), waiting("ErrImagePull"))
    with pytest.raises(RegistryUnreached):
        flight.fly()


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"errno": "ENOENT"}, "there is no directory"),
        ({"entries": {}}, "its directory is empty"),
        (None, "its directory holds index.html"),
    ],
)
def test_volume_is_lost(flight: Flight, seen: Json | None, words: str) -> None:
    """A container that runs and does not show the image has lost the volume."""
    other = entries(flight.image / "site")
    flight.logs_are(seen or other, other)
    found = flight.fly()
    assert {lack["kind"] for lack in found.lacks.values()} == {"lost"}
    assert set(found.lacks) == {"mount", "sub-path"}
    if seen is not None:
        assert words in found.lacks["mount"]["text"]


def test_sub_path_is_refused(flight: Flight) -> None:
    """A runtime that mounts volumes and refuses subPaths lacks these alone."""
    flight.shows({"running": {}}, waiting("CreateContainerError", "subpath not supported"))
    assert flight.fly() == Sighting(
        lacks={"sub-path": refused("CreateContainerError: subpath not supported")}
    )


@pytest.mark.parametrize("admitted", [True, False])
def test_api_server_refuses_sub_paths(flight: Flight, *, admitted: bool) -> None:
    """The API of 1.31 and 1.32 lacks subPaths alone, as one Pod without them shows; or volumes, where that is not admitted either."""
    create = flight.api.answers["POST", PODS]
    text = 'spec.containers[1].volumeMounts[0].subPath: Invalid value: "site": not allowed in image volume sources'
    level = 'uses restricted volume type "unknown"'

    def alpha(body: Json) -> Response:
        if any("subPath" in mount for one in body["spec"]["containers"] for mount in one["volumeMounts"]):
            return status(422, "Invalid", text)
        return create(body) if admitted else status(403, "Forbidden", level)

    flight.api.answers["POST", PODS] = alpha
    flight.logs_are(entries(flight.image), entries(flight.image))
    lacks = flight.fly().lacks
    assert set(lacks) == ({"sub-path"} if admitted else {"mount", "sub-path"})
    assert (text if admitted else level) in lacks["sub-path"]["text"]


@pytest.mark.parametrize("reason", PULL_REASONS)
def test_sub_path_whose_pull_failed(flight: Flight, reason: str) -> None:
    """A container that waits for a pull says nothing of subPaths."""
    flight.shows({"running": {}}, waiting(reason, "toomanyrequests"))
    with pytest.raises(Inconclusive, match=f"{reason}: toomanyrequests"):
        flight.fly()


def test_sub_path_is_ignored(flight: Flight) -> None:
    """One that mounts the root in place of a subPath is remarked and judged by the checks."""
    flight.logs_are(entries(flight.image), entries(flight.image))
    found = flight.fly()
    assert found.lacks == {}
    assert "subPath is silently ignored" in found.remark


@pytest.mark.parametrize("seen", [{"errno": "ENOENT"}, {"entries": {}}])
def test_odd_sub_path_is_left_to_the_checks(flight: Flight, seen: Json) -> None:
    """Whatever else a subPath shows is no lack: the checks judge it."""
    flight.logs_are(entries(flight.image), seen)
    assert flight.fly() == Sighting(lacks={})
