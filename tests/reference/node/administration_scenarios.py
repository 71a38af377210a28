"""Scenarios of faults that show when somebody does something to the node: restarts, removals, static Pods, what stays mounted.

`observe` is that of fault_scenarios, which knows these as well once this module is imported.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fixtures.reference.node.administration import administer
from fixtures.reference.node.image_gc import ImageCollector
from tests.reference.node.fault_scenarios import held, observe, see, shows, site
from tests.reference.node.lab import (
    Bench,
    Lab,
    container,
    image,
    machine_volumes,
    mount,
    reading,
    reasons,
    statuses,
)

Json = dict[str, Any]

__all__ = ["commands", "observe"]

TEXT = reading("/vol/build.txt")
PATIENCE = 3.0  # seconds


async def shown(bench: Bench, pod: Json) -> Any:
    """`waits` where the Pod's container does, be it in back-off by now; else what it shows."""
    return "waits" if "main" in reasons(pod) else await bench.ask("pod", TEXT)


def mounted(bench: Bench) -> list[str]:
    """What is mounted on the node for image volumes."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if f" {bench.node.home}/image-volumes/" in line]


@shows("kubelet-start-unmounts")
async def kubelet_restarts(bench: Bench) -> Any:
    """Kubelet restarts."""
    await held(bench, "pod", image(await bench.push("site", site())))
    await bench.node.restart_kubelet()
    assert statuses(bench.pod("pod"))["main"]["restartCount"] == 0
    return await bench.ask("pod", TEXT)


@shows("restart-loses-mounts")
async def runtime_restarts(bench: Bench) -> Any:
    """Runtime restarts."""
    await held(bench, "pod", image(await bench.push("site", site())), restartPolicy="Always")
    await bench.node.restart_runtime()
    return await shown(bench, await bench.restart("pod"))


@shows("reboot-forgets-images")
async def node_reboots(bench: Bench) -> Any:
    """Node reboots."""
    await held(bench, "pod", image(await bench.push("site", site())), restartPolicy="Always")
    await bench.node.reboot()

    def again() -> bool:
        one = statuses(bench.pod("pod"))["main"]
        return one["restartCount"] == 1 and "running" in one["state"]

    try:
        await bench.until(again, "the Pod to come back", PATIENCE)
    except TimeoutError:
        return "gone"
    return await bench.ask("pod", TEXT)


@shows("mounts-leak")
async def pod_is_gone(bench: Bench) -> Any:
    """Pod is gone."""
    await held(bench, "pod", image(await bench.push("site", site())))
    assert mounted(bench)
    await bench.gone("pod")
    return len(mounted(bench))


@shows("failed-sub-path-leaks-mount")
async def pod_with_a_failed_container_is_gone(bench: Bench) -> Any:
    """Pod with a failed container is gone."""
    failing = container("print(1)", mount(subPath="absent"), name="failing")
    await bench.create(
        "pod", [image(await bench.push("site", site()))], [failing, container("print(1)", mount())]
    )
    await bench.settled("pod")
    await bench.gone("pod")
    return len(mounted(bench))


async def has_mirror(bench: Bench, *volumes: Json, **spec: Any) -> bool:
    """Whether the kubelet runs a static Pod with these volumes."""
    await bench.empty_image()
    one = container("print(1)", *(mount(volume=volume["name"]) for volume in volumes))
    bench.complete(one)
    manifest = {
        "metadata": {"name": "static"},
        "spec": {"containers": [one], "volumes": [*volumes, *machine_volumes()]} | spec,
    }
    (bench.node.manifests / "static.json").write_text(json.dumps(manifest))
    assert bench.node.static_pods is not None
    bench.node.static_pods.look()
    pods, _ = bench.store.list("pods", fields={"spec.nodeName": bench.node.name})
    return [pod["metadata"]["name"] for pod in pods] == [f"static-{bench.node.name}"]


@shows("static-pods-without-image-volumes")
async def static_pod_with_a_volume(bench: Bench) -> Any:
    """Static pod with a volume."""
    return await has_mirror(bench, image(await bench.push("site", site())))


@shows("static-pods-take-secrets")
async def static_pod_with_a_secret(bench: Bench) -> Any:
    """Static pod with a secret."""
    return await has_mirror(bench, imagePullSecrets=[{"name": "any"}])


def collector(bench: Bench, times: list[float]) -> ImageCollector:
    """A collector for images that are unused for a second, whose clock shows these times."""
    clock = iter(times)
    return ImageCollector(bench.node.images, bench.node.runtime, 1.0, bench.node.faults, lambda: next(clock))


@shows("collects-mounted-images")
async def mounted_image_is_old(bench: Bench) -> Any:
    """Mounted image is old."""
    reference = await bench.push("site", site())
    await held(bench, "pod", image(reference))
    collects = collector(bench, [0, 0, 10])
    await collects.collect()
    await collects.collect()
    return bench.node.images.find(reference) is not None


@shows("keeps-mounted-images")
async def image_of_a_gone_pod_is_old(bench: Bench) -> Any:
    """Image of a gone pod is old."""
    reference = await bench.push("site", site())
    await held(bench, "pod", image(reference))
    collects = collector(bench, [0, 0, 10])
    await collects.collect()
    await bench.gone("pod")
    await collects.collect()
    return bench.node.images.find(reference) is not None


@shows("removal-unmounts")
async def image_is_removed(bench: Bench) -> Any:
    """Image is removed."""
    reference = await bench.push("site", site())
    await held(bench, "pod", image(reference))
    await bench.node.runtime.remove_image(reference)
    return await bench.ask("pod", TEXT)


@shows("removal-unnoticed")
async def restarted_after_removal(bench: Bench) -> Any:
    """Restarted after removal."""
    reference = await bench.push("site", site())
    await see(bench, "first", TEXT, image(reference))
    await held(bench, "pod", image(reference, "Never"), restartPolicy="Always")
    await bench.node.runtime.remove_image(reference)
    return await shown(bench, await bench.restart("pod"))


@shows("inspection-error-as-absence")
async def runtime_cannot_say(bench: Bench) -> Any:
    """Runtime cannot say."""
    reference = await bench.push("site", site())
    bench.node.images.inspection_errors[reference] = "no answer"
    await bench.create("pod", [image(reference)], [container(TEXT, mount())])
    return await bench.outcome("pod")


@shows("shares-writable-layer")
async def where_writes_would_go(bench: Bench) -> Any:
    """Where writes would go."""
    await held(bench, "pod", image(await bench.push("site", site())))
    (line,) = mounted(bench)
    return f"upperdir={bench.node.home}/layers" in line


# --- what an administrator does


async def commands(lab: Lab) -> Any:
    """The commands of a node, in turn: exit code and output, or the words of the error."""
    bench = await lab.node()
    reference = await bench.push("site", site())
    pod = await held(bench, "pod", image(reference), restartPolicy="Always")
    seen: Json = {}

    async def do(name: str, *words: str) -> str:
        code, out, err = await administer(bench.node, list(words))
        seen[name] = [code, err.strip()]
        return out.strip()

    images = json.loads(
        await do("images", "crictl", "--runtime-endpoint", "unix:///x", "images", "-o", "json")
    )
    seen["listed"] = any(reference in one["repoTags"] for one in images["images"])
    sandbox = await do(
        "pods", "crictl", "pods", "--label", f"io.kubernetes.pod.uid={pod['metadata']['uid']}", "-q"
    )
    await do("stop", "crictl", "stopp", sandbox)
    await bench.until(lambda: statuses(bench.pod("pod"))["main"]["restartCount"] == 1, "a new sandbox")
    seen["changed"] = any(event.startswith("SandboxChanged") for event in bench.events("pod"))
    await do("inspect", "crictl", "inspecti", reference)
    await do("remove", "crictl", "rmi", reference)
    await do("inspect removed", "crictl", "inspecti", "absent.example/x:y")
    await do("fault", "cri-fault", "ImageStatus", reference, "no answer")
    await do("inspect faulty", "crictl", "inspecti", reference)
    await do("restart", "systemctl", "restart", "kubelet.service")
    await do("restart runtime", "systemctl", "restart", bench.node.runtime_unit)
    await do("restart other", "systemctl", "restart", "other")
    await do("wrong", "crictl", "dance")
    await do("unknown", "dance")
    seen["still"] = statuses(bench.pod("pod"))["main"]["restartCount"]
    return seen
