"""Workloads: what Pod templates say of image volumes, and what becomes of it when they are rolled out."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.control import control, in_time
from conformance.plugin import verifies
from conformance.verdict import ignored
from fixtures.errors import Inconclusive
from fixtures.manifests import HOLD, VOLUME, Json, mounting, tree
from fixtures.repositories import TAG, Asset, Repositories
from fixtures.templates import KINDS, Workload, Workloads, finished, template_of
from fixtures.workloads import Pod, Pods, phase
from images import site as site_asset
from images.tree import Tree

NEVER_PULLED = "registry.example/assets/site"
ROLLED_OUT = [name for name, kind in KINDS.items() if kind.held]
UNPULLED = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")
END_SECONDS = 30.0


@pytest.fixture
def versions(repositories: Repositories, build: str) -> tuple[Asset, Asset]:
    """Two builds of the site in one repository, under the tags old and new."""
    repository = repositories.new()
    old, new = (repository.push(site_asset.image(f"{build}-{name}"), name) for name in ("old", "new"))
    return old, new


def serving(reference: str, policy: str | None = None) -> Json:
    """A template whose Pods show the volume and stay."""
    return mounting(reference, tree(), HOLD, pull_policy=policy, restart_policy="Always")


def seen(pod: Pod) -> Tree:
    """What a Pod shows now."""
    return Tree.from_json(pod.look(tree()).of("tree").get("entries") or {})


def volume_of(workload: Json) -> Json:
    """The image volume of a workload's template, empty where there is none."""
    volumes = template_of(workload)["spec"].get("volumes") or []
    found: Json = next((volume for volume in volumes if volume["name"] == VOLUME), {})
    return found


@verifies("API-29")
@pytest.mark.parametrize("kind", KINDS)
def test_template_is_stored_as_given(workloads: Workloads, kind: str) -> None:
    """Given a template with an image volume that sets no pullPolicy, when a workload of it is created and read again, then the volume has
    its reference, and the policy that a Pod's would have: Always for the tag latest, else IfNotPresent. The mount is there as well.
    """
    chosen = KINDS[kind]
    restart_policy = "Always" if chosen.selected else "Never"
    # A DaemonSet has no other way to make no Pods than a node that there is not.
    nowhere: Json = {} if chosen.idle else {"nodeSelector": {"image-volume-conformance/none": "none"}}
    for tag, policy in (("v1", "IfNotPresent"), ("latest", "Always")):
        reference = f"{NEVER_PULLED}:{tag}"
        template = mounting(reference, restart_policy=restart_policy, **nowhere)
        found = workloads.create(kind, template, **chosen.idle).state()
        volume = volume_of(found)

        assert volume == {"name": VOLUME, "image": {"reference": reference, "pullPolicy": policy}}, ignored(
            when="image" not in volume, what="the image volume"
        )
        mounts = template_of(found)["spec"]["containers"][0]["volumeMounts"]
        assert VOLUME in [mounted["name"] for mounted in mounts], ignored(when=True, what="the mount")


@verifies("API-13")
@pytest.mark.parametrize("kind", ROLLED_OUT)
def test_new_reference_rolls_out(workloads: Workloads, versions: tuple[Asset, Asset], kind: str) -> None:
    """Given a workload whose Pod shows the old content, when its template gets the new reference, then the change is accepted; the Pod
    shows the old content as long as updates are held back; and once they are not, a new Pod shows the new.
    """
    old, new = versions
    chosen = KINDS[kind]
    workload = workloads.create(kind, serving(old.reference))
    workload.wait_rolled_out()
    (before,) = workload.pods()
    first = before.answers().tree()
    answer = workload.set_reference(new.reference, **chosen.held)
    stored = volume_of(workload.state()).get("image", {}).get("reference")
    kept = seen(before)

    control(first == old.tree, "before, the Pod shows the old content")
    assert answer.ok, f"the new reference was refused: {answer.status} {answer.message}"
    assert stored == new.reference
    assert kept == old.tree

    workload.change(dict(chosen.rolling))
    replaced = in_time(lambda: replacements(workload, [before]))
    assert replaced is not None, "no Pod of the new template took the old one's place"
    assert [pod.answers().tree() for pod in replaced] == [new.tree]


def replacements(workload: Workload, old: list[Pod]) -> list[Pod]:
    """The Pods of a workload once its rollout is complete and none of these is left. TimedOut."""
    gone = {pod.uid for pod in old}
    workload.wait_rolled_out()
    for pod in old:
        pod.wait_deleted()
    return [pod for pod in workload.pods() if pod.uid not in gone]


