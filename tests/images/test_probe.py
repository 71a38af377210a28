"""images/probe: the interpreter runs from its image alone, in a root directory that holds nothing else."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from images import probe
from images.oci.image import Image
from images.oci.layer import Layer
from images.probe import elf

SERVE = """
import http.server, threading, urllib.request
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(f"http://127.0.0.1:{server.server_port}/etc/hosts", timeout=20).read().decode())
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def image() -> Image:
    """The probe image of the interpreter that runs the tests."""
    return probe.probe_image()


@pytest.fixture(scope="module")
def run(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command with the unpacked image as its root, and nothing in its environment but what the image's config says."""
    chroot = shutil.which("chroot", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert chroot, "chroot is part of every Linux system"
    change_root = [chroot] if os.geteuid() == 0 else ["unshare", "--map-root-user", chroot]
    if subprocess.run([*change_root, "/", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("neither root nor allowed to make a user namespace, so chroot is not possible")
    root = tmp_path_factory.mktemp("root")
    unpack(image.layers[0], root)
    environment = dict(entry.split("=", 1) for entry in image.config["Env"])

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*change_root, root, *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def unpack(layer: Layer, root: Path) -> None:
    """The layer as files under `root`, owned by whoever runs this."""
    with tarfile.open(fileobj=io.BytesIO(layer.data)) as archive:
        archive.extraction_filter = lambda member, _: member
        archive.extractall(root)  # noqa: S202 - our own archive


def test_the_interpreter_runs_from_its_image(run: Run) -> None:
    """`python3` starts, finds its library below /usr/local, and hashes."""
    code = "import json, hashlib, sys; print(json.dumps([sys.version, sys.prefix, hashlib.sha256(b'x').hexdigest()]))"
    result = run("python3", "-c", code)
    assert (result.returncode, result.stderr) == (0, "")
    assert sys.version.split()[0] in result.stdout
    assert '"/usr/local"' in result.stdout
    assert "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" in result.stdout


@pytest.mark.parametrize("path", ["/bin/python3", "/usr/bin/python3", "/usr/local/bin/python3"])
def test_the_interpreter_is_at_each_usual_path(run: Run, path: str) -> None:
    """A shebang or a command may name any of the usual paths."""
    assert run(path, "-c", "print(1)").stdout == "1\n"


def test_every_module_can_be_imported(run: Run) -> None:
    """Nothing that the image promises is missing, nor anything that it imports in turn."""
    result = run("python3", "-W", "error", "-c", "; ".join(f"import {name}" for name in probe.MODULES))
    assert (result.returncode, result.stderr) == (0, "")


def test_a_server_runs_on_loopback(run: Run) -> None:
    """Sockets, threads, HTTP and the end of a process with a daemon thread work: the registry's server needs all of them."""
    result = run("python3", "-c", SERVE)
    assert result.returncode == 0, result.stderr
    assert "127.0.0.1\tlocalhost" in result.stdout


def test_a_script_runs_with_the_standard_library_alone(run: Run) -> None:
    """Child processes, names of users, temporary files, messages of argparse and tracebacks work."""
    code = (
        "import argparse, pwd, subprocess, sys, tempfile, traceback, socket\n"
        "with tempfile.NamedTemporaryFile(dir='/tmp') as file: file.write(b'x')\n"
        "print(pwd.getpwuid(65532).pw_name, socket.getaddrinfo('localhost', 80)[0][4][1])\n"
        "print(subprocess.run([sys.executable, '-c', 'print(2)'], capture_output=True, text=True).stdout)\n"
        "try: 1/0\n"
        "except ZeroDivisionError: print(traceback.format_exc())\n"
        "argparse.ArgumentParser(prog='x').parse_args(['--nope'])\n"
    )
    result = run("python3", "-c", code)
    assert (result.returncode, result.stdout.split()[:3]) == (2, ["nonroot", "80", "2"])
    assert "ZeroDivisionError" in result.stdout
    assert "unrecognized arguments: --nope" in result.stderr


def test_byte_code_is_taken_as_it_is(run: Run) -> None:
    """Standard library modules come from unchecked .pyc files, so no start compiles anything or writes anywhere."""
    code = "import json, importlib.util as u; print(open(u.cache_from_source(json.__file__), 'rb').read()[4:8].hex())"
    assert run("python3", "-c", code).stdout == "01000000\n"
    traced = run("python3", "-v", "-c", "import json.decoder")
    assert "matches /usr/local" in traced.stderr
    assert "wrote" not in traced.stderr


def test_the_image_is_small(image: Image) -> None:
    """It is what every model cluster pulls first: below 40 MB, in one layer that needs no decompression."""
    (layer,) = image.layers
    assert layer.size < 40_000_000
    assert layer.compression == "none"


def test_the_image_is_the_same_each_time(image: Image) -> None:
    """One interpreter gives one image, whoever builds it and when."""
    assert probe.probe_image().digest == image.digest


def test_the_ground_of_a_container_is_there(image: Image) -> None:
    """Mount points, an empty /vol, a /tmp for everybody, and names for the users are there; nothing names the machine."""
    tree = image.tree
    assert [tree[path].type for path in ("dev", "proc", "sys", "vol")] == ["directory"] * 4
    assert not tree / "vol"
    assert tree["tmp"].mode == 0o1777
    assert {entry.uid for entry in tree.values()} == {0}
    assert image.config["Cmd"] == ["python3"]
    assert image.config["Env"][0] == "PATH=/usr/local/bin:/usr/bin:/bin"
    prefix = sys.base_prefix.lstrip("/")
    assert prefix in ("usr", "usr/local") or prefix not in tree


def test_a_module_that_is_missing_is_named() -> None:
    """An interpreter that cannot import what is wanted is an error that names the module."""
    with pytest.raises(RuntimeError, match="no_such_module"):
        probe.inventory(["no_such_module"])


def test_stripping_leaves_what_is_loaded(tmp_path: Path) -> None:
    """A program without its section headers is smaller or as large, keeps its facts, and still runs."""
    data = Path(os.path.realpath("/bin/sh")).read_bytes()
    small = elf.stripped(data)
    assert len(small) <= len(data)
    assert elf.read(small) == elf.read(data)
    program = tmp_path / "sh"
    program.write_bytes(small)
    program.chmod(0o755)
    assert (
        subprocess.run([program, "-c", "echo runs"], capture_output=True, text=True, check=True).stdout
        == "runs\n"
    )


def test_elf_facts_of_the_interpreter() -> None:
    """The dynamic linker of a program and the name of a library are those that the files hold."""
    found = probe.inventory(["json"])
    linker = elf.read(found.executable.read_bytes()).interpreter
    assert linker is not None
    assert Path(linker).exists()
    names = {elf.read(data).soname for path in found.mapped_files if elf.is_elf(data := path.read_bytes())}
    assert any(name and name.startswith(("libc.so", "libc.musl")) for name in names)


def test_what_is_no_elf_file_is_refused() -> None:
    """Facts are not read out of anything."""
    assert not elf.is_elf(b"#!/bin/sh")
    with pytest.raises(ValueError, match="ELF"):
        elf.read(b"#!/bin/sh")
