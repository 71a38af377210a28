"""One scenario a fault: what is seen of it on a node, right or wrong. Run in the lab, many nodes at a time."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from fixtures.reference.api.store import AlreadyExists
from fixtures.reference.cluster import SANDBOXED
from fixtures.reference.node.node import SANDBOX_IMAGE
from fixtures.reference.node.node_credentials import PLUGIN_FILE
from fixtures.reference.node.settings import Settings
from fixtures.registry.client import Access, Fault
from images import hostile
from images.oci.content import Noise
from images.oci.image import Artifact, ArtifactFile, Image, Index
from images.oci.layer import Layer, device, directory, file, hardlink, opaque, symlink, whiteout
from images.scale import Crowd
from tests.reference.node.lab import (
    HOLD,
    Bench,
    Lab,
    container,
    image,
    listing,
    message,
    mount,
    reading,
    reasons,
    statuses,
    trying,
)

Json = dict[str, Any]
Scenario = Callable[[Bench], Awaitable[Any]]

SCENARIOS: dict[str, Scenario] = {}
SETTINGS = Settings(image_back_off=(1.0, 30.0), retry=1.0, pull_silence=3.0)
AT_ONCE = 8
OTHER = 12345
HALF = 1 << 19
LARGE = Layer([file("large", Noise(2 * HALF, "large"))], compression="none")


async def observe(lab: Lab, faults: Sequence[str]) -> dict[str, Any]:
    """For each fault, what its scenario sees on a right node and on one with the fault; `ids`: how many there are."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(fault: str, *wrong: str) -> Any:
        async with turns:
            try:
                async with asyncio.timeout(60):
                    return await SCENARIOS[fault](await lab.node(*wrong, settings=SETTINGS))
            except Exception as error:  # noqa: BLE001 - told as what was seen
                return f"{type(error).__name__}: {error}"

    right, wrong = await asyncio.gather(
        asyncio.gather(*(one(fault) for fault in faults)),
        asyncio.gather(*(one(fault, fault) for fault in faults)),
    )
    seen: dict[str, Any] = {fault: [right[number], wrong[number]] for number, fault in enumerate(faults)}
    return seen | {"ids": lab.privileges.ids}


def shows(*faults: str) -> Callable[[Scenario], Scenario]:
    """Mark a scenario as the one that shows these faults."""

    def mark(scenario: Scenario) -> Scenario:
        for fault in faults:
            SCENARIOS[fault] = scenario
        return scenario

    return mark


def site(build: str = "one") -> Image:
    """An image with a file, a directory, and links of every sort."""
    return Image(
        [
            Layer(
                [
                    file("build.txt", build),
                    directory("site"),
                    file("site/index.html", f"<{build}>", mode=0o640, uid=7, gid=7),
                    file("site/other.html", "other"),
                    directory("old"),
                    file("old/old.html", "old"),
                    directory("empty"),
                    symlink("current", "site"),
                    symlink("out", "../../../../etc"),
                    symlink("absolute", "/site"),
                    directory("a" * 70),
                    file("a" * 70 + "/long.txt", "long"),
                ]
            )
        ]
    )


def pull_secret(
    name: str, *entries: tuple[str, str, str], namespace: str = "default", kind: str = ""
) -> Json:
    """A secret with credentials: location, user, password."""
    auths = {
        location: {"auth": base64.b64encode(f"{user}:{word}".encode()).decode()}
        for location, user, word in entries
    }
    data = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    return {
        "metadata": {"name": name, "namespace": namespace},
        "type": kind or "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": data},
    }


async def private(bench: Bench, name: str, contents: Image | None = None) -> str:
    """Push an image that only user `good` with password `word` may pull."""
    reference = await bench.push(name, contents or site())
    access = Access(users={"good": "word"})
    await asyncio.to_thread(bench.lab.registry.set_access, bench.repository(name), access)
    return reference


def give(bench: Bench, name: str, *entries: tuple[str, str, str], **more: str) -> list[Json]:
    """Create a pull secret; how a Pod names it."""
    full = f"{bench.node.name}-{name}"
    bench.store.create("secrets", pull_secret(full, *entries, **more))
    return [{"name": full}]


async def broken(bench: Bench, name: str, **effect: Any) -> str:
    """Push an image whose manifest the registry does not hand out as it should."""
    reference = await bench.push(name, site())
    fault = Fault(repository=bench.repository(name), kinds=("manifest",), **effect)
    await asyncio.to_thread(bench.lab.registry.add_fault, fault)
    return reference


async def see(bench: Bench, name: str, code: str, *volumes: Json, **more: Any) -> Any:
    """Run a Pod with one container that mounts the first volume at /vol: why it waits, or what it prints."""
    await bench.create(name, volumes, [container(code, mount())], **more)
    return await bench.outcome(name)


async def held(bench: Bench, name: str, *volumes: Json, mounts: Sequence[Json] = (), **more: Any) -> Json:
    """Start a Pod whose container holds."""
    await bench.create(name, volumes, [container(HOLD, *(mounts or [mount()]))], **more)
    pod = await bench.settled(name)
    await bench.holds(name)
    return pod


# --- pulling


@shows("always-does-not-pull")
async def second_pod_under_always(bench: Bench) -> Any:
    """Second pod under always."""
    reference = await bench.push("site", site())
    await see(bench, "first", listing(), image(reference))
    before = len(await bench.requests("site"))
    await see(bench, "second", listing(), image(reference, "Always"))
    return len(await bench.requests("site")) - before


@shows("always-falls-back-to-local")
async def always_after_deletion(bench: Bench) -> Any:
    """Always after deletion."""
    reference = await bench.push("site", site())
    await see(bench, "first", reading("/vol/build.txt"), image(reference))
    await asyncio.to_thread(bench.lab.registry.delete_manifest, bench.repository("site"), "v1")
    return await see(bench, "second", reading("/vol/build.txt"), image(reference, "Always"))


@shows("if-not-present-pulls")
async def second_pod_under_if_not_present(bench: Bench) -> Any:
    """Second pod under if not present."""
    reference = await bench.push("site", site())
    await see(bench, "first", listing(), image(reference))
    before = len(await bench.requests("site"))
    await see(bench, "second", listing(), image(reference))
    return len(await bench.requests("site")) - before


@shows("if-not-present-does-not-pull")
async def first_pod_under_if_not_present(bench: Bench) -> Any:
    """First pod under if not present."""
    reference = await bench.push("site", site())
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference))


@shows("never-pulls")
async def never_absent(bench: Bench) -> Any:
    """Never absent."""
    reference = await bench.push("site", site())
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference, "Never"))


@shows("pulls-after-init-containers")
async def order_of_pull_and_init(bench: Bench) -> Any:
    """Order of pull and init."""
    reference = await bench.push("site", site())
    await bench.create(
        "pod", [image(reference)], [container("1", mount())], init=[container("1", name="init")]
    )
    await bench.finished("pod")
    events = bench.events("pod")
    mine = [
        number
        for number, event in enumerate(events)
        if event.startswith("Pulled Success") and event.endswith("@")
    ]
    pulled = mine[0]
    started = next(number for number, event in enumerate(events) if event.startswith("Started"))
    return "pulled first" if pulled < started else "started first"


