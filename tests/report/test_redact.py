"""conformance.report.redact: no secret in any form."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.report.redact import MASK, Redactor

SECRET = "pa55-w/rd+é\"'"


def base64_of(text: str) -> str:
    """Standard base64."""
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"before {SECRET} after",
        json.dumps({"password": SECRET}),
        f"https://user:{quote(SECRET, safe='')}@host/",
        base64_of(SECRET),
        base64_of(f"user:{SECRET}"),
        base64.urlsafe_b64encode(f"me:{SECRET}".encode()).decode(),
        base64_of(json.dumps({"auths": {"host": {"auth": base64_of(f"user:{SECRET}")}}})),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(text: str) -> None:
    """Plain, in JSON, in a URL, in base64 at any alignment, and in base64 of base64."""
    hidden = Redactor([SECRET]).text(text)
    assert hidden != text
    assert MASK in hidden
    assert SECRET not in hidden


@given(st.text(max_size=5), st.text(max_size=5), st.integers(min_value=0, max_value=2))
def test_base64_gives_nothing_away(before: str, after: str, pad: int) -> None:
    """Whatever stands around a secret, its base64 is not left in the text."""
    secret = "correct-horse-battery"
    encoded = base64_of("x" * pad + before + secret + after)
    hidden = Redactor([secret]).text(encoded)
    decoded = [
        base64.b64decode(part[skip : len(part) - (len(part) - skip) % 4])
        for part in hidden.replace("=", "").split(MASK)
        for skip in range(min(4, len(part)))
    ]
    assert not [one for one in decoded if b"horse" in one]


def test_values_are_hidden_with_their_keys() -> None:
    """In a JSON value secrets are hidden in keys, values, lists and depths; numbers and the like stay."""
    value = {"a": ["secret-one", 1, None, True, {"secret-one": "x secret-two"}]}
    assert Redactor(["secret-one", "secret-two"]).value(value) == {
        "a": [MASK, 1, None, True, {MASK: f"x {MASK}"}]
    }


def test_the_longest_form_goes_first() -> None:
    """Where one secret is part of another nothing of the longer one is left."""
    assert Redactor(["secret", "secret-and-more"]).text("secret-and-more") == MASK


def test_short_words_are_no_secrets() -> None:
    """A word that stands everywhere by accident is not cut out of every text."""
    assert Redactor(["", "a", "main"]).text("main container") == "main container"


def test_secrets_can_be_learnt_later() -> None:
    """A secret that a check makes up is hidden from then on."""
    redactor = Redactor()
    redactor.add("made-up-later")
    assert redactor.text("made-up-later") == MASK
