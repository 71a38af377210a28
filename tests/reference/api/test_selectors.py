"""Label and field selectors."""

from __future__ import annotations

import pytest

from fixtures.reference.api.selectors import SelectorError, matcher

POD = {
    "metadata": {"name": "p", "namespace": "n", "labels": {"app": "web", "tier": "1", "empty": ""}},
    "spec": {"nodeName": "node-1", "hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app == web", True),
        ("app=db", False),
        ("app!=web", False),
        ("other!=web", True),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("!app", False),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db)", True),
        ("other notin (db)", True),
        ("app in (web,db),tier=1", True),
        ("app in (web,db),tier=2", False),
        ("empty=", True),
        ("tier>0", True),
        ("tier<1", False),
        ("app>0", False),
    ],
)
def test_label_selector(selector: str, matches: bool) -> None:  # noqa: FBT001  # a column of the table
    """Each form of a label selector chooses as the API's documentation says."""
    assert matcher("pods", selector, None)(POD) is matches


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("metadata.name=p", True),
        ("metadata.name==p,metadata.namespace=n", True),
        ("metadata.name!=p", False),
        ("spec.nodeName=node-1,status.phase=Running", True),
        ("spec.nodeName=", False),
        ("status.podIP=", True),
        ("spec.hostNetwork=true", True),
    ],
)
def test_field_selector(selector: str, matches: bool) -> None:  # noqa: FBT001  # a column of the table
    """Field selectors compare texts; a missing field is the empty text."""
    assert matcher("pods", None, selector)(POD) is matches


def test_mappings_are_equalities() -> None:
    """Code may give a mapping in place of a text."""
    assert matcher("pods", {"app": "web"}, {"spec.nodeName": "node-1"})(POD)
    assert not matcher("pods", {"app": "web"}, {"spec.nodeName": "node-2"})(POD)


@pytest.mark.parametrize(
    ("labels", "fields"), [("a b", None), ("a in b", None), ("=x", None), (None, "spec.foo=x"), (None, "x")]
)
def test_wrong_selector_is_refused(labels: str | None, fields: str | None) -> None:
    """A selector that cannot be read, or names a field that is not selectable, is an error."""
    with pytest.raises(SelectorError):
        matcher("pods", labels, fields)


def test_events_are_selected_by_their_object() -> None:
    """Events can be chosen by what they are about, and by their reason."""
    event = {
        "involvedObject": {"name": "p", "uid": "1", "kind": "Pod"},
        "reason": "Pulled",
        "source": {"component": "kubelet"},
    }
    selector = (
        "involvedObject.name=p,involvedObject.uid=1,involvedObject.kind=Pod,reason=Pulled,source=kubelet"
    )
    assert matcher("events", None, selector)(event)
