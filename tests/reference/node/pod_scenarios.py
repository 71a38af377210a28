"""Scenarios of Pods on a right node, by name: what containers are given, how they run and end, what is said of them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from fixtures.reference.node.errors import NodeError
from fixtures.reference.node.settings import Settings
from images import layered, oddities
from images.oci.image import Image
from images.oci.layer import Layer, directory, file
from images.tree import Tree
from tests.reference.node.lab import (
    HOLD,
    PYTHON,
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
SETTINGS = Settings(container_back_off=(1.0, 4.0), retry=1.0)
AT_ONCE = 8
ALL_SINCE_5_9 = 0x1FFFFFFFFF

TOLD = """
import json, os
status = {name: value.strip() for name, _, value in (line.partition(":") for line in open("/proc/self/status"))}
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "groups": sorted(os.getgroups()), "cwd": os.getcwd(),
    "effective": status["CapEff"], "bounding": status["CapBnd"], "no_new_privs": status["NoNewPrivs"],
    "color": os.environ.get("COLOR"), "hostname": os.uname().nodename, "pid": os.getpid(),
}))
"""
WALK = """
import hashlib, json, os, stat, sys
found = {}
kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
         stat.S_IFCHR: "character device", stat.S_IFBLK: "block device", stat.S_IFSOCK: "socket"}
for folder, folders, files in os.walk(b"/vol"):
    for name in folders + files:
        path = os.path.join(folder, name)
        seen = os.lstat(path)
        entry = {"type": kinds[stat.S_IFMT(seen.st_mode)], "mode": stat.S_IMODE(seen.st_mode), "uid": seen.st_uid,
                 "gid": seen.st_gid, "mtime": int(seen.st_mtime), "size": None, "sha256": None, "target": None,
                 "nlink": None, "xattrs": {}}
        if stat.S_ISREG(seen.st_mode):
            entry |= {"size": seen.st_size, "nlink": seen.st_nlink}
            with open(path, "rb") as opened:
                entry["sha256"] = hashlib.sha256(opened.read()).hexdigest()
        if stat.S_ISLNK(seen.st_mode):
            entry["target"] = os.readlink(path).decode("utf-8", "surrogateescape")
        found[os.path.relpath(path, b"/vol").decode("utf-8", "surrogateescape")] = entry
print(json.dumps(found))
"""
"""Code that prints the tree below /vol."""


async def observe(lab: Lab, names: Sequence[str]) -> dict[str, Any]:
    """What each scenario sees; `ids`: how many there are."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Any:
        async with turns:
            try:
                async with asyncio.timeout(60):
                    return await SCENARIOS[name](await lab.node(settings=SETTINGS))
            except Exception as error:  # noqa: BLE001 - told as what was seen
                return f"{type(error).__name__}: {error}"

    seen = dict(zip(names, await asyncio.gather(*(one(name) for name in names)), strict=True))
    return seen | {"ids": lab.privileges.ids}


def scenario(function: Scenario) -> Scenario:
    """Mark a scenario; its name is the function's."""
    SCENARIOS[function.__name__] = function
    return function


# --- what a container is given


@scenario
async def the_layered_image_looks_as_promised(bench: Bench) -> Any:
    """Differences between the promised tree and the mounted one."""
    return await _differences(bench, layered.image())


@scenario
async def the_odd_image_looks_as_promised(bench: Bench) -> Any:
    """The same for every type of entry, mode and owner."""
    return await _differences(bench, oddities.image())


async def _differences(bench: Bench, pushed: Image) -> list[str]:
    reference = await bench.push("tree", pushed)
    await bench.run("walk", [image(reference)], [container(WALK, mount())])
    found = await bench.said("walk")
    blank = {"xattrs"}
    if bench.lab.privileges.ids == "one":
        blank |= {"uid", "gid"}
    return pushed.tree.without(*blank).differences(Tree.from_json(found))


