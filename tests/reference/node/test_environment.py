"""A container's environment, and what is expanded with it."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.reference.api.store import Store
from fixtures.reference.node.environment import (
    ConfigError,
    Surroundings,
    check_sub_path,
    environment,
    expand,
    expand_sub_path,
)

Json = dict[str, Any]
AROUND = Surroundings(node="node-1", host_ip="127.0.0.1", pod_ip="127.64.0.9")
POD: Json = {
    "metadata": {"name": "pod", "namespace": "ns", "uid": "u", "labels": {"app": "x"}},
    "spec": {"serviceAccountName": "default"},
}


@pytest.fixture
def store() -> Store:
    """A store with a config map and a secret."""
    store = Store()
    store.create("configmaps", {"metadata": {"name": "cm", "namespace": "ns"}, "data": {"k": "from map"}})
    secret = {"metadata": {"name": "se", "namespace": "ns"}, "data": {"k": "ZnJvbSBzZWNyZXQ="}}
    store.create("secrets", secret)
    return store


def env(store: Store, *variables: Json, **container: Any) -> dict[str, str]:
    """The environment of a container with these variables."""
    return environment(POD, {"name": "main", "env": list(variables)} | container, store, AROUND)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("${A} $A $", "${A} $A $"),
        ("$(A", "$(A"),
        ("$()", "$()"),
    ],
)
def test_variables_are_expanded_as_in_kubernetes(text: str, expected: str) -> None:
    """$(NAME) and nothing else; $$ is a $; what is not known stays."""
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_values_come_from_everywhere(store: Store) -> None:
    """Plain values that use earlier ones, fields of the Pod, config maps and secrets."""
    found = env(
        store,
        {"name": "A", "value": "a"},
        {"name": "B", "value": "$(A)b"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "MAP", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "se", "key": "k"}}},
        {"name": "OPTIONAL", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}}},
        envFrom=[{"prefix": "P_", "configMapRef": {"name": "cm"}}],
    )
    assert found == {
        "A": "a",
        "B": "ab",
        "NAME": "pod",
        "APP": "x",
        "IP": "127.64.0.9",
        "MAP": "from map",
        "SECRET": "from secret",
        "P_k": "from map",
    }


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"configMapKeyRef": {"name": "no", "key": "k"}}, 'configmap "no" not found'),
        ({"secretKeyRef": {"name": "se", "key": "no"}}, "couldn't find key no in Secret ns/se"),
    ],
)
def test_what_is_missing_is_told_in_the_kubelet_s_words(store: Store, source: Json, words: str) -> None:
    """It becomes the message of CreateContainerConfigError."""
    with pytest.raises(ConfigError) as refused:
        env(store, {"name": "X", "valueFrom": source})
    assert str(refused.value) == words


@pytest.mark.parametrize("value", [{}, {"DIR": ""}], ids=["undefined", "empty"])
def test_an_expression_needs_its_variables(value: dict[str, str]) -> None:
    """Else the whole image would be mounted (SUB-10)."""
    with pytest.raises(ConfigError, match="missing value for DIR"):
        expand_sub_path("$(DIR)/x", value)
    assert expand_sub_path("$(DIR)/x", {"DIR": "d"}) == "d/x"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc", "error SubPath `/etc` must not be an absolute path"),
        ("../x", "unable to provision SubPath `../x`: must not contain '..'"),
    ],
)
def test_a_sub_path_does_not_lead_out(path: str, words: str) -> None:
    """Also one that an expression made (SUB-11)."""
    with pytest.raises(ConfigError) as refused:
        check_sub_path(path)
    assert str(refused.value) == words
    check_sub_path("a..b/c")
