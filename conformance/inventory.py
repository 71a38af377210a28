"""Which checks there are, what they verify, and which images they mount: read off their source, without running anything.

A check's images are those whose builders it uses: itself, through the fixtures that it asks for, or through functions
and tables of its file. Names in annotations don't count: to take an `Image` is not to build one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent
CHECKS = "conformance/checks"
FIXTURES = ("fixtures", "conformance/plugin", CHECKS)
"""The folders whose modules define fixtures for checks."""

OWN = "its own"
"""Stands for images that are built in the check, layer by layer, and are no asset image."""

_BUILDERS = {"Image", "Index", "Artifact"}
_ID = re.compile(r"[A-Z]{2,6}-[0-9]{2}")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. name: as pytest calls it, without cases. images: names of asset images, sorted, and OWN at the end."""

    name: str
    requirements: tuple[str, ...]
    images: tuple[str, ...]

    @property
    def file(self) -> str:
        """Where it is written, from the root of the checkout."""
        return self.name.partition("::")[0]

    @property
    def function(self) -> str:
        """Its function's name."""
        return self.name.partition("::")[2]


def read(root: Path = ROOT) -> tuple[Check, ...]:
    """Every check below `root`, in the order of files and lines. SyntaxError, OSError if a file cannot be read."""
    return _Sources(root).checks()


def by_requirement(checks: Iterable[Check]) -> Mapping[str, Sequence[Check]]:
    """The checks of each requirement that has one."""
    found: dict[str, list[Check]] = {}
    for check in checks:
        for name in check.requirements:
            found.setdefault(name, []).append(check)
    return found


def images_of(checks: Iterable[Check]) -> tuple[str, ...]:
    """The images of several checks, each once, in the order of `Check.images`."""
    return _in_order({image for check in checks for image in check.images})


def _in_order(images: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(images, key=lambda image: (image == OWN, image)))


@dataclass(frozen=True, slots=True)
class _Place:
    """A definition: the module in which it stands, by its dotted name, and its own name."""

    module: str
    name: str


@dataclass(slots=True)
class _Module:
    """What one file defines and imports. imports: the name here to (module, name there)."""

    path: Path
    definitions: dict[str, _Definition] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> _Module:
        """Parse a file."""
        module = cls(path)
        for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
            if isinstance(node, _Definition):
                module.definitions.update(dict.fromkeys(_names(node), node))
            elif isinstance(node, ast.ImportFrom):
                for one in node.names:
                    module.imports[one.asname or one.name] = (node.module or "", one.name)
        return module


