"""Which backends, plugins and bundled models there are; in an engine's process, loads a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from loom import discovery
from loom.discovery import Found, listed, module_of
from loom.engine.api import Engine, EngineError, ModelNotFound, ModelUnsupported

ECHO = "echo"  # the model that is always there
TOYS = ("absorbing", "hash")  # made of another, with a known flaw
HOUSE = "house"  # the bundled one, once it has been trained


class Backend(Protocol):
    """What a backend's file must define."""

    NAME: str
    accepts: Callable[[str], bool]
    load: Callable[[str, Mapping[str, Any], Callable[[int, int], None]], Engine]


def backends(extra: Iterable[Path] = (), user: Path | None = None) -> list[Found]:
    """All backends; `extra`: files or folders from the command line, `user`: the user's."""
    return listed("backend", extra, user)


def plugins(extra: Iterable[Path] = (), user: Path | None = None) -> list[Found]:
    return listed("plugin", extra, user)


def models() -> dict[str, Path]:
    """Folders of the models that came with the program and are complete."""
    for folder in (discovery.CHECKOUT / "backends" / HOUSE, discovery.BUNDLED / "backends" / HOUSE):
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
    return str(path.absolute()) if name not in (ECHO, *TOYS) and path.exists() else name


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
    module = module_of(found)
    for member in ("NAME", "accepts", "load"):
        if not hasattr(module, member):
            raise EngineError(f"{found.path} does not define {member}")
    return cast(Backend, module)
