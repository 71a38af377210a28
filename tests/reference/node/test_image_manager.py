"""Whether an image is pulled, as whom, how soon again, and what is said about it."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, cast

import pytest

from fixtures.reference.faults import Faults
from fixtures.reference.node.content import Image, Images
from fixtures.reference.node.errors import PullError
from fixtures.reference.node.events import Events
from fixtures.reference.node.image_manager import ImageManager, ImagePullError, Wanted
from fixtures.reference.node.keyring import Credential
from fixtures.reference.node.metrics import Metrics
from fixtures.reference.node.settings import Settings

Json = dict[str, Any]
NAME = "registry.test/app:v1"
IMAGE = Image(
    id="sha256:1",
    target="sha256:2",
    manifest="sha256:2",
    config={},
    layers=(),
    diff_ids=(),
    artifact=False,
    size=1234,
)


class Runtime:
    """Images that come from nowhere. answers: by user (empty for none) what a pull gives."""

    def __init__(self) -> None:
        self.answers: dict[str, Image | PullError] = {"": IMAGE}
        self.present: dict[str, Image] = {}
        self.asked: list[str] = []
        self.together = self.most_together = 0

    def find(self, name: str) -> Image | None:
        """An image that is there."""
        return self.present.get(name)

    inspect = find

    async def pull(self, name: str, credential: Credential | None, *, role: str) -> Image:
        """Pull it."""
        del role
        user = credential.username if credential else ""
        self.asked.append(user)
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        await asyncio.sleep(0)
        self.together -= 1
        answer = self.answers[user]
        if isinstance(answer, PullError):
            raise answer
        self.present[name] = answer
        return answer

    async def resolve(self, name: str, credential: Credential | None) -> str:
        """Only ask."""
        del name
        answer = self.answers[credential.username if credential else ""]
        if isinstance(answer, PullError):
            raise answer
        return answer.target


class Said:
    """Takes events."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def normal(self, pod: Json, reason: str, message: str, field_path: str = "") -> None:
        """An event that is fine."""
        del pod
        self.events.append(f"{reason}: {message}{' @' if field_path else ''}{field_path}")

    warning = normal


class Bench:
    """An image manager with what it works with. now: its clock."""

    def __init__(self, settings: Settings) -> None:
        self.now = 1000.0
        self.runtime = Runtime()
        self.said = Said()
        self.metrics = Metrics()
        self.manager = ImageManager(
            cast("Images", self.runtime),
            cast("Events", self.said),
            self.metrics,
            settings,
            Faults(),
            lambda: self.now,
        )

    async def ensure(
        self, policy: str = "Always", *, uid: str = "u", reference: str = NAME, **more: Any
    ) -> str:
        """Ensure the image for a Pod; reason and message of the failure, or an empty text."""
        wanted = Wanted(reference=reference, policy=policy, **more)
        try:
            await self.manager.ensure({"metadata": {"uid": uid}, "spec": {}}, wanted)
        except ImagePullError as error:
            return f"{error.reason}: {error.message}"
        return ""


@pytest.fixture
def bench() -> Bench:
    """An image manager as it comes."""
    return Bench(Settings())


def secrets(*users: str) -> list[Json]:
    """Pull secrets, one a user, for the registry's paths from the longest on."""
    found = []
    for number, user in enumerate(users):
        key = f"registry.test{'/app'[: 4 - number]}" if number else "registry.test/app"
        data = {"auths": {key: {"username": user, "password": "word"}}}
        found.append(
            {
                "metadata": {"uid": f"uid-{user}", "namespace": "ns", "name": user},
                "type": "kubernetes.io/dockerconfigjson",
                "data": {".dockerconfigjson": base64.b64encode(json.dumps(data).encode()).decode()},
            }
        )
    return found


