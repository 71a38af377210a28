"""The clients that people use, unmodified: the official Python client, and kubectl where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config, watch
from kubernetes.stream import stream

from tests.reference.api.conversation import image, mount, pod
from tests.reference.api.support import LOG, cluster_in_thread

KUBECTL = shutil.which("kubectl")
MANIFEST = pod(
    "web",
    volumes=image(),
    containers=[{"name": "main", "image": "x:1", "volumeMounts": [mount(subPath="site")]}],
)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a cluster of two pretended nodes."""
    with cluster_in_thread(tmp_path_factory.mktemp("cluster"), "node-1", "node-2") as file:
        yield file


@pytest.fixture
def core(kubeconfig: Path) -> Iterator[client.CoreV1Api]:
    """The official client."""
    configuration = client.Configuration()
    config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    with client.ApiClient(configuration) as api:
        yield client.CoreV1Api(api)
        api.rest_client.pool_manager.clear()  # the client leaves its connections open


@pytest.fixture
def namespace(core: client.CoreV1Api, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = str(request.node.name).replace("_", "-")[:60].strip("-")
    core.create_namespace({"metadata": {"name": name}})
    return name


def test_python_client_follows_a_pod(core: client.CoreV1Api, namespace: str) -> None:
    """The typed client creates a Pod, watches it start, reads its log, runs a command, and deletes it."""
    core.create_namespaced_pod(namespace, MANIFEST)
    watcher = watch.Watch()
    for event in watcher.stream(core.list_namespaced_pod, namespace, timeout_seconds=20):
        if event["object"].status.phase == "Running":
            watcher.stop()
    found = core.read_namespaced_pod("web", namespace)
    assert found.spec.volumes[0].image.pull_policy == "IfNotPresent"
    log = core.read_namespaced_pod_log("web", namespace, _preload_content=False).data
    assert log == b"".join(LOG)
    running = stream(
        core.connect_get_namespaced_pod_exec,
        "web",
        namespace,
        command=["say", "3"],
        stdout=True,
        stderr=True,
        stdin=False,
        tty=False,
        _preload_content=False,
    )
    running.run_forever(timeout=20)
    assert (running.read_stdout(), running.returncode) == ("say 3", 3)
    running.sock.shutdown()  # close does nothing once the server has closed, and leaves the socket open
    core.delete_namespaced_pod("web", namespace)
    assert "web" not in [item.metadata.name for item in core.list_namespaced_pod(namespace).items]


def test_python_client_sees_refusals(core: client.CoreV1Api, namespace: str) -> None:
    """The typed client raises its ApiException with the Status."""
    with pytest.raises(client.ApiException) as caught:
        core.create_namespaced_pod(namespace, pod(volumes=image("")))
    assert caught.value.status == 422
    assert "spec.volumes[0].image.reference: Required value" in caught.value.body


def kubectl(kubeconfig: Path, namespace: str, *arguments: str, text: str | None = None, code: int = 0) -> str:
    """Run kubectl and return what it printed."""
    options = ["--kubeconfig", str(kubeconfig), "--cache-dir", str(kubeconfig.parent / "cache")]
    command = [KUBECTL or "kubectl", *options, "--namespace", namespace, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_kubectl_works(kubeconfig: Path, namespace: str) -> None:
    """The unmodified kubectl applies, gets, describes, reads logs, runs commands, labels and deletes."""
    manifest = yaml.safe_dump(MANIFEST)
    assert "pod/web created" in kubectl(kubeconfig, namespace, "apply", "-f", "-", text=manifest)
    kubectl(
        kubeconfig, namespace, "wait", "--for=jsonpath={.status.phase}=Running", "pod/web", "--timeout=20s"
    )
    wide = kubectl(kubeconfig, namespace, "get", "pods", "-o", "wide").splitlines()
    assert wide[0].split()[:6] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    assert wide[1].split()[:3] == ["web", "1/1", "Running"]
    described = kubectl(kubeconfig, namespace, "describe", "pod", "web")
    for line in (
        "Type:        Image (a container image or OCI artifact)",
        "Reference:   reg.example:5000/site:v1",
        "PullPolicy:  IfNotPresent",
        'from v (rw,path="site")',
        "Successfully assigned",
    ):
        assert line in described
    assert kubectl(kubeconfig, namespace, "logs", "web") == b"".join(LOG).decode()
    assert "say 3" in kubectl(kubeconfig, namespace, "exec", "web", "--", "say", "3", code=3)
    assert "hello" in kubectl(kubeconfig, namespace, "exec", "-i", "web", "--", "cat", text="hello")
    assert "pod/web labeled" in kubectl(kubeconfig, namespace, "label", "pod", "web", "a=b")
    assert "pod/web unchanged" in kubectl(kubeconfig, namespace, "apply", "-f", "-", text=manifest)
    changed = manifest.replace("site:v1", "site:v2")
    assert "Forbidden: pod updates may not change" in kubectl(
        kubeconfig, namespace, "apply", "-f", "-", text=changed, code=1
    )
    strange = manifest.replace("reference:", "refrence:")
    assert 'unknown field "spec.volumes[0].image.refrence"' in kubectl(
        kubeconfig, namespace, "apply", "-f", "-", text=strange, code=1
    )
    assert "Scheduled" in kubectl(kubeconfig, namespace, "get", "events")
    assert 'pod "web" deleted' in kubectl(kubeconfig, namespace, "delete", "pod", "web")
    assert "No resources found" in kubectl(kubeconfig, namespace, "get", "all")
    assert "FIELD" in kubectl(kubeconfig, namespace, "explain", "pod.spec.volumes.image.reference")


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_kubectl_creates_what_it_sends_as_protobuf(
    kubeconfig: Path, core: client.CoreV1Api, namespace: str
) -> None:
    """The commands that send protobuf work too: create of plain objects, and auth."""
    login = ("--docker-server=reg.example", "--docker-username=u", "--docker-password=p")
    kubectl(kubeconfig, namespace, "create", "secret", "docker-registry", "login", *login)
    secret = core.read_namespaced_secret("login", namespace)
    assert (secret.type, list(secret.data)) == ("kubernetes.io/dockerconfigjson", [".dockerconfigjson"])
    kubectl(kubeconfig, namespace, "create", "configmap", "words", "--from-literal=a=b")
    assert core.read_namespaced_config_map("words", namespace).data == {"a": "b"}
    kubectl(kubeconfig, namespace, "create", "serviceaccount", "puller")
    assert core.read_namespaced_service_account("puller", namespace).metadata.name == "puller"
    kubectl(kubeconfig, namespace, "create", "namespace", "by-kubectl")
    kubectl(kubeconfig, namespace, "delete", "namespace", "by-kubectl")
    assert kubectl(kubeconfig, namespace, "auth", "can-i", "create", "pods").strip() == "yes"
    assert "reference-admin" in kubectl(kubeconfig, namespace, "auth", "whoami")
