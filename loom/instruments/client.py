"""The asyncio side of the plugins: their process, what is folded in it, and who is switched off.

A fault is a strike, and at the third a plugin is off for as long as the program runs; the process
is started again and everything else goes on. Knows stretches and readings, not trees.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from loom.discovery import Found
from loom.instruments import wire
from loom.instruments.api import Reading, Settings
from loom.instruments.folding import Stretch
from loom.instruments.guard import MEMORY
from loom.instruments.loading import Declared
from loom.processes.child import Child
from loom.processes.log import ProcessLog
from loom.processes.records import Record

STRIKES = 3
SLOW = 0.1  # seconds for a stretch
LIVES = 5  # times in a row that the process may end while no plugin is at work
_GRACE = 1.0  # seconds the process may take to end by itself


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for a step, and for each token in it; for a plugin to load; for the process to."""

    step: float = 2.0
    token: float = 0.02
    load: float = 30.0


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: settings under a key that stands for them, and the state before (None: none)."""

    key: str
    settings: Settings
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one stretch: the state after it, as JSON, and the reading."""

    state: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """A plugin that runs no more, and why, in a clause."""

    name: str
    why: str


class InstrumentClient:
    """Plugins in a child process, one fold at a time.

    `on_off` hears once of every plugin that is switched off. `plugins` are those that run, with
    what they say of themselves, once `start` is over.
    """

    def __init__(
        self,
        found: Sequence[Found],
        on_off: Callable[[SwitchedOff], None],
        log: Path,
        patience: Patience | None = None,
        memory: int = MEMORY,
    ) -> None:
        self.plugins: dict[str, Declared] = {}
        self._found = {one.name: one for one in found}
        self._on_off = on_off
        self._log = ProcessLog(log)
        self._patience = patience or Patience()
        self._arguments = ("-m", "loom.instruments.host", "--memory", str(memory))
        self._strikes: dict[str, int] = {}
        self._child: Child | None = None
        self._told: set[str] = set()  # keys of settings that the process knows
        self._heard: asyncio.Queue[Record] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._closed = False
        self._missing: set[str] = set()  # plugins that the process hasn't got yet
        self._seconds: dict[str, float] = {}  # that a plugin takes for a stretch, lately
        self._ended = 0  # times the process has ended while no plugin was at work

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def is_slow(self, name: str) -> bool:
        """Whether others had better not wait for it."""
        return self._seconds.get(name, 0.0) > SLOW

    def hand(self, name: str, other: InstrumentClient) -> None:
        """From now on `other` runs that plugin."""
        other._found[name], other.plugins[name] = self._found.pop(name), self.plugins.pop(name)
        other._strikes[name] = self._strikes.pop(name, 0)
        other._seconds[name] = self._seconds.pop(name, 0.0)
        other._missing.add(name)

    def listen(self, on_off: Callable[[SwitchedOff], None]) -> None:
        """From now on `on_off` hears."""
        self._on_off = on_off

    async def start(self) -> None:
        """Load all plugins; who can't be loaded is switched off."""
        async with self._turn, self._whole():
            await self._up()

    async def close(self) -> None:
        """Ends the process; what is being folded comes back without an answer."""
        self._closed = True
        child, self._child = self._child, None
        if child is not None:
            child.send({"do": "close"})
            self._heard.put_nowait({"say": "exit", "code": 0})
            await child.end(0 if self._turn.locked() else _GRACE)

    async def fold(
        self, stretches: Sequence[Stretch], readers: Mapping[str, Reader]
    ) -> dict[str, list[Step]]:
        """A step for each stretch by each reader, by plugin; those switched off are missing."""
        async with self._turn, self._whole():
            answers: dict[str, list[Step]] = {}
            left = dict(readers) if stretches else {}
            while left and not self._closed:
                await self._up()
                left = {name: left[name] for name in left if name in self.plugins}
                if left and self._child is not None:
                    await self._attempt(stretches, left, answers)
                left = {name: left[name] for name in left if name not in answers}
        await asyncio.sleep(0)  # who waits for the process sends what it is to do next
        return answers

    @asynccontextmanager
    async def _whole(self) -> AsyncIterator[None]:
        """A conversation that is broken off can't be taken up again: the process goes with it."""
        try:
            yield
        except asyncio.CancelledError:
            await asyncio.shield(self._end())
            raise

    # ── the process ────────────────────────────────────────────────────────────────────────

    async def _up(self) -> None:
        while not self._heard.empty():
            if self._heard.get_nowait()["say"] == "exit":  # nobody was at work: nobody's fault
                await self._end()
        while self._child is None and self._found and not self._closed:
            await self._begin()
        for name in tuple(self._missing):
            if self._child is not None:
                await self._load(name)

    async def _begin(self) -> None:
        """A process with all plugins that aren't switched off; none where one of them ended it."""
        self._heard, self._told = asyncio.Queue(), set()
        heard = self._heard
        try:
            self._child = await Child.spawn(
                self._arguments,
                self._log,
                heard.put_nowait,
                lambda code: heard.put_nowait({"say": "exit", "code": code}),
            )
        except OSError as error:
            self._give_up(f"no process could be started for it ({error.strerror})")
            return
        if (await self._next(self._patience.load) or {}).get("say") != "ready":
            await self._end()
            self._give_up("its process did not start; the log has the details")
        for name in tuple(self._found):
            if self._child is not None:
                await self._load(name)
        self._send({"do": "limit"})

    def _give_up(self, why: str) -> None:
        for name in tuple(self._found):
            self._switch_off(name, why)

    async def _load(self, name: str) -> None:
        self._missing.discard(name)
        self._send({"do": "load", "found": asdict(self._found[name])})
        match await self._next(self._patience.load):
            case {"say": "loaded", "about": about}:
                self.plugins[name] = Declared(**about)
            case {"say": "unloadable", "why": why}:
                self._switch_off(name, why)
            case {"say": "exit", "code": code}:
                self._switch_off(name, f"it {_ended_how(code)} while it was loaded")
                await self._end()
            case _:
                self._switch_off(name, f"it took more than {self._patience.load:g} s to load")
                await self._end()

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.end(0)

    def _send(self, record: Record) -> None:
        if self._child is not None:
            self._child.send(record)

    async def _next(self, seconds: float) -> Record | None:
        """What the process says next; None where it takes too long."""
        if not self._heard.empty():
            return self._heard.get_nowait()
        try:
            return await asyncio.wait_for(self._heard.get(), seconds)
        except TimeoutError:
            return None

    # ── folding ────────────────────────────────────────────────────────────────────────────

    async def _attempt(
        self,
        stretches: Sequence[Stretch],
        left: Mapping[str, Reader],
        answers: dict[str, list[Step]],
    ) -> None:
        """Once through all that are left; at the first that ends the process it is over."""
        self._ask(stretches, left)
        if (await self._next(self._patience.load) or {}).get("say") != "begun":
            return await self._ended_by_nobody()
        self._ended = 0
        waiting = list(left)
        steps: list[Step] = []
        while True:
            running = waiting[0] if waiting else ""
            tokens = len(stretches[len(steps)]) if running and stretches else 0
            match await self._next(self._patience.step + self._patience.token * tokens):
                case {"say": "read", "state": state, "reading": reading, "seconds": seconds}:
                    self._seconds[running] = (self._seconds.get(running, seconds) + seconds) / 2
                    steps.append(Step(state, wire.read_reading(reading)))
                    if len(steps) == len(stretches):
                        answers[waiting.pop(0)], steps = steps, []
                case {"say": "fault", "name": name, "why": why, "over": over}:
                    self._strike(name, why)
                    if over:
                        return await self._end()
                    steps, waiting = [], [other for other in waiting if other != name]
                case {"say": "done"}:
                    return None
                case {"say": "exit", "code": code}:
                    self._strike(running, f"it {_ended_how(code)}")
                    return await self._end()
                case _:
                    self._strike(running, f"it took more than {self._patience.step:g} s for a step")
                    return await self._end()

    async def _ended_by_nobody(self) -> None:
        await self._end()
        self._ended += 1
        if self._ended >= LIVES:
            self._give_up("its process ended again and again; the log has the details")

    def _ask(self, stretches: Sequence[Stretch], left: Mapping[str, Reader]) -> None:
        for reader in left.values():
            if reader.key not in self._told:
                self._told.add(reader.key)
                settings = wire.settings_record(reader.settings)
                self._send({"do": "know", "key": reader.key, "settings": settings})
        self._send(
            {
                "do": "fold",
                "stretches": [wire.stretch_record(stretch) for stretch in stretches],
                "readers": [
                    {"name": name, "settings": reader.key, "state": reader.state}
                    for name, reader in left.items()
                ],
            }
        )

    def _strike(self, name: str, why: str) -> None:
        self._strikes[name] = self._strikes.get(name, 0) + 1
        if self._strikes[name] >= STRIKES:
            self._switch_off(name, why)

    def _switch_off(self, name: str, why: str) -> None:
        if not self._closed and self._found.pop(name, None) is not None:
            self.plugins.pop(name, None)
            self._on_off(SwitchedOff(name, why))


def _ended_how(code: int) -> str:
    if code >= 0:
        return f"ended the process (exit code {code})"
    try:
        return f"ended the process ({signal.Signals(-code).name})"
    except ValueError:
        return f"ended the process (signal {-code})"
