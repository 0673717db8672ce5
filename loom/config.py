"""loom.toml as values.

Every mistake in the file is one ConfigError that names file, line and key and says what is allowed.
It doesn't know which actions have keys or what an engine makes of its options.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from loom.core.recipe import PRESETS, End, Recipe, Sampling
from loom.paths import Paths
from loom.tables import (
    MOST,
    Table,
    among,
    decoded,
    flag_of,
    line_of,
    number_of,
    shown,
    text_of,
    texts_of,
    whole_of,
)

__all__ = ["MOST", "Config", "ConfigError", "Paths", "load_config", "parse_config"]

MOST_BRANCHES = 64
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
class SourcesConfig:
    """What loom.toml says of sources: the set offered in every session, by name or as a file
    ("": the model's own), and whether idle time is used to weigh what is in sight."""

    set: str = ""
    weigh: bool = True


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
    sources: SourcesConfig = field(default_factory=SourcesConfig)
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
                raise ConfigError(f"There is no engine option {name!r}.", among(name, known))
        return replace(self, engine={**self.engine, **options})

    def recipe_with(self, preset: str) -> Recipe:
        """The default recipe with the sampling of `preset`; raises ConfigError if there is none."""
        known = {**PRESETS, **self.presets}
        if preset not in known:
            raise ConfigError(f"There is no preset {preset!r}.", among(preset, known))
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
    return _Reader(decoded(data, file, ConfigError), file).config()


class _Reader(Table):
    """Takes the values out of one file, key by key."""

    def __init__(self, text: str, file: Path) -> None:
        super().__init__(text, file, ConfigError, 'tokens = 48 or model = "house"')

    def config(self) -> Config:
        self.known((), [*_TOP, "presets", "engine", "keys", "plugins", "sources"])
        given = {n: self.value((n,), check) for n, check in _TOP.items() if n in self.data}
        presets = {name: self._preset(name) for name in self.table("presets")}
        config = Config(
            model=self._model(given.pop("model", None)),
            branches=given.pop("branches", Config().branches),
            presets=presets,
            engine={name: self._option(name) for name in self.table("engine")},
            keymap=given.pop("keymap", Config().keymap),
            keys={name: self._keys(name) for name in self.table("keys")},
            theme=given.pop("theme", Config().theme),
            plugins=self._plugins(),
            sources=self._sources(),
            file=self.file,
            source=self.text,
        )
        return self._with_recipe(config, given)

    def _sources(self) -> SourcesConfig:
        table = self.table("sources")
        if table:
            self.known(("sources",), _SOURCES)
        given = {
            n: self.value(("sources", n), check) for n, check in _SOURCES.items() if n in table
        }
        chosen = self._model(given.pop("set", None))
        return SourcesConfig(set=chosen or "", **given)

    def _with_recipe(self, config: Config, given: dict[str, Any]) -> Config:
        preset = given.pop("preset", config.preset)
        known = {**PRESETS, **config.presets}
        if preset not in known:
            what = f"must be the name of a preset, not {shown(preset)}"
            raise self.wrong(("preset",), what, among(preset, known))
        recipe = self.made(lambda: Recipe(sampling=known[preset], preset=preset, **given), ())
        return replace(config, preset=preset, recipe=recipe)

    def _preset(self, name: str) -> Sampling:
        key = ("presets", name)
        if not isinstance(self.at(key), dict):
            raise self.wrong(key, "must be a table", f"Write [presets.{name}].")
        self.known(key, _SAMPLING)
        values = {k: self.value((*key, k), _SAMPLING[k]) for k in self.at(key)}
        return self.made(lambda: Sampling(**values), key)

    def _option(self, name: str) -> Any:
        key = ("engine", name)
        value = self.at(key)
        close = difflib.get_close_matches(name, ENGINE_OPTIONS, 1, 0.8)
        if name not in ENGINE_OPTIONS and close:
            raise self.wrong(key, "is unknown", f"Did you mean {close[0]}?")
        if not isinstance(value, str | int | float) or value != value:
            raise self.wrong(key, "must be a text, a number, true or false", "")
        return value

    def _keys(self, name: str) -> tuple[str, ...]:
        keys: tuple[str, ...] = self.value(("keys", name), texts_of)
        return keys

    def _plugins(self) -> dict[str, PluginConfig]:
        table = self.table("plugins")
        lists = {name: self._names(name) if name in table else () for name in _LISTS}
        both = [name for name in lists["disabled"] if name in lists["enabled"]]
        if both:
            what = f"names {shown(both[0])}, and so does plugins.enabled"
            raise self.wrong(("plugins", "disabled"), what, "Take it out of one of them.")
        names = dict.fromkeys([*lists["enabled"], *lists["disabled"], *table])
        return {
            name: PluginConfig(name not in lists["disabled"], self._plugin_options(name))
            for name in names
            if name not in _LISTS
        }

    def _names(self, name: str) -> tuple[str, ...]:
        names: tuple[str, ...] = self.value(("plugins", name), texts_of)
        return names

    def _plugin_options(self, name: str) -> dict[str, Any]:
        key = ("plugins", name)
        options = self.table("plugins").get(name, {})
        if not isinstance(options, dict):
            hint = f"Write [plugins.{name}], or a list of names as enabled or disabled."
            raise self.wrong(key, "must be a table", hint)
        return {option: self.value((*key, option), _plain) for option in options}

    def _model(self, value: str | None) -> str | None:
        """A path that starts with a dot is meant from the folder of the file."""
        if value is None or not value.startswith(("./", "../", "~")):
            return value
        return str(self.file.absolute().parent / Path(value).expanduser())


def _plain(value: Any) -> Any:
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float) and one == one for one in entries):
        raise ValueError(f"a text, a number, true, false or a list of them, not {shown(value)}")
    return value


def _end(value: Any) -> End:
    if value not in list(End):
        raise ValueError(f"one of {', '.join(End)}, not {shown(value)}")
    return End(value)


def _keymap(value: Any) -> str:
    if value not in KEYMAPS:
        raise ValueError(f"one of {', '.join(KEYMAPS)}, not {shown(value)}")
    return str(value)


def _branches(value: Any) -> int:
    if not 1 <= whole_of(value) <= MOST_BRANCHES:
        raise ValueError(f"between 1 and {MOST_BRANCHES}, not {value}")
    return int(value)


def _bias(value: Any) -> tuple[tuple[int, float], ...]:
    try:
        return tuple((whole_of(token), number_of(bias)) for token, bias in value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"a list of [token id, number], not {shown(value)}") from error


_TOP: dict[str, Callable[[Any], Any]] = {
    "model": text_of,
    "branches": _branches,
    "tokens": whole_of,
    "preset": text_of,
    "end": _end,
    "stop": texts_of,
    "top": whole_of,
    "heal": flag_of,
    "keymap": _keymap,
    "theme": text_of,
}
_KINDS: dict[str, Callable[[Any], Any]] = {"int": whole_of, "float": number_of}
_SAMPLING = {f.name: _KINDS.get(str(f.type), _bias) for f in fields(Sampling)}
_SOURCES: dict[str, Callable[[Any], Any]] = {"set": text_of, "weigh": flag_of}