@shows("pulls-per-container")
async def pulls_of_two_containers(bench: Bench) -> Any:
    """Pulls of two containers."""
    reference = await bench.push("site", site())
    two = [container("1", mount(), name=name) for name in ("main", "other")]
    await bench.run("pod", [image(reference, "Always")], two)
    return len(await bench.requests("site", method="HEAD"))


@shows("container-policy-for-volumes")
async def volume_never_container_if_not_present(bench: Bench) -> Any:
    """Volume never container if not present."""
    reference = await bench.push("site", site())
    one = container(reading("/vol/build.txt"), mount(), imagePullPolicy="IfNotPresent")
    await bench.create("pod", [image(reference, "Never")], [one])
    return await bench.outcome("pod")


@shows("unused-volume-blocks")
async def unmounted_volume_fails(bench: Bench) -> Any:
    """Unmounted volume fails."""
    await bench.create("pod", [image(bench.reference("absent"))], [container("print(1)")])
    return await bench.outcome("pod")


@shows("resolves-tag-of-digest")
async def tag_and_digest(bench: Bench) -> Any:
    """Tag and digest."""
    one = site("one")
    await bench.push("site", one)
    await bench.push("site", site("two"))
    return await see(
        bench, "pod", reading("/vol/build.txt"), image(f"{bench.reference('site')}@{one.digest}")
    )


@shows("ignores-digest")
async def digest_and_latest(bench: Bench) -> Any:
    """Digest and latest."""
    one = site("one")
    await bench.push("site", one, "latest")
    await bench.push("site", site("two"), "latest")
    name = bench.reference("site").rpartition(":")[0]
    return await see(bench, "pod", reading("/vol/build.txt"), image(f"{name}@{one.digest}"))


@shows("no-default-tag")
async def no_tag(bench: Bench) -> Any:
    """No tag."""
    await bench.push("site", site(), "latest")
    await see(bench, "pod", listing(), image(bench.reference("site").rpartition(":")[0]))
    found = await asyncio.to_thread(bench.lab.registry.requests)
    paths = [
        one.path for one in found if f"{bench.repository('site')}/manifests/" in one.path and not one.runner
    ]
    return paths[0].rpartition("/")[2]


@shows("expands-reference")
async def variable_in_reference(bench: Bench) -> Any:
    """Variable in reference."""
    await bench.push("site", site())
    one = container(reading("/vol/build.txt"), mount(), env=[{"name": "TAG", "value": "v1"}])
    await bench.create("pod", [image(bench.reference("site", "$(TAG)"))], [one])
    return await bench.outcome("pod")


@shows("pulls-every-sync")
async def idle_pod(bench: Bench) -> Any:
    """Idle pod."""
    reference = await bench.push("site", site())
    await held(bench, "pod", image(reference, "Always"))
    for number in range(3):
        bench.relabel("pod", str(number))
        await asyncio.sleep(0.3)
    return len(await bench.requests("site", method="HEAD")) > 1


async def asked_at_once(bench: Bench, names: Sequence[str]) -> int:
    """How many of these repositories, whose registry does not answer, are asked: a moment is left to those that follow the first."""

    async def asked() -> int:
        return sum([bool(await bench.requests(name)) for name in names])

    while not await asked():
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.4)
    return await asked()


@shows("volumes-side-by-side")
async def two_volumes_of_one_pod(bench: Bench) -> Any:
    """Two volumes of one Pod."""
    names = ("one", "two")
    volumes = [image(await broken(bench, name, stall_before=True), name=name) for name in names]
    await bench.create("pod", volumes, [container(HOLD, mount(volume="one"))])
    return await asked_at_once(bench, names)


@shows("volumes-jump-the-queue")
async def two_pods_at_once(bench: Bench) -> Any:
    """Two Pods at once, and whether the kubelet says that it pulls one image after the other."""
    names = ("one", "two")
    for name in names:
        await bench.create(
            name, [image(await broken(bench, name, stall_before=True))], [container(HOLD, mount())]
        )
    return [bench.node.settings.configz()["serializeImagePulls"], await asked_at_once(bench, names)]


@shows("volumes-bypass-throttle")
async def more_volumes_than_the_burst(bench: Bench) -> Any:
    """More volumes than registryBurst, and what the kubelet says of its rate."""
    volumes = [image(bench.reference("absent", f"v{number}"), name=f"v{number}") for number in range(15)]
    await bench.create("pod", volumes, [container(HOLD, mount(volume="v0"))])
    await bench.settled("pod")
    return [bench.node.settings.configz()["registryPullQPS"], len(set(await bench.requests("absent")))]


@shows("pulls-in-last-sync")
async def synced_when_over(bench: Bench) -> Any:
    """A Pod that is over."""
    reference = await bench.push("site", site())
    await bench.run("pod", [image(reference, "Always")])
    bench.relabel("pod", "x")
    await asyncio.sleep(0.3)
    return len(await bench.requests("site", method="HEAD")) > 1


# --- updates


async def moved(bench: Bench, policy: str = "Always", reference: str = "") -> Any:
    """A Pod holds a volume while its tag moves."""
    found = await bench.push("site", site("one"))
    await held(bench, "pod", image(reference or found, policy), restartPolicy="Always")
    await bench.push("site", site("two"))
    return found


@shows("live-update")
async def running_while_tag_moves(bench: Bench) -> Any:
    """Running while tag moves."""
    await moved(bench)
    await asyncio.sleep(1.5)
    return await bench.ask("pod", reading("/vol/build.txt"))


@shows("reference-cached-forever")
async def recreated_after_tag_moves(bench: Bench) -> Any:
    """Recreated after tag moves."""
    reference = await moved(bench)
    return await see(bench, "second", reading("/vol/build.txt"), image(reference, "Always"))


@shows("restart-resolves-again")
async def restarted_after_tag_moves(bench: Bench) -> Any:
    """Restarted after tag moves."""
    await moved(bench)
    await bench.restart("pod")
    return await bench.ask("pod", reading("/vol/build.txt"))


@shows("digest-follows-tag")
async def digest_restarted_after_latest_moves(bench: Bench) -> Any:
    """Digest restarted after latest moves."""
    one = site("one")
    await bench.push("site", site("two"), "latest")
    name = bench.reference("site").rpartition(":")[0]
    await moved(bench, reference=f"{name}@{one.digest}")
    await bench.restart("pod")
    return await bench.ask("pod", reading("/vol/build.txt"))


@shows("restart-uses-local-when-always")
async def restarted_after_deletion(bench: Bench) -> Any:
    """Restarted after deletion."""
    reference = await bench.push("site", site())
    await held(bench, "pod", image(reference, "Always"), restartPolicy="Always")
    await asyncio.to_thread(bench.lab.registry.delete_manifest, bench.repository("site"), "v1")
    await bench.restart("pod")
    return "Failed Error: ErrImagePull @spec.containers{main}" in bench.events("pod")


