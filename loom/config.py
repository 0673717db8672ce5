"""loom.toml as values.

Every mistake in the file is one ConfigError that names file, line and key and says what is allowed.
It doesn't know which actions have keys or what an engine makes of its options.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import tomli

from loom.core.recipe import PRESETS, End, Recipe, Sampling
from loom.paths import Paths

__all__ = ["Config", "ConfigError", "Paths", "load_config", "parse_config"]

T = TypeVar("T")

MOST_BRANCHES = 64
MOST = 2**31 - 1
KEYMAPS = ("default", "pyloom", "loomsidian", "basemode")
ENGINE_OPTIONS = (
    "attention",
    "backend",
    "bos",
    "cache_mb",
    "context",
    "device",
    "download",
    "dtype",
    "flash_attention",
    "gpu_layers",
    "kv_type",
    "of",
    "statistics",
    "threads",
)

_LISTS = ("enabled", "disabled")  # of plugins, by name

Key = tuple[str, ...]
"""The names from the top of the file down to a value."""


class ConfigError(Exception):
    """What is wrong where (the message), and what to do (`hint`); both are shown to the user."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class PluginConfig:
    """What loom.toml says of one plugin; which options it has only the plugin knows."""

    enabled: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """What loom.toml says, with the defaults for what it doesn't.

    `model` None leaves the choice to Loom. `recipe` is the default one, `preset` the name of its
    sampling. `presets` are the user's own, which come before built-in ones of the same name.
    `engine` goes to the engine as it is; `keys` is action → keys, over those of `keymap`.
    `plugins` has those that the file names; see `plugin`.
    """

    model: str | None = None
    branches: int = 4
    preset: str = "balanced"
    recipe: Recipe = field(
        default_factory=lambda: Recipe(sampling=PRESETS["balanced"], preset="balanced")
    )
    presets: Mapping[str, Sampling] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    keymap: str = "default"
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    theme: str = "loom-dark"
    plugins: Mapping[str, PluginConfig] = field(default_factory=dict)
    file: Path | None = field(default=None, compare=False)
    source: str = field(default="", compare=False, repr=False)

    def plugin(self, name: str) -> PluginConfig:
        """Of one plugin, named in the file or not: on, unless the file says otherwise."""
        return self.plugins.get(name, PluginConfig())

    def where(self, *key: str) -> str:
        """File, line and name of a setting, for what only its user can find wrong with it."""
        name = ".".join(key)
        if self.file is None:
            return name
        return f"{self.file}, line {line_of(self.source, key)}: {name}"

    def with_engine(self, options: Mapping[str, Any]) -> Config:
        """With these engine options over those of the file. Raises ConfigError for one that no
        engine here has and the file doesn't name."""
        known = {*ENGINE_OPTIONS, *self.engine}
        for name in options:
            if name not in known:
                raise ConfigError(f"There is no engine option {name!r}.", _among(name, known))
        return replace(self, engine={**self.engine, **options})

    def recipe_with(self, preset: str) -> Recipe:
        """The default recipe with the sampling of `preset`; raises ConfigError if there is none."""
        known = {**PRESETS, **self.presets}
        if preset not in known:
            raise ConfigError(f"There is no preset {preset!r}.", _among(preset, known))
        return replace(self.recipe, sampling=known[preset], preset=preset)


def load_config(path: Path | None = None) -> Config:
    """The settings in `path`, or in the user's loom.toml if there is one. Raises ConfigError."""
    file = Paths.default().config if path is None else Path(path)
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        if path is None:
            return Config()
        raise ConfigError(f"There is no {file}.", "Check the name.") from error
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}.", "") from error
    return parse_config(data, file)


def parse_config(data: bytes, file: Path) -> Config:
    """The settings in the contents of `file`. Raises ConfigError."""
    return _Reader(_decoded(data, file), file).config()


def _decoded(data: bytes, file: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}, line {line}: this is not UTF-8 text.", "Save the file as UTF-8."
        ) from error