@scenario
async def identity(bench: Bench) -> Any:
    """The user that is asked for, its groups, no capabilities; the same for a program that is run in it."""
    security = {"runAsUser": 1000, "runAsGroup": 3000, "allowPrivilegeEscalation": False}
    one = container(
        f"{TOLD}\n{HOLD}",
        securityContext=security,
        workingDir="/proc",
        env=[{"name": "COLOR", "value": "blue"}],
    )
    shared = {"supplementalGroups": [40], "fsGroup": 50}
    await bench.create("me", [], [one], securityContext=shared, hostname="my-name")
    await bench.holds("me")
    own = json.loads((await bench.log("me")).splitlines()[0])
    asked = await bench.ask("me", TOLD)
    same = {key: own[key] for key in own if key != "pid"} == {
        key: asked[key] for key in asked if key != "pid"
    }
    if bench.lab.privileges.ids == "one":
        own |= {"groups": [40, 50, 3000]}
    kept = ("uid", "gid", "groups", "cwd", "effective", "no_new_privs", "color", "hostname", "pid")
    return [{key: own[key] for key in kept}, same]


@scenario
async def the_configuration_of_the_image(bench: Bench) -> Any:
    """Its user with the groups of its files, its environment, directory and program, where the Pod asks for nothing."""
    members = [
        file("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv/web:/bin/sh\n"),
        file("etc/group", "root:x:0:\nweb:x:34:\nlog:x:35:other,web\n"),
    ]
    code = (
        f"{TOLD}\nprint(json.dumps([os.environ['HOME'], os.environ.get('SET'), __import__('sys').argv[1:]]))"
    )
    config = {
        "User": "web",
        "Env": ["SET=by the image", "COLOR=image"],
        "WorkingDir": "/made",
        "Entrypoint": [*PYTHON, code],
        "Cmd": ["from", "the image"],
    }
    reference = await bench.push("configured", Image([Layer(members)], config=config))
    own: Json = {"name": "main", "image": reference, "env": [{"name": "COLOR", "value": "pod"}]}
    other: Json = {"name": "other", "image": reference, "args": ["mine"], "workingDir": "/proc"}
    await bench.run("configured", [], [own, other])
    kept = ("uid", "gid", "groups", "cwd", "color", "effective")
    found = []
    for name in ("main", "other"):
        first, second = (await bench.log("configured", name)).splitlines()
        told = json.loads(first)
        if bench.lab.privileges.ids == "one":
            told |= {"groups": [34, 35]}
        found.append([*(told[key] for key in kept), *json.loads(second)])
    return found


@scenario
async def capabilities(bench: Bench) -> Any:
    """Those of containerd by default; none; one more; fewer; all."""
    wishes: dict[str, Json] = {
        "default": {},
        "none": {"capabilities": {"drop": ["ALL"]}},
        "more": {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}},
        "fewer": {"capabilities": {"drop": ["CHOWN"]}},
        "all": {"privileged": True},
    }
    containers = [container(TOLD, name=name, securityContext=wish) for name, wish in wishes.items()]
    await bench.run("capabilities", [], containers)
    found = {name: int((await bench.said("capabilities", name))["effective"], 16) for name in wishes}
    return {name: "many" if bits >= ALL_SINCE_5_9 else hex(bits) for name, bits in found.items()}


@scenario
async def read_only_root(bench: Bench) -> Any:
    """Nothing can be written but in volumes; a mount's place is made all the same."""
    one = container(
        trying("os.mkdir('/new')") + "\n" + trying("os.mkdir('/some/where/new')"),
        mount("/some/where"),
        securityContext={"readOnlyRootFilesystem": True},
    )
    await bench.run("root", [{"name": "volume", "emptyDir": {}}], [one])
    return (await bench.log("root")).split()