@shows("unmounts-on-exit")
async def restarted(bench: Bench) -> Any:
    """Restarted."""
    await held(bench, "pod", image(await bench.push("site", site())), restartPolicy="Always")
    await bench.restart("pod")
    return await bench.ask("pod", reading("/vol/build.txt"))


# --- errors


@shows("invalid-reference-as-pull-error")
async def invalid_reference(bench: Bench) -> Any:
    """Invalid reference."""
    return await see(bench, "pod", listing(), image(f"{bench.host}/UPPER:v1"))


@shows("starts-without-missing-image")
async def missing_image(bench: Bench) -> Any:
    """Missing image."""
    return await see(bench, "pod", reading("/vol/build.txt"), image(bench.reference("absent")))


@shows("starts-without-unauthorized-image")
async def unauthorized(bench: Bench) -> Any:
    """Unauthorized."""
    reference = await broken(bench, "site", status=401)
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference))


@shows("silent-on-forbidden")
async def forbidden(bench: Bench) -> Any:
    """Forbidden."""
    reference = await broken(bench, "site", status=403)
    await bench.create("pod", [image(reference)], [container("1", mount())])
    await asyncio.sleep(1.0)
    return reasons(bench.pod("pod")).get("main", "")


@shows("swallows-server-errors")
async def server_error(bench: Bench) -> Any:
    """Server error."""
    reference = await broken(bench, "site", status=500)
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference))


@shows("swallows-connection-errors")
async def refused(bench: Bench) -> Any:
    """Refused."""
    host = await asyncio.to_thread(bench.lab.registry.open_listener)
    await asyncio.to_thread(bench.lab.registry.close_listener, host)
    return await see(bench, "pod", reading("/vol/build.txt"), image(f"{host}/site:v1"))


@shows("no-back-off")
async def pulls_in_the_first_second(bench: Bench) -> Any:
    """Pulls in the first second."""
    await see(bench, "pod", listing(), image(bench.reference("absent")))
    await asyncio.sleep(0.7)
    return len(await bench.requests("absent")) > 1


@shows("gives-up")
async def pulls_after_back_off(bench: Bench) -> Any:
    """Pulls after back off."""
    await see(bench, "pod", listing(), image(bench.reference("absent")))
    await asyncio.sleep(1.6)
    return len(await bench.requests("absent")) > 1


@shows("failed-pull-fails-pod")
async def phase_of_failed_pull(bench: Bench) -> Any:
    """Phase of failed pull."""
    await bench.run("pod", [image(bench.reference("absent"))], [container("1", mount())])
    return bench.pod("pod")["status"]["phase"]


@shows("volume-keeps-pod-running")
async def phase_of_an_ended_pod(bench: Bench) -> Any:
    """Phase of an ended Pod."""
    await bench.create("pod", [image(await bench.push("site", site()))], [container("print(1)", mount())])

    def ended() -> str | None:
        state = statuses(bench.pod("pod")).get("main", {}).get("state", {})
        return bench.pod("pod")["status"]["phase"] if "terminated" in state else None

    return await bench.until(ended, "the container to end")


@shows("failed-volume-blocks-all-containers")
async def container_beside(bench: Bench) -> Any:
    """Container beside."""
    two = [container("1", mount()), container(HOLD, name="beside")]
    await bench.create("pod", [image(bench.reference("absent"))], two)
    return reasons(await bench.settled("pod")).get("beside", "runs")


@shows("no-container-event")
async def events_of_failed_volume(bench: Bench) -> Any:
    """Events of failed volume."""
    await see(bench, "pod", listing(), image(bench.reference("absent")))
    return "Failed Error: ErrImagePull @spec.containers{main}" in bench.events("pod")


@shows("reason-on-first-container-only")
async def two_containers_of_a_failing_volume(bench: Bench) -> Any:
    """Two containers that mount a volume that cannot be had."""
    both = [container(HOLD, mount(), name=name) for name in ("first", "second")]
    await bench.create("pod", [image(bench.reference("absent"))], both)
    await bench.until(lambda: reasons(bench.pod("pod")), "a container to wait")
    await asyncio.sleep(0.3)
    return reasons(bench.pod("pod"))


@shows("pulls-after-deletion")
async def requests_after_deletion(bench: Bench) -> Any:
    """Requests after deletion."""
    await see(bench, "pod", listing(), image(bench.reference("absent")))
    await bench.gone("pod")
    before = len(await bench.requests("absent"))
    await asyncio.sleep(1.5)
    return len(await bench.requests("absent")) > before


# --- credentials


@shows("no-secrets-for-volumes")
async def with_the_right_secret(bench: Bench) -> Any:
    """With the right secret."""
    reference = await private(bench, "site")
    secrets = give(bench, "right", (bench.host, "good", "word"))
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("first-secret-only")
async def with_wrong_and_right(bench: Bench) -> Any:
    """With wrong and right."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "bad", "no")) + give(bench, "b", (bench.host, "good", "word"))
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("secrets-in-list-order")
async def order_of_users(bench: Bench) -> Any:
    """Order of users."""
    reference = await private(bench, "site")
    path = f"{bench.host}/{bench.repository('site')}"
    secrets = give(bench, "a", (bench.host, "host", "no")) + give(bench, "b", (path, "path", "no"))
    await see(bench, "pod", listing(), image(reference), imagePullSecrets=secrets)
    return next(user for user in await bench.users("site") if user)


@shows("matches-host-only")
async def with_another_path(bench: Bench) -> Any:
    """With another path."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (f"{bench.host}/elsewhere", "good", "word"))
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("anonymous-after-wrong-credential")
async def wrong_credential_for_public(bench: Bench) -> Any:
    """Wrong credential for public."""
    reference = await bench.push("site", site())
    access = Access(users={"good": "word"}, anonymous=True)
    await asyncio.to_thread(bench.lab.registry.set_access, bench.repository("site"), access)
    await asyncio.to_thread(
        bench.lab.registry.add_fault,
        Fault(repository=bench.repository("site"), kinds=("manifest",), status=500, count=2),
    )
    secrets = give(bench, "a", (bench.host, "bad", "no"))
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("credential-to-wrong-registry")
async def secret_for_another_registry(bench: Bench) -> Any:
    """Secret for another registry."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", ("registry.example:5000", "stray", "word"))
    await see(bench, "pod", listing(), image(reference), imagePullSecrets=secrets)
    return "stray" in await bench.users("site")


@shows("one-credential-per-pod")
async def two_repositories_two_users(bench: Bench) -> Any:
    """Two repositories two users."""
    reference = await private(bench, "site")
    python = f"{bench.host}/{bench.repository('python')}"
    mine = f"{bench.host}/{bench.repository('site')}"
    secrets = give(bench, "a", (python, "bad", "no"), (mine, "good", "word"))
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("missing-secret-blocks")
async def missing_secret(bench: Bench) -> Any:
    """Missing secret."""
    reference = await bench.push("site", site())
    await bench.create(
        "pod", [image(reference)], [container("1", mount())], imagePullSecrets=[{"name": "absent"}]
    )
    await asyncio.sleep(1.5)
    return bench.pod("pod")["status"]["phase"]


@shows("accepts-any-secret-type")
async def opaque_secret(bench: Bench) -> Any:
    """Opaque secret."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "good", "word"), kind="Opaque")
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("caches-secrets")
async def secret_is_put_right(bench: Bench) -> Any:
    """Secret is put right."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "good", "wrong"))
    await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)
    right = pull_secret(secrets[0]["name"], (bench.host, "good", "word"))
    bench.store.update("secrets", right, expect_version=False)
    await asyncio.sleep(2.0)
    return bench.pod("pod")["status"]["phase"]


@shows("secrets-from-any-namespace")
async def secret_elsewhere(bench: Bench) -> Any:
    """Secret elsewhere."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "good", "word"), namespace="elsewhere")
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("empty-authorization")
async def anonymous_pull(bench: Bench) -> Any:
    """Anonymous pull."""
    await see(bench, "pod", listing(), image(await bench.push("site", site())))
    found = await asyncio.to_thread(bench.lab.registry.requests, bench.repository("site"))
    return next(one.scheme for one in found if not one.runner)


