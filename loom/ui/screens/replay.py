"""The main screen while a recorded session is played on it: nothing on it can be changed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType

from loom.changes import EngineChanged
from loom.ui.bindings import Command
from loom.ui.player import Player
from loom.ui.screens.main import MainScreen
from loom.ui.screens.page import TreePane
from loom.ui.widgets.card import Card
from loom.ui.widgets.lens import Lens
from loom.ui.widgets.strip import Strip
from loom.ui.widgets.timeline import Timeline

FRAME = 1 / 30
KEYS = {
    "space": "play", "right": "step(1)", "l": "step(1)", "left": "step(-1)", "h": "step(-1)",
    "plus": "speed(1)", "+": "speed(1)", "equals_sign": "speed(1)", "minus": "speed(-1)",
    "home": "seek(0)", "end": "seek(1)", "p": "pace", "enter": "go_on", "escape": "quit",
    "q": "quit", "ctrl+q": "quit",
}  # fmt: skip
ALLOWED = {"layer", "tree", "lens", "page", "divide", "copy", "copy_text"}
"""Commands of the main screen that only look."""


class ReplayScreen(MainScreen):
    """`begin_anew` is called where time went back, `go_on` to write on from the moment shown."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        player: Player,
        commands: Sequence[Command],
        begin_anew: Callable[[], Awaitable[None]],
        go_on: Callable[[], None],
    ) -> None:
        super().__init__(player.playback, commands)
        self.player = player
        self._begin_anew, self._go_on = begin_anew, go_on
        self._ticked = time.monotonic()

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield Timeline(self.player, id="timeline")

    async def on_mount(self) -> None:
        self.timeline = self.query_one(Timeline)
        self.query_one(Strip).display = False
        self._ticked = time.monotonic()
        self.set_interval(FRAME, self._tick)

    def begin(self) -> None:
        """No editor opens, however empty the page; there is no engine, and there won't be one."""
        self.status.engine_changed(EngineChanged("none"))
        self.engine_attached()

    def _hint(self) -> str:
        return ""

    def _tick(self) -> None:
        now = time.monotonic()
        passed, self._ticked = now - self._ticked, now
        if self.player.playing and self.player.playback is self.session:
            self.player.tick(passed)
            self.timeline.refresh()

    async def moved(self, back: bool) -> None:
        if back:
            await self._begin_anew()
        else:
            self.timeline.refresh()

    # ── keys ───────────────────────────────────────────────────────────────────────────────

    async def press(self, key: events.Key) -> bool:
        action = KEYS.get(key.key)
        if action is not None:
            return await self.app.run_action(f"screen.{action}", self)
        active = self.active_bindings.get(key.key)
        name = "" if active is None else active.binding.action.removeprefix("screen.")
        if name.partition("(")[0] in ALLOWED:
            return await super().press(key)
        return True

    async def action_play(self) -> None:
        self._ticked = time.monotonic()
        await self.moved(self.player.toggle())

    async def action_step(self, by: int) -> None:
        await self.moved(self.player.step(by))

    def action_speed(self, by: int) -> None:
        self.player.faster(by)
        self.timeline.refresh()

    def action_pace(self) -> None:
        self.player.next_pace()
        self.timeline.refresh()

    async def action_seek(self, share: float) -> None:
        await self.moved(self.player.scrub(share * self.player.playback.schedule.length))

    def action_go_on(self) -> None:
        self.player.playing = False
        self._go_on()

    @on(Timeline.Sought)
    def seek(self, event: Timeline.Sought) -> None:
        moving = self.moved(self.player.scrub(event.seconds))
        self.app.run_worker(moving, group="replay", exit_on_error=False)

    @on(TreePane.Chosen)
    @on(Lens.Picked)
    @on(Card.Taken)
    def only_look(self, event: TreePane.Chosen | Lens.Picked | Card.Taken) -> None:
        event.prevent_default()
