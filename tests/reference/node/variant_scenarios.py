"""What a node shows that does as CRI-O, or as containerd, where the two differ. Run in the lab."""

from __future__ import annotations

import asyncio
from typing import Any

from images.oci.image import Image
from images.oci.layer import Layer, file
from tests.reference.node.fault_scenarios import SETTINGS, artifact, held, see, site
from tests.reference.node.lab import HOLD, Bench, Lab, container, image, listing, message, mount, trying

SUB_PATHS = ("absent", "build.txt", "build.txt/below", "absolute", "out", "old")


async def sub_paths(bench: Bench) -> dict[str, Any]:
    """What comes of each subPath of an image: the names that are shown, or why the container waits."""
    reference = await bench.push("site", site())
    for number, path in enumerate(SUB_PATHS):
        one = container(listing(), mount(subPath=path))
        await bench.create(f"pod-{number}", [image(reference)], [one])
    found: dict[str, Any] = {}
    for number, path in enumerate(SUB_PATHS):
        seen = await bench.outcome(f"pod-{number}")
        found[path] = message(bench.pod(f"pod-{number}")) if isinstance(seen, str) else seen
    return found


async def artifacts(bench: Bench) -> dict[str, Any]:
    """Two files of an artifact, one with a title that leads out; whether files can be made and changed; and a subPath."""
    reference = await bench.push("artifact", artifact("deep/a", "../../out"))
    await held(bench, "whole", image(reference))
    await bench.create("part", [image(reference)], [container(HOLD, mount(subPath="absent"))])
    await bench.outcome("part")
    return {
        "names": await bench.ask("whole", listing()),
        "create": await bench.ask("whole", trying("open('/vol/new', 'w').close()")),
        "change": await bench.ask("whole", trying("open('/vol/deep/a', 'a').close()")),
        "absent": message(bench.pod("part")),
    }


async def refusals(bench: Bench) -> list[str]:
    """Why an artifact and an image without diff_ids are not mounted, and an absent image not pulled."""
    texts = []
    for name, pushed in (
        ("artifact", artifact("a")),
        ("bare", Image([Layer([file("file", "text")])], rootfs=False)),
    ):
        await see(bench, name, listing(), image(await bench.push(name, pushed)))
        texts.append(message(bench.pod(name)))
    return texts


async def pulls(bench: Bench) -> list[str]:
    """Why an absent image is not pulled, and what the image file system is said to hold."""
    await bench.push("site", site())
    await see(bench, "absent", listing(), image(bench.reference("site", "absent")))
    used = bench.node.stats_summary()["node"]["runtime"]["imageFs"]["usedBytes"]
    return [message(bench.pod("absent")), used]


async def observe(lab: Lab) -> Any:
    """All of it."""

    async def crio(scenario: Any) -> Any:
        return await scenario(await lab.node("crio", settings=SETTINGS))

    return await asyncio.gather(
        *(crio(scenario) for scenario in (sub_paths, artifacts, pulls)),
        refusals(await lab.node("containerd", settings=SETTINGS)),
    )