@shows("present-image-for-anyone")
async def private_image_that_is_present(bench: Bench) -> Any:
    """Private image that is present."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "good", "word"))
    await see(bench, "first", listing(), image(reference), imagePullSecrets=secrets)
    return await see(bench, "second", reading("/vol/build.txt"), image(reference))


@shows("knows-secrets-by-name")
async def other_secret_with_the_same_credential(bench: Bench) -> Any:
    """Other secret with the same credential, for an image that is there and that nobody may pull any more."""
    reference = await pulled_and_revoked(bench)
    secrets = give(bench, "b", (bench.host, "good", "word"))
    return await see(bench, "second", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("forgets-changed-secrets")
async def changed_secret(bench: Bench) -> Any:
    """The secret that has pulled an image, with another credential since, when nobody may pull it any more."""
    reference = await pulled_and_revoked(bench)
    name = f"{bench.node.name}-a"
    changed = pull_secret(name, (bench.host, "good", "other"))
    bench.store.update("secrets", changed, expect_version=False)
    return await see(
        bench, "second", reading("/vol/build.txt"), image(reference), imagePullSecrets=[{"name": name}]
    )


async def pulled_and_revoked(bench: Bench) -> str:
    """A private image that a Pod has pulled with the secret `a`, whose credential the registry refuses from then on."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "good", "word"))
    await see(bench, "first", listing(), image(reference), imagePullSecrets=secrets)
    await revoke(bench)
    return reference


async def revoke(bench: Bench) -> None:
    """Let nobody pull any more who could."""
    access = Access(users={"else": "where"})
    await asyncio.to_thread(bench.lab.registry.set_access, bench.repository("site"), access)


@shows("verifies-preloaded-images")
async def preloaded_image(bench: Bench) -> Any:
    """Preloaded image."""
    return await see(bench, "pod", reading("/vol/pause"), image(SANDBOX_IMAGE, "Never"))


@shows("revocation-kills-pods")
async def pod_on_a_revoked_credential(bench: Bench) -> Any:
    """Pod on a revoked credential."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "good", "word"))
    await held(bench, "first", image(reference), imagePullSecrets=secrets)
    await revoke(bench)
    await see(bench, "second", listing(), image(reference, "Always"), imagePullSecrets=secrets)
    await asyncio.sleep(2.0)
    return bench.pod("first")["status"]["phase"]


@shows("ignores-unreadable-secrets")
async def unreadable_secret(bench: Bench) -> Any:
    """Unreadable secret beside a right one. (The first Pod brings the container's image: the fault is about volumes only.)"""
    await see(bench, "first", listing(), image(await bench.push("other", site())))
    reference = await private(bench, "site")
    secret = pull_secret(f"{bench.node.name}-b")
    auths = {"auths": {"other.example": {"auth": "%"}}}
    secret["data"] = {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()}
    bench.store.create("secrets", secret)
    secrets = [
        {"name": secret["metadata"]["name"]},
        *give(bench, "a", (bench.host, "good", "word")),
    ]
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference), imagePullSecrets=secrets)


@shows("no-node-credentials-for-volumes")
async def docker_configuration(bench: Bench) -> Any:
    """Docker configuration of the kubelet."""
    reference = await private(bench, "site")
    auths = {bench.host: {"username": "good", "password": "word"}}
    (bench.node.home / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference))


@shows("no-credential-plugins-for-volumes")
async def credential_plugin(bench: Bench) -> Any:
    """Credential provider plugin."""
    reference = await private(bench, "site")
    auth = {bench.host: {"username": "good", "password": "word"}}
    (bench.node.home / PLUGIN_FILE).write_text(json.dumps({"auth": auth}), encoding="utf-8")
    return await see(bench, "pod", reading("/vol/build.txt"), image(reference))


@shows("node-credentials-first")
async def secret_beside_docker_configuration(bench: Bench) -> Any:
    """Secret beside a docker configuration of the older kind."""
    reference = await private(bench, "site")
    auths = {bench.host: {"username": "node", "password": "no"}}
    (bench.node.home / ".dockercfg").write_text(json.dumps(auths), encoding="utf-8")
    secrets = give(bench, "a", (bench.host, "secret", "no"))
    await see(bench, "pod", listing(), image(reference), imagePullSecrets=secrets)
    return list(dict.fromkeys(user for user in await bench.users("site") if user))


