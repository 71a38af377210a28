"""Who may use an image that is on the node (KEP-2535)."""

from __future__ import annotations

from fixtures.reference.node.keyring import Credential, Source
from fixtures.reference.node.pull_records import PullRecords, Verdict

NAME = "reg:5000/team/app:v1"


def credential(name: str, password: str = "word", uid: str = "") -> Credential:  # noqa: S107 - not one
    """A credential from the secret `name`."""
    source = Source(uid=uid or f"uid-{name}", namespace="ns", name=name)
    return Credential(username="user", password=password, source=source)


def verdict(records: PullRecords, *held: Credential, name: str = NAME) -> Verdict:
    """Whether a Pod with these credentials may use the image."""
    return records.check("id", name, lambda: held)


def test_what_was_never_pulled_is_free() -> None:
    """Preloaded images are exempt by default (AUTH-21)."""
    assert verdict(PullRecords()) is Verdict.ALLOWED


def test_what_was_pulled_anonymously_is_free() -> None:
    """Also after a pull with a secret."""
    records = PullRecords()
    records.pulled("id", NAME, credential("a"))
    assert verdict(records) is Verdict.MUST_PULL
    records.pulled("id", NAME, None)
    assert verdict(records) is Verdict.KNOWN


def test_the_same_secret_or_the_same_credential_will_do() -> None:
    """Another secret with the same content, or the same secret with another, need no pull (AUTH-20)."""
    records = PullRecords()
    records.pulled("id", NAME, credential("a"))
    assert verdict(records, credential("b")) is Verdict.KNOWN
    assert verdict(records, credential("a", "changed")) is Verdict.KNOWN
    assert verdict(records, credential("c", "other")) is Verdict.MUST_PULL


def test_a_secret_of_the_same_name_is_another_one() -> None:
    """A secret is known by its uid too: one that was deleted and made anew proves nothing."""
    records = PullRecords()
    records.pulled("id", NAME, credential("a"))
    assert verdict(records, credential("a", "other", uid="new")) is Verdict.MUST_PULL


def test_a_name_counts_without_its_tag() -> None:
    """Another tag of the repository is covered, another repository is not."""
    records = PullRecords()
    records.pulled("id", NAME, credential("a"))
    assert verdict(records, credential("a"), name="reg:5000/team/app:v2") is Verdict.KNOWN
    assert verdict(records, credential("a"), name="reg:5000/other/app:v1") is Verdict.MUST_PULL