class _Reader:
    """Takes the values out of one file, key by key."""

    def __init__(self, text: str, file: Path) -> None:
        self._text = text
        self._file = file
        try:
            self._data = tomli.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._syntax(error) from error

    def config(self) -> Config:
        self._known((), [*_TOP, "presets", "engine", "keys", "plugins"])
        top = {name: self._value((name,), check) for name, check in _TOP.items()}
        given = {name: value for name, value in top.items() if value is not None}
        presets = {name: self._preset(name) for name in self._table("presets")}
        config = Config(
            model=self._model(given.pop("model", None)),
            branches=given.pop("branches", Config().branches),
            presets=presets,
            engine={name: self._option(name) for name in self._table("engine")},
            keymap=given.pop("keymap", Config().keymap),
            keys={name: self._keys(name) for name in self._table("keys")},
            theme=given.pop("theme", Config().theme),
            plugins=self._plugins(),
            file=self._file,
            source=self._text,
        )
        return self._with_recipe(config, given)

    def _with_recipe(self, config: Config, given: dict[str, Any]) -> Config:
        preset = given.pop("preset", config.preset)
        known = {**PRESETS, **config.presets}
        if preset not in known:
            what = f"must be the name of a preset, not {_shown(preset)}"
            raise self._wrong(("preset",), what, _among(preset, known))
        recipe = self._made(lambda: Recipe(sampling=known[preset], preset=preset, **given), ())
        return replace(config, preset=preset, recipe=recipe)

    def _preset(self, name: str) -> Sampling:
        key = ("presets", name)
        if not isinstance(self._at(key), dict):
            raise self._wrong(key, "must be a table", f"Write [presets.{name}].")
        self._known(key, _SAMPLING)
        values = {k: self._value((*key, k), _SAMPLING[k]) for k in self._at(key)}
        return self._made(lambda: Sampling(**values), key)

    def _option(self, name: str) -> Any:
        key = ("engine", name)
        value = self._at(key)
        close = difflib.get_close_matches(name, ENGINE_OPTIONS, 1, 0.8)
        if name not in ENGINE_OPTIONS and close:
            raise self._wrong(key, "is unknown", f"Did you mean {close[0]}?")
        if not isinstance(value, str | int | float) or value != value:
            raise self._wrong(key, "must be a text, a number, true or false", "")
        return value

    def _keys(self, name: str) -> tuple[str, ...]:
        keys: tuple[str, ...] = self._value(("keys", name), _texts)
        return keys

    def _plugins(self) -> dict[str, PluginConfig]:
        table = self._table("plugins")
        lists = {name: self._names(name) if name in table else () for name in _LISTS}
        both = [name for name in lists["disabled"] if name in lists["enabled"]]
        if both:
            what = f"names {_shown(both[0])}, and so does plugins.enabled"
            raise self._wrong(("plugins", "disabled"), what, "Take it out of one of them.")
        names = dict.fromkeys([*lists["enabled"], *lists["disabled"], *table])
        return {
            name: PluginConfig(name not in lists["disabled"], self._plugin_options(name))
            for name in names
            if name not in _LISTS
        }

    def _names(self, name: str) -> tuple[str, ...]:
        names: tuple[str, ...] = self._value(("plugins", name), _texts)
        return names

    def _plugin_options(self, name: str) -> dict[str, Any]:
        key = ("plugins", name)
        options = self._table("plugins").get(name, {})
        if not isinstance(options, dict):
            hint = f"Write [plugins.{name}], or a list of names as enabled or disabled."
            raise self._wrong(key, "must be a table", hint)
        return {option: self._value((*key, option), _plain) for option in options}

    def _model(self, value: str | None) -> str | None:
        """A path that starts with a dot is meant from the folder of the file."""
        if value is None or not value.startswith(("./", "../", "~")):
            return value
        return str(self._file.absolute().parent / Path(value).expanduser())

    def _table(self, name: str) -> dict[str, Any]:
        table = self._data.get(name, {})
        if not isinstance(table, dict):
            raise self._wrong((name,), "must be a table", f"Write [{name}].")
        return table

    def _known(self, key: Key, names: Iterable[str]) -> None:
        for name in self._at(key):
            if name not in names:
                raise self._wrong((*key, name), "is unknown", _among(name, names))

    def _at(self, key: Key) -> Any:
        value: Any = self._data
        for name in key:
            value = value[name]
        return value

    def _value(self, key: Key, check: Callable[[Any], Any]) -> Any:
        if len(key) == 1 and key[0] not in self._data:
            return None
        try:
            return check(self._at(key))
        except ValueError as error:
            raise self._wrong(key, f"must be {error}", "") from error

    def _made(self, make: Callable[[], T], table: Key) -> T:
        """`make`, whose ValueErrors begin with the name of the field."""
        try:
            return make()
        except ValueError as error:
            name, _, rule = str(error).partition(" ")
            raise self._wrong((*table, name), rule, "") from error

    def _wrong(self, key: Key, what: str, hint: str) -> ConfigError:
        name = ".".join(part if part.isprintable() else ascii(part) for part in key)
        line = line_of(self._text, key)
        return ConfigError(f"{self._file}, line {line}: {name} {what}.", hint)

    def _syntax(self, error: Exception) -> ConfigError:
        found = re.search(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        what = found[1] if found else "it can't be read as TOML"
        line = int(found[2]) if found and found[2] else self._text.rstrip().count("\n") + 1
        return ConfigError(
            f"{self._file}, line {line}: {what[:1].lower()}{what[1:]}.",
            'Lines look like tokens = 48 or model = "house".',
        )


def line_of(text: str, key: Key) -> int:
    """The line on which the value of `key` begins: the first one with which it is there."""
    lines = text.replace("\r\n", "\n").split("\n")
    complete = 0
    for count in range(1, len(lines) + 1):
        try:
            value: Any = tomli.loads("\n".join(lines[:count]))
        except ValueError:
            continue
        for name in key:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            return complete + 1
        complete = count
    return 1


def _among(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    return f"Did you mean {close[0]}?" if close else f"Allowed are {', '.join(names)}."


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"a text in quotes, not {_shown(value)}")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"a whole number, not {_shown(value)}")
    if abs(value) > MOST:
        raise ValueError(f"at most {MOST}")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"a number, not {_shown(value)}")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false, not {_shown(value)}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and one for one in values):
        raise ValueError(f"a text or a list of texts, not {_shown(value)}")
    return tuple(values)