@shows("never-reveals-presence")
async def private_image_under_never(bench: Bench) -> Any:
    """Private image under never."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "good", "word"))
    await see(bench, "first", listing(), image(reference), imagePullSecrets=secrets)
    await see(bench, "second", listing(), image(reference, "Never"))
    return "is not present with pull policy of Never" in message(bench.pod("second"))


@shows("credentials-in-messages")
async def message_of_refused_credential(bench: Bench) -> Any:
    """Message of refused credential."""
    reference = await private(bench, "site")
    secrets = give(bench, "a", (bench.host, "good", "hush"))
    await see(bench, "pod", listing(), image(reference), imagePullSecrets=secrets)
    return "hush" in message(bench.pod("pod"))


# --- mounts: kubelet


WRITING = trying("open('/vol/new', 'w')")


@shows("read-only-only-if-asked", "writable")
async def new_file(bench: Bench) -> Any:
    """New file."""
    return await see(bench, "pod", WRITING, image(await bench.push("site", site())))


@shows("read-only-except-init")
async def new_file_in_init(bench: Bench) -> Any:
    """New file in init."""
    reference = await bench.push("site", site())
    await bench.create(
        "pod", [image(reference)], [container()], init=[container(WRITING, mount(), name="init")]
    )
    await bench.finished("pod")
    return await bench.said("pod", "init")


OWNER = "import os, json; s = os.stat('/vol/site/index.html'); print(json.dumps([s.st_uid, s.st_gid, oct(s.st_mode)]))"


@shows("fs-group-applied")
async def owner_with_fs_group(bench: Bench) -> Any:
    """Owner with fs group."""
    reference = await bench.push("site", site())
    security = {"fsGroup": OTHER}
    return await see(bench, "pod", OWNER, image(reference), securityContext=security)


@shows("chowns-to-run-as-user")
async def owner_with_run_as_user(bench: Bench) -> Any:
    """Owner with run as user."""
    reference = await bench.push("site", site())
    security = {"runAsUser": OTHER, "runAsGroup": OTHER}
    return await see(bench, "pod", OWNER, image(reference), securityContext=security)


async def expression(bench: Bench, text: str, **env: str) -> Any:
    """What a volume with this subPathExpr shows."""
    reference = await bench.push("site", site())
    variables = [{"name": name, "value": value} for name, value in env.items()]
    one = container(listing(), mount(subPathExpr=text), env=variables)
    await bench.create("pod", [image(reference)], [one])
    return await bench.outcome("pod")


@shows("sub-path-expr-not-expanded")
async def expression_with_value(bench: Bench) -> Any:
    """Expression with value."""
    return await expression(bench, "$(DIR)", DIR="old")


@shows("sub-path-expr-empty")
async def expression_without_value(bench: Bench) -> Any:
    """Expression without value."""
    found = await expression(bench, "$(DIR)")
    return found if isinstance(found, str) else "the image's root"


@shows("sub-path-expr-not-checked")
async def expression_that_leads_out(bench: Bench) -> Any:
    """Expression that leads out."""
    return await expression(bench, "$(DIR)", DIR="../etc")


@shows("volumes-swapped")
async def two_images(bench: Bench) -> Any:
    """Two images."""
    volumes = [image(await bench.push(name, site(name)), name=name) for name in ("first", "second")]
    mounts = [mount(volume="first"), mount("/other", volume="second")]
    await bench.create("pod", volumes, [container(reading("/other/build.txt"), *mounts)])
    return await bench.outcome("pod")


@shows("no-volumes-for-init-and-ephemeral")
async def volume_in_init(bench: Bench) -> Any:
    """Volume in init."""
    reference = await bench.push("site", site())
    init = container(reading("/vol/build.txt"), mount(), name="init")
    await bench.create("pod", [image(reference)], [container()], init=[init])
    await bench.finished("pod")
    return await bench.said("pod", "init")


@shows("no-volume-driver")
async def events_of_a_start(bench: Bench) -> Any:
    """Events of a start."""
    reference = await bench.push("site", site())
    await bench.create("pod", [image(reference)], [container("1", mount())])
    await asyncio.sleep(1.0)
    failed = [event for event in bench.events("pod") if event.startswith("FailedMount")]
    return [bench.pod("pod")["status"]["phase"], bool(failed) and "no volume plugin matched" in failed[0]]


# --- mounts: runtime


@shows("writable-sub-path")
async def new_file_in_sub_path(bench: Bench) -> Any:
    """New file in sub path."""
    reference = await bench.push("site", site())
    await bench.create("pod", [image(reference)], [container(WRITING, mount(subPath="site"))])
    return await bench.outcome("pod")


@shows("writable-if-privileged")
async def new_file_if_privileged(bench: Bench) -> Any:
    """New file if privileged."""
    reference = await bench.push("site", site())
    one = container(WRITING, mount(), securityContext={"privileged": True})
    await bench.create("pod", [image(reference)], [one])
    return await bench.outcome("pod")


@shows("refuses-only-creation")
async def existing_file(bench: Bench) -> Any:
    """Existing file."""
    code = trying("open('/vol/build.txt', 'a').write('x')")
    return await see(bench, "pod", code, image(await bench.push("site", site())))


@shows("reads-change-files")
async def time_of_a_file(bench: Bench) -> Any:
    """Time of a file."""
    await held(bench, "pod", image(await bench.push("site", site())))
    code = "import os; print(os.stat('/vol/build.txt').st_mtime_ns)"
    before = await bench.ask("pod", code)
    await asyncio.sleep(0.2)
    return await bench.ask("pod", code) == before


@shows("empty-directory", "silent-without-support")
async def contents(bench: Bench) -> Any:
    """Contents."""
    found = await see(bench, "pod", listing(), image(await bench.push("site", site())))
    return len(found)


@shows("no-exec")
async def mount_options(bench: Bench) -> Any:
    """Mount options."""
    code = "import json, os; print(json.dumps(bool(os.statvfs('/vol').f_flag & os.ST_NOEXEC)))"
    return await see(bench, "pod", code, image(await bench.push("site", site())))


@shows("mounts-at-parent")
async def beside_the_mount(bench: Bench) -> Any:
    """Beside the mount."""
    reference = await bench.push("site", site())
    volumes = [image(reference), {"name": "scratch", "emptyDir": {}}]
    mounts = [mount("/a/vol"), mount("/a/beside", volume="scratch")]
    code = "print(sum(' /a ' in line for line in open('/proc/self/mountinfo')))"
    await bench.create("pod", volumes, [container(code, *mounts)])
    return await bench.outcome("pod")


async def sub_path(bench: Bench, path: str, contents: Image | None = None) -> Any:
    """What a volume with this subPath shows."""
    reference = await bench.push("site", contents or site())
    await bench.create("pod", [image(reference)], [container(listing(), mount(subPath=path))])
    found = await bench.outcome("pod")
    return found if found == "CreateContainerError" else sorted(name[:12] for name in found)


@shows("sub-path-ignored", "sub-path-leaks-root")
async def sub_path_of_directory(bench: Bench) -> Any:
    """Sub path of directory."""
    return await sub_path(bench, "old")


@shows("sub-path-created")
async def sub_path_missing(bench: Bench) -> Any:
    """Sub path missing."""
    return await sub_path(bench, "absent")


@shows("sub-path-file-mounts-parent")
async def sub_path_of_file(bench: Bench) -> Any:
    """Sub path of file."""
    return await sub_path(bench, "old/old.html")


@shows("sub-path-parent-of-file")
async def sub_path_through_file(bench: Bench) -> Any:
    """Sub path through file."""
    return await sub_path(bench, "old/old.html/x")


@shows("sub-path-links-not-followed")
async def sub_path_of_link(bench: Bench) -> Any:
    """Sub path of link."""
    return await sub_path(bench, "current")


@shows("sub-path-escapes")
async def sub_path_out(bench: Bench) -> Any:
    """Sub path out."""
    found = await sub_path(bench, "out")
    return found if isinstance(found, str) else "passwd" in found


@shows("sub-path-last-wins")
async def two_sub_paths(bench: Bench) -> Any:
    """Two sub paths."""
    mounts = [mount(subPath="old"), mount("/site", subPath="site")]
    reference = await bench.push("site", site())
    await bench.create("pod", [image(reference)], [container(listing(), *mounts)])
    return await bench.outcome("pod")


@shows("sub-path-shared-failure")
async def beside_a_bad_sub_path(bench: Bench) -> Any:
    """Beside a bad sub path."""
    reference = await bench.push("site", site())
    two = [
        container(HOLD, mount(), name="good"),
        container("1", mount(subPath="absent"), name="poor"),
    ]
    await bench.create("pod", [image(reference)], two)
    await bench.settled("pod")
    await bench.holds("pod", "good")
    return await bench.ask("pod", reading("/vol/build.txt"), "good")


@shows("sub-path-not-cleaned")
async def sub_path_with_slash(bench: Bench) -> Any:
    """Sub path with slash."""
    return await sub_path(bench, "old/")


@shows("sub-path-names-cut")
async def sub_path_with_long_name(bench: Bench) -> Any:
    """Sub path with long name."""
    return await sub_path(bench, "a" * 70)


@shows("one-mount-per-volume")
async def volume_mounted_twice(bench: Bench) -> Any:
    """Volume mounted twice."""
    reference = await bench.push("site", site())
    one = container(reading("/again/build.txt"), mount(), mount("/again"))
    await bench.create("pod", [image(reference)], [one])
    return await bench.outcome("pod")


@shows("one-mount-per-image")
async def image_in_two_volumes(bench: Bench) -> Any:
    """Image in two volumes."""
    reference = await bench.push("site", site())
    volumes = [image(reference, name="a"), image(reference, name="b")]
    one = container(reading("/b/build.txt"), mount("/a", volume="a"), mount("/b", volume="b"))
    await bench.create("pod", volumes, [one])
    return await bench.outcome("pod")


@shows("unmounts-for-all")
async def beside_a_deleted_pod(bench: Bench) -> Any:
    """Beside a deleted pod."""
    reference = await bench.push("site", site())
    await held(bench, "stays", image(reference))
    await held(bench, "goes", image(reference))
    await bench.gone("goes")
    await asyncio.sleep(0.3)
    return await bench.ask("stays", reading("/vol/build.txt"))


@shows("containerd-1.7", "crio-1.30")
async def message_of_a_start(bench: Bench) -> Any:
    """Message of a start."""
    found = await see(bench, "pod", reading("/vol/build.txt"), image(await bench.push("site", site())))
    text = message(bench.pod("pod"))
    return [found, text.rpartition("spec: ")[2]]


# --- images


@shows("needs-command")
async def image_without_command(bench: Bench) -> Any:
    """Image without command."""
    return await see(bench, "pod", reading("/vol/build.txt"), image(await bench.push("site", site())))


async def merged(bench: Bench, layers: Sequence[Layer], code: str) -> Any:
    """What code sees of an image of these layers."""
    return await see(bench, "pod", code, image(await bench.push("layers", Image(layers))))


@shows("cuts-large-files")
async def large_file(bench: Bench) -> Any:
    """Large file."""
    code = "import os; print(os.path.getsize('/vol/large'))"
    return await merged(bench, [Layer([file("large", b"x" * 100_000)])], code)


@shows("layers-reversed")
async def overwritten_file(bench: Bench) -> Any:
    """Overwritten file."""
    layers = [Layer([file("file", "lower")]), Layer([file("file", "upper")])]
    return await merged(bench, layers, reading("/vol/file"))


@shows("whiteouts-ignored")
async def hidden_file(bench: Bench) -> Any:
    """Hidden file."""
    layers = [Layer([file("file"), file("kept")]), Layer([whiteout("file")])]
    return await merged(bench, layers, listing())


@shows("opaque-ignored")
async def hidden_directory(bench: Bench) -> Any:
    """Hidden directory."""
    layers = [Layer([file("folder/old")]), Layer([directory("folder"), opaque("folder"), file("folder/new")])]
    return await merged(bench, layers, listing("/vol/folder"))


@shows("types-merged")
async def changed_type(bench: Bench) -> Any:
    """Changed type."""
    layers = [Layer([file("thing/inner")]), Layer([file("thing", "a file")])]
    return await merged(bench, layers, reading("/vol/thing"))


@shows("links-rewritten")
async def absolute_link(bench: Bench) -> Any:
    """Absolute link."""
    code = "import json, os; print(json.dumps(os.readlink('/vol/folder/link')))"
    return await merged(bench, [Layer([symlink("folder/link", "/target")])], code)


@shows("modes-masked")
async def wide_mode(bench: Bench) -> Any:
    """Wide mode."""
    code = "import json, os; print(json.dumps(oct(os.stat('/vol/file').st_mode)))"
    return await merged(bench, [Layer([file("file", mode=0o666)])], code)


@shows("mtimes-lost")
async def old_time(bench: Bench) -> Any:
    """Old time."""
    code = "import os; print(int(os.stat('/vol/file').st_mtime))"
    found = await merged(bench, [Layer([file("file", mtime=1)])], code)
    return found == 1


@shows("no-zstd")
async def zstd_layer(bench: Bench) -> Any:
    """Zstd layer."""
    return await merged(bench, [Layer([file("file", "text")], compression="zstd")], reading("/vol/file"))


@shows("first-of-index")
async def platforms(bench: Bench) -> Any:
    """Platforms."""
    index = Index({"linux/s390x": site("first"), "linux/amd64": site("mine"), "linux/arm64": site("mine")})
    return await see(bench, "pod", reading("/vol/build.txt"), image(await bench.push("index", index)))


SHARED = Layer([file("shared", "shared by two images")])


@shows("layers-per-image")
async def layer_of_two_images(bench: Bench) -> Any:
    """Layer of two images."""
    for number in ("1", "2"):
        reference = await bench.push("both", Image([SHARED, Layer([file(number)])]), number)
        await see(bench, f"pod-{number}", listing(), image(reference))
    return (await bench.requests("both", "blob")).count(SHARED.digest)


@shows("pulls-into-each-pod")
async def layer_of_two_pods(bench: Bench) -> Any:
    """Layer of two pods."""
    reference = await bench.push("both", Image([SHARED]))
    for number in ("1", "2"):
        await see(bench, f"pod-{number}", listing(), image(reference))
    return (await bench.requests("both", "blob")).count(SHARED.digest) > 1


@shows("pulls-not-joined")
async def layer_of_two_pulls_at_once(bench: Bench) -> Any:
    """A layer that two Pods want before it has come."""
    reference = await bench.push("both", Image([SHARED]))
    held_back = Fault(
        repository=bench.repository("both"), kinds=("blob",), references=(SHARED.digest,), stall_before=True
    )
    await asyncio.to_thread(bench.lab.registry.add_fault, held_back)
    for number in ("1", "2"):
        await bench.create(number, [image(reference)], [container(listing(), mount())])
    while SHARED.digest not in await bench.requests("both", "blob"):
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.4)
    found = (await bench.requests("both", "blob")).count(SHARED.digest)
    await asyncio.to_thread(bench.lab.registry.heal, bench.repository("both"))
    return found


@shows("no-pull-timeout")
async def stalled_layer(bench: Bench) -> Any:
    """A layer of which half comes, and no more."""
    reference = await bench.push("large", Image([LARGE]))
    stall = Fault(repository=bench.repository("large"), stall_after_bytes=HALF)
    await asyncio.to_thread(bench.lab.registry.add_fault, stall)
    await bench.create("pod", [image(reference)], [container(listing(), mount())])
    await asyncio.sleep(1.5 * SETTINGS.pull_silence)
    return bool(reasons(bench.pod("pod")))


@shows("keeps-partial-blobs")
async def interrupted_layer(bench: Bench) -> Any:
    """A layer in the middle of which the connection breaks, once."""
    reference = await bench.push("large", Image([LARGE]))
    reset = Fault(repository=bench.repository("large"), reset_after_bytes=HALF, count=1)
    await asyncio.to_thread(bench.lab.registry.add_fault, reset)
    size = "import os; print(os.stat('/vol/large').st_size)"
    await bench.create("pod", [image(reference)], [container(size, mount())])
    await bench.until(
        lambda: bench.pod("pod").get("status", {}).get("phase") == "Succeeded", "the Pod to end"
    )
    return (await bench.said("pod")) == 2 * HALF


@shows("downloads-again")
async def layer_of_two_pulls(bench: Bench) -> Any:
    """Layer of two pulls."""
    reference = await bench.push("both", Image([SHARED]))
    for number in ("1", "2"):
        await see(bench, f"pod-{number}", listing(), image(reference, "Always"))
    return (await bench.requests("both", "blob")).count(SHARED.digest)


@shows("copies-per-pod")
async def lower_directories(bench: Bench) -> Any:
    """Lower directories."""
    code = (
        "import json\n"
        "line = next(line for line in open('/proc/self/mountinfo') if ' /vol ' in line)\n"
        "print(json.dumps(line.partition('lowerdir')[2].split(',')[0]))"
    )
    reference = await bench.push("site", site())
    found = [await see(bench, f"pod-{number}", code, image(reference)) for number in (1, 2)]
    return bool(found[0]) and found[0] == found[1]


# --- artifacts


def artifact(*titles: str | None, text: str = "text") -> Artifact:
    """An artifact of a file for each title. Its config is the empty one."""
    return Artifact([ArtifactFile(title=title, data=f"{text} {title}".encode()) for title in titles])


@shows("needs-diff-ids")
async def image_without_diff_ids(bench: Bench) -> Any:
    """Image without diff ids."""
    reference = await bench.push("bare", Image([Layer([file("file", "text")])], rootfs=False))
    return await see(bench, "pod", reading("/vol/file"), image(reference))


@shows("artifact-empty", "titles-ignored")
async def artifact_of_two_files(bench: Bench) -> Any:
    """Artifact of two files."""
    return await see(bench, "pod", listing(), image(await bench.push("artifact", artifact("a", "deep/b"))))


@shows("untitled-artifact-starts")
async def artifact_without_titles(bench: Bench) -> Any:
    """Artifact without titles."""
    return await see(bench, "pod", listing(), image(await bench.push("artifact", artifact(None))))


@shows("artifacts-merged-by-config")
async def artifacts_with_one_config(bench: Bench) -> Any:
    """Artifacts with one config."""
    one = await bench.push("one", artifact("file", text="one"))
    two = await bench.push("two", artifact("file", text="two"))
    volumes = [image(one, name="a"), image(two, name="b")]
    main = container(reading("/a/file"), mount("/a", volume="a"), mount("/b", volume="b"))
    await bench.create("pod", volumes, [main])
    return await bench.outcome("pod")


@shows("titles-escape")
async def title_that_leads_out(bench: Bench) -> Any:
    """Title that leads out."""
    reference = await bench.push("artifact", artifact("good", "../out"))
    return await see(bench, "pod", reading("/out"), image(reference))


@shows("writable-artifact")
async def write_to_an_artifact(bench: Bench) -> Any:
    """Write to an artifact."""
    reference = await bench.push("artifact", artifact("file"))
    return await see(bench, "pod", trying("open('/vol/file', 'a').close()"), image(reference))


# --- inodes, attributes, devices, escapes


@shows("hard-links-copied")
async def two_names(bench: Bench) -> Any:
    """Two names."""
    code = "import os; print(os.stat('/vol/two').st_nlink)"
    return await merged(bench, [Layer([file("one"), hardlink("two", "one")])], code)


@shows("special-bits-dropped")
async def setuid_bit(bench: Bench) -> Any:
    """Setuid bit."""
    code = "import json, os; print(json.dumps(oct(os.stat('/vol/file').st_mode)))"
    return await merged(bench, [Layer([file("file", mode=0o4755)])], code)


@shows("xattrs-dropped")
async def user_attribute(bench: Bench) -> Any:
    """User attribute."""
    code = "import json, os; print(json.dumps(os.listxattr('/vol/file')))"
    return await merged(bench, [Layer([file("file", xattrs={"user.comment": b"kept"})])], code)


@shows("refuses-devices")
async def device_in_a_layer(bench: Bench) -> Any:
    """Device in a layer."""
    layers = [Layer([device("null", "character device", 1, 3), file("file", "text")])]
    return await merged(bench, layers, reading("/vol/file"))


@shows("devices-allowed")
async def flags_of_the_mount(bench: Bench) -> Any:
    """Flags of the mount."""
    code = "import os, json; print(json.dumps(bool(os.statvfs('/vol').f_flag & os.ST_NODEV)))"
    return await merged(bench, [Layer([file("file")])], code)


@shows("refuses-empty-layers")
async def empty_layer(bench: Bench) -> Any:
    """Empty layer."""
    return await merged(bench, [Layer([file("file", "text")]), Layer([])], reading("/vol/file"))


@shows("limits-entries")
async def crowd(bench: Bench) -> Any:
    """Crowd."""
    code = "import os, json; print(json.dumps(len(os.listdir('/vol'))))"
    return await merged(bench, [Crowd(10_000, "crowd")], code)


@shows("unpack-escapes")
async def layer_that_aims_at_a_pod(bench: Bench) -> Any:
    """Layer that aims at a Pod's emptyDir; what is in that in the end."""
    scratch = {"name": "scratch", "emptyDir": {}}
    there = mount("/scratch", volume="scratch")
    await held(bench, "holder", image(await bench.push("site", site())), scratch, mounts=[mount(), there])
    point = "[line.split()[3] for line in open('/proc/self/mountinfo') if line.split()[4] == '/scratch']"
    (target,) = await bench.ask("holder", f"import json; print(json.dumps({point}))")
    for way in ("symlink", "parent"):
        aimed = hostile.image("1", way=way, target=target.lstrip("/"))
        await see(bench, way, "print(1)", image(await bench.push(way, aimed)))
    return await bench.ask("holder", listing("/scratch"))


