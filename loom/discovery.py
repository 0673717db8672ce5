"""Finds backends and plugins (files, folders, entry points) and runs the file of one.

Listing reads names without running anything. Order: command line, user's folder, checkout, bundled,
entry points; the first of a name wins and the others say what shadows them. Knows neither engines
nor instruments.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal, cast

Kind = Literal["backend", "plugin"]

_PACKAGE = Path(__file__).resolve().parent
CHECKOUT = _PACKAGE.parent
BUNDLED = _PACKAGE / "_bundled"


@dataclass(frozen=True, slots=True)
class Found:
    """An extension, or what kept it from being one (`error`, a sentence).

    `path` is a file, a folder with an `__init__.py`, or `module:name` of an entry point; `source`
    is where in the order it was found; `shadowed_by` is the path of the one that wins.
    """

    name: str
    path: str
    error: str = ""
    kind: Kind = "backend"
    source: str = ""
    shadowed_by: str = ""

    @property
    def usable(self) -> bool:
        return not self.error and not self.shadowed_by


def listed(kind: Kind, extra: Iterable[Path] = (), user: Path | None = None) -> list[Found]:
    """All of a kind; `extra`: files or folders from the command line, `user`: the user's folder."""
    winners: dict[str, Found] = {}
    every = []
    for found in _candidates(kind, extra, user):
        winner = winners.get(found.name)
        if winner is not None and winner.path == found.path:
            continue
        if winner is not None:
            found = replace(found, shadowed_by=winner.path)
        else:
            winners[found.name] = found
        every.append(found)
    return every


def _candidates(kind: Kind, extra: Iterable[Path], user: Path | None) -> Iterator[Found]:
    folder = f"{kind}s"
    for path in extra:
        yield from _in_place(path, kind)
    sources = [("user", user or _user_folder(kind)), ("bundled", BUNDLED / folder)]
    if (CHECKOUT / "pyproject.toml").is_file():
        sources.insert(1, ("checkout", CHECKOUT / folder))
    for source, place in sources:
        yield from _in_folder(place, kind, source)
    for point in sorted(entry_points(group=f"loom.{folder}"), key=lambda p: p.name):
        yield Found(point.name, point.value, kind=kind, source="entry point")


def _user_folder(kind: Kind) -> Path:
    from loom.paths import Paths

    paths = Paths.default()
    return paths.backends if kind == "backend" else paths.plugins


def _in_place(path: Path, kind: Kind) -> Iterator[Found]:
    path = path.expanduser().absolute()
    if path.is_dir() and not (path / "__init__.py").is_file():
        yield from _in_folder(path, kind, "command line")
    else:
        yield read(path, kind, "command line")


def _in_folder(folder: Path, kind: Kind, source: str) -> Iterator[Found]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith((".", "_", "test_")):
            continue
        if entry.suffix == ".py" or (entry / "__init__.py").is_file():
            yield read(entry, kind, source)


def read(path: Path, kind: Kind, source: str) -> Found:
    """Its NAME if that is a plain string, else the file's; nothing is run."""
    try:
        tree = ast.parse(_source_file(path).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return Found(path.stem, str(path), f"{path} can't be read: {error}", kind, source)
    return Found(_texts(tree).get("NAME") or path.stem, str(path), "", kind, source)


def _source_file(path: Path) -> Path:
    return path / "__init__.py" if path.is_dir() else path


def said_in(path: Path) -> dict[str, str]:
    """Plain texts that a file gives names, such as VERSION; nothing is run. Never raises."""
    try:
        return _texts(ast.parse(_source_file(path).read_bytes()))
    except (OSError, SyntaxError, ValueError):
        return {}


def _texts(tree: ast.Module) -> dict[str, str]:
    found = {}
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(name)], value=ast.Constant(str(text)))
                | ast.AnnAssign(target=ast.Name(name), value=ast.Constant(str(text)))
            ):
                found[name] = text
    return found


def module_of(found: Found) -> ModuleType:
    """Runs the file. Raises ImportError where there is none, or what it raises."""
    if found.source == "entry point":
        module = EntryPoint(found.name, found.path, f"loom.{found.kind}s").load()
        return cast(ModuleType, module)
    path = Path(found.path)
    qualified = f"loom_{found.kind}_{path.stem}"
    spec = importlib.util.spec_from_file_location(
        qualified,
        _source_file(path),
        submodule_search_locations=[str(path)] if path.is_dir() else None,
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[qualified]
        raise
    return module
