"""The plugins of a session: who runs, with which settings, and who is off and why.

Knows the user's settings and what was found out about models; reads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from loom.config import Config
from loom.instruments import calibration
from loom.instruments.api import Scope, Settings
from loom.instruments.calibration import Calibration
from loom.instruments.keeping import settings_key
from loom.instruments.loading import Declared, fitted

Calibrations = Callable[[str], Calibration | None]
"""The fingerprint of a model → what was found out about it."""


@dataclass(frozen=True, slots=True)
class Running:
    """A plugin as the session has it; "off": it was switched off, `why` says for what."""

    name: str
    state: Literal["on", "off"]
    about: Declared
    why: str = ""


class Roster:
    """`names` are those that read paths, in a fixed order, also once some are off, `log_names`
    those that read the log."""

    def __init__(
        self, config: Config | None = None, calibrations: Calibrations = calibration.load
    ) -> None:
        self.config, self.calibrations = config or Config(), calibrations
        self.names: tuple[str, ...] = ()
        self.log_names: tuple[str, ...] = ()
        self._about: dict[str, Declared] = {}
        self._off: dict[str, str] = {}
        self._settings: dict[tuple[str, str], tuple[str, Settings, dict[str, Any]]] = {}
        self._calibrated: dict[str, bool] = {}

    def enlist(self, plugins: Mapping[str, Declared]) -> dict[str, str]:
        """Those that were loaded; who can't run as the user's settings are, with the mistake."""
        mistaken = {}
        for name, about in plugins.items():
            if name in self._off:
                continue
            try:
                fitted(about.options, self.config.plugin(name).options)
            except ValueError as error:
                option, _, rule = str(error).partition(" ")
                mistaken[name] = f"{self.config.where('plugins', name, option)} {rule}"
        self._about = dict(plugins)
        self._off |= mistaken
        self.names, self.log_names = self._reading("path"), self._reading("log")
        return mistaken

    def _reading(self, scope: Scope) -> tuple[str, ...]:
        every = [name for name, about in self._about.items() if about.scope == scope]
        return tuple(sorted(name for name in every if name not in self._off))

    def switch_off(self, name: str, why: str) -> None:
        self._off[name] = why

    def running(self) -> tuple[str, ...]:
        """Those of `names` that are still on."""
        return tuple(name for name in self.names if name not in self._off)

    @property
    def enlisted(self) -> tuple[str, ...]:
        """All that could run, also once some are off."""
        return self.names + self.log_names

    def on_log(self) -> tuple[str, ...]:
        """Those of `log_names` that are still on."""
        return tuple(name for name in self.log_names if name not in self._off)

    def listed(self) -> list[Running]:
        """All, by name."""
        names = sorted(self._about.keys() | self._off.keys())
        return [self._listed(name, self._about.get(name, Declared(name))) for name in names]

    def _listed(self, name: str, about: Declared) -> Running:
        if name in self._off:
            return Running(name, "off", about, self._off[name])
        return Running(name, "on", about)

    def is_calibrated(self, model: str) -> bool:
        """Whether anything was found out about a model."""
        if model not in self._calibrated:
            self._calibrated[model] = self.calibrations(model) is not None
        return self._calibrated[model]

    def looks_at_choices(self, name: str) -> bool:
        return self._about[name].choice

    def settings_for(self, name: str, model: str) -> tuple[str, Settings, dict[str, Any]]:
        """For a model's tokens: what names them in a file, themselves, and spelled out."""
        found = self._settings.get((name, model))
        if found is None:
            about, known = self._about[name], self.calibrations(model)
            options = fitted(about.options, self.config.plugin(name).options)
            kept = None if known is None else known.of(name, about.version)
            settings = Settings(options, model, kept)
            key, spelled = settings_key(about, settings)
            found = self._settings[name, model] = key, settings, spelled
        return found
