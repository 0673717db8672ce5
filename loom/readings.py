"""The session's dealings with its instruments: what is read next, what came, who is switched off.

The newest node in sight comes first, what is older has its turn while nothing grows. Changes
nothing itself: what was read goes into the file through the Session it serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from loom.agenda import Agenda
from loom.arrivals import Arrivals
from loom.changes import (
    Change,
    EngineChanged,
    EngineState,
    Moved,
    Notice,
    Scored,
    Sealed,
    TreeChanged,
)
from loom.config import Config
from loom.core.node import ROOT
from loom.discovery import Found, listed
from loom.holdings import Holdings
from loom.instruments.api import Flag, Reading
from loom.instruments.client import InstrumentClient, SwitchedOff
from loom.instruments.loading import Declared
from loom.logbook import Logbook
from loom.news import News
from loom.paths import Paths
from loom.raised import Raised, raised_in
from loom.roster import Calibrations, Roster, Running
from loom.store.errors import StoreError
from loom.stretches import Stretches, Way
from loom.tally import Due, Tally
from loom.walking import Readers, Walk

if TYPE_CHECKING:
    from loom.session import Session

SLICE = 0.002  # seconds at a time that the event loop is held
REST = 0.01  # seconds between two slices of old work
SAVED_AT_ONCE = 64  # readings
SEEN = 32  # continuations that are read before all that is out of sight
FEW = 8  # jobs of the log that are read at once; more of them in idle time, after all else


class Readings:
    """One client and the nodes that are to be read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.client: InstrumentClient | None = None
        self._roster = Roster()
        self._agenda = Agenda()
        self._holdings = Holdings(session)
        self._arrivals, self._logbook = Arrivals(session.tree, session.marks), Logbook(session)
        self._tally = Tally(self._logbook, self._holdings, self._roster)
        self._stretches = Stretches(session, lambda node: self._arrivals.choice_of(node))
        self._place = session.place
        self._engine: EngineState = "none"
        self._stop_listening: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None
        self._awake, self._idle = asyncio.Event(), asyncio.Event()
        self._news = News(session.emit, lambda: self._holdings.flagged)

    # ── life ───────────────────────────────────────────────────────────────────────────────

    async def attach(
        self, config: Config, found: Sequence[Found] | None, calibrations: Calibrations
    ) -> None:
        await self.close()
        every = await asyncio.to_thread(listed, "plugin") if found is None else found
        self._name_strangers(config, {one.name for one in every})
        wanted = [one for one in every if not one.shadowed_by and config.plugin(one.name).enabled]
        log = Paths.default().log_file("plugins")
        client = InstrumentClient(wanted, self._switched_off, log)
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
        other._begin(client, self._roster)
        return True

    def _begin(self, client: InstrumentClient, roster: Roster) -> None:
        had = frozenset(self._holdings.flagged)
        self.client, self._roster = client, roster
        self._agenda, self._holdings = Agenda(), Holdings(self._session)
        self._news.read(had, urgent=True)
        self._awake, self._idle = asyncio.Event(), asyncio.Event()
        self._stop_listening = self._session.subscribe(self._hear)
        self._task = asyncio.get_running_loop().create_task(self._work(client), name="readings")

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
            self._save()

    def _switched_off(self, off: SwitchedOff) -> None:
        self._roster.switch_off(off.name, off.why)
        self._news.read(self._holdings.forget_instrument(off.name), urgent=True)
        hint = f"Everything else goes on. Its log is {Paths.default().logs / 'plugins.log'}."
        self._news.complain(f"The plugin {off.name} is off: {off.why}.", hint)

    def listed(self) -> list[Running]:
        """All plugins that were to run, by name."""
        return self._roster.listed()

    # ── what was read ──────────────────────────────────────────────────────────────────────

    def of(self, node: int) -> dict[str, Reading] | None:
        """By instrument; None while no plugins are attached. The root has what those that read the
        log sum up of all of it."""
        if self.client is None or not self._roster.enlisted:
            return None
        if node == ROOT:
            return self._tally.summaries()
        model = self._stretches.model_of(node)
        if model is None:
            return {}
        keys = {name: key for name, (key, _) in self._readers(model).items()}
        keys |= {name: self._tally.key(name, model) for name in self._roster.on_log()}
        return self._holdings.readings(node, keys)

    def flags(self, node: int) -> Mapping[str, tuple[Flag, ...]] | None:
        return None if self.client is None else self._holdings.flags(node)

    @property
    def flagged(self) -> AbstractSet[int]:
        """Nodes with flags."""
        return self._holdings.flagged

    def raised(self, node: int) -> list[Raised]:
        start = self._stretches.start_of(node)
        return raised_in(self._session, node, self._holdings.flags(node), *start)

    def is_calibrated(self, node: int) -> bool | None:
        """None where nobody reads, or there is nothing to be read."""
        running = self.client is not None and self._roster.enlisted
        model = self._stretches.model_of(node) if running else None
        return None if model is None else self._roster.is_calibrated(model)

    async def settled(self) -> None:
        """Returns when there is nothing left to read at present."""
        if self._task is not None and not self._task.done():
            await self._idle.wait()

    # ── what happens ───────────────────────────────────────────────────────────────────────

    def _hear(self, change: Change) -> None:
        match change:
            case Sealed(node):
                self._stretches.forget_below(node)
                self._arrived([node])
            case TreeChanged(nodes):
                self._arrivals.added(nodes)
                self._logbook.added(nodes, self._session.event_count)
                self._arrived(nodes)
                self._recall_below(nodes)
            case Scored(node):
                self._stretches.forget_below(node)
                self._holdings.doubt([node])
                self._agenda.add([node])
                self._recall_below([node])
            case Moved(place):
                if not self._session.read_only:
                    self._arrivals.moved(self._place, place)
                self._place = place
                self._agenda.add(self._in_sight())
            case EngineChanged(state) if state != self._engine:
                self._engine = state
                self._agenda.recall()
            case _:
                return
        self._idle.clear()
        self._awake.set()

    def _in_sight(self) -> list[int]:
        """Where the writer is and what goes on there, as far as it isn't read."""
        node = self._place.node
        near = [node, *self._session.tree.children(node)[-SEEN:]]
        return [number for number in near if not self._holdings.is_sound(number)]

    def _arrived(self, nodes: Collection[int]) -> None:
        """These, and those beside them, which are chosen among more or fewer now; where what they
        hang on is chosen, that can wait."""
        beside, around = self._arrivals.beside(nodes), self._arrivals.around(nodes)
        self._holdings.doubt(beside | around)
        self._agenda.add(beside)
        self._agenda.add_backlog(around - beside)

    def _recall_below(self, nodes: Iterable[int]) -> None:
        """What was hidden, or waited for one of these, may be read now."""
        for node in nodes:
            if self._agenda.waits and node in self._session.tree:
                self._agenda.recall(self._session.tree.preorder(node))

    # ── the work ───────────────────────────────────────────────────────────────────────────

    async def _work(self, client: InstrumentClient) -> None:
        idle = self._idle
        try:
            await self._learn_past()
            await client.start()
            self._enlist(client.plugins)
            self._agenda.add_backlog(self._session.tree)
            self._agenda.add(self._in_sight())
            clock = asyncio.get_running_loop().time
            began = clock()
            while self._roster.enlisted:
                urgent = self._agenda.urgent
                due = None if urgent else self._due()
                node = self._agenda.next(idle=not self._session.growing()) if due is None else None
                if due is not None:
                    await self._read_log(client, due)
                elif node is None:
                    await self._rest()
                elif self._is_wanted(node):
                    await self._read(node, urgent=urgent)
                if clock() - began > SLICE:
                    await asyncio.sleep(0 if urgent else REST)
                    began = clock()
        except StoreError:
            return  # the session is closed; what is missing is read the next time
        except Exception as error:
            self._fail(error)
        finally:
            idle.set()

    def _fail(self, error: Exception) -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "readings have stopped", "exception": error})
        what = f"Plugins read no more: {type(error).__name__}: {error}."
        self._session.emit(Notice(what, "This is a mistake in Loom; the text is safe.", "error"))

    async def _learn_past(self) -> None:
        """How the writer came to every node there is."""
        learnt = 0
        while learnt < self._session.event_count:
            events = await asyncio.to_thread(self._session.events)
            self._arrivals = Arrivals(self._session.tree, self._session.marks)
            self._logbook = Logbook(self._session)
            for event in events:
                self._arrivals.happened(event)
                self._logbook.happened(event)
            learnt = events[-1].id if events else self._session.event_count
        self._tally = Tally(self._logbook, self._holdings, self._roster)
        self._place = self._session.place

    def _enlist(self, plugins: Mapping[str, Declared]) -> None:
        for name, mistake in self._roster.enlist(plugins).items():
            self._news.complain(f"{mistake}.", f"Until that is mended the plugin {name} is off.")

    def _readers(self, model: str) -> Readers:
        """Who runs, with settings for the tokens of that model."""
        readers = {}
        for name in self._roster.running():
            key, settings, spelled = self._roster.settings_for(name, model)
            self._holdings.know_settings(key, spelled)
            readers[name] = key, settings
        return readers

    async def _rest(self) -> None:
        """Until there is something to do."""
        self._save()
        self._awake.clear()
        if not len(self._agenda) and self._tally.due() is None:
            self._idle.set()
        await self._awake.wait()

    def _is_wanted(self, number: int) -> bool:
        session = self._session
        if number not in session.tree or self._holdings.is_sound(number):
            return False
        if session.tree[number].growing or self._stretches.model_of(number) is None:
            return False
        hidden = session.is_hidden(number)
        if hidden:
            self._agenda.put_aside(number)
        return not hidden

    async def _read(self, number: int, *, urgent: bool) -> None:
        """The node, and on the way to it whatever has to be read before it; what has just come only
        by those that aren't slow, who have their turn later."""
        model = self._stretches.model_of(number)
        assert self.client is not None and model is not None
        way = self._stretches.way_to(number, model, self._holdings.is_sound)
        if self._session.will_be_read(way.unread()):
            self._agenda.put_aside(number)
            return
        readers = self._readers(model)
        if urgent:
            slow = self.client.is_slow
            readers = {n: reader for n, reader in readers.items() if not slow(n)} or readers
        walk = Walk(self.client, self._stretches, self._holdings, self._roster, readers)
        clock = asyncio.get_running_loop().time
        began = clock()
        async with aclosing(walk.along(way)) as nodes:
            async for node, anew in nodes:
                self._was_read(node, anew=anew, urgent=urgent)
                if clock() - began > SLICE:
                    await asyncio.sleep(0 if urgent else REST)
                    began = clock()
                if not urgent and self._agenda.urgent:
                    break
        if not self._holdings.is_sound(number):
            self._again(number, way, readers)

    def _again(self, number: int, way: Way, readers: Readers) -> None:
        """A node that one didn't get to, unless nothing has changed and one never would."""
        model = self._stretches.model_of(number) or ""
        changed = tuple(readers) != self._roster.running() or way != self._stretches.way_to(
            number, model, self._holdings.is_sound
        )
        if (changed or self._agenda.urgent) and readers:
            self._agenda.add_backlog([number])

    def _due(self) -> Due | None:
        due = self._tally.due()
        few = due is not None and len(due.jobs) <= FEW
        return due if few or not (self._session.growing() or len(self._agenda)) else None

    async def _read_log(self, client: InstrumentClient, due: Due) -> None:
        nodes = await self._tally.read(client, due)
        self._news.read(nodes, urgent=len(due.jobs) <= FEW)
        if self._holdings.unsaved >= SAVED_AT_ONCE:
            self._save()

    def _was_read(self, node: int, *, anew: bool, urgent: bool) -> None:
        self._tally.note_flags(node, self._stretches.model_of(node) or "")
        if anew:
            below = self._sound_below(node)
            self._holdings.doubt(below)
            (self._agenda.add if urgent else self._agenda.add_backlog)(below)
        if self._holdings.unsaved >= SAVED_AT_ONCE:
            self._save()
        self._news.read([node], urgent=urgent)

    def _sound_below(self, node: int) -> list[int]:
        """Those that go on from the node, also over nodes with other tokens or none."""
        model, stack, found = self._stretches.model_of(node), [node], []
        while stack:
            for child in self._session.tree.children(stack.pop()):
                if self._holdings.is_sound(child):
                    found.append(child)
                if self._stretches.model_of(child) != model:
                    stack.append(child)
        return found

    def _save(self) -> None:
        if self._holdings.unsaved:
            self._session.keep_readings(*self._holdings.take_unsaved())
