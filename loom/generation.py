"""The session's dealings with its engine: jobs out, tokens in, nodes sealed, deaths survived.

Knows jobs and buffers; changes nothing itself: every effect goes through the session it serves.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loom.asking.asked import Aloud, Asked
from loom.asking.process import Answer
from loom.changes import EngineChanged, Grew, Notice, Scored, Sealed
from loom.config import Paths
from loom.core.node import Ending, Node, Place
from loom.core.recipe import Recipe
from loom.core.seeds import branch_seed
from loom.core.span import TOP, Span
from loom.engine.api import (
    Capabilities,
    Ended,
    EngineError,
    Event,
    Failed,
    Following,
    Grown,
    JobFailed,
    Piece,
    Progress,
    Score,
)
from loom.engine.client import Died, Encoded, EngineClient, LoadFailed, Loading, Ready, Signal
from loom.extensions import portable_name, spoken_name
from loom.growth import Buffer, Growth
from loom.orders import Order, Orders
from loom.store.batch import ModelRow
from loom.unread import Unread

if TYPE_CHECKING:
    from loom.nursery import Nursery

UNFINISHED = 0.99  # of a text that is being read, at most
FRAME = 1 / 30  # seconds between two updates of growing text
SAVE_EVERY = 0.25  # seconds between two writings of a growing node; longer for more tokens than
SAVED_AT_ONCE = 512  # these, as each time the whole node is written
A_TURN = 8  # growing nodes: one more of them is written in an update, so that none takes long
SAVES = 16  # writings a second of all growing nodes together, from so many nodes on


class Generation:
    """One engine client and the nodes that grow or are read on it."""

    _numbers = itertools.count(1)  # shared: an engine outlives a session, its jobs keep their names

    def __init__(self, session: Nursery) -> None:
        self._session = session
        self.client: EngineClient | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._growth = Growth()
        self._reading: dict[str, int] = {}
        self._unread = Unread(session)
        self._orders = Orders(session, self._growth)
        self._asked = Asked(self._is_awaited)
        self._failures: dict[int, EngineError] = {}
        self._waiters: list[tuple[set[int], asyncio.Future[None]]] = []
        self._awaited = 0  # answers that a writer waits for
        self._told = False  # how much was read for one of them
        self._calm = asyncio.Event()  # nothing of all that goes on
        self._calm.set()
        self._spec = ""
        self._row: ModelRow | None = None
        self._pieces_known: dict[int, set[int]] = {}
        self._frame: asyncio.TimerHandle | None = None
        self._restarted = False
        self._tasks: set[asyncio.Task[None]] = set()

    # ── the engine's life ──────────────────────────────────────────────────────────────────

    async def attach(self, model: str, options: Mapping[str, Any]) -> None:
        if self.client is not None:
            self._abandon("Another model has been chosen.")
            await self.client.close()
        self.loop, self._spec = asyncio.get_running_loop(), model
        self._row, self._restarted = None, False
        log = Paths.default().log_file("engine")
        self.client = EngineClient(model, options, self._hear, log)
        self._session.emit(EngineChanged("loading", f"loading {spoken_name(model)}"))
        await self.client.start()

    async def ready(self) -> Capabilities:
        if self.client is None:
            raise EngineError("No model is loaded.", "Choose one with --model or in loom.toml.")
        return await self.client.ready()

    def hand_over(self, other: Generation) -> bool:
        """Let `other` go on with the engine; False where there is none that lives."""
        client = self.client
        if client is None or client.state not in ("loading", "ready"):
            return False
        self._abandon("Another session has been opened.")
        self.client, self._row = None, None
        other.take_over(client, self._spec)
        return True

    def _abandon(self, why: str) -> None:
        """Seal what grows, tell who waits, and let the next model try what this one couldn't."""
        self.cancel(self._growth.nodes())
        self._asked.fail(EngineError(why))
        self._unread.try_again()

    def take_over(self, client: EngineClient, spec: str) -> None:
        self.loop, self.client, self._spec = asyncio.get_running_loop(), client, spec
        client.listen(self._hear)
        if client.state == "ready" and client.capabilities is not None:
            self._came_up(client.capabilities)
        else:
            self._session.emit(EngineChanged("loading", f"loading {spoken_name(spec)}"))

    async def close(self) -> None:
        self.cancel(self.nodes())
        if self._frame is not None:
            self._frame.cancel()
        self._orders.close()
        for task in self._tasks:
            task.cancel()
        if self.client is not None:
            await self.client.close()

    def model_row(self) -> ModelRow | None:
        """The attached model's row, None until it is ready."""
        return self._row

    def speaks_for(self, row: ModelRow) -> bool:
        """Whether the attached engine has the tokens of that model."""
        mine = self._row is not None and row.fingerprint == self._row.fingerprint
        return mine and len(self.vocabulary) > 0

    @property
    def vocabulary(self) -> Sequence[bytes]:
        return self.client.vocabulary if self.client is not None else ()

    def nodes(self) -> tuple[int, ...]:
        """Nodes that grow, those that wait for the engine included; not those being read."""
        reading = set(self._reading.values())
        return tuple(node for node in self._growth.nodes() if node not in reading)

    def span(self, node: int) -> Span | None:
        buffer = self._growth.of(node)
        return buffer.span() if buffer is not None and node not in self._reading.values() else None

    @staticmethod
    def seeds(seed: int, address: bytes, ordinal: int, count: int) -> tuple[int, ...]:
        return tuple(branch_seed(seed, address, ordinal, branch) for branch in range(count))

    # ── jobs out ───────────────────────────────────────────────────────────────────────────

    def start(
        self, nodes: tuple[int, ...], place: Place, recipe: Recipe, seeds: tuple[int, ...]
    ) -> None:
        """Have the engine grow `nodes` at `place`, now or as soon as it is ready."""
        job = self._name("grow")
        for branch, node in enumerate(nodes):
            self._growth.start(node, job, branch, self._session.now)
        self._orders.add(Order(nodes, place, recipe, seeds))
        self._come_first()
        self._revive()
        self._submit_waiting()

    def _submit_waiting(self) -> None:
        client = self.client
        if self._row is None or client is None or client.state != "ready":
            return
        if client.capabilities is not None:
            self._orders.submit(client, client.capabilities)

    def _revive(self) -> None:
        if self.client is not None and self.client.state == "dead" and not self._tasks:
            self._spawn(self.client.restart)

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except EngineError as error:
            self._session.emit(Notice(str(error), error.hint, "error"))

    def wake_later(self) -> None:
        """`wake` once the events at hand are dealt with."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon(self.wake)

    def wake(self) -> None:
        """Read what the writer wrote while nothing grows."""
        if not self.nodes():
            self.read(self._session.place)

    def read(self, place: Place) -> tuple[int, ...]:
        """Submit unread written nodes of the path, the newest first; one at a time."""
        if self._row is None or self.client is None or self.client.state != "ready":
            return ()
        session = self._session
        unread = self._unread.on_path(place.node)
        if not unread or self._reading:
            return tuple(unread)
        node = session.tree[unread[0]]
        job = self._name("read")
        self._reading[job] = node.id
        self._growth.start(node.id, job, 0, session.now)
        self._come_first()
        prefix = session.prefix(node.hangs_at, self._row.fingerprint)
        self.client.submit(Score(job, prefix, node.text, session.recipe.top))
        return tuple(unread)

    def stop_reading(self) -> bool:
        """Read no more of what is being read, until it is asked for; whether anything was."""
        reading = list(self._reading.values())
        self._unread.put_off(reading)
        self.cancel(reading)
        if reading:
            self._session.emit(EngineChanged("ready", "reading", 1.0))
        return bool(reading)

    def resume_reading(self) -> None:
        """What was stopped may be read again."""
        self._unread.resume()

    def will_read(self, numbers: Iterable[int]) -> bool:
        """Whether any of these, which lie on one path from the top down, is going to have tokens
        without being asked for."""
        alive = self.client is not None and self.client.state in ("loading", "ready")
        return alive and not self._session.read_only and self._unread.any_here(numbers)

    async def following(self, place: Place, top: int) -> Following:
        capabilities = await self.ready()
        prefix = self._session.prefix(place, capabilities.fingerprint)
        assert self.client is not None
        job = Score(self._name("next"), prefix, b"", top, following=True)
        answer = await self._asked.answer(self.client, job)
        if answer.following is None:
            raise JobFailed("The engine gave no distribution for the next token.")
        return answer.following

    async def score(
        self, prefix: tuple[Piece, ...], text: Piece, top: int = TOP, *, following: bool = False
    ) -> Answer:
        """What the model makes of `text` after `prefix`, for no node, once nothing goes before it.
        Raises EngineError."""
        await self._calm.wait()
        if self.client is None:
            raise EngineError("No model is loaded.")
        job = Score(self._name("weigh"), prefix, text, top, following)
        return await self._asked.answer(self.client, job, quiet=True)

    def aloud(self) -> Aloud:
        """Raises EngineError without an engine."""
        if self.client is None:
            raise EngineError("No model is loaded.", "Choose one to be asked.")
        return Aloud(self.client, self._asked, self._name)

    async def encode(self, text: bytes, *, start: bool) -> Encoded:
        """(ids, ends) of `text`; `start` when it opens a document. Raises EngineError."""
        if self.client is None:
            raise EngineError("No model is loaded.")
        return await self.client.encode(text, start)

    @property
    def can_score(self) -> bool:
        return self.client is not None and self.client.state == "ready"

    @property
    def is_coming(self) -> bool:
        """Whether the engine loads, or has something else to do for now."""
        loads = self.client is not None and self.client.state == "loading"
        return loads or self.busy

    @property
    def busy(self) -> bool:
        """Whether anything grows or is being read, or a writer waits for an answer."""
        return bool(self._growth.nodes() or self._awaited)

    def _is_awaited(self, more: int) -> None:
        """So many more answers a writer waits for."""
        self._awaited += more
        if more > 0:
            self._come_first()
        else:
            self._calm_down()

    def _calm_down(self) -> None:
        """What can wait has its turn, if there is nothing else."""
        if not self.busy:
            self._calm.set()
            self._session.engine_wanted(False)
            if self._told and self.client is not None and self.client.state == "ready":
                self._session.emit(EngineChanged("ready", "reading", 1.0))
            self._told = False

    def _come_first(self) -> None:
        """Nothing that can wait is before the engine."""
        self._calm.clear()
        self._session.engine_wanted(True)
        if self.client is not None:
            self._asked.withdraw(self.client)

    def cancel(self, nodes: Iterable[int]) -> None:
        """Seal these at once with what came; the engine hears of it between two steps."""
        for number in list(nodes):
            buffer = self._growth.of(number)
            if buffer is None:
                continue
            if self.client is not None:
                self.client.cancel(buffer.job, buffer.branch)
            self._seal(buffer, Ending.CANCEL)
        self.wake_later()

    async def finished(self, nodes: Iterable[int]) -> None:
        wanted = set(nodes)
        if wanted & set(self._growth.nodes()):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append((wanted, future))
            await future
        for node in wanted:
            if node in self._failures:
                raise self._failures.pop(node)

    # ── events in ──────────────────────────────────────────────────────────────────────────

    def _hear(self, event: Event | Signal) -> None:
        match event:
            case Grown() | Following() | Ended() | Failed() if self._asked.hear(event):
                pass
            case Grown():
                self._grown(event)
            case Ended():
                self._ended(event)
            case Failed():
                self._failed(event)
            case Progress():
                self._progressed(event)
            case Loading(done, total, what):
                share = done / total if total else None
                self._session.emit(EngineChanged("loading", what, share))
            case Ready(capabilities):
                self._came_up(capabilities)
            case LoadFailed(error, hint):
                self._went_down(EngineError(error, hint))
            case Died(code, lines):
                self._died(code, lines)

    def _came_up(self, capabilities: Capabilities) -> None:
        if not self._session.read_only:
            self._row = self._session.add_model(capabilities, portable_name(self._spec))
        self._session.emit(EngineChanged("ready", f"{capabilities.label} · {capabilities.device}"))
        self._submit_waiting()
        self.wake()

    def _grown(self, event: Grown) -> None:
        buffer = self._growth.find(event.job, event.branch)
        if buffer is None:
            return
        cut = buffer.add(event)
        if cut is not None:
            self._session.hang_before(buffer.node, cut)
        if self._frame is None and self.loop is not None:
            self._frame = self.loop.call_later(FRAME, self._flush)

    def _flush(self) -> None:
        """Show, at most every 250 ms also save, what came since the last frame."""
        self._frame = None
        fresh = [b for b in self._growth.fresh() if b.job not in self._reading]
        turns = sorted(fresh, key=lambda buffer: buffer.saved)[: -(-len(fresh) // A_TURN)]
        savable = {buffer.node for buffer in turns}
        wait = max(SAVE_EVERY, len(fresh) / SAVES)
        for buffer in fresh:
            self._update(buffer, wait, may_save=buffer.node in savable)
        for job in self._reading:
            self._tell_reading(job)
        if fresh:
            self._session.emit(Grew(frozenset(buffer.node for buffer in fresh)))

    def _progressed(self, event: Progress) -> None:
        """Told until there is text, which tells more exactly how far the engine is."""
        buffers = self._growth.of_job(event.job)
        waits = any(not buffer.text for buffer in buffers) or self._asked.is_awaited(event.job)
        if waits:
            self._told = True
            self._session.emit(EngineChanged("ready", "reading", _share(event)))

    def _tell_reading(self, job: str) -> None:
        buffer = self._growth.of(self._reading[job])
        if buffer is not None and buffer.fresh:
            buffer.fresh = False
            length = self._session.tree[buffer.node].length
            share = min(len(buffer.text) / length, UNFINISHED)
            self._session.emit(EngineChanged("ready", "reading", share))

    def _update(self, buffer: Buffer, wait: float, *, may_save: bool) -> None:
        buffer.fresh = False
        now = self._session.now
        wait *= max(1.0, len(buffer) / SAVED_AT_ONCE)
        node = self._as_node(buffer, None)
        if (
            not may_save or 0 <= now - buffer.saved < wait
        ):  # a clock that is put back must not stop the saving
            self._session.set_grown(node, None)
            return
        buffer.saved, span = now, buffer.span()
        self._session.set_grown(node, span, self._new_pieces(buffer, span))

    def _as_node(self, buffer: Buffer, ended: Ending | None) -> Node:
        return replace(
            self._session.tree[buffer.node],
            text=bytes(buffer.text),
            token_count=len(buffer),
            model=self._row.id if self._row else None,
            ended=ended,
        )

    def _ended(self, event: Ended) -> None:
        buffer = self._growth.find(event.job, event.branch)
        if buffer is not None:
            self._restarted = False
            self._seal(buffer, event.reason)
        self.wake_later()

    def _seal(self, buffer: Buffer, reason: Ending) -> None:
        self._growth.stop(buffer.node)
        if buffer.job in self._reading:
            self._seal_read(buffer, reason)
        else:
            span = buffer.span()
            self._session.set_sealed(
                self._as_node(buffer, reason), span, self._new_pieces(buffer, span)
            )
            if not buffer.text and reason is not Ending.EOS:
                self._session.drop_empty([buffer.node])
            self._session.emit(Sealed(buffer.node, reason))
        self._announce()

    def _seal_read(self, buffer: Buffer, reason: Ending) -> None:
        del self._reading[buffer.job]
        node, span = self._session.tree[buffer.node], buffer.span()
        if reason is Ending.CANCEL or reason is Ending.CRASH:
            return
        if span is None or bytes(buffer.text) != node.text or self._row is None:
            self._unread.give_up(node.id)
            return
        read = replace(node, token_count=len(span), model=self._row.id)
        self._session.set_sealed(read, span, self._new_pieces(buffer, span))
        self._session.emit(Scored(node.id))

    def _new_pieces(self, buffer: Buffer, span: Span | None) -> dict[int, bytes]:
        """The bytes of tokens that the file hasn't got; those asked for before are not looked at
        again."""
        if span is None or self._row is None:
            return {}
        known = self._pieces_known.setdefault(self._row.id, set())
        since, buffer.spelled = buffer.spelled, len(span)
        ids = set(span.ids[since:].tolist()) | set(span.top_ids[since:].ravel().tolist())
        new = {i: self.vocabulary[i] for i in ids - known if i < len(self.vocabulary)}
        known |= new.keys()
        return new

    def _announce(self) -> None:
        growing = set(self._growth.nodes())
        for wanted, future in self._waiters:
            if not wanted & growing and not future.done():
                future.set_result(None)
        self._waiters = [(w, future) for w, future in self._waiters if not future.done()]
        self._calm_down()

    # ── when things go wrong ───────────────────────────────────────────────────────────────

    def _failed(self, event: Failed) -> None:
        error = JobFailed(event.error, event.hint)
        buffers = self._growth.of_job(event.job)
        for buffer in buffers:
            if event.job in self._reading:
                self._unread.give_up(buffer.node)
            self._failures[buffer.node] = error
            self._seal(buffer, Ending.CRASH)
        if buffers:
            self._session.emit(Notice(event.error, event.hint, "error"))

    def _went_down(self, error: EngineError, lines: Sequence[str] = ()) -> None:
        """Nothing more will come: seal what grows, answer who waits."""
        for node in self._growth.nodes():
            buffer = self._growth.of(node)
            assert buffer is not None
            if buffer.job not in self._reading:
                self._failures[node] = error
            self._seal(buffer, Ending.CRASH)
        self._asked.fail(error)
        self._orders.clear()
        self._session.emit(EngineChanged("dead", str(error), lines=tuple(lines)))
        self._session.emit(Notice(str(error), error.hint, "error"))

    def _died(self, code: int | None, lines: Sequence[str]) -> None:
        last = lines[-1].strip() if lines else "it left no message"
        error = EngineError(
            f"The engine stopped unexpectedly (exit {code}): {last.rstrip('.')}.",
            "What had grown is kept; it starts again by itself, or with the next g.",
        )
        self._went_down(error, lines)
        if self.client is not None and not self._restarted:
            self._restarted = True
            self._spawn(self.client.restart)

    def _name(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"


def _share(progress: Progress) -> float | None:
    return progress.done / progress.total if progress.total else None