def _names(node: _Definition) -> list[str]:
    """What a definition gives a name to."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


class _Sources:
    """The files of a checkout, read as they are needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._modules: dict[str, _Module | None] = {}

    def checks(self) -> tuple[Check, ...]:
        """See `read`."""
        found = []
        for path in sorted((self._root / CHECKS).glob("test_*.py")):
            name = _dotted(path.relative_to(self._root))
            module = self._module(name)
            if module is None:
                continue
            for function in module.definitions.values():
                if isinstance(function, _Function) and function.name.startswith("test_"):
                    check = f"{path.relative_to(self._root).as_posix()}::{function.name}"
                    requirements = self._requirements(module, function)
                    images = self._images(_Place(name, function.name))
                    found.append(Check(name=check, requirements=requirements, images=images))
        return tuple(found)

    def _module(self, name: str) -> _Module | None:
        if name not in self._modules:
            path = self._root.joinpath(*name.split("."))
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            self._modules[name] = _Module.read(file) if file.is_file() else None
        return self._modules[name]

    # --- requirements

    def _requirements(self, module: _Module, function: _Function) -> tuple[str, ...]:
        """The ids in the function's marks; where a mark's id is computed, every id in the tables that it comes from."""
        nodes: list[ast.AST] = list(function.decorator_list)
        names = {name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)}
        nodes += [module.definitions[name] for name in names if name in module.definitions]
        calls = [
            node
            for root in nodes
            for node in ast.walk(root)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "verifies"
        ]
        arguments = [argument for call in calls for argument in call.args]
        plain = all(isinstance(argument, ast.Constant) for argument in arguments)
        found = [
            node.value
            for root in (arguments if plain else nodes)
            for node in ast.walk(root)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ID.fullmatch(node.value)
        ]
        return tuple(dict.fromkeys(found))

    # --- images

    def _images(self, start: _Place) -> tuple[str, ...]:
        """The images that a check uses, itself or through what it uses."""
        seen, waiting, images = {start}, [start], set()
        while waiting:
            place = waiting.pop()
            for used in self._used(place):
                if isinstance(used, str):
                    images.add(used)
                elif used not in seen:
                    seen.add(used)
                    waiting.append(used)
        return _in_order(images)

    def _used(self, place: _Place) -> Iterator[str | _Place]:
        """What a definition uses: an image, or another definition."""
        module = self._module(place.module)
        node = module.definitions.get(place.name) if module else None
        if module is None or node is None:
            return
        asks = isinstance(node, _Function) and (_is_fixture(node) or node.name.startswith("test_"))
        uses = _Uses(asks)
        uses.visit(node)
        for name in sorted(uses.names - uses.bound):
            yield from self._resolved(place.module, module, name)
        for name in sorted(uses.fixtures):
            home = self._home_of(place.module, module, name)
            if home:
                yield home

    def _resolved(self, where: str, module: _Module, name: str) -> Iterator[str | _Place]:
        if name in module.definitions:
            yield _Place(where, name)
        elif name in module.imports:
            source, original = module.imports[name]
            if source == "images" or source.startswith("images."):
                image = self._image(source, original)
                if image:
                    yield image
            elif source.startswith("conformance.checks"):
                yield _Place(source, original)

    def _image(self, source: str, name: str) -> str:
        """The image that `from SOURCE import NAME` stands for; empty for none."""
        _, _, below = source.partition(".")
        if source == "images.oci.image":
            return OWN if name in _BUILDERS else ""
        asset = below or name
        folder = self._root / "images" / asset
        if "." in asset or asset == "oci" or not folder.is_dir():
            return ""
        return "" if below and (folder / f"{name}.py").is_file() else asset

    def _home_of(self, where: str, module: _Module, fixture: str) -> _Place | None:
        node = module.definitions.get(fixture)
        if isinstance(node, _Function) and _is_fixture(node):
            return _Place(where, fixture)
        return self._fixtures.get(fixture)

    @cached_property
    def _fixtures(self) -> Mapping[str, _Place]:
        """Where each fixture that any check can ask for is defined."""
        found: dict[str, _Place] = {}
        for folder in FIXTURES:
            for path in sorted((self._root / folder).glob("*.py")):
                if path.name.startswith("test_"):
                    continue
                name = _dotted(path.relative_to(self._root))
                module = self._module(name)
                for node in module.definitions.values() if module else ():
                    if isinstance(node, _Function) and _is_fixture(node):
                        found[node.name] = _Place(name, node.name)
        return found


class _Uses(ast.NodeVisitor):
    """The names that a definition uses, binds, and asks for as fixtures."""

    def __init__(self, asks: bool) -> None:  # noqa: FBT001 - whether its parameters are fixtures
        self.names: set[str] = set()
        self.bound: set[str] = set()
        self.fixtures: set[str] = set()
        self._asks = asks

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        asks, self._asks = self._asks, False
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        (self.fixtures if asks else self.bound).update(argument.arg for argument in arguments)
        if asks:
            self.bound.update(argument.arg for argument in arguments)
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, *node.body):
            if part is not None:
                self.visit(part)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        self.bound.add(node.arg)

    def visit_Name(self, node: ast.Name) -> None:
        (self.names if isinstance(node.ctx, ast.Load) else self.bound).add(node.id)

    def visit_Call(self, node: ast.Call) -> None:
        if getattr(node.func, "attr", "") in ("usefixtures", "getfixturevalue"):
            self.fixtures.update(
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )
        self.generic_visit(node)


def _is_fixture(node: _Function) -> bool:
    """Whether a function bears @pytest.fixture, with arguments or without."""
    marks = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
    return any(getattr(mark, "attr", getattr(mark, "id", "")) == "fixture" for mark in marks)


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")
