"""The registry as containers/image sees it, the library with which CRI-O pulls: tested with skopeo."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fixtures.registry.client import Access, Fault, RegistryControl
from fixtures.registry.process import Running
from images.site import image

SKOPEO = shutil.which("skopeo")

pytestmark = pytest.mark.skipif(SKOPEO is None, reason="skopeo is not on PATH")

BEARER, _, BASIC, OPEN = range(4)  # the registry's addresses by what they challenge at /v2/
GOOD, BAD = "ann:right", "ann:wrong"


def copy(source: str, target: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run skopeo copy without any credential of the person who runs the tests."""
    command = [SKOPEO or "", "copy", "--quiet", *options, source, target]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def pull(host: str, repository: str, tmp_path: Path, user: str = "") -> subprocess.CompletedProcess[str]:
    """Copy repository:v1 into a folder."""
    options = ["--src-tls-verify=false", *([f"--src-creds={user}"] if user else ["--src-no-creds"])]
    return copy(f"docker://{host}/{repository}:v1", f"dir:{tmp_path / 'image'}", *options)


@pytest.fixture
def pushed(control: RegistryControl, repository: str) -> str:
    """A repository with the site image."""
    control.push(image("skopeo"), repository, "v1")
    return repository


@pytest.mark.parametrize("address", [BEARER, BASIC, OPEN])
@pytest.mark.parametrize("user", ["", BAD])
def test_public(registry: Running, pushed: str, tmp_path: Path, address: int, user: str) -> None:
    """A public repository is pulled from every address, without a credential and with one that nobody knows."""
    done = pull(registry.hosts[address], pushed, tmp_path, user)
    assert (done.returncode, done.stderr) == (0, "")
    manifest = (tmp_path / "image" / "manifest.json").read_bytes()
    assert manifest == image("skopeo").manifest
    for layer in json.loads(manifest)["layers"]:
        name = layer["digest"].partition(":")[2]
        assert hashlib.sha256((tmp_path / "image" / name).read_bytes()).hexdigest() == name


@pytest.mark.parametrize(
    ("address", "scheme", "shown"),
    [(BEARER, "bearer", "bearer"), (BEARER, "basic", "bearer"), (BASIC, "basic", "basic")],
)
def test_protected(
    control: RegistryControl,
    registry: Running,
    pushed: str,
    tmp_path: Path,
    address: int,
    scheme: str,
    shown: str,
) -> None:
    """The right user pulls with a token where the address challenges Bearer, with Basic where it challenges that.

    Control: nobody, and the user with a wrong password, are refused.
    """
    control.set_access(pushed, Access(users={"ann": "right"}, scheme=scheme))
    host, mark = registry.hosts[address], control.mark()
    for user in ("", BAD):
        refused = pull(host, pushed, tmp_path, user)
        assert refused.returncode == 1
        assert "unauthorized" in refused.stderr
    assert not any(request.authorized for request in control.requests(pushed, mark))
    mark = control.mark()
    done = pull(host, pushed, tmp_path, GOOD)
    assert (done.returncode, done.stderr) == (0, "")
    requests = control.requests(pushed, mark)
    assert {request.user for request in requests} == {"ann"}
    assert {request.scheme for request in requests if request.kind != "token"} == {shown}


def test_open_address_never_sees_a_credential(
    control: RegistryControl, registry: Running, pushed: str, tmp_path: Path
) -> None:
    """Without a challenge at `/v2/` containers/image sends no credential: why addresses challenge by default."""
    control.set_access(pushed, Access(users={"ann": "right"}, scheme="basic"))
    mark = control.mark()
    assert pull(registry.hosts[OPEN], pushed, tmp_path, GOOD).returncode == 1
    assert {request.user for request in control.requests(pushed, mark)} == {None}


@pytest.mark.parametrize("address", [BEARER, BASIC])
@pytest.mark.parametrize("scheme", ["bearer", "basic"])
def test_anonymous_but_no_wrong_credential(
    control: RegistryControl, registry: Running, pushed: str, tmp_path: Path, address: int, scheme: str
) -> None:
    """Where anonymous pulls are allowed, a wrong credential is refused all the same."""
    control.set_access(pushed, Access(users={"ann": "right"}, scheme=scheme, anonymous=True))
    host = registry.hosts[address]
    assert [pull(host, pushed, tmp_path, user).returncode for user in ("", GOOD, BAD)] == [0, 0, 1]


@pytest.mark.parametrize("address", [BEARER, BASIC])
def test_push_with_the_run_token(
    control: RegistryControl, registry: Running, pushed: str, tmp_path: Path, repository: str, address: int
) -> None:
    """The runner's user pushes by skopeo too, to a protected repository; nobody else does."""
    assert pull(registry.hosts[address], pushed, tmp_path).returncode == 0
    other = f"{repository}/copy"
    control.set_access(other, Access(users={"ann": "right"}, scheme="bearer"))
    source, target = f"dir:{tmp_path / 'image'}", f"docker://{registry.hosts[address]}/{other}:v1"
    for user in ("--dest-no-creds", f"--dest-creds={GOOD}"):
        assert copy(source, target, "--dest-tls-verify=false", user).returncode == 1
    done = copy(source, target, "--dest-tls-verify=false", f"--dest-creds=runner:{registry.token}")
    assert (done.returncode, done.stderr) == (0, "")
    assert pull(registry.hosts[address], other, tmp_path, GOOD).returncode == 0


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("", status=500), "500 Internal Server Error"),
        (Fault("", status=403), "denied"),
        (Fault("", kinds=("manifest",), status=404), "fault"),
        (Fault("", kinds=("blob",), corrupt=True), "igest"),
        (Fault("", kinds=("blob",), reset_after_bytes=10), "reset"),
        (Fault("", kinds=("token",), status=503), "503"),
    ],
)
def test_faults_fail_the_pull(
    control: RegistryControl, registry: Running, pushed: str, tmp_path: Path, fault: Fault, text: str
) -> None:
    """Each fault fails a pull with its own error, and the pull works again once it is healed."""
    fields = {**fault.to_json(), "repository": pushed}
    with control.faulty(Fault.from_json(fields)):
        done = pull(registry.hosts[BEARER], pushed, tmp_path)
        assert done.returncode == 1
        assert text in done.stderr
    assert pull(registry.hosts[BEARER], pushed, tmp_path).returncode == 0


def test_wrong_digest_header_fails_a_pull_by_tag(
    control: RegistryControl, registry: Running, pushed: str, tmp_path: Path
) -> None:
    """A server that names another digest than the content's: containers/image looks at the content alone."""
    with control.faulty(Fault(pushed, wrong_digest_header=True)):
        assert pull(registry.hosts[BEARER], pushed, tmp_path).returncode == 0