@scenario
async def mounts_in_mounts(bench: Bench) -> Any:
    """A directory of the image can be covered by another volume; one that it does not have cannot be made."""
    reference = await bench.push("outer", Image([Layer([directory("inner"), file("inner/hidden", "")])]))
    volumes = [image(reference), {"name": "empty", "emptyDir": {}}]
    code = "import os, json; open('/vol/inner/new', 'w'); print(json.dumps(os.listdir('/vol/inner')))"
    inside = container(code, mount("/vol/inner", volume="empty"), mount())
    await bench.run("inside", volumes, [inside])
    absent = container(code, mount("/vol/absent", volume="empty"), mount())
    pod = await bench.run("absent", volumes, [absent])
    end = statuses(pod)["main"]["state"]["terminated"]
    return [await bench.said("inside"), end["reason"], end["message"].partition("rootfs at ")[2]]


@scenario
async def places(bench: Bench) -> Any:
    """/proc is of the container's own processes, /dev has what programs expect, /sys is not the machine's."""
    code = """
import json, os
print(json.dumps([
    sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    sorted({"null", "zero", "full", "random", "urandom", "shm", "fd", "stdout"} - set(os.listdir("/dev"))),
    open("/dev/zero", "rb").read(2).hex(), os.access("/dev/shm", os.W_OK), open("/etc/hostname").read().strip(),
]))"""
    await bench.run("places", [], [container(code)], hostname="here")
    return await bench.said("places")


@scenario
async def volumes(bench: Bench) -> Any:
    """Config maps, secrets, projections, downward facts, and directories that containers share."""
    store = bench.store
    name = f"{bench.node.name}-data"
    store.create(
        "configmaps", {"metadata": {"name": name, "namespace": "default"}, "data": {"a": "A", "b": "B"}}
    )
    store.create("secrets", {"metadata": {"name": name, "namespace": "default"}, "data": {"s": "Uw=="}})
    wanted = [
        {"name": "map", "configMap": {"name": name, "items": [{"key": "a", "path": "x/a", "mode": 0o400}]}},
        {"name": "secret", "secret": {"secretName": name, "defaultMode": 0o440}},
        {
            "name": "both",
            "projected": {"sources": [{"configMap": {"name": name}}, {"secret": {"name": name}}]},
        },
        {
            "name": "facts",
            "downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]},
        },
        {"name": "shared", "emptyDir": {}},
        {"name": "none", "configMap": {"name": "absent", "optional": True}},
    ]
    code = """
import json, os
found = {}
for folder, _, files in os.walk("/all"):
    for name in files:
        path = os.path.join(folder, name)
        found[path.removeprefix("/all/")] = [open(path).read(), oct(os.stat(path).st_mode)]
print(json.dumps(found))"""
    mounts = [mount(f"/all/{one['name']}", volume=str(one["name"])) for one in wanted]
    first = container(
        "open('/all/f', 'w').write('from first')", mount("/all", volume="shared", subPath="s"), name="first"
    )
    await bench.run("volumes", wanted, [container(code, *mounts)], init=[first])
    return await bench.said("volumes")


@scenario
async def a_missing_config_map_is_waited_for(bench: Bench) -> Any:
    """The Pod has an event FailedMount, and starts once it is there."""
    name = f"{bench.node.name}-late"
    await bench.create(
        "late", [{"name": "volume", "configMap": {"name": name}}], [container(reading("/vol/a"), mount())]
    )
    await bench.until(lambda: bench.events("late"), "an event")
    events = bench.events("late")
    state = statuses(bench.pod("late"))["main"]["state"]
    bench.store.create(
        "configmaps", {"metadata": {"name": name, "namespace": "default"}, "data": {"a": "text"}}
    )
    await bench.finished("late")
    return [[one.replace(bench.node.name, "N") for one in events], state, await bench.said("late")]


@scenario
async def a_group_for_files(bench: Bench) -> Any:
    """A group is given to what the kubelet provides and not to images."""
    code = "import os, json; s = os.stat('/vol'); print(json.dumps([s.st_gid, oct(s.st_mode)]))"
    pod_wide = {"fsGroup": 4321}
    await bench.run(
        "group", [{"name": "volume", "emptyDir": {}}], [container(code, mount())], securityContext=pod_wide
    )
    return await bench.said("group")


