"""The image that a consumer container of the reference cluster runs: the interpreter that runs this, and nothing else.

It holds the interpreter, the shared libraries it maps, and the part of the standard library that the probe and the test
registry need, so that a model of a cluster needs no image from anywhere. It has no shell.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import marshal
import platform
import posixpath
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from images.oci.image import Image
from images.oci.layer import Layer, Member, directory, file, symlink
from images.probe import elf

MODULES = (
    # What the probe and the registry's server import …
    *(
        "argparse",
        "base64",
        "collections",
        "contextlib",
        "ctypes",
        "dataclasses",
        "errno",
        "gzip",
        "hashlib",
        "hmac",
    ),
    *(
        "http.client",
        "http.server",
        "json",
        "os",
        "pathlib",
        "platform",
        "re",
        "secrets",
        "select",
        "shutil",
        "signal",
    ),
    *(
        "socket",
        "socketserver",
        "stat",
        "string",
        "struct",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
    ),
    *("urllib.parse", "urllib.request", "zlib"),
    # … what these import at their first use …
    *("bisect", "calendar", "concurrent.futures.thread", "copy", "datetime", "email.message", "email.parser"),
    *("email.utils", "fcntl", "fnmatch", "functools", "glob", "grp", "html", "io", "itertools", "locale"),
    *(
        "mimetypes",
        "mmap",
        "operator",
        "pwd",
        "queue",
        "random",
        "resource",
        "selectors",
        "textwrap",
        "traceback",
    ),
    *(
        "typing",
        "types",
        "unicodedata",
        "uuid",
        "warnings",
        "weakref",
        "_strptime",
        "enum",
        "math",
        "ipaddress",
    ),
    *("bz2", "lzma", "tarfile", "logging", "inspect", "heapq", "stringprep", "termios", "pty", "tty"),
    # … and what the interpreter imports to start.
    *("encodings.idna", "runpy", "site", "zipimport"),
)

PREFIX = "usr/local"
PATH = "/usr/local/bin:/usr/bin:/bin"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
"""Names of machines as OCI writes them (Go's GOARCH), where they differ from the kernel's."""

_USERS = """\
root:x:0:0:root:/root:/bin/false
user:x:1000:1000:user:/tmp:/bin/false
nonroot:x:65532:65532:nonroot:/tmp:/bin/false
nobody:x:65534:65534:nobody:/tmp:/bin/false
"""
_GROUPS = "root:x:0:\nuser:x:1000:\nnonroot:x:65532:\nnogroup:x:65534:\n"
_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an interpreter consists of: see inventory.py."""

    executable: Path
    stdlib: Path
    stdlib_below_prefix: str
    """Such as `lib/python3.11`."""
    module_files: tuple[Path, ...]
    mapped_files: tuple[Path, ...]


def probe_image(modules: Iterable[str] = MODULES) -> Image:
    """The image of the running interpreter with `modules` and all that they import. Made anew at each call: keep it.

    `python3` is on the PATH, `/vol` is an empty directory, `/tmp` can be written by everybody; the one layer is not
    compressed. RuntimeError if the interpreter cannot import one of `modules`.
    """
    found = inventory(modules)
    machine = platform.machine()
    return Image(
        [Layer([*_ground(), *_program(found), *_libraries(found), *_modules(found)], compression="none")],
        config={"Env": [f"PATH={PATH}", "LANG=C.UTF-8"], "Cmd": ["python3"], "WorkingDir": "/"},
        architecture=_ARCHITECTURES.get(machine, machine),
    )


def inventory(modules: Iterable[str] = MODULES) -> Inventory:
    """What the running interpreter consists of once it has imported `modules`; RuntimeError if it cannot."""
    program = Path(__file__).with_name("inventory.py")
    # The interpreter of a virtual environment may be a copy that finds its libraries only from there.
    interpreter = getattr(sys, "_base_executable", None) or sys.executable
    run = subprocess.run(
        [interpreter, "-I", "-S", program, *modules], capture_output=True, text=True, timeout=60, check=False
    )
    if run.returncode != 0:
        raise RuntimeError(f"{interpreter} cannot import what the probe needs: {run.stderr.strip()}")
    answer = json.loads(run.stdout)
    return Inventory(
        executable=Path(answer["executable"]),
        stdlib=Path(answer["stdlib"]),
        stdlib_below_prefix=answer["stdlib_below_prefix"],
        module_files=tuple(map(Path, answer["module_files"])),
        mapped_files=tuple(map(Path, answer["mapped_files"])),
    )


def _ground() -> Iterator[Member]:
    """What every container expects to find: mount points, a place to write, names for the users."""
    for path in ("dev", "etc", "proc", "root", "run", "sys", "vol"):
        yield directory(path)
    yield directory("tmp", mode=0o1777)
    yield file("etc/passwd", _USERS)
    yield file("etc/group", _GROUPS)
    yield file("etc/hosts", _HOSTS)
    yield file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")


def _program(found: Inventory) -> Iterator[Member]:
    data = found.executable.read_bytes()
    yield file(f"{PREFIX}/bin/python3", _small(data), mode=0o755)
    yield symlink("usr/bin/python3", f"/{PREFIX}/bin/python3")
    yield symlink("bin/python3", f"/{PREFIX}/bin/python3")
    linker = elf.read(data).interpreter if elf.is_elf(data) else None
    if linker is not None:
        yield file(linker.lstrip("/"), _small(Path(linker).read_bytes()), mode=0o755)


def _libraries(found: Inventory) -> Iterator[Member]:
    """The shared libraries, under the names that others need them by, where the linker looks without being told.

    That is where the C library lies: the linker's own default, while the paths written into a Python that somebody
    built from source name directories that only that machine has.
    """
    linker = elf.read(found.executable.read_bytes()).interpreter
    loaded = {}
    for path in found.mapped_files:
        data = b"" if path == found.executable or path.is_relative_to(found.stdlib) else path.read_bytes()
        if elf.is_elf(data) and not (linker and path == Path(linker).resolve()):
            loaded[elf.read(data).soname or path.name] = (path, data)
    home = next((path.parent for name, (path, _) in loaded.items() if name.startswith("libc.")), Path("/lib"))
    for name, (_, data) in sorted(loaded.items()):
        place = f"{home.as_posix().lstrip('/')}/{name}"
        yield file(place, _small(data), mode=0o755)
        if name.startswith("libpython"):  # some builds need it by its place beside the program: ../lib
            yield symlink(f"{PREFIX}/lib/{name}", f"/{place}")


def _modules(found: Inventory) -> Iterator[Member]:
    """The modules' sources and their byte code, which the interpreter takes without looking at the sources."""
    stdlib = f"{PREFIX}/{found.stdlib_below_prefix}"
    yield directory(f"{stdlib}/lib-dynload")  # by which the interpreter knows its libraries; may stay empty
    for path in found.module_files:
        name = posixpath.join(stdlib, path.relative_to(found.stdlib).as_posix())
        data = path.read_bytes()
        if path.suffix == ".py":
            yield file(name, data)
            yield file(_cached(name), _byte_code(path, data))
        else:
            yield file(name, _small(data), mode=0o755)


def _small(data: bytes) -> bytes:
    return elf.stripped(data) if elf.is_elf(data) else data


def _cached(name: str) -> str:
    parent, base = posixpath.split(name)
    tag = sys.implementation.cache_tag
    return f"{parent}/__pycache__/{base.removesuffix('.py')}.{tag}.pyc"


def _byte_code(path: Path, source: bytes) -> bytes:
    """The module's byte code as an unchecked hash-based .pyc (PEP 552): valid whatever time its source bears."""
    head = importlib.util.MAGIC_NUMBER + struct.pack("<L", 0b01) + importlib.util.source_hash(source)
    status = path.stat()
    stamp = struct.pack("<LLL", 0, int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
    try:
        kept = Path(importlib.util.cache_from_source(str(path), optimization="")).read_bytes()
    except OSError:
        kept = b""
    if kept[:16] == importlib.util.MAGIC_NUMBER + stamp:
        return head + kept[16:]  # the interpreter's own: taking it saves a second
    code = compile(source, str(path), "exec", dont_inherit=True, optimize=0)
    return head + marshal.dumps(code)
