"""The plugins: switched on and off, their options set, and why one doesn't run. In force at once,
and kept in loom.toml."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option as Row

from loom.config import Config, PluginConfig
from loom.core.text import visible
from loom.discovery import Found
from loom.extensions import plugins as found_plugins
from loom.instruments.loading import Declared, Option, unasked
from loom.reading.roster import Running
from loom.session import Session
from loom.switches import set_option, switch
from loom.ui.screens.options import read, shown
from loom.ui.screens.picker import Picker

GLANCE = 0.25  # seconds between two looks at what has become of them
STATE = 11  # cells
NAME = 10  # cells of a plugin's name or an option's, at least
WARNING = "Plugins are code and run with your rights; your own go into"


class Plugged(Protocol):
    """Who has the settings, and begins the plugins anew with them."""

    config: Config

    def plug(self, config: Config) -> None: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """A plugin that was found, what the settings say of it, and what has become of it."""

    found: Found
    config: PluginConfig
    running: Running | None
    said: Declared

    @property
    def sign(self) -> str:
        if self.trouble:
            return "!"
        return "●" if self.config.enabled else "○"

    @property
    def state(self) -> str:
        if not self.config.enabled:
            return "off"
        if self.trouble:
            return "doesn't run"
        return "on" if self.running is not None else "loading"

    @property
    def trouble(self) -> str:
        found, running = self.found, self.running
        if found.shadowed_by:
            return f"{found.path} isn't used: {found.shadowed_by} has the same name."
        if not self.config.enabled:
            return ""
        why = found.error or (running.why if running is not None else "")
        return f"Switched off because {why.rstrip('.')}." if why else ""

    @property
    def options(self) -> dict[str, Option]:
        return {**self.said.options, **self.config.options}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the list: a plugin, or one of its options."""

    plugin: Listed
    option: str = ""


class Plugins(Picker[None]):
    """`file` is where the settings are kept, `folder` where the user's own plugins lie."""

    HEADING = "Plugins"
    KEYS = "Space on, off · Enter sets an option · Esc closes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "flip", "On or off"),
        Binding("X", "close", "Close", show=False),
    ]

    def __init__(self, session: Session, owner: Plugged, file: Path, folder: Path) -> None:
        super().__init__()
        self._session, self._owner, self._file, self._folder = session, owner, file, folder
        self._found: list[tuple[Found, Declared]] = []
        self._told: dict[str, Declared] = {}  # by plugins that have run since
        self.lines: list[Line] = []

    def begin(self) -> None:
        self.options.loading = True
        self._look_for_them()

    @work(exit_on_error=False)
    async def _look_for_them(self) -> None:
        self._found = await asyncio.to_thread(lambda: [(one, unasked(one)) for one in _all()])
        self.options.loading = False
        self.set_focus(self.options)
        self.refill()
        self.say(f"{WARNING} {self._folder}")
        self.set_interval(GLANCE, self._glance)

    def _glance(self) -> None:
        """They are loaded, and switched off, meanwhile."""
        if list(self._lines()) != self.lines:
            self.refill()

    def refill(self) -> None:
        self.lines = list(self._lines())
        if self.lines:
            self.fill([Row(self._row(line)) for line in self.lines], self.options.highlighted or 0)

    def _lines(self) -> Iterator[Line]:
        running = {one.name: one for one in self._session.instruments()}
        for found, said in self._found:
            its = None if found.shadowed_by else running.get(found.name)
            if its is not None and its.about.options:
                self._told[found.name] = its.about
            known = said if found.shadowed_by else self._told.get(found.name, said)
            listed = Listed(found, self._owner.config.plugin(found.name), its, known)
            yield Line(listed)
            if not found.shadowed_by:
                yield from (Line(listed, option) for option in listed.options)

    # ── how they look ──────────────────────────────────────────────────────────────────────

    def _row(self, line: Line) -> Content:
        return self._option_row(line) if line.option else self._plugin_row(line.plugin)

    def _plugin_row(self, listed: Listed) -> Content:
        name = f"{listed.sign} {visible(listed.found.name):<{NAME}} "
        version = visible(listed.said.version)
        facts = Content.styled(f"{version}  {listed.state:<{STATE}} ", self.look("facts"))
        about = f"{visible(listed.said.about)}  "
        style = self.look("here" if listed.sign == "●" else "name")
        left = Content.assemble((name, style), (about, self.look("words")))
        left = left.truncate(max(12, self.room - facts.cell_length - 2), ellipsis=True)
        gap = " " * max(1, self.room - left.cell_length - facts.cell_length)
        row = Content.assemble(left, gap, facts)
        if not listed.trouble:
            return row
        return Content.assemble(row, "\n    ", (visible(listed.trouble), self.look("trouble")))

    def _option_row(self, line: Line) -> Content:
        listed, name = line.plugin, line.option
        value, default = listed.options[name], listed.said.options.get(name)
        width = max(NAME, *map(len, listed.options))
        row = Content.assemble(
            f"      {visible(name):<{width}} ", (visible(shown(value)) or "–", self.look("name"))
        )
        if default is not None and value != default:
            before = f"   ({visible(shown(default)) or '–'} by default)"
            row = Content.assemble(row, (before, self.look("facts")))
        return row.truncate(self.room, ellipsis=True)

    # ── changing ───────────────────────────────────────────────────────────────────────────

    @property
    def _line(self) -> Line | None:
        index = self.options.highlighted
        return None if index is None or index >= len(self.lines) else self.lines[index]

    async def action_flip(self) -> None:
        line = self._line
        if line is None or line.plugin.found.shadowed_by:
            return
        listed, option = line.plugin, line.option
        if option and isinstance(listed.options[option], bool):
            await self.attempt(lambda: self._set(listed, option, not listed.options[option]))
            return
        on, name = not listed.config.enabled, listed.found.name
        await self.attempt(lambda: self._plug(lambda: switch(self._file, name, on)))

    @on(OptionList.OptionSelected)
    async def choose(self, event: OptionList.OptionSelected) -> None:
        line = self.lines[event.option_index]
        listed, name = line.plugin, line.option
        if not name:
            first = next(iter(listed.options), "")
            self.say("Space switches it; Enter on an option sets that." if first else "No options.")
        elif isinstance(listed.options[name], bool):
            await self.action_flip()
        else:
            value = listed.options[name]
            self.ask(f"{listed.found.name}: {name}", shown(value), self._answer_for(listed, name))

    def _answer_for(self, listed: Listed, name: str) -> Callable[[str], None]:
        def answer(text: str) -> None:
            default = listed.said.options.get(name, listed.options[name])
            value = read(name, text, default)
            self.stop_asking()
            self._set(listed, name, value)

        return answer

    def _set(self, listed: Listed, option: str, value: Option) -> None:
        self._plug(lambda: set_option(self._file, listed.found.name, option, value))

    def _plug(self, change: Callable[[], Config]) -> None:
        """Write it, then have everything read with it. Raises ConfigError."""
        self._owner.plug(change())
        self.refill()
        self.say(f"In force now, and kept in {self._file}.")


def _all() -> list[Found]:
    return list(found_plugins())
