"""The canary: one Pod that shows what the target does with an image volume and a subPath, before anything is judged.

What the API server makes of the field is seen by a dry run; the rest by a Pod with two containers, one mounting the whole volume and one a
subPath of it. So each kind of platform without the feature (requirements of the areas errors and API describe them) is known by what it
does and never by its version, and no check has to wait in vain for a feature that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fixtures.api import Response
from fixtures.errors import Inconclusive, PreflightRefused
from fixtures.manifests import container, image_volume, mount, pod, tree
from fixtures.repositories import Repository
from fixtures.workloads import Pod, Pods, Refusal, refusals, settled
from images import site
from images.tree import Tree

Json = dict[str, Any]
Lack = dict[str, str]

MOUNT = "mount"
SUB_PATH = "sub-path"
WHOLE, BELOW = "whole", "below"
SUB = "site"
SECONDS = 60.0
PULL_REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "RegistryUnavailable",
    "InvalidImageName",
    "ImageInspectError",
)
NO_DRIVER = "no volume plugin matched"
NO_SUB_PATHS = "not allowed in image volume sources"
"""What the API servers of 1.31 and 1.32 say to a subPath."""
NO_SUCH_TYPE = 'uses restricted volume type "unknown"'
"""What Pod Security of 1.31 and 1.32 says to an image volume."""


class RegistryUnreached(PreflightRefused):
    """The node did not reach the test registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What the canary showed.

    lacks: what is lacking, by need, as the plugin's gate takes it. remark: what the report should say of a lack that the checks
    themselves judge.
    """

    lacks: Mapping[str, Lack]
    remark: str = ""


def refused(text: str) -> Lack:
    """The target refuses visibly, in these words."""
    return {"kind": "refused", "text": text}


def lost(text: str) -> Lack:
    """The target accepts and does nothing."""
    return {"kind": "lost", "text": text}


def manifest(reference: str, *, sub_path: str | None = SUB) -> Json:
    """The canary."""
    whole = container((tree(),), name=WHOLE, mounts=[mount()])
    below = container((tree(),), name=BELOW, mounts=[mount(sub_path=sub_path)])
    return pod([whole, below], volumes=[image_volume(reference)])


def fly(pods: Pods, repository: Repository) -> Sighting:
    """Push the canary's image, start the Pod, and say what the target lacks.

    Raises RegistryUnreached if the node did not ask the test registry, PreflightRefused if the probe image can't be had.
    """
    asset = repository.push(site.image(repository.name))
    answer = pods.offer(manifest(asset.reference), dryRun="All")
    sub_path: str | None = SUB
    told_ = ""
    if NO_SUB_PATHS in answer.message:
        sub_path, told_ = None, answer.message
        answer = pods.offer(manifest(asset.reference, sub_path=None), dryRun="All")
    at_api = api_lack(answer)
    if at_api is not None:
        return without_volumes(at_api)
    canary = pods.create(manifest(asset.reference, sub_path=sub_path))
    no_driver, refused_ = watch(canary)
    if no_driver:
        return without_volumes(refused(no_driver))
    if WHOLE in refused_:
        asked = bool(repository.requests())
        lack = read_refusal(refused_[WHOLE], pods.around.probe_image, asset.reference, asked=asked)
        return without_volumes(lack)
    found = compare(canary, asset.tree, refused_.get(BELOW))
    return Sighting(lacks={SUB_PATH: refused(told_), **found.lacks}) if told_ else found


def compare(canary: Pod, image: Tree, below_refused: Refusal | None) -> Sighting:
    """What the target lacks, by what the containers of a canary that started show of the image."""
    whole = look(canary, WHOLE)
    if whole is None or set(whole) != set(image):
        return without_volumes(
            lost("the container runs, but the volume does not show the image: " + told(whole))
        )
    if below_refused is not None:
        told_ = f"{below_refused.reason}: {below_refused.message}"
        if below_refused.reason in PULL_REASONS:
            raise Inconclusive(f"the canary's container with a subPath waits: {told_}")
        return Sighting(lacks={SUB_PATH: refused(told_)})
    below = look(canary, BELOW)
    if below is not None and set(below) == set(image):
        return Sighting(lacks={}, remark="subPath is silently ignored: the image's root is mounted instead")
    return Sighting(lacks={})


def without_volumes(lack: Lack) -> Sighting:
    """Whoever mounts no image volume mounts no subPath of one."""
    return Sighting(lacks={MOUNT: lack, SUB_PATH: lack})


def api_lack(answer: Response) -> Lack | None:
    """What the API server makes of the field, by its answer to a dry run.

    1.31 to 1.34 with the gate off drop the volume and its mounts without a word; 1.30 and older warn of an unknown field and make an
    emptyDir of it.
    """
    if not answer.ok:
        if 'unknown field "spec.volumes' in answer.message:
            return refused(f"the API server does not know image volumes: {answer.message}")
        if NO_SUCH_TYPE in answer.message:
            return refused(f"Pod Security does not admit image volumes: {answer.message}")
        raise Inconclusive(f"the API server refuses the canary Pod: {answer.status} {answer.message}")
    kept = [volume for volume in answer.body["spec"].get("volumes") or [] if "image" in volume]
    if kept:
        return None
    warned = "; ".join(answer.warnings)
    made = next((v for v in answer.body["spec"].get("volumes") or [] if v["name"] == "volume"), None)
    if made is None:
        return lost(
            "the API server drops image volumes and their mounts without a word (feature gate ImageVolume off)"
        )
    instead = ", ".join(key for key in made if key != "name")
    return lost(
        f"the API server makes an {instead} of an image volume" + (f", warning: {warned}" if warned else "")
    )


def watch(canary: Pod) -> tuple[str, dict[str, Refusal]]:
    """Wait until the canary has settled. Returns what a kubelet without a driver for the volume says, and the refusals by container.

    Such a kubelet leaves the Pod in ContainerCreating for ever and tells it in an event alone.
    """
    drivers: list[str] = []

    def known(state: Json) -> bool:
        if not settled(state):
            events = canary.events()
            drivers.extend(e.message for e in events if e.reason == "FailedMount" and NO_DRIVER in e.message)
        return bool(drivers) or settled(state)

    state = canary.poll(known, "the canary Pod to settle", seconds=SECONDS)
    if drivers:
        return drivers[0], {}
    return "", {refusal.container: refusal for refusal in refusals(state)}


def read_refusal(refusal: Refusal, probe_image: str, reference: str, *, asked: bool) -> Lack:
    """What it means that the container with the whole volume is refused. asked: whether the registry was asked for the image.

    A lack, if the runtime refuses it. Raises PreflightRefused if the probe image cannot be pulled, RegistryUnreached if the volume's
    image cannot since the node never got to the registry, and Inconclusive if it cannot for another reason.
    """
    told_ = f"{refusal.reason}: {refusal.message}"
    if refusal.reason not in PULL_REASONS:
        return refused(told_)
    if reference not in refusal.message and (asked or probe_image in refusal.message):
        raise PreflightRefused(
            f"The probe image {probe_image} cannot be pulled on the node: {told_}."
            " Give PROBE_IMAGE=REFERENCE of an image with Python 3 that the nodes can pull."
        )
    if not asked:
        raise RegistryUnreached(
            f"The node does not reach the test registry at {reference.partition('/')[0]}: {told_}."
            " Give REGISTRY=runner://HOST:PORT with an address that the nodes reach, or REGISTRY=node to run it on the node."
        )
    raise Inconclusive(f"the canary's image cannot be pulled: {told_}")


def look(canary: Pod, name: str) -> Tree | None:
    """What a container of the canary saw at the mount, or None where nothing could be listed."""
    answer = canary.answers(name).of("tree")
    return Tree.from_json(answer["entries"]) if "entries" in answer else None


def told(seen: Tree | None) -> str:
    """What was there instead, in words."""
    if seen is None:
        return "there is no directory at its mountPath"
    return "its directory is empty" if not len(seen) else f"its directory holds {', '.join(sorted(seen)[:5])}"