@shows("corrupt-blobs-accepted")
async def wrong_byte(bench: Bench) -> Any:
    """Wrong byte."""
    contents = Image([Layer([file("file", b"x" * 9000)], compression="none")])
    reference = await bench.push("wrong", contents)
    fault = Fault(repository=bench.repository("wrong"), references=(contents.layers[0].digest,), corrupt=True)
    await asyncio.to_thread(bench.lab.registry.add_fault, fault)
    code = "print(1)"
    return await see(bench, "pod", code, image(reference))


@shows("config-of-volume-applied")
async def environment_of_the_volume(bench: Bench) -> Any:
    """Environment of the volume."""
    code = "import json, os; print(json.dumps(os.environ.get('OF_THE_VOLUME')))"
    contents = Image([Layer([file("file")])], config={"Env": ["OF_THE_VOLUME=1"]})
    return await see(bench, "pod", code, image(await bench.push("config", contents)))


@shows("helper-container")
async def containers_of_the_status(bench: Bench) -> Any:
    """Containers of the status."""
    pod = await held(bench, "pod", image(await bench.push("site", site())))
    return sorted(statuses(pod))


@shows("mounts-over-files")
async def mount_over_a_file(bench: Bench) -> Any:
    """Mount over a file."""
    own = await bench.push("own", Image([Layer([file("of/the/image", "text")])]))
    one = container("print(1)", mount("/of/the/image"), image=own)
    await bench.create("pod", [image(await bench.push("site", site()))], [one])
    pod = await bench.finished("pod")
    return statuses(pod)["main"]["state"]["terminated"]["reason"]