@scenario
async def process_namespaces(bench: Bench) -> Any:
    """Of one's own, or the Pod's; hence a process may be the first one or not."""
    pair = [container(f"{TOLD}\n{HOLD}"), container(HOLD, name="other")]
    await bench.create("shared", [], pair, shareProcessNamespace=True)
    await bench.holds("shared")
    await bench.holds("shared", "other")
    seen = await bench.ask("shared", "import os; print(sum(name.isdigit() for name in os.listdir('/proc')))")
    first = json.loads((await bench.log("shared")).splitlines()[0])["pid"]
    return [first > 1, seen]  # the pause, both containers, and the one who asks


# --- how containers end


@scenario
async def endings(bench: Bench) -> Any:
    """Exit codes, reasons, and what was told before the end."""
    tell = "open('/dev/termination-log', 'w').write('because'); "
    containers = [
        container("pass", name="fine"),
        container(f"{tell}raise SystemExit(7)", name="told"),
        container(
            "print('last words'); raise SystemExit(3)",
            name="logged",
            terminationMessagePolicy="FallbackToLogsOnError",
        ),
        container("import os; os.abort()", name="aborted", securityContext={"privileged": True}),
    ]
    pod = await bench.run("endings", [], containers)
    ends = {name: one["state"]["terminated"] for name, one in statuses(pod).items()}
    kept = ("exitCode", "reason", "message")
    told = {name: [end.get(key, "") for key in kept] for name, end in ends.items() if name != "aborted"}
    return [told, pod["status"]["phase"]]


@scenario
async def a_program_that_is_not_there(bench: Bench) -> Any:
    """The words of runc."""
    pod = await bench.run("absent", [], [{"name": "main", "command": ["/no/such"]}])
    end = statuses(pod)["main"]["state"]["terminated"]
    return [end["exitCode"], end["reason"], end["message"].partition("runc create failed: ")[2]]


@scenario
async def a_directory_that_is_not_there(bench: Bench) -> Any:
    """The working directory is made."""
    await bench.run("cwd", [], [container(TOLD, workingDir="/made/for/me")])
    return (await bench.said("cwd"))["cwd"]


@scenario
async def not_root(bench: Bench) -> Any:
    """A container that must not run as root and would, and one that does not."""
    strict = {"runAsNonRoot": True}
    containers = [
        container(TOLD, securityContext=strict),
        container(TOLD, name="zero", securityContext={**strict, "runAsUser": 0}),
        container(TOLD, name="fine", securityContext={**strict, "runAsUser": 5}),
    ]
    await bench.create("strict", [], containers)

    def settled() -> Json | None:
        pod = bench.pod("strict")
        both = {"main", "zero"} <= set(reasons(pod))
        return pod if both and "terminated" in statuses(pod)["fine"]["state"] else None

    pod = await bench.until(settled, "all three")
    texts = [message(pod, name).partition(" (pod:")[0] for name in ("main", "zero")]
    return [reasons(pod), texts, (await bench.said("strict", "fine"))["uid"]]


@scenario
async def terminations(bench: Bench) -> Any:
    """SIGTERM first, and SIGKILL after the grace period."""
    polite = container(HOLD)
    stubborn = container(
        "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\nwhile 1: signal.pause()"
    )
    await asyncio.gather(bench.create("polite", [], [polite]), bench.create("stubborn", [], [stubborn]))
    seconds = []
    for name in ("polite", "stubborn"):
        await bench.holds(name)
        began = time.monotonic()
        await bench.gone(name)
        seconds.append(time.monotonic() - began)
    return [seconds[0] < 0.9, 1.0 <= seconds[1] < 5]


