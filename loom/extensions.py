"""Finds backends and plugins (files, folders, entry points) and, in an engine's process, loads one.

Listing reads names without running anything. Order: command line, user's folder, checkout, bundled,
entry points; the first of a name wins and the others say what shadows them.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, cast

from loom.engine.api import Engine, EngineError, ModelNotFound, ModelUnsupported

Kind = Literal["backend", "plugin"]

ECHO = "echo"  # the model that is always there
HOUSE = "house"  # the bundled one, once it has been trained

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent
_BUNDLED = _PACKAGE / "_bundled"


class Backend(Protocol):
    """What a backend's file must define."""

    NAME: str
    accepts: Callable[[str], bool]
    load: Callable[[str, Mapping[str, Any], Callable[[int, int], None]], Engine]


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


def backends(extra: Iterable[Path] = (), user: Path | None = None) -> list[Found]:
    """All backends; `extra`: files or folders from the command line, `user`: the user's."""
    return _listed("backend", extra, user)


def plugins(extra: Iterable[Path] = (), user: Path | None = None) -> list[Found]:
    return _listed("plugin", extra, user)


def models() -> dict[str, Path]:
    """Folders of the models that came with the program and are complete."""
    for folder in (_CHECKOUT / "backends" / HOUSE, _BUNDLED / "backends" / HOUSE):
        if (folder / "config.json").is_file() and any(folder.glob("model.safetensors*")):
            return {HOUSE: folder}
    return {}


def resolve_model(name: str | None) -> str:
    """What to hand to an engine: the folder of a bundled model or a local path made absolute, other
    names as they are. None is the best that is there. Raises ModelNotFound for a missing house."""
    bundled = models()
    if not name:
        name = HOUSE if HOUSE in bundled else ECHO
    if name in bundled:
        return str(bundled[name])
    if name == HOUSE:
        raise ModelNotFound(
            "The bundled model 'house' is not in this copy of Loom.",
            "Give another with --model (a folder or a hub name), or use --model echo.",
        )
    path = Path(name).expanduser()
    return str(path.absolute()) if name != ECHO and path.exists() else name


def portable_name(model: str) -> str:
    """What names `model` on any machine: a bundled model's name for its folder, else as it is."""
    return next((name for name, folder in models().items() if str(folder) == model), model)


def spoken_name(model: str) -> str:
    """What a person calls it: the bundled model's name, a folder's or file's own, a hub name."""
    name = portable_name(model)
    return Path(name).name if Path(name).is_absolute() else name


def load_backend(
    model: str, *, extra: Iterable[Path] = (), user: Path | None = None, name: str | None = None
) -> Backend:
    """The first backend that accepts `model`, or the one called `name`.

    Runs the backends' code: only for an engine's own process. Raises ModelNotFound, or
    ModelUnsupported when a backend that might have taken it can't be loaded.
    """
    broken = []
    for found in backends(extra, user):
        if found.shadowed_by or name not in (None, found.name):
            continue
        try:
            module = load(found)
            if name is not None or module.accepts(model):
                return module
        except Exception as error:
            broken.append(f"{found.name}: {error}")
    if broken:
        raise ModelUnsupported(
            f"No backend took the model {model!r}, and some failed to load ({'; '.join(broken)}).",
            "Mend or remove the backend, or choose another model.",
        )
    raise ModelNotFound(
        f"There is no model {model!r}."
        if name is None
        else f"There is no backend called {name!r}.",
        "Give a folder with config.json and model.safetensors, a hub name, or echo; "
        "`loom models` lists what is there.",
    )


def load(found: Found) -> Backend:
    """Runs a backend's file. Raises EngineError if it is not a backend, or what it raises."""
    if found.error:
        raise EngineError(found.error)
    module = _module(found)
    for member in ("NAME", "accepts", "load"):
        if not hasattr(module, member):
            raise EngineError(f"{found.path} does not define {member}")
    return cast(Backend, module)


def _listed(kind: Kind, extra: Iterable[Path], user: Path | None) -> list[Found]:
    winners: dict[str, Found] = {}
    listed = []
    for found in _candidates(kind, extra, user):
        winner = winners.get(found.name)
        if winner is not None and winner.path == found.path:
            continue
        if winner is not None:
            found = replace(found, shadowed_by=winner.path)
        else:
            winners[found.name] = found
        listed.append(found)
    return listed


def _candidates(kind: Kind, extra: Iterable[Path], user: Path | None) -> Iterator[Found]:
    folder = f"{kind}s"
    for path in extra:
        yield from _in_place(path, kind)
    sources = [("user", user or _user_folder(kind)), ("bundled", _BUNDLED / folder)]
    if (_CHECKOUT / "pyproject.toml").is_file():
        sources.insert(1, ("checkout", _CHECKOUT / folder))
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
        yield _read(path, kind, "command line")


def _in_folder(folder: Path, kind: Kind, source: str) -> Iterator[Found]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith((".", "_")):
            continue
        if entry.suffix == ".py" or (entry / "__init__.py").is_file():
            yield _read(entry, kind, source)


def _read(path: Path, kind: Kind, source: str) -> Found:
    """Its NAME if that is a plain string, else the file's; nothing is run."""
    try:
        tree = ast.parse(_source_file(path).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return Found(path.stem, str(path), f"{path} can't be read: {error}", kind, source)
    return Found(_declared_name(tree) or path.stem, str(path), "", kind, source)


def _source_file(path: Path) -> Path:
    return path / "__init__.py" if path.is_dir() else path


def _declared_name(tree: ast.Module) -> str:
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name("NAME")], value=ast.Constant(str(name)))
                | ast.AnnAssign(target=ast.Name("NAME"), value=ast.Constant(str(name)))
            ):
                return name
    return ""


def _module(found: Found) -> ModuleType:
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
        raise EngineError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[qualified]
        raise
    return module