@shows("recursive-read-only-ignored")
async def recursive_read_only(bench: Bench) -> Any:
    """Recursive read-only."""
    asked = mount(readOnly=True, recursiveReadOnly="Enabled")
    pod = await held(bench, "pod", image(await bench.push("site", site())), mounts=[asked])
    return next(
        one["recursiveReadOnly"] for one in statuses(pod)["main"]["volumeMounts"] if one["name"] == "volume"
    )


@shows("refuses-propagation")
async def propagation_from_the_host(bench: Bench) -> Any:
    """Propagation from the host."""
    reference = await bench.push("site", site())
    one = container(reading("/vol/build.txt"), mount(mountPropagation="HostToContainer"))
    await bench.create("pod", [image(reference)], [one])
    return await bench.outcome("pod")


@shows("runtime-directories-mounted")
async def mounts_of_layers(bench: Bench) -> Any:
    """Mounts of layers."""
    code = "print(sum('/layers/' in line.split()[4] for line in open('/proc/self/mountinfo')))"
    return await merged(bench, [Layer([file("file")])], code)


@shows("no-new-privileges-ignored")
async def no_new_privileges(bench: Bench) -> Any:
    """No new privileges."""
    code = "print([line.split()[1] for line in open('/proc/self/status') if 'NoNewPrivs' in line][0])"
    reference = await bench.push("site", site())
    one = container(code, mount(), securityContext={"allowPrivilegeEscalation": False})
    await bench.create("pod", [image(reference)], [one])
    return await bench.outcome("pod")