@scenario
async def crashes(bench: Bench) -> Any:
    """A container that fails is started again, later each time; its last run is told, and its log kept."""
    count = (
        "import os; n = len(os.listdir('/vol')); open(f'/vol/{n}', 'w'); print('run', n); raise SystemExit(1)"
    )
    volumes = [{"name": "volume", "emptyDir": {}}]
    await bench.create("crash", volumes, [container(count, mount())], restartPolicy="OnFailure")

    def restarted() -> Json | None:
        pod = bench.pod("crash")
        again = statuses(pod).get("main", {}).get("restartCount") == 2
        return pod if again and reasons(pod) else None

    pod = await bench.until(restarted, "two restarts")
    one = statuses(pod)["main"]
    kept = {key: one["lastState"]["terminated"][key] for key in ("exitCode", "reason")}
    previous = [piece async for piece in bench.node.logs(pod, "main", previous=True)]
    text = message(pod).partition(" pod=")[0]
    events = {event.partition(" in pod")[0] for event in bench.events("crash") if event.startswith("BackOff")}
    logs = [(await bench.log("crash")).strip(), b"".join(previous).decode().strip()]
    return [reasons(pod)["main"], text, kept, logs, sorted(events)]


# --- init containers, sidecars, ephemeral containers


@scenario
async def order(bench: Bench) -> Any:
    """Init containers one after the other, then the rest; a sidecar from its turn on until the end."""
    note = "import time, os; fd = os.open('/vol/order', os.O_WRONLY | os.O_APPEND | os.O_CREAT); os.write(fd, b'{} ')"
    sidecar = container(
        "import signal, sys\n" + note.format("side") + "\n"
        "signal.signal(15, lambda *_: (os.write(fd, b'side-ends '), sys.exit(0)))\nwhile 1: signal.pause()",
        mount(),
        name="side",
        restartPolicy="Always",
    )
    init = [
        container(note.format("one"), mount(), name="one"),
        sidecar,
        container(
            "import time, os\nwhile 'side' not in open('/vol/order').read(): time.sleep(.01)\n"
            + note.format("two"),
            mount(),
            name="two",
        ),
    ]
    await bench.create(
        "order", [{"name": "volume", "emptyDir": {}}], [container(note.format("main"), mount())], init=init
    )
    await bench.until(lambda: bench.pod("order").get("status", {}).get("phase") == "Succeeded", "the end")
    place = bench.node.workers[bench.pod("order")["metadata"]["uid"]].state.volumes
    return (place.path("volume") / "order").read_text().split()


@scenario
async def an_init_container_that_fails(bench: Bench) -> Any:
    """The Pod has failed, and nothing else has run."""
    pod = await bench.run("failing", init=[container("raise SystemExit(2)", name="first")])
    states = {name: next(iter(one["state"])) for name, one in statuses(pod).items()}
    return [
        pod["status"]["phase"],
        states,
        [c["status"] for c in pod["status"]["conditions"] if c["type"] == "Initialized"],
    ]


@scenario
async def an_ephemeral_container(bench: Bench) -> Any:
    """It runs in a running Pod, sees the processes of its target, and may mount the Pod's volumes."""
    reference = await bench.push("data", Image([Layer([file("file", "text")])]))
    await bench.create("debugged", [image(reference)], [container(HOLD, mount())])
    await bench.holds("debugged")
    code = "import json, os; print(json.dumps([os.getpid() > 1, open('/vol/file').read()]))"
    debugger = container(code, mount(), name="debugger", targetContainerName="main")
    bench.complete(debugger)

    def add(pod: Json) -> None:
        pod["spec"]["ephemeralContainers"] = [debugger]

    bench.store.modify("pods", f"{bench.node.name}-debugged", "default", add)
    await bench.until(
        lambda: "terminated" in statuses(bench.pod("debugged")).get("debugger", {}).get("state", {}),
        "the debugger",
    )
    pod = bench.pod("debugged")
    return [await bench.said("debugged", "debugger"), pod["status"]["phase"]]


# --- logs and exec


