"""The session's dealings with its instruments: when they begin and end, what they have read, who is
switched off. Changes nothing itself: what was read goes into the file through the Session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import TYPE_CHECKING

from loom.changes import Change
from loom.config import Config
from loom.core.node import ROOT
from loom.discovery import Found, listed
from loom.instruments.api import Flag, Reading
from loom.instruments.client import SwitchedOff
from loom.instruments.lanes import Lanes
from loom.paths import Paths
from loom.raised import Raised, raised_in
from loom.reading.desk import Desk
from loom.reading.news import News
from loom.reading.roster import Calibrations, Roster, Running
from loom.reading.rounds import Rounds
from loom.store.errors import StoreError

if TYPE_CHECKING:
    from loom.watched import Watched


class Readings:
    """`client` are the plugins, None while there are none."""

    def __init__(self, session: Watched) -> None:
        self._session = session
        self.client: Lanes | None = None
        self._desk = Desk(session, Roster())
        self._rounds: Rounds | None = None
        self._stop_listening: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None
        self._news = News(session.emit, lambda: self._desk.holdings.flagged)

    # ── life ───────────────────────────────────────────────────────────────────────────────

    async def attach(
        self, config: Config, found: Sequence[Found] | None, calibrations: Calibrations
    ) -> None:
        await self.close()
        every = await asyncio.to_thread(listed, "plugin") if found is None else found
        self._name_strangers(config, {one.name for one in every})
        wanted = [one for one in every if not one.shadowed_by and config.plugin(one.name).enabled]
        log = Paths.default().log_file("plugins")
        client = Lanes(wanted, self._switched_off, log)
        self._begin(client, Roster(config, calibrations))

    def _name_strangers(self, config: Config, known: Container[str]) -> None:
        for name, plugin in config.plugins.items():
            if plugin.options and name not in known:
                where = config.where("plugins", name)
                self._news.complain(
                    f"{where}: there is no plugin {name}.", "`loom plugins` lists those there are."
                )

    def hand_over(self, other: Readings) -> bool:
        """Let `other` go on with the plugins; False where there are none."""
        client = self.client
        if client is None:
            return False
        self._end()
        self.client = None
        client.listen(other._switched_off)
        other._begin(client, self._desk.roster)
        return True

    def _begin(self, client: Lanes, roster: Roster) -> None:
        had = frozenset(self.flagged)
        self.client, self._desk = client, Desk(self._session, roster)
        self._news.read(had, urgent=True)
        self._rounds = rounds = Rounds(self._desk, client, self._news)
        self._stop_listening = self._session.subscribe(self._hear)
        self._task = asyncio.get_running_loop().create_task(rounds.run(), name="readings")

    def _hear(self, change: Change) -> None:
        if self._desk.hear(change) and self._rounds is not None:
            self._rounds.wake()

    async def close(self) -> None:
        """What was read is handed to the file; the plugins' process ends."""
        client, self.client = self.client, None
        self._end()
        if client is not None:
            await client.close()

    def _end(self) -> None:
        self._stop_listening()
        self._stop_listening = lambda: None
        self._news.stop()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        with suppress(StoreError):  # what isn't kept is read again
            self._desk.save()

    def _switched_off(self, off: SwitchedOff) -> None:
        self._desk.roster.switch_off(off.name, off.why)
        self._news.read(self._desk.holdings.forget_instrument(off.name), urgent=True)
        hint = f"Everything else goes on. Its log is {Paths.default().logs / 'plugins.log'}."
        self._news.complain(f"The plugin {off.name} is off: {off.why}.", hint)

    def listed(self) -> list[Running]:
        """All plugins that were to run, by name."""
        return self._desk.roster.listed()

    # ── what was read ──────────────────────────────────────────────────────────────────────

    def of(self, node: int) -> dict[str, Reading] | None:
        """By instrument; None while no plugins are attached. The root has what those that read the
        log sum up of all of it."""
        if self.client is None or not self._desk.roster.enlisted:
            return None
        if node == ROOT:
            return self._desk.tally.summaries()
        model = self._desk.stretches.model_of(node)
        if model is None:
            return {}
        keys = {name: key for name, (key, _) in self._desk.readers(model).items()}
        keys |= {name: self._desk.tally.key(name, model) for name in self._desk.roster.on_log()}
        return self._desk.holdings.readings(node, keys)

    def flags(self, node: int) -> Mapping[str, tuple[Flag, ...]] | None:
        return None if self.client is None else self._desk.holdings.flags(node)

    @property
    def flagged(self) -> AbstractSet[int]:
        """Nodes with flags."""
        return self._desk.holdings.flagged

    def raised(self, node: int) -> list[Raised]:
        start = self._desk.stretches.start_of(node)
        return raised_in(self._session, node, self._desk.holdings.flags(node), *start)

    def is_calibrated(self, node: int) -> bool | None:
        """None where nobody reads, or there is nothing to be read."""
        running = self.client is not None and self._desk.roster.enlisted
        model = self._desk.stretches.model_of(node) if running else None
        return None if model is None else self._desk.roster.is_calibrated(model)

    async def settled(self) -> None:
        """Returns when there is nothing left to read at present."""
        if self._rounds is not None and self._task is not None and not self._task.done():
            await self._rounds.settled()
