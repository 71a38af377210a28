"""images/tree.py: how trees compare, and the JSON in which the probe tells one."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from images.tree import COMPARED, Entry, Tree

FILE = Entry(type="file", mode=0o644, uid=0, gid=0, mtime=10, size=1, sha256="aa", nlink=1)
DIRECTORY = Entry(type="directory", mode=0o755, uid=0, gid=0, mtime=10)
LINK = Entry(type="symlink", mode=0o777, uid=0, gid=0, mtime=10, target="site")
TREE = Tree(
    {
        "site": DIRECTORY,
        "site/app.css": FILE,
        "site/deep": DIRECTORY,
        "site/deep/x": FILE,
        "cur": LINK,
        "s": FILE,
    }
)


def changed(path: str, **fields: Any) -> Tree:
    """TREE with some fields of one entry replaced."""
    return Tree({**TREE, path: dataclasses.replace(TREE[path], **fields)})


def test_a_tree_has_no_difference_to_itself() -> None:
    """Equal trees are equal, whatever the order in which their entries were given."""
    assert Tree(dict(reversed(list(TREE.items())))) == TREE
    assert TREE.differences(TREE) == []


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"mode": 0o600}, "site/app.css: mode is 0600, expected 0644"),
        ({"uid": 1000}, "site/app.css: uid is 1000, expected 0"),
        ({"gid": 5}, "site/app.css: gid is 5, expected 0"),
        ({"mtime": 11}, "site/app.css: mtime is 11, expected 10"),
        ({"size": 2}, "site/app.css: size is 2, expected 1"),
        ({"sha256": "bb"}, "site/app.css: sha256 is bb, expected aa"),
        ({"sha256": None}, "site/app.css: could not be read"),
        ({"nlink": 2}, "site/app.css: nlink is 2, expected 1"),
        ({"xattrs": {"user.a": "00"}}, "site/app.css: xattrs is user.a=00, expected none"),
        ({"type": "fifo"}, "site/app.css: is a fifo, expected a file"),
    ],
)
def test_each_field_makes_a_difference(fields: dict[str, Any], line: str) -> None:
    """Every field of an entry is compared, and the line names path, field, what was seen and what was expected."""
    assert TREE.differences(changed("site/app.css", **fields)) == [line]
    assert changed("site/app.css", **fields) != TREE


def test_link_targets_are_compared() -> None:
    """A symlink that points elsewhere is a difference."""
    assert TREE.differences(changed("cur", target="/site")) == ["cur: target is '/site', expected 'site'"]


def test_missing_and_unexpected_entries_are_told() -> None:
    """A path on one side only is a line that says on which."""
    seen = Tree({path: entry for path, entry in TREE.items() if path != "cur"} | {"more": DIRECTORY})
    assert TREE.differences(seen) == [
        "cur: is missing, expected a symlink",
        "more: is a directory, expected nothing",
    ]


def test_odd_names_are_quoted() -> None:
    """A path that would not show its end, or break the line, is quoted."""
    assert TREE.differences(Tree({**TREE, "a ": FILE, "b\n": FILE})) == [
        "'a ': is a file, expected nothing",
        "'b\\n': is a file, expected nothing",
    ]


@pytest.mark.parametrize("field", ["mtime", "nlink"])
def test_what_nobody_promises_is_not_compared(field: str) -> None:
    """An mtime or nlink of None fits every value, on either side."""
    unknown = changed("site/app.css", **{field: None})
    assert unknown == TREE
    assert TREE.differences(unknown) == []
    assert unknown == changed("site/app.css", **{field: 7})


@pytest.mark.parametrize("field", [field for field in COMPARED if field != "type"])
def test_fields_can_be_left_out(field: str) -> None:
    """`without` on either side leaves a field out of the comparison, and only that one."""
    value = {"xattrs": {"user.a": "00"}, "sha256": "bb", "target": "x"}.get(field, 4711)
    seen = changed("site/app.css", **{field: value})
    assert seen != TREE
    assert TREE.without(field) == seen
    assert seen.without(field) == TREE
    assert (TREE.without(field) / "site").differences(seen / "site") == []
    other = "uid" if field != "uid" else "gid"
    assert TREE.without(other) != seen


def test_only_fields_can_be_left_out() -> None:
    """A name that is no field, and the type, which is always compared, are refused."""
    for name in ("owner", "type"):
        with pytest.raises(ValueError, match=name):
            TREE.without(name)


def test_subtree_is_relative_to_its_directory() -> None:
    """`tree / path` has what lies below the directory, and nothing of a neighbour whose name starts alike."""
    assert list(TREE / "site") == ["app.css", "deep", "deep/x"]
    assert list(TREE / "site" / "deep") == list(TREE / "./site//deep/") == ["x"]
    assert TREE / "" == TREE
    assert list(Tree({"a": DIRECTORY, "a/x": FILE, "ab": FILE, "a-b": FILE}) / "a") == ["x"]


@pytest.mark.parametrize(
    ("path", "text"), [("nope", "'cur', 's', 'site'"), ("s", "not a directory"), ("cur", "symlink")]
)
def test_only_directories_have_subtrees(path: str, text: str) -> None:
    """The subtree of what is no directory is an error that says what there is."""
    with pytest.raises(KeyError, match=text):
        TREE / path


def test_json_gives_the_tree_back() -> None:
    """A tree survives its JSON, names that are no UTF-8 and attributes with it, in plain ASCII."""
    tree = Tree({**TREE, "bad\udcff": FILE, "ü": dataclasses.replace(FILE, xattrs={"user.a": "00ff"})})
    text = json.dumps(tree.to_json())
    assert text.isascii()
    assert Tree.from_json(json.loads(text)) == tree
    assert Tree.from_json(json.loads(text)).to_json() == tree.to_json()


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("file", "JSON object"),
        ({**TREE.to_json()["s"], "mode": "0644"}, "'mode'"),  # type: ignore[dict-item]  # an object, as the test knows
        ({**TREE.to_json()["s"], "colour": 1}, "colour"),  # type: ignore[dict-item]  # an object, as the test knows
        ({"type": "file"}, "'mode'"),
        ({**TREE.to_json()["s"], "type": "door"}, "door"),  # type: ignore[dict-item]  # an object, as the test knows
    ],
)
def test_json_of_another_shape_is_refused(entry: object, text: str) -> None:
    """What is no tree's JSON is an error that names the field."""
    with pytest.raises(ValueError, match=text):
        Tree.from_json({"s": entry})