@scenario
async def logs(bench: Bench) -> Any:
    """Both streams, the last lines, one stream, a limit; following until the end."""
    code = "import os, time\nfor n in range(3): os.write(1, b'out %d\\n' % n); time.sleep(.02); os.write(2, b'err %d\\n' % n); time.sleep(.02)"
    await bench.create("logs", [], [container(code)])
    await bench.until(lambda: _begun(bench.pod("logs")), "a start")
    pod = bench.pod("logs")

    async def read(**wanted: Any) -> str:
        return b"".join([piece async for piece in bench.node.logs(pod, "main", **wanted)]).decode()

    followed = await read(follow=True)
    stamped = (await read(timestamps=True)).splitlines()
    return [
        sorted(followed.splitlines()),  # the two streams come by themselves, as from a real runtime
        len((await read(tail_lines=2)).splitlines()),
        (await read(stream="Stderr")).splitlines(),
        len(await read(limit_bytes=4)),
        all(line[:2] == "20" and line[10] == "T" for line in stamped),
    ]


def _begun(pod: Json) -> bool:
    return bool({"running", "terminated"} & set(statuses(pod).get("main", {}).get("state", {})))


@scenario
async def logs_of_nothing(bench: Bench) -> Any:
    """What is answered for a container that has not started, or never ran before."""
    await bench.create(
        "waiting", [image(f"{bench.host}/{bench.repository('absent')}:v1")], [container("", mount())]
    )
    await bench.finished("waiting")
    answers = []
    for previous in (False, True):
        try:
            _ = [piece async for piece in bench.node.logs(bench.pod("waiting"), "main", previous=previous)]
        except NodeError as error:
            answers.append([error.code, str(error).replace(bench.node.name, "N")])
    return answers


@scenario
async def programs_run_in_containers(bench: Bench) -> Any:
    """Exit codes, input, output, terminals; programs that are not there; an end from outside."""
    await bench.create("exec", [], [container(HOLD)])
    await bench.holds("exec")
    pod = bench.pod("exec")
    copy = await bench.node.exec(
        pod,
        "main",
        [*PYTHON, "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(4)"],
        stdin=True,
        tty=False,
    )
    assert copy.stdin is not None
    copy.stdin.write(b"x" * 200_000)
    await copy.stdin.drain()
    copy.stdin.close()
    copied = await copy.stdout.read()
    codes = [await copy.wait()]
    code = (
        "import os; print(os.isatty(0), os.environ['TERM']); input(); print(os.get_terminal_size(0).columns)"
    )
    terminal = await bench.node.exec(pod, "main", [*PYTHON, code], stdin=True, tty=True)
    assert terminal.stdin is not None
    shown = await terminal.stdout.readline()
    terminal.resize(rows=33, columns=44)
    terminal.stdin.write(b"\n")
    shown += await terminal.stdout.read()
    codes.append(await terminal.wait())
    endless = await bench.node.exec(
        pod, "main", [*PYTHON, "import time; time.sleep(99)"], stdin=False, tty=False
    )
    await endless.kill()
    codes.append(await endless.wait())
    try:
        await bench.node.exec(pod, "main", ["/no/such"], stdin=False, tty=False)
        answer = ""
    except NodeError as error:
        answer = str(error).partition("unable to start container process: ")[2]
    return [len(copied), copied[:2].decode(), shown.decode().split(), codes, answer]


@scenario
async def a_program_dies_with_its_container(bench: Bench) -> Any:
    """A program that was run in a container ends when the container does."""
    await bench.create("short", [], [container(HOLD)])
    await bench.holds("short")
    endless = await bench.node.exec(
        bench.pod("short"), "main", [*PYTHON, "import time; time.sleep(99)"], stdin=False, tty=False
    )
    await bench.gone("short")
    return await endless.wait()


# --- what is told of a node and its Pods


