"""Registry credentials: which are found, which are tried, in which order, and where they never go. The registry's record tells."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from conformance.checks.refusals import UNPULLED, refused
from conformance.control import control, in_time
from conformance.plugin import verifies
from fixtures.api import Api
from fixtures.credentials import DOCKER_CFG, DOCKER_CONFIG_JSON, Credentials, User, pull_secrets, with_secrets
from fixtures.manifests import HOLD, Json, container, image_volume, mount, mounting, pod, tree
from fixtures.namespaces import Namespaces
from fixtures.plugin import PodsAt
from fixtures.repositories import Asset, Repositories
from fixtures.static_pods import StaticPods
from fixtures.workloads import Pods
from images import site as site_asset
from images.oci.image import Image
from images.oci.layer import Layer, file
from images.oddities import programs

MISSING_SECRET = "FailedToRetrieveImagePullSecret"  # noqa: S105 - the reason of an event

Observe = Callable[[Any, str], None]


@verifies("AUTH-01")
def test_public_image_is_pulled_without_credentials(pods: Pods, site: Asset) -> None:
    """Given a public image and a Pod without secrets, when it is pulled, then no request carries a user."""
    seen = pods.run(mounting(site.reference)).tree()
    requests = site.repository.requests()

    assert seen == site.tree
    assert requests.manifests
    assert [request.user for request in requests if request.user is not None] == []
    assert "basic" not in {request.scheme for request in requests}


@verifies("AUTH-02")
@pytest.mark.parametrize("scheme", ["basic", "bearer"])
@pytest.mark.parametrize("kind", [DOCKER_CONFIG_JSON, DOCKER_CFG], ids=["dockerconfigjson", "dockercfg"])
def test_pod_secret_authenticates(
    pods: Pods, credentials: Credentials, site: Asset, alice: User, kind: str, scheme: str
) -> None:
    """Given a private image, when a Pod lists a secret with the right credential, then it is pulled as that user.
    Control: the same Pod without the secret is refused.
    """
    site.repository.protect(alice, scheme=scheme)
    without = pods.start(mounting(site.reference)).refusal()
    secret = credentials.secret(pods.namespace, {site.repository.host: alice}, kind=kind)
    pod_ = pods.start(with_secrets(site.reference, secret))

    control(without is not None and without.reason in UNPULLED, "the same Pod without the secret is refused")
    assert pod_.refusal() is None, str(pod_.refusal())
    assert pod_.answers().tree() == site.tree
    assert "alice" in site.repository.requests().users


@verifies("AUTH-03")
def test_service_account_secret_authenticates(
    pods: Pods, credentials: Credentials, private: Asset, alice: User
) -> None:
    """Given a private image and a ServiceAccount with the right secret, when a Pod of that account lists no secret itself, then admission
    gives it the account's and the image is pulled.
    Control: the same Pod with the default account is refused.
    """
    without = pods.start(mounting(private.reference)).refusal()
    secret = credentials.secret(pods.namespace, {private.repository.host: alice})
    account = credentials.service_account(pods.namespace, secret)
    pod_ = pods.start(mounting(private.reference, serviceAccountName=account))

    control(without is not None, "the same Pod with the default account is refused")
    assert pod_.state()["spec"].get("imagePullSecrets") == [{"name": secret}]
    assert pod_.refusal() is None, str(pod_.refusal())
    assert pod_.answers().tree() == private.tree


@verifies("AUTH-04")
def test_pod_secrets_replace_the_service_accounts(
    pods: Pods, credentials: Credentials, private: Asset, alice: User, mallory: User
) -> None:
    """Given a ServiceAccount with the right secret, when a Pod of that account lists another secret that is of no use, then it has its own
    alone and is refused.
    Control: without a secret of its own, the Pod of that account is pulled for.
    """
    right = credentials.secret(pods.namespace, {private.repository.host: alice})
    useless = credentials.secret(pods.namespace, {"other.example": mallory})
    account = credentials.service_account(pods.namespace, right)
    pod_ = pods.start(with_secrets(private.reference, useless, serviceAccountName=account))

    assert pod_.state()["spec"].get("imagePullSecrets") == [{"name": useless}]
    refused(pod_)
    assert "alice" not in private.repository.requests().users
    without_own = pods.run(mounting(private.reference, serviceAccountName=account)).tree()
    control(without_own == private.tree, "without a secret of its own the Pod is pulled for")


@verifies("AUTH-08")
def test_order_of_matching_credentials(
    pods: Pods, credentials: Credentials, private: Asset, observe: Observe
) -> None:
    """Given four wrong credentials, two for the registry and two for the repository, listed the other way round than their keys sort, when
    the image is pulled, then the registry sees the users in an order, which is recorded.
    """
    host, path = private.repository.host, private.repository.address
    first, second, third, fourth = (
        credentials.user(name) for name in ("host-1", "host-2", "path-1", "path-2")
    )
    keys = [(host, first), (host, second), (path, third), (path, fourth)]
    secrets = [credentials.secret(pods.namespace, {key: user}) for key, user in keys]
    refused(pods.start(with_secrets(private.reference, *secrets)))
    known = {user.name for _, user in keys}
    tried = list(dict.fromkeys(user for user in private.repository.requests().users if user in known))

    assert set(tried) == known
    observe(
        tried,
        "the users tried, of secrets listed as host-1, host-2 (key HOST:PORT), path-1, path-2 (key HOST:PORT/PATH)",
    )


def _keys(asset: Asset) -> dict[str, tuple[str, bool]]:
    """Keys of a docker config, and whether each must match the image. Rules: kubernetes.io, Images, interpretation of config.json."""
    host, _, port = asset.repository.host.rpartition(":")
    name = asset.repository.name
    first = name.partition("/")[0]
    labels = host.split(".")
    return {
        "host and port": (f"{host}:{port}", True),
        "with scheme": (f"http://{host}:{port}", True),
        "with /v2/": (f"{host}:{port}/v2/", True),
        "path": (f"{host}:{port}/{first}", True),
        "whole path": (f"{host}:{port}/{name}", True),
        "glob for a label": (".".join(["*", *labels[1:]]) + f":{port}", True),
        "no port": (host, False),
        "other port": (f"{host}:1", False),
        "other path": (f"{host}:{port}/other", False),
        "glob for two labels": (".".join(["*", *labels[2:]]) + f":{port}", False),
        "other host": (f"other.example:{port}", False),
    }


KEYS = (
    "host and port",
    "with scheme",
    "with /v2/",
    "path",
    "whole path",
    "glob for a label",
    "no port",
    "other port",
    "other path",
    "glob for two labels",
    "other host",
)


@verifies("AUTH-09")
@pytest.mark.parametrize("key", KEYS)
def test_which_keys_match(
    pods: Pods, credentials: Credentials, private: Asset, alice: User, key: str
) -> None:
    """Given a secret whose key matches the image by host, port and path, or does not, when a Pod with it mounts the private image, then it
    is pulled as that user where the key matches, and without the credential, in vain, where it doesn't.
    """
    written, matches = _keys(private)[key]
    secret = credentials.secret(pods.namespace, {written: alice})
    pod_ = pods.start(with_secrets(private.reference, secret))
    refusal = pod_.refusal()
    tried = "alice" in private.repository.requests().users

    assert (refusal is None, tried) == (matches, matches), f"key {written}: {refusal}"
    if matches:
        assert pod_.answers().tree() == private.tree


@verifies("AUTH-10")
@pytest.mark.parametrize("order", ["wrong first", "right first", "both wrong"])
def test_every_matching_credential_is_tried(
    pods: Pods, credentials: Credentials, private: Asset, alice: User, mallory: User, order: str
) -> None:
    """Given two secrets for one key, when the wrong one stands before or after the right one, then the image is pulled; and when both are
    wrong, both have been tried.
    """
    host = private.repository.host
    right, wrong = (credentials.secret(pods.namespace, {host: user}) for user in (alice, mallory))
    oscar = credentials.user("oscar")
    other = credentials.secret(pods.namespace, {host: oscar})
    listed = {"wrong first": (wrong, right), "right first": (right, wrong), "both wrong": (wrong, other)}[
        order
    ]
    pod_ = pods.start(with_secrets(private.reference, *listed))

    if order == "both wrong":
        refused(pod_)
        assert {"mallory", "oscar"} <= set(private.repository.requests().users)
    else:
        assert pod_.refusal() is None, str(pod_.refusal())
        assert pod_.answers().tree() == private.tree
        assert "alice" in private.repository.requests().users


@verifies("AUTH-11")
def test_wrong_credential_for_a_public_image(
    pods: Pods, credentials: Credentials, site: Asset, alice: User, mallory: User, observe: Observe
) -> None:
    """Given an image that anybody may pull, from a registry that refuses wrong credentials, when a Pod lists a wrong one, then whether the
    image is pulled without it is recorded.
    Control: without the secret the image is pulled.
    """
    site.repository.protect(
        alice, scheme="bearer", anonymous=True
    )  # with basic, containerd sends nothing where nothing is asked
    wrong = credentials.secret(pods.namespace, {site.repository.host: mallory})
    pod_ = pods.start(with_secrets(site.reference, wrong))
    refusal = pod_.refusal()

    assert "mallory" in site.repository.requests().users
    observe(
        "the pull fails" if refusal else "the image is pulled anonymously",
        "what follows a wrong credential where none is needed",
    )
    control(pods.run(mounting(site.reference)).tree() == site.tree, "without the secret the image is pulled")


@verifies("AUTH-12")
def test_credentials_stay_with_their_registry(
    pods: Pods, credentials: Credentials, repositories: Repositories, build: str, alice: User
) -> None:
    """Given two registries and a Pod with a secret for each, when it mounts an image of each, then each registry sees its own user and never
    the other's.
    """
    bob = credentials.user("bob")
    here = repositories.new("here", host=repositories.hosts[0]).push(site_asset.image(f"{build}-here"))
    there = repositories.new("there", host=repositories.hosts[1]).push(site_asset.image(f"{build}-there"))
    here.repository.protect(alice)
    there.repository.protect(bob)
    secrets = [
        credentials.secret(pods.namespace, {asset.repository.host: user})
        for asset, user in ((here, alice), (there, bob))
    ]
    volumes = [image_volume(here.reference, name="here"), image_volume(there.reference, name="there")]
    main = container(
        (tree("/here"), tree("/there")), mounts=[mount(f"/{name}", volume=name) for name in ("here", "there")]
    )
    pod_ = pods.start(pod([main], volumes=volumes, imagePullSecrets=pull_secrets(*secrets)))
    here_saw, there_saw = (set(asset.repository.requests().users) - {None} for asset in (here, there))

    assert here_saw == {"alice"}
    assert there_saw == {"bob"}
    assert pod_.refusal() is None, str(pod_.refusal())
    answers = pod_.answers()
    assert (answers.tree("/here"), answers.tree("/there")) == (here.tree, there.tree)


@verifies("AUTH-13")
def test_container_and_volume_from_two_private_registries(
    pods: Pods,
    credentials: Credentials,
    repositories: Repositories,
    build: str,
    architecture: str,
    alice: User,
) -> None:
    """Given a container's image in one private registry and a volume's image in another, when a Pod lists a secret for each, then the
    container runs and the volume shows its image.
    Control: without the volume's secret, the container that mounts it is refused and the other one runs.
    """
    bob = credentials.user("bob")
    members = [file("hello", programs.hello(architecture), mode=0o755), file("build", build)]
    program = Image([Layer(members)], architecture=architecture)
    runs = repositories.new("runs", host=repositories.hosts[0]).push(program)
    shows = repositories.new("shows", host=repositories.hosts[1]).push(site_asset.image(build))
    runs.repository.protect(alice)
    shows.repository.protect(bob)
    for_runs = credentials.secret(pods.namespace, {runs.repository.host: alice})
    for_shows = credentials.secret(pods.namespace, {shows.repository.host: bob})

    def manifest(*secrets: str) -> Json:
        first = {"name": "runs", "image": runs.reference, "imagePullPolicy": "Always", "command": ["/hello"]}
        second = container((tree(),), mounts=[mount()])
        return pod(
            [first, second], volumes=[image_volume(shows.reference)], imagePullSecrets=pull_secrets(*secrets)
        )

    without = pods.start(manifest(for_runs))
    pod_ = pods.start(manifest(for_runs, for_shows))

    control(without.refusal("main") is not None, "without the volume's secret its container is refused")
    assert pod_.refusal() is None, str(pod_.refusal())
    assert pod_.log("runs") == programs.GREETING
    assert pod_.answers().tree() == shows.tree
    assert set(runs.repository.requests().users) - {None} == {"alice"}
    assert set(shows.repository.requests().users) - {None} == {"bob"}


@verifies("AUTH-14")
def test_missing_secret_is_not_fatal(pods: Pods, site: Asset) -> None:
    """Given a Pod that lists a secret which does not exist, when it mounts a public image, then it starts, and a Warning event names the
    secret.
    """
    pod_ = pods.start(with_secrets(site.reference, "does-not-exist"))

    assert pod_.refusal() is None, str(pod_.refusal())
    assert pod_.answers().tree() == site.tree
    event = pod_.wait_event(lambda e: e.reason == MISSING_SECRET, f"the event {MISSING_SECRET}")
    assert event is not None, f"there is no event {MISSING_SECRET}"
    assert event.type == "Warning"
    assert "does-not-exist" in event.message


@verifies("AUTH-15")
@pytest.mark.parametrize("kind", ["Opaque", "example.com/docker"])
def test_secrets_of_other_types_are_ignored(
    pods: Pods, credentials: Credentials, private: Asset, alice: User, kind: str
) -> None:
    """Given the right credential in a secret that is of no docker type, when a Pod lists it, then it is as if it were not there.
    Control: the same credential in a secret of type kubernetes.io/dockerconfigjson is used.
    """
    other = credentials.secret(pods.namespace, {private.repository.host: alice}, kind=kind)
    refused(pods.start(with_secrets(private.reference, other)))
    tried = private.repository.requests().users

    assert "alice" not in tried
    secret = credentials.secret(pods.namespace, {private.repository.host: alice})
    control(
        pods.run(with_secrets(private.reference, secret)).tree() == private.tree,
        "the docker type of secret is used",
    )


UNREADABLE: dict[str, tuple[bool, Any]] = {
    "is no base64": (True, "%%%"),
    "has no colon": (True, base64.b64encode(b"alice").decode()),
    "is a number": (True, 1),
    "is no base64, for another registry": (False, "%%%"),
}
"""How an `auth` is wrong: whether it is the image's registry's, and its value."""


@verifies("AUTH-16")
@pytest.mark.parametrize("wrong", list(UNREADABLE))
def test_secret_that_cannot_be_decoded(
    pods: Pods, credentials: Credentials, private: Asset, alice: User, observe: Observe, wrong: str
) -> None:
    """Given a secret whose `auth` is no user and password, when a Pod lists it before a right one, then what becomes of it is recorded.
    Control: with the right secret alone the Pod starts.
    """
    ours, auth = UNREADABLE[wrong]
    host = private.repository.host
    right = credentials.secret(pods.namespace, {host: alice})
    unreadable = credentials.raw_secret(pods.namespace, {host if ours else "other.example": {"auth": auth}})
    refusal = pods.start(with_secrets(private.reference, unreadable, right, policy="Always")).refusal()

    observe(
        {"reason": refusal.reason, "message": refusal.message} if refusal else "the Pod starts",
        f"what becomes of a Pod one of whose secrets has an auth that {wrong}",
    )
    started = pods.run(with_secrets(private.reference, right, policy="Always")).tree()
    control(started == private.tree, "with the right secret alone the Pod starts")


@verifies("AUTH-17")
@pytest.mark.takes(15)
def test_corrected_secret_heals_the_pod(
    pods: Pods, credentials: Credentials, private: Asset, alice: User, mallory: User
) -> None:
    """Given a Pod that backs off because its secret holds a wrong credential, when the secret is corrected, then the same Pod starts and
    shows the image.
    """
    host = private.repository.host
    secret = credentials.secret(pods.namespace, {host: mallory})
    pod_ = pods.start(with_secrets(private.reference, secret))
    refused(pod_)
    credentials.secret(pods.namespace, {host: alice}, name=secret)
    healed = in_time(lambda: pod_.wait_started("main", seconds=90))

    assert healed is not None, "the Pod did not start within 90 s of its secret's correction"
    assert pod_.answers().tree() == private.tree


@verifies("AUTH-24")
def test_secrets_come_from_the_pods_namespace(
    pods: Pods,
    pods_at: PodsAt,
    namespaces: Namespaces,
    credentials: Credentials,
    private: Asset,
    alice: User,
    api: Api,
) -> None:
    """Given the right secret in another namespace only, when a Pod lists its name, then it is refused and an event says that the secret is
    missing; and a change to a ServiceAccount's secrets leaves the Pods that exist as they are.
    Control: in the namespace that has the secret, the same Pod starts.
    """
    elsewhere = pods_at("baseline", namespace=namespaces.at("baseline"))
    secret = credentials.secret(elsewhere.namespace, {private.repository.host: alice})
    pod_ = pods.start(with_secrets(private.reference, secret))

    refused(pod_)
    event = pod_.wait_event(
        lambda e: e.reason == MISSING_SECRET and secret in e.message, f"the event {MISSING_SECRET}"
    )
    assert event is not None, f"no event {MISSING_SECRET} names the secret"
    assert "alice" not in private.repository.requests().users
    there = elsewhere.run(with_secrets(private.reference, secret)).tree()
    control(there == private.tree, "in the namespace that has the secret, the same Pod starts")

    account = credentials.service_account(elsewhere.namespace, secret)
    existing = elsewhere.started(mounting(private.reference, HOLD, serviceAccountName=account))
    api.patch(f"/api/v1/namespaces/{elsewhere.namespace}/serviceaccounts/{account}", {"imagePullSecrets": []})
    assert existing.state()["spec"].get("imagePullSecrets") == [{"name": secret}]


@verifies("SEC-09")
def test_passwords_appear_nowhere(
    pods: Pods, credentials: Credentials, private: Asset, mallory: User, api: Api
) -> None:
    """Given a Pod whose secrets hold wrong credentials, when its pull fails and backs off, then neither its status nor any event holds a
    password, plain or encoded.
    Control: the registry saw the user, so the credential was used.
    """
    secret = credentials.secret(pods.namespace, {private.repository.host: mallory})
    pod_ = pods.start(with_secrets(private.reference, secret))
    refused(pod_)
    pod_.wait_refusal("ImagePullBackOff")
    events = api.get(f"/api/v1/namespaces/{pods.namespace}/events")["items"]
    texts = [str(pod_.state().get("status")), *(str(event) for event in events)]

    control("mallory" in private.repository.requests().users, "the registry saw the user")
    assert [text for text in texts if mallory.password in text or mallory.basic in text] == []


@verifies("AUTH-23")
def test_static_pods_have_no_secrets(static_pods: StaticPods, site: Asset) -> None:
    """Given static Pods with a public image volume, of which one names a pull secret and one a ServiceAccount, when the kubelet has looked at
    them and runs a third that names neither, then the third shows the image, and the others are not there.
    """
    with_secret = static_pods.make(mounting(site.reference), imagePullSecrets=pull_secrets("any"))
    with_account = static_pods.make(mounting(site.reference), serviceAccountName="default")
    plain = static_pods.make(mounting(site.reference))
    mirror = in_time(lambda: static_pods.mirror(plain))
    assert mirror is not None, "the kubelet does not run a static Pod with an image volume"
    mirror.settle()

    assert mirror.refusal() is None, str(mirror.refusal())
    assert mirror.answers().tree() == site.tree
    assert static_pods.find(with_secret) is None, "a static Pod that names a pull secret runs"
    assert static_pods.find(with_account) is None, "a static Pod that names a ServiceAccount runs"
