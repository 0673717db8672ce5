"""A plugin's module as an instrument, with what it says of itself.

Checks what it defines; runs nothing of it and doesn't know where it came from.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, cast, get_args

from loom.discovery import Found, said_in
from loom.instruments.api import Instrument, Scope

Option = bool | int | float | str | list[Any]


class NotAPlugin(Exception):
    """What keeps a module from being an instrument; a sentence without the module's name."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a plugin says of itself; `options` are the defaults. One that says no version has that
    of its file: `source` stands for what is in it."""

    name: str
    version: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    scope: Scope = "path"
    about: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    choice: bool = True


RESERVED = ("sources",)  # what is kept of them lies beside what plugins read


def declared(module: object) -> tuple[Instrument, Declared]:
    """The module as an instrument, and its own words. Raises NotAPlugin."""
    name = _text(module, "NAME", "")
    if not name.replace("-", "_").isidentifier():
        _no("NAME must be one word")
    if name in RESERVED:
        _no(f"NAME must not be {name}, which Loom itself has")
    for function in ("start", "step"):
        if not callable(getattr(module, function, None)):
            _no(f"it does not define {function}")
    scope = _text(module, "SCOPE", "path")
    if scope not in get_args(Scope):
        _no(f'SCOPE must be "path" or "log", not {ascii(scope)[:40]}')
    found = Declared(
        name,
        _text(module, "VERSION", ""),
        {key: _option(key, value) for key, value in _table(module, "OPTIONS").items()},
        cast(Scope, scope),
        _text(module, "ABOUT", ""),
        {key: str(value) for key, value in _table(module, "UNITS").items()},
        _source_digest(getattr(module, "__file__", None)),
        _truth(module, "CHOICE", True),
    )
    return cast(Instrument, module), found


def unasked(found: Found) -> Declared:
    """What a plugin's file says of it without being run."""
    said = {} if found.source == "entry point" else said_in(Path(found.path))
    about = " ".join(said.get("ABOUT", "").split())
    return Declared(found.name, said.get("VERSION", ""), about=about)


def _source_digest(file: str | None) -> str:
    try:
        source = Path(file or "").read_bytes()
    except OSError:
        return ""
    return hashlib.blake2b(source, digest_size=8).hexdigest()


def fitted(defaults: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Option]:
    """The defaults with the user's options over them.

    Raises ValueError, which begins with the option's name, for one that there is none of or that
    is of another kind than its default.
    """
    options = dict(defaults)
    for name, value in given.items():
        if name not in defaults:
            known = ", ".join(sorted(defaults)) or "none at all"
            raise ValueError(f"{name} is no option of this plugin; it has {known}")
        options[name] = _like(name, value, defaults[name])
    return options


def _like(name: str, value: Any, default: Option) -> Option:
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise ValueError(f"{name} must be {_KINDS[type(default)]}, like {default!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number")
    return value


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
}


def _option(name: object, value: Any) -> Option:
    if not isinstance(name, str) or not name.isidentifier():
        _no(f"OPTIONS has {ascii(name)[:40]} as a name")
    entries: Option = list(value) if isinstance(value, list | tuple) else value
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, bool | int | float | str) or entry != entry:
            _no(f"the option {name} must be a number, a text, true, false or a list of them")
    return entries


def _text(module: object, name: str, default: str) -> str:
    value = getattr(module, name, default)
    if not isinstance(value, str):
        _no(f"{name} must be a text")
    return " ".join(value.split())


def _truth(module: object, name: str, default: bool) -> bool:
    value = getattr(module, name, default)
    return value if isinstance(value, bool) else _no(f"{name} must be True or False")


def _table(module: object, name: str) -> Mapping[Any, Any]:
    value = getattr(module, name, {})
    if not isinstance(value, Mapping):
        _no(f"{name} must be a dict")
    return value


def _no(why: str) -> NoReturn:
    raise NotAPlugin(why)
