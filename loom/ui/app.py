"""The terminal program: shows a session, starts its engine behind the first frame, closes both.

Knows no model and no file; everything that happens goes through the Session.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from textual import events
from textual.actions import ActionParseResult
from textual.app import SystemCommand
from textual.dom import DOMNode
from textual.screen import Screen, SystemModalScreen
from textual.theme import Theme
from textual.widgets import Input

from loom.config import Config
from loom.paths import Paths
from loom.session import Session
from loom.ui import hangup, themes
from loom.ui.bindings import Command
from loom.ui.imprint import imprint
from loom.ui.keymaps import Problem, in_force
from loom.ui.screens.main import MainScreen
from loom.ui.screens.page import SAID
from loom.ui.screens.tour import TourScreen
from loom.ui.switching import closed
from loom.ui.touring import Touring

PROBLEM = 12.0  # seconds that a mistake in the settings can be read
AT_LATEST = 0.5  # seconds after which the first frame is no longer waited for
SETTLED = 2.0  # seconds after the first frame, all that was there from the beginning is there


class LoomApp(Touring):
    """`model` is a name or folder as on the command line; None leaves it to the settings."""

    CSS_PATH = "loom.tcss"
    TITLE = "Loom"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-medium"), (118, "-roomy"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-middling"), (50, "-tall")]

    def __init__(self, session: Session, config: Config, model: str | None = None) -> None:
        super().__init__(session, config, model)
        self._closed = self._begun = False
        self._theme_trouble = self._use_theme(config.theme)

    def on_mount(self) -> None:
        if self._theme_trouble:
            self._warn(f"{self.config.where('theme')}: {self._theme_trouble}")
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        for problem in self._keys_in_force[1]:
            self._warn(f"{self.config.where('keys', problem.name)}: {problem.text} {problem.hint}")
        self.main.call_after_refresh(self._after_first_frame)
        self.set_timer(AT_LATEST, self._after_first_frame)  # it never comes under a dialog
        if not self.is_headless:
            self.set_interval(hangup.EVERY, hangup.end_without_terminal)

    def screen_for(self, session: Session) -> MainScreen:
        return MainScreen(session, self._keys_in_force[0])

    @cached_property
    def _keys_in_force(self) -> tuple[tuple[Command, ...], list[Problem]]:
        return in_force(self.config.keymap, self.config.keys)

    def _use_theme(self, name: str) -> str:
        """What is wrong with the name. Once the app runs, all its styles would be made anew."""
        themes.register(self)
        wrong = themes.complaint(self, name)
        kept = themes.chosen(Paths.default().state, name)
        own = themes.DARK.name if wrong else name
        self._theme_kept = own if themes.complaint(self, kept) else kept
        self.set_reactive(LoomApp.theme, self._theme_kept)
        self.stylesheet.set_variables(self.get_css_variables())
        return wrong

    def _keep_theme(self, theme: Theme) -> None:
        """One taken in the palette is there the next time."""
        if theme.name == self._theme_kept:
            return
        self._theme_kept = theme.name
        try:
            themes.keep(Paths.default().state, theme.name, self.config.theme)
        except OSError as error:
            self._warn(f"The theme can't be remembered: {error.strerror}.")

    def _warn(self, sentence: str) -> None:
        self.notify(sentence.strip(), severity="warning", timeout=PROBLEM, markup=False)

    def _after_first_frame(self) -> None:
        if self._begun:
            return
        self._begun = True
        self.set_timer(SETTLED, self._after_all_is_there)
        self.run_worker(self.start_engine(), name="engine", exit_on_error=False)
        self._leave_imprint()

    def _after_all_is_there(self) -> None:
        gc.freeze()  # it stays: it is not to be searched for garbage again and again
        gc.enable()
        self._leave_imprint()

    def _leave_imprint(self) -> None:
        """For the first look at the next start."""
        page = self.main
        seen = page.is_mounted and page.text_pane.region and not page.editor.is_open
        if seen and not self.is_headless and not self.on_tour:
            with suppress(OSError):
                imprint(page).save(Paths.default().state)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every command of the table of keys that is possible now."""
        for command in self.main.commands:
            yield from self._palette_entries(command)

    def _palette_entries(self, command: Command) -> Iterable[SystemCommand]:
        method = command.action.partition("(")[0]
        if command.action == "palette" or not self.main.check_action(method, ()):
            return
        keyed = command.keys if command.each else command.keys[:1] or ("",)
        for number, key in enumerate(keyed, start=1):
            title = f"{command.title} {number}" if command.each else command.title
            keys = key if command.each else command.shown
            action = command.action_for(number)
            run = partial(self.run_action, action, self.main)
            yield SystemCommand(f"{title}  ({keys})" if keys else title, command.help, run)

    async def on_event(self, event: events.Event) -> None:
        """A key does its work before the next one is looked at.

        Textual hands keys to the focused widget's queue, so that what is typed ahead of a change of
        focus (`i` and a word, sent at once by a slow line) would go to the wrong one.
        """
        if self.leaves_tour(event):
            return
        if isinstance(event, events.Key | events.Paste) and await self._typed(event):
            return
        await super().on_event(event)

    async def _typed(self, event: events.Key | events.Paste) -> bool:
        """Whether the main screen, or what is open over it, has dealt with it."""
        if event.is_forwarded or not self.main.is_mounted:
            return False
        if self.screen is not self.main:
            return isinstance(event, events.Key) and await self._typed_over_page(event)
        self.app_focus = True
        if isinstance(event, events.Key):
            return await self._pressed(event)
        await self.main.paste(event)
        return True

    async def _pressed(self, key: events.Key) -> bool:
        """Esc and a character that a slow line brings together look like Alt and the character."""
        name, character = key.key.removeprefix("alt+"), key.character
        if name == key.key or key.key in self.main.active_bindings or not character:
            return await self.main.press(key)
        await self.main.press(events.Key("escape", "\x1b"))
        self.post_message(events.Key(character if name.startswith("shift+") else name, character))
        return True

    async def _typed_over_page(self, key: events.Key) -> bool:
        """Letters go into the line that has the keyboard, other keys to what they are bound to."""
        if isinstance(self.screen, SystemModalScreen):  # Textual's own, such as the palette
            return False
        unseen = self.focused is not None and not self.focused.size.height
        if unseen and key.key in ("pageup", "pagedown"):
            return True  # Textual's list has no pages before it was laid out, and raises
        if isinstance(self.focused, Input) and key.is_printable:
            await self.focused._on_key(key)
            return True
        return await self._check_bindings(key.key, priority=True) or await self._check_bindings(
            key.key
        )

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """What a command can't do is said in one sentence."""
        try:
            done = await super().run_action(action, default_namespace, namespaces)
        except SAID as error:
            self.main.complain(error)
            return True
        if done and isinstance(self.main, TourScreen) and isinstance(action, str):
            self.main.ran(action)
        return done

    async def action_quit(self) -> None:
        with self.waiting("closing the session …"):
            message = await self.close_session()
        self.exit(message=message)

    async def on_unmount(self) -> None:
        await self.close_session()

    async def close_session(self) -> str | None:
        """Keep the draft, close the session; what went wrong. Leaving never waits for long."""
        if self._closed:
            return None
        self._closed = True
        self._leave_imprint()
        await self.abandon_tour()
        self.keep_draft()
        return await closed(self.session)
