"""Strict reading of records that people write in TOML: the catalogue and the known defects.

A mistake in such a file must not quietly drop a requirement or waive a failure, so nothing is optional unless the reader
says so, nothing unknown is ignored, and every error says which file, which record, which field, what is wrong and what
to do about it.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path


class RecordError(ValueError):
    """A record that cannot be used; its text names the file, the record, the field, the mistake and the remedy."""

    def __init__(self, file: Path, record: str, field: str, problem: str, remedy: str) -> None:
        self.file = file
        self.record = record
        self.field = field
        self.problem = problem
        self.remedy = remedy
        place = ": ".join(part for part in (str(file), record, field) if part)
        super().__init__(f"{place}: {problem}. {remedy}.")


class Record:
    """One TOML table, read field by field; every method raises the given kind of RecordError for what it cannot use."""

    def __init__(self, file: Path, name: str, values: object, error: type[RecordError]) -> None:
        self._file = file
        self._name = name
        self._error = error
        if not isinstance(values, dict):
            raise error(
                file, name, "", f"is {_kind(values)}, not a table", f"Write it as a table headed {name}"
            )
        self._values: dict[str, object] = values

    def wrong(self, field: str, problem: str, remedy: str) -> RecordError:
        """The error for `field` of this record, for the caller to raise; `field` may be empty: the whole record."""
        return self._error(self._file, self._name, field, problem, remedy)

    def has(self, field: str) -> bool:
        """Whether the record has `field` at all, whatever its value."""
        return field in self._values

    def only(self, known: Collection[str]) -> None:
        """Refuse every field that is not in `known`."""
        for field in self._values:
            if field not in known:
                raise self.wrong(field, "is not a field of this record", suggestion(field, known))

    def text(self, field: str, *, default: str | None = None) -> str:
        """The text of `field` with its white space folded to single blanks; `default` when it is absent, if one is given."""
        if field not in self._values:
            if default is None:
                raise self.wrong(field, "is missing", "Add it")
            return default
        return self._folded(field, self._values[field])

    def texts(self, field: str, *, choices: Collection[str] | None = None) -> tuple[str, ...]:
        """The list of texts in `field`, empty when it is absent; no text twice, and each one of `choices` if those are given."""
        value = self._values.get(field, [])
        if not isinstance(value, list):
            raise self.wrong(field, f"is {_kind(value)}, not a list of texts", 'Write it as a list: ["…"]')
        found: list[str] = []
        for item in value:
            text = self._folded(field, item)
            if text in found:
                raise self.wrong(field, f"names {text!r} twice", "Remove one")
            if choices is not None and text not in choices:
                raise self.wrong(field, f"names {text!r}, which does not exist", suggestion(text, choices))
            found.append(text)
        return tuple(found)

    def choice(self, field: str, choices: Sequence[str]) -> str:
        """The text of `field`, which must be one of `choices`."""
        text = self.text(field)
        if text not in choices:
            raise self.wrong(field, f"{text!r} is not allowed", f"Write one of {', '.join(choices)}")
        return text

    def number(self, field: str) -> int:
        """The whole number in `field`."""
        value = self._values.get(field)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(
                field, f"is {_kind(value)}, not a whole number", "Write it as a number, without quotes"
            )
        return value

    def patterns(self, field: str, allowed: Mapping[str, re.Pattern[str]]) -> dict[str, str]:
        """The table of texts in `field`, empty when absent: only the keys of `allowed`, each value of its key's form."""
        value = self._values.get(field, {})
        if not isinstance(value, dict):
            raise self.wrong(field, f"is {_kind(value)}, not a table", "Write it as a table: { … }")
        found: dict[str, str] = {}
        for key, item in value.items():
            if key not in allowed:
                raise self.wrong(f"{field}.{key}", "is not a key of this table", suggestion(key, allowed))
            text = self._folded(f"{field}.{key}", item)
            if not allowed[key].fullmatch(text):
                remedy = f"Write it in the form {allowed[key].pattern}"
                raise self.wrong(f"{field}.{key}", f"{text!r} has the wrong form", remedy)
            found[key] = text
        return found

    def links(self, field: str) -> tuple[str, ...]:
        """The list of addresses in `field`, empty when absent; each begins with https://."""
        found = self.texts(field)
        for link in found:
            self.check_link(field, link)
        return found

    def check_link(self, field: str, link: str) -> None:
        """Refuse `link` unless it is one address that begins with https://."""
        if not re.fullmatch(r"https://[^\s/]+/\S*", link):
            raise self.wrong(
                field, f"{link!r} is not a link", "Write the whole address, beginning with https://"
            )

    def _folded(self, field: str, value: object) -> str:
        if not isinstance(value, str):
            raise self.wrong(field, f"is {_kind(value)}, not a text", "Write it in quotes")
        text = " ".join(value.split())
        if not text:
            raise self.wrong(field, "is empty", "Say it, or leave the field out if it is optional")
        return text


def read(file: Path, error: type[RecordError]) -> dict[str, object]:
    """The tables of a TOML file; raises `error` for a file that cannot be read or is not TOML (a table given twice, too)."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as reason:
        raise error(file, "", "", f"cannot be read ({reason.strerror})", "Check the path") from reason
    except UnicodeDecodeError as reason:
        raise error(file, "", "", f"is not UTF-8 ({reason.reason})", "Save it as UTF-8") from reason
    except tomllib.TOMLDecodeError as reason:
        raise error(file, "", "", f"is not valid TOML: {reason}", "Correct that place") from reason


def suggestion(wrong: str, known: Collection[str]) -> str:
    """What to do about a word that is not among the known ones: the nearest one, else all of them."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    if near:
        return f"Did you mean {near[0]!r}? Else remove it"
    return f"Use one of {', '.join(sorted(known))}" if len(known) <= 40 else "Correct or remove it"


def _kind(value: object) -> str:
    names = {
        dict: "a table",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "missing" if value is None else names.get(type(value), "a date or time")