def _plain(value: Any) -> Any:
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float) and one == one for one in entries):
        raise ValueError(f"a text, a number, true, false or a list of them, not {_shown(value)}")
    return value


def _end(value: Any) -> End:
    if value not in list(End):
        raise ValueError(f"one of {', '.join(End)}, not {_shown(value)}")
    return End(value)


def _keymap(value: Any) -> str:
    if value not in KEYMAPS:
        raise ValueError(f"one of {', '.join(KEYMAPS)}, not {_shown(value)}")
    return str(value)


def _branches(value: Any) -> int:
    if not 1 <= _whole(value) <= MOST_BRANCHES:
        raise ValueError(f"between 1 and {MOST_BRANCHES}, not {value}")
    return int(value)


def _bias(value: Any) -> tuple[tuple[int, float], ...]:
    try:
        return tuple((_whole(token), _number(bias)) for token, bias in value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"a list of [token id, number], not {_shown(value)}") from error


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


_TOP: dict[str, Callable[[Any], Any]] = {
    "model": _text,
    "branches": _branches,
    "tokens": _whole,
    "preset": _text,
    "end": _end,
    "stop": _texts,
    "top": _whole,
    "heal": _flag,
    "keymap": _keymap,
    "theme": _text,
}
_KINDS: dict[str, Callable[[Any], Any]] = {"int": _whole, "float": _number}
_SAMPLING = {f.name: _KINDS.get(str(f.type), _bias) for f in fields(Sampling)}