@verifies("UPD-04")
def test_rollout_under_always_reaches_every_replica(
    workloads: Workloads, repositories: Repositories, build: str
) -> None:
    """Given a Deployment of two replicas under Always, when new content is pushed to its tag and the Deployment is restarted, then each of
    the new Pods has asked the registry for the tag, and shows the new content.
    Control: before, both showed the old.
    """
    repository = repositories.new()
    old = repository.push(site_asset.image(f"{build}-old"))
    workload = workloads.create("Deployment", serving(old.reference, "Always"), replicas=2)
    workload.wait_rolled_out()
    pods = workload.pods()
    before = [pod.answers().tree() for pod in pods]
    new = repository.push(site_asset.image(f"{build}-new"))
    mark = repository.mark()
    workload.restart()
    fresh = replacements(workload, pods)

    control(before == [old.tree, old.tree], "before, both Pods showed the old content")
    control(len(fresh) == len(pods), "two new Pods took the old ones' places")
    assert [pod.answers().tree() for pod in fresh] == [new.tree, new.tree]
    assert repository.requests(mark).references.count(TAG) >= len(fresh)


@verifies("UPD-11")
@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (0, 1)], ids=["surge", "no surge"])
def test_bad_reference_in_a_rollout_harms_nobody(
    workloads: Workloads, versions: tuple[Asset, Asset], surge: int, unavailable: int
) -> None:
    """Given a Deployment of two replicas, when its template gets a reference that cannot be pulled, then the new Pod does not get ready,
    and of the old ones as many go on serving as the update's settings keep: both, or one where one may be unavailable.
    Control: when the reference is corrected, the rollout completes with the new content.
    """
    old, new = versions
    settings = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }
    workload = workloads.create("Deployment", serving(old.reference), replicas=2, strategy=settings)
    workload.wait_rolled_out()
    pods = workload.pods()
    before = [pod.answers().tree() for pod in pods]
    answer = workload.set_reference(f"{old.repository.address}:absent")
    if not answer.ok:
        raise Inconclusive(f"the new reference was refused: {answer.status} {answer.message}")
    fresh_one = newcomer(workload, pods)
    stuck = in_time(lambda: fresh_one.wait_refusal(*UNPULLED))
    left = {pod.uid for pod in workload.pods()}
    serving_on = [pod for pod in pods if pod.uid in left]

    control(before == [old.tree, old.tree], "before, both Pods showed the old content")
    assert stuck is not None, "the new Pod does not wait for its image"
    assert len(serving_on) == len(pods) - unavailable
    assert [seen(pod) for pod in serving_on] == [old.tree] * len(serving_on)

    workload.set_reference(new.reference)
    fresh = replacements(workload, pods)
    control([pod.answers().tree() for pod in fresh] == [new.tree] * 2, "with a good reference it completes")


def newcomer(workload: Workload, old: list[Pod]) -> Pod:
    """The first Pod of a workload that is none of these. TimedOut."""
    known = {pod.uid for pod in old}
    workload.wait(
        lambda _: any(pod.uid not in known for pod in workload.pods()),
        "a Pod of the new template",
        seconds=30,
    )
    return next(pod for pod in workload.pods() if pod.uid not in known)


def ended(pods: Pods, workloads: Workloads, owner: str, template: Json) -> str:
    """Run it as a bare Pod or as a Job, wait until it has ended, and say how: the Pod's phase, or the Job's condition."""

    def over(state: Json) -> Any:
        return phase(state) in ("Succeeded", "Failed")

    if owner == "Pod":
        pod = pods.started(template)
        state = in_time(lambda: pod.wait(over, "the Pod to have ended", seconds=END_SECONDS))
        return phase(state or pod.state())
    job = workloads.create("Job", template, backoffLimit=0)
    state = in_time(
        lambda: job.wait(lambda s: bool(finished(s)), "the Job to have ended", seconds=END_SECONDS)
    )
    return finished(state or job.state())


@verifies("LIFE-14")
@pytest.mark.parametrize("restart_policy", ["Never", "OnFailure"])
@pytest.mark.parametrize(("owner", "end"), [("Pod", "Succeeded"), ("Job", "Complete")])
def test_volume_does_not_keep_the_pod_alive(
    pods: Pods, workloads: Workloads, site: Asset, owner: str, end: str, restart_policy: str
) -> None:
    """Given a Pod, or a Job, whose container shows an image volume and ends well, when it has ended, then the Pod is Succeeded, and the
    Job Complete.
    Control: the same without the volume ends so.
    """
    template = mounting(site.reference, restart_policy=restart_policy)
    plain = mounting(site.reference, ("process",), restart_policy=restart_policy)
    plain["spec"]["volumes"] = []
    plain["spec"]["containers"][0]["volumeMounts"] = []
    without = ended(pods, workloads, owner, plain)
    with_volume = ended(pods, workloads, owner, template)

    control(without == end, "the same without the volume ends well")
    assert with_volume == end