# --- what is told: status, metrics, statistics


async def told(bench: Bench, name: str = "pod", *mounts: Json, **more: Any) -> Json:
    """The status of the container of a Pod that mounts an image volume, once it has ended or waits."""
    reference = await bench.push("site", site())
    one = container("print(1)", *(mounts or (mount(),)), **more)
    await bench.run(name, [image(reference)], [one])
    found: Json = bench.pod(name)["status"]["containerStatuses"][0]
    return found


def counted(bench: Bench, metric: str) -> int:
    """The sum of a metric's series on the node."""
    lines = [line for line in bench.node.metrics().splitlines() if line.startswith(metric)]
    return sum(int(line.rpartition(" ")[2]) for line in lines)


@shows("status-without-image-mounts")
async def mounts_in_status(bench: Bench) -> Any:
    """Mounts in status."""
    return [one["name"] for one in (await told(bench))["volumeMounts"] if one["name"] == "volume"]


@shows("status-tells-effective-read-only")
async def read_only_in_status(bench: Bench) -> Any:
    """Read only in status."""
    return [one.get("readOnly") for one in (await told(bench))["volumeMounts"] if one["name"] == "volume"]


@shows("volume-status-without-gate", "volume-status-for-every-volume", "volume-status-never-set")
async def volume_status(bench: Bench) -> Any:
    """The gate, and of what volumes there is a status."""
    told_of = {one["name"][:7] for one in (await told(bench))["volumeMounts"] if "volumeStatus" in one}
    return [counted(bench, 'kubernetes_feature_enabled{name="ImageVolumeWithDigest"'), *sorted(told_of)]


@shows("image-id-of-volume")
async def image_id(bench: Bench) -> Any:
    """Image id."""
    return (await told(bench))["imageID"].split("@")[0].rpartition("/")[2]


@shows("node-hides-volume-images")
async def images_of_node(bench: Bench) -> Any:
    """Images of node."""
    await told(bench)
    return any("/site@" in name for entry in bench.node._image_list() for name in entry["names"])


@shows("failed-pulls-counted-as-requested")
async def requested_of_failed_pull(bench: Bench) -> Any:
    """Requested of failed pull."""
    await bench.run("pod", [image(bench.reference("absent"), "Never")], [container("print(1)", mount())])
    return counted(bench, "kubelet_image_volume_requested_total") > 0


@shows("mounts-counted-by-volume")
async def mounted_twice(bench: Bench) -> Any:
    """Mounted twice."""
    await told(bench, "pod", mount(), mount("/other"))
    return counted(bench, "kubelet_image_volume_mounted_succeed_total")


@shows("failed-mounts-not-counted", "failed-mounts-counted-as-mounted")
async def failed_mount(bench: Bench) -> Any:
    """Failed mount."""
    await told(bench, "pod", mount(subPath="nope"))
    names = ("kubelet_image_volume_mounted_errors_total", "kubelet_image_volume_mounted_succeed_total")
    return [counted(bench, name) > 0 for name in names]


@shows("failed-starts-counted-as-mounted")
async def failed_before_creation(bench: Bench) -> Any:
    """Failed before creation."""
    await told(bench, image=bench.reference("absent"), imagePullPolicy="Never")
    return counted(bench, "kubelet_image_volume_mounted_succeed_total") > 0


@shows("volume-pulls-not-measured")
async def measured_pulls(bench: Bench) -> Any:
    """Pulls of the container's image and of the volume's."""
    await told(bench)
    return counted(bench, "kubelet_image_pull_duration_seconds_count")


@shows("image-volumes-charged")
async def statistics(bench: Bench) -> Any:
    """Statistics."""
    await told(bench)
    (mine,) = bench.node.stats_summary()["pods"]
    return [volume["name"] for volume in mine["volume"]]


@shows("sandbox-without-volumes")
async def sandboxed(bench: Bench) -> Any:
    """Sandboxed."""
    with suppress(AlreadyExists):
        bench.store.create("runtimeclasses", copy.deepcopy(SANDBOXED))
    volumes = [image(await bench.push("site", site()))]
    await bench.create("pod", volumes, [container(listing(), mount())], runtimeClassName="sandboxed")
    return await bench.outcome("pod")
