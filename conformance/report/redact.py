"""Secrets never leave: every text that is written or printed goes through here first."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

MASK = "***"

# Shorter texts occur by accident in names, hashes and times, and no secret of the suite is that short.
_SHORTEST = 6


class Redactor:
    """Replaces secrets, also where they are encoded.

    A secret is found as it is, as part of a JSON string or a URL, and inside base64 at any alignment, twice
    over: that is how a password stands in a `dockerconfigjson` secret, base64 of JSON that holds base64 of
    `user:password`.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._ordered: tuple[str, ...] = ()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Know further secrets from now on. Texts of less than 6 characters are not taken for secrets."""
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                self._forms.update(_forms(secret))
        # The longest first: one form may be part of another, and what is left of it would give it away.
        self._ordered = tuple(sorted(self._forms, key=lambda form: (-len(form), form)))

    def text(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        for form in self._ordered:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value with the secrets in all its texts, keys included, replaced by `***`."""
        if not self._ordered:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(held) for key, held in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(held) for held in value]
        return value

    def bytes(self, data: bytes) -> bytes:
        """Return the bytes with every secret in them replaced by `***`."""
        for form in self._ordered:
            data = data.replace(form.encode(), MASK.encode())
        return data


def _forms(secret: str) -> set[str]:
    """The secret and the texts that stand for it in what is written."""
    plain = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
    once = {form for text in plain for form in _in_base64(text)}
    twice = {form for text in once for form in _in_base64(text)}
    return plain | {form for form in once | twice if len(form) >= _SHORTEST}


def _in_base64(text: str) -> Iterator[str]:
    """What base64 of anything that contains the text contains, for each of the three ways to be aligned."""
    raw = text.encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = (before * 8 + 5) // 6  # characters that hold bits of what stands before
        last = ((before + len(raw)) * 8) // 6  # those beyond hold bits of what comes after
        inner = encoded[first:last]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
