"""The rounds that instruments make in a session: what has just come is read at once, the newest
first, and the rest, the newest first, while there is nothing else to be done.

Knows what lies on the desk and who reads; changes nothing in the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from loom.instruments.lanes import Lanes
from loom.mistakes import admit
from loom.reading.desk import Desk
from loom.reading.news import News
from loom.reading.stretches import Way
from loom.reading.tally import Due
from loom.reading.walking import Readers, Walk
from loom.store.errors import StoreError

SLICE = 0.002  # seconds at a time that the event loop is held
REST = 0.01  # seconds between two slices of old work
SAVED_AT_ONCE = 64  # readings
AT_ONCE = 8  # nodes that have just come: while plugins read one, another is got ready
FEW = 8  # jobs of the log that are read at once; more of them in idle time, after all else


class Rounds:
    """`run` goes on until it is cancelled; `wake` when something lies on the desk."""

    def __init__(self, desk: Desk, client: Lanes, news: News) -> None:
        self._desk, self._client, self._news = desk, client, news
        self._awake, self._idle = asyncio.Event(), asyncio.Event()
        self._later: asyncio.Task[None] | None = None
        self._clock: Callable[[], float] = asyncio.get_running_loop().time

    def wake(self) -> None:
        self._idle.clear()
        self._awake.set()

    async def settled(self) -> None:
        """Returns when there is nothing left to read at present."""
        await self._idle.wait()

    async def run(self) -> None:
        try:
            await self._desk.lay_out()
            await self._client.start()
            self._enlist()
            while self._desk.roster.enlisted:
                self._awake.clear()
                if self._desk.agenda.urgent:
                    await self._read_fresh()
                    await asyncio.sleep(0)
                else:
                    self._go_on()
                    await self._awake.wait()
        except StoreError:
            return  # the session is closed; what is missing is read the next time
        except Exception as error:
            admit(self._desk.session.emit, "Plugins read no more", error)
        finally:
            later = self._later
            if later is not None and not later.cancel() and not later.cancelled():
                later.exception()  # was there to be asked for
            self._idle.set()

    def _enlist(self) -> None:
        for name, mistake in self._desk.roster.enlist(self._client.plugins).items():
            self._news.complain(f"{mistake}.", f"Until that is mended the plugin {name} is off.")

    # ── what has just come ─────────────────────────────────────────────────────────────────

    async def _read_fresh(self) -> None:
        """Those that hang on what was read, side by side; the others when there are none of those,
        as what they hang on may be among them."""
        alone: list[tuple[int, Way]] = []
        together: list[tuple[int, Way]] = []
        began = self._clock()
        while self._desk.agenda.urgent and len(together) < AT_ONCE:
            number = self._desk.agenda.next(idle=False)
            if number is not None and self._desk.is_wanted(number):
                way = self._desk.way_to(number)
                if way is not None:
                    (together if len(way.links) == 1 else alone).append((number, way))
            if self._clock() - began > SLICE:
                break
        first, rest = (together, alone) if together else (alone[:1], alone[1:])
        self._desk.agenda.add(number for number, _ in rest)
        await asyncio.gather(*(self._read(n, way, urgent=True) for n, way in first))

    # ── what can wait ──────────────────────────────────────────────────────────────────────

    def _go_on(self) -> None:
        """Have the rest read beside all else; a mistake in that is raised here."""
        if self._later is not None and self._later.done():
            done, self._later = self._later, None
            done.result()
        idle = not self._desk.session.growing()
        if self._later is None and (self._due() or (idle and len(self._desk.agenda))):
            self._later = asyncio.create_task(self._read_later(), name="later readings")
            self._later.add_done_callback(lambda task: self._awake.set())
        elif self._later is None:
            self._desk.save()
            if not len(self._desk.agenda) and self._desk.tally.due() is None:
                self._idle.set()

    async def _read_later(self) -> None:
        """Until there is something that can't wait, or nothing left."""
        agenda, began = self._desk.agenda, self._clock()
        while not agenda.urgent:
            due = self._due()
            idle = not self._desk.session.growing()
            number = agenda.next(idle=idle) if due is None else None
            if due is not None:
                await self._read_log(due)
            elif number is None:
                return
            elif self._desk.is_wanted(number):
                way = self._desk.way_to(number)
                if way is not None:
                    await self._read(number, way, urgent=False)
            if self._clock() - began > SLICE:
                await asyncio.sleep(REST)
                began = self._clock()

    def _due(self) -> Due | None:
        due = self._desk.tally.due()
        few = due is not None and len(due.jobs) <= FEW
        return due if few or not (self._desk.session.growing() or len(self._desk.agenda)) else None

    async def _read_log(self, due: Due) -> None:
        nodes = await self._desk.tally.read(self._client, due)
        self._news.read(nodes, urgent=len(due.jobs) <= FEW)
        self._desk.save(SAVED_AT_ONCE)

    # ── a node ─────────────────────────────────────────────────────────────────────────────

    async def _read(self, number: int, way: Way, *, urgent: bool) -> None:
        """The node, and on the way to it whatever has to be read before it; what has just come only
        by those that aren't slow, who have their turn later."""
        desk = self._desk
        readers = desk.readers(desk.model_of(number))
        if urgent:
            slow = self._client.is_slow
            readers = {n: reader for n, reader in readers.items() if not slow(n)} or readers
        walk = Walk(self._client, desk.stretches, desk.holdings, desk.roster, readers)
        began = self._clock()
        async with aclosing(walk.along(way)) as nodes:
            async for node, anew in nodes:
                desk.was_read(node, anew=anew, urgent=urgent)
                desk.save(SAVED_AT_ONCE)
                self._news.read([node], urgent=urgent)
                if self._clock() - began > SLICE:
                    await asyncio.sleep(0 if urgent else REST)
                    began = self._clock()
                if not urgent and desk.agenda.urgent:
                    break
        if not desk.holdings.is_sound(number):
            self._again(number, way, readers)

    def _again(self, number: int, way: Way, readers: Readers) -> None:
        """A node that one didn't get to, unless nothing has changed and one never would."""
        desk = self._desk
        model = desk.model_of(number)
        changed = tuple(readers) != desk.roster.running() or way != desk.stretches.way_to(
            number, model, desk.holdings.is_sound
        )
        if (changed or desk.agenda.urgent) and readers:
            desk.agenda.add_backlog([number])