@pytest.mark.parametrize(
    ("policy", "absent", "present"),
    [("Always", [""], ["", ""]), ("IfNotPresent", [""], [""]), ("Never", [], [])],
)
def test_the_policy_says_whether_to_pull(
    bench: Bench, policy: str, absent: list[str], present: list[str]
) -> None:
    """Always, only what is missing, or never."""

    async def run() -> None:
        await bench.ensure(policy)
        assert bench.runtime.asked == absent
        bench.runtime.present[NAME] = IMAGE
        await bench.ensure(policy)
        assert bench.runtime.asked == present

    asyncio.run(run())


def test_what_is_said_of_a_pull(bench: Bench) -> None:
    """Pulling and Pulled, with where from; already there is said too; volumes have no path, containers have."""

    async def run() -> None:
        await bench.ensure("IfNotPresent")
        await bench.ensure("IfNotPresent", field_path="spec.containers{main}")

    asyncio.run(run())
    pulling, pulled, there = bench.said.events
    assert pulling == f'Pulling: Pulling image "{NAME}"'
    assert pulled.startswith(f'Pulled: Successfully pulled image "{NAME}" in ')
    assert pulled.endswith(" including waiting). Image size: 1234 bytes.")
    assert there == (
        f'Pulled: Container image "{NAME}" already present on machine and can be accessed by the pod'
        " @spec.containers{main}"
    )


def test_never_is_refused_in_the_same_words_whether_the_image_is_there_or_not(bench: Bench) -> None:
    """What another Pod pulled with its secret is not to be known."""
    text = f'ErrImageNeverPull: Container image "{NAME}" is not present with pull policy of Never'

    async def run() -> None:
        assert await bench.ensure("Never") == text
        bench.runtime.answers["alice"] = IMAGE
        assert not await bench.ensure(secrets=secrets("alice"))
        assert await bench.ensure("Never") == text
        assert not await bench.ensure("Never", secrets=secrets("alice"))

    asyncio.run(run())
    assert bench.said.events.count(text) == 2


def test_an_image_of_another_s_secret_is_pulled_again(bench: Bench) -> None:
    """IfNotPresent asks the registry whether this Pod may have it too."""

    async def run() -> None:
        bench.runtime.answers = {"alice": IMAGE, "": PullError("refused")}
        assert not await bench.ensure(secrets=secrets("alice"))
        assert await bench.ensure("IfNotPresent") == "ErrImagePull: refused"
        assert not await bench.ensure("IfNotPresent", secrets=secrets("alice"))

    asyncio.run(run())
    assert bench.runtime.asked == ["alice", ""]


def test_a_pull_that_fails_waits_longer_each_time(bench: Bench) -> None:
    """10 s, 20 s, and so on up to 5 minutes; each Pod for itself."""
    bench.runtime.answers[""] = PullError("no route")
    backed_off = f'ImagePullBackOff: Back-off pulling image "{NAME}": ErrImagePull: no route'

    async def run() -> None:
        for seconds in (10, 20, 40, 80, 160, 300, 300):
            assert await bench.ensure() == "ErrImagePull: no route"
            bench.now += seconds - 0.5
            assert await bench.ensure() == backed_off
            bench.now += 0.5
        assert await bench.ensure() == "ErrImagePull: no route"
        assert await bench.ensure(uid="other") == "ErrImagePull: no route"

    asyncio.run(run())
    assert bench.said.events[1:3] == [
        f'Failed: Failed to pull image "{NAME}": no route',
        f'BackOff: Back-off pulling image "{NAME}"',
    ]


def test_every_credential_is_tried_and_their_errors_are_told_together(bench: Bench) -> None:
    """The longest path first; equal errors once; nobody without a name after somebody with one."""
    bench.runtime.answers = {
        name: PullError(text) for name, text in (("a", "one"), ("b", "two"), ("c", "one"))
    }

    async def run() -> None:
        assert await bench.ensure(secrets=secrets("a", "b", "c")) == "ErrImagePull: [one, two]"
        bench.runtime.answers["b"] = IMAGE
        assert not await bench.ensure(uid="v", secrets=secrets("a", "b", "c"))

    asyncio.run(run())
    assert bench.runtime.asked == ["a", "b", "c", "a", "b"]