@scenario
async def conditions(bench: Bench) -> Any:
    """Phase, conditions, addresses, class, and what a container's status holds."""
    reference = await bench.push("data", Image([Layer([file("file", "text")])]))
    await bench.create("told", [image(reference)], [container(HOLD, mount())])
    await bench.holds("told")
    pod = await bench.until(lambda: _ready(bench.pod("told")), "it to be ready")
    status = pod["status"]
    one = statuses(pod)["main"]
    return [
        status["phase"],
        {condition["type"]: condition["status"] for condition in status["conditions"]},
        status["hostIP"],
        status["podIP"].startswith("127."),
        status["qosClass"],
        [one["ready"], one["started"], one["restartCount"], one["containerID"].partition(":")[0]],
        one["imageID"].startswith(f"{bench.host}/{bench.repository('python')}@sha256:"),
        [each for each in one["volumeMounts"] if each["name"] == "volume"],
        sorted(event.partition(" ")[0] for event in bench.events("told")),
    ]


def _ready(pod: Json) -> Json | None:
    found = {condition["type"]: condition["status"] for condition in pod["status"].get("conditions") or ()}
    return pod if found.get("Ready") == "True" else None


@scenario
async def the_node_tells_of_itself(bench: Bench) -> Any:
    """Its facts, its images, its numbers."""
    reference = await bench.push("data", Image([Layer([file("file", os.urandom(5000).hex())])]))
    await bench.create("user", [image(reference)], [container(HOLD, mount())])
    await bench.holds("user")

    def with_image() -> Json | None:
        node = bench.store.get("nodes", bench.node.name)
        names = [name for one in node["status"].get("images") or () for name in one["names"]]
        return node if reference in names else None

    node = await bench.until(with_image, "the image to be listed")
    info = node["status"]["nodeInfo"]
    stats = bench.node.stats_summary()
    metrics = bench.node.metrics()
    numbers = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line and not line.startswith("#"))
    return [
        [info[key] for key in ("kubeletVersion", "containerRuntimeVersion", "operatingSystem")],
        sorted(label for label in node["metadata"]["labels"] if label.startswith("kubernetes.io/")),
        {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"],
        stats["node"]["runtime"]["imageFs"]["usedBytes"] > 5000,
        [one["podRef"]["name"] for one in stats["pods"]] == [f"{bench.node.name}-user"],
        [
            numbers[f"kubelet_image_volume_{name}"]
            for name in ("requested_total", "mounted_succeed_total", "mounted_errors_total")
        ],
    ]


@scenario
async def too_much_storage(bench: Bench) -> Any:
    """A Pod that writes more than it may is evicted."""
    limits = {"limits": {"ephemeral-storage": "1Mi"}}
    code = (
        "open('/vol/big', 'wb').write(bytes(3 << 20)); print('up', flush=True)\nimport time; time.sleep(99)"
    )
    await bench.create(
        "greedy", [{"name": "volume", "emptyDir": {}}], [container(code, mount(), resources=limits)]
    )
    pod = await bench.until(lambda: _failed(bench.pod("greedy")), "the eviction")
    return [pod["status"]["reason"], pod["status"]["message"]]


def _failed(pod: Json) -> Json | None:
    return pod if pod.get("status", {}).get("phase") == "Failed" else None


@scenario
async def nothing_is_left(bench: Bench) -> Any:
    """Of a Pod that is gone: no directory, no container, no open file. Not for company: others open files too."""
    reference = await bench.push("data", Image([Layer([file("file", "text")])]))
    pods = [f"many-{number}" for number in range(6)]

    async def one(name: str) -> None:
        await bench.run(
            name, [image(reference), {"name": "empty", "emptyDir": {}}], [container(listing(), mount())]
        )
        await bench.gone(name)

    await one("first")
    before = _open_files()
    await asyncio.gather(*(one(name) for name in pods))
    await asyncio.sleep(0.2)
    root = bench.node.pod_folder("x").parent
    return [
        [path.name for path in root.iterdir()],
        len(bench.node.runtime.containers),
        len(bench.node.workers),
        _open_files() - before < len(pods),
    ]


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