@pytest.mark.parametrize("reference", ["UPPER:v1", "a:b:c", "x@sha256:short"])
def test_a_reference_that_cannot_be_is_not_pulled(bench: Bench, reference: str) -> None:
    """InvalidImageName, and an event that says what was wrong."""
    answer = asyncio.run(bench.ensure(reference=reference))
    text = f'Failed to apply default image tag "{reference}": '
    assert answer.startswith(f"InvalidImageName: {text}")
    assert bench.said.events[0].startswith(f"InspectFailed: {text}")
    assert not bench.runtime.asked


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("RegistryUnavailable: down", "RegistryUnavailable", "because the registry is unavailable: down"),
        (
            "SignatureValidationFailed: bad",
            "SignatureValidationFailed",
            "because the signature validation failed: bad",
        ),
        ("anything", "ErrImagePull", "anything"),
    ],
)
def test_the_runtime_s_words_give_the_reason(bench: Bench, text: str, reason: str, words: str) -> None:
    """Two beginnings are known."""
    bench.runtime.answers[""] = PullError(text)
    answer = asyncio.run(bench.ensure())
    assert answer.startswith(f"{reason}: ")
    assert answer.endswith(words)


def test_a_secret_that_cannot_be_read_is_the_failure(bench: Bench) -> None:
    """The text of the error is reason and message, as in the kubelet."""
    broken = secrets("alice")
    broken[0]["data"][".dockerconfigjson"] = base64.b64encode(b"{").decode()
    answer = asyncio.run(bench.ensure(secrets=broken))
    reason, _, message = answer.partition(": ")
    assert reason
    assert not bench.runtime.asked
    assert message


def test_asking_only_fetches_nothing_and_backs_off_the_same(bench: Bench) -> None:
    """The question at a restart under Always: does the reference still lead anywhere?"""
    pod: Json = {"metadata": {"uid": "u"}, "spec": {}}
    wanted = Wanted(reference=NAME, policy="Always")

    async def run() -> list[str]:
        await bench.manager.confirm(pod, wanted)
        bench.runtime.answers[""] = PullError("not found")
        reasons = []
        for _ in range(2):
            try:
                await bench.manager.confirm(pod, wanted)
            except ImagePullError as error:
                reasons.append(error.reason)
        assert bench.manager.remaining_back_off(pod, wanted) == 10
        return reasons

    assert asyncio.run(run()) == ["ErrImagePull", "ImagePullBackOff"]
    assert not bench.runtime.asked


def test_pulls_can_be_made_one_at_a_time() -> None:
    """As serializeImagePulls."""

    async def most(*, serialize: bool) -> int:
        bench = Bench(Settings(serialize_pulls=serialize))
        await asyncio.gather(*(bench.ensure(uid=str(number)) for number in range(3)))
        return bench.runtime.most_together

    assert asyncio.run(most(serialize=True)) == 1
    assert asyncio.run(most(serialize=False)) == 3


def test_pulls_can_be_limited_by_time() -> None:
    """As registryPullQPS and registryBurst."""
    bench = Bench(Settings(pull_rate=1.0, pull_burst=2))

    async def run() -> list[str]:
        answers = [await bench.ensure(uid=str(number)) for number in range(3)]
        bench.now += 1
        return [*answers, await bench.ensure(uid="later")]

    assert asyncio.run(run()) == ["", "", "ErrImagePull: pull QPS exceeded", ""]


def test_requests_are_counted_by_policy_and_presence(bench: Bench) -> None:
    """The kubelet's metric."""

    async def run() -> None:
        await bench.ensure("IfNotPresent")
        await bench.ensure("IfNotPresent")

    asyncio.run(run())
    counted = [
        line.partition("{")[2]
        for line in bench.metrics.text().splitlines()
        if line.startswith("kubelet_image_manager_ensure_image_requests_total{")
    ]
    assert sorted(counted) == [
        'present_locally="false",pull_policy="ifnotpresent",pull_required="true"} 1',
        'present_locally="true",pull_policy="ifnotpresent",pull_required="false"} 1',
    ]
