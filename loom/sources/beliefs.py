"""What a session believes about the sources of its text: the set in force, what is weighed next.

What is nearest to the writer comes first, and nothing while the model is wanted for anything else.
Changes nothing itself: what was weighed goes into the file through the Session it serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from loom.changes import (
    Change,
    EngineChanged,
    EngineState,
    Moved,
    SamplingChanged,
    Scored,
    Sealed,
    TreeChanged,
    Weighed,
    Weighing,
)
from loom.config import Config
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.engine.api import EngineError, JobFailed
from loom.instruments.sources.api import Course, Posterior, Scores, SourceSet
from loom.sources.chosen import Chosen
from loom.sources.fitting import Fitting
from loom.sources.known import Depth, Passage
from loom.sources.scales import Scales, TooMuch
from loom.sources.setbacks import Setbacks
from loom.sources.targets import Target, Targets
from loom.store.errors import StoreError

if TYPE_CHECKING:
    from loom.generation import Generation
    from loom.watched import Watched

IDLE_MOST = 1 << 20  # tokens times frames that are weighed without being asked for
SAVED_AT_ONCE = 16  # nodes
TOLD_EVERY = 0.1  # seconds


class Beliefs:
    """Of one session. Without `attach` nothing is weighed unless it is asked for."""

    def __init__(self, session: Watched, generation: Generation) -> None:
        self._session, self._generation = session, generation
        self._chosen = Chosen(session)
        self._setbacks = Setbacks(session.emit)
        self._fitting = Fitting(session, generation, self._chosen, self._setbacks)
        self._targets = Targets(session)
        self._idle_too = self._stopped = False
        self._engine_state: EngineState = "none"
        self._stop_listening: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None
        self._step: asyncio.Task[None] | None = None
        self._under_way: Target | None = None
        self._awake, self._settled = asyncio.Event(), asyncio.Event()
        self._told = 0.0

    # ── life ───────────────────────────────────────────────────────────────────────────────

    async def attach(self, config: Config, *, idle: bool) -> None:
        self._chosen.configure(config)
        self._idle_too = idle and config.sources.weigh
        if idle:
            self._begin()
        else:
            await self._chosen.learn()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._stop_listening()
            self._stop_listening = self._session.subscribe(self._hear)
            self._task = asyncio.get_running_loop().create_task(self._work(), name="beliefs")
        self._wake()

    async def close(self) -> None:
        """What was weighed is handed to the file."""
        self._stop_listening()
        self._stop_listening = lambda: None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        with suppress(StoreError):  # what isn't kept is weighed again
            self._save()

    def give_way(self, *, busy: bool) -> None:
        """The model is wanted for something else, or isn't any more."""
        scales = self._fitting.scales
        if scales is None:
            return
        if busy:
            scales.gate.shut()
        elif not scales.gate.is_open:
            scales.gate.open()
            self._targets.hope()
            self._wake()

    def _wake(self) -> None:
        self._settled.clear()
        self._awake.set()

    def framed(self, place: Place, recipe: Recipe) -> Recipe:
        """As it is drawn by at a place."""
        return self._fitting.framed(place, recipe)

    # ── what is believed ───────────────────────────────────────────────────────────────────

    @property
    def sources(self) -> SourceSet | None:
        return self._chosen.sources

    def posterior_at(self, place: Place) -> Posterior | None:
        scales = self._current()
        if scales is None or not scales.is_current(place):
            self._look(place)
        return None if scales is None else scales.posterior(place)

    def course(self, node: int) -> Course | None:
        scales = self._current()
        if scales is None or not scales.has_course(node):
            if self._task is not None:
                self._targets.trace(node)
            self._look(self._session.tree[node].end)
        return None if scales is None else scales.course(node)

    def scores(self, node: int) -> Scores | None:
        scales = self._current()
        found = None if scales is None else scales.scores(node)
        if found is None:
            self._look(self._session.tree[node].end)
        return found

    def passage(self, place: Place) -> Passage | None:
        scales = self._current()
        return None if scales is None else scales.passage(place)

    def _current(self) -> Scales | None:
        """None where they are of another set or model."""
        return self._fitting.scales if self._fitting.fits else None

    def _look(self, place: Place) -> None:
        if self._task is not None and self._targets.look(place):
            self._wake()

    # ── asking ─────────────────────────────────────────────────────────────────────────────

    def weigh(self, place: Place) -> None:
        self._targets.want(place)
        self._stopped = False
        self._setbacks.forget()
        self._begin()

    def stop(self) -> bool:
        under_way = self.progress is not None
        self._stopped = self._stopped or under_way or bool(self._targets.wanted)
        self._targets.want_nothing()
        self._break_off()
        return under_way

    @property
    def progress(self) -> tuple[int, int] | None:
        scales = self._fitting.scales
        if self._under_way is None or scales is None or scales.done >= scales.total:
            return None
        return scales.done, scales.total

    async def settled(self) -> None:
        if self._task is not None and not self._task.done():
            await self._settled.wait()

    # ── what happens ───────────────────────────────────────────────────────────────────────

    def _hear(self, change: Change) -> None:
        match change:
            case Moved():
                self._stopped = False
                self._targets.moved()
                self._break_off(unless_wanted=True)
            case Scored(node):
                self._targets.hope()
                if self._fitting.scales is not None:
                    self._fitting.scales.forget(list(self._session.tree.preorder(node)))
            case EngineChanged(state) if state != self._engine_state:
                self._engine_state = state
                self._fitting.engine_changed()
                self._targets.hope()
            case SamplingChanged() | TreeChanged() | Sealed():
                pass
            case _:
                return
        self._wake()

    def _break_off(self, *, unless_wanted: bool = False) -> None:
        target = self._under_way
        if target is None or self._step is None:
            return
        if not (unless_wanted and self._targets.has(target.place, idle=self._is_idle)):
            self._step.cancel()

    @property
    def _is_idle(self) -> bool:
        """Whether what is in sight is weighed unasked."""
        return self._idle_too and not self._stopped and not self._setbacks.off

    # ── the work ───────────────────────────────────────────────────────────────────────────

    async def _work(self) -> None:
        try:
            while True:
                self._awake.clear()
                scales = await self._prepared()
                target = None if scales is None else self._next(scales)
                if scales is None or target is None:
                    await self._rest()
                else:
                    await self._weighed(scales, target)
                    if scales.unsaved >= SAVED_AT_ONCE:
                        self._save()
        except StoreError:
            return  # the session is closed
        except Exception as error:
            self._setbacks.mistake(error)
        finally:
            self._settled.set()

    def _next(self, scales: Scales) -> Target | None:
        able = self._generation.can_score
        return self._targets.next(scales, idle=self._is_idle, able=able)

    async def _rest(self) -> None:
        """Until there is something to do."""
        self._save()
        if not any(map(self._is_coming, self._targets.wanted)):
            self._targets.want_nothing()
            self._settled.set()
        await self._awake.wait()

    async def _prepared(self) -> Scales | None:
        """For the set and the model at hand."""
        if await self._fitting.fit(self._save):
            self._targets.hope()
            self._session.emit(Weighed(frozenset()))
            if self._fitting.scales is not None:
                self._fitting.scales.on_progress = self._tell
        return self._fitting.scales

    async def _weighed(self, scales: Scales, target: Target) -> None:
        self._under_way = target
        self._step = asyncio.create_task(self._weigh(scales, target))
        try:
            await asyncio.wait({self._step})
            if not self._step.cancelled():
                self._step.result()
        finally:
            self._step.cancel()
            await asyncio.wait({self._step})
            self._step, self._under_way = None, None
            news, scales.settled = frozenset(scales.settled), set()
            if news:
                self._session.emit(Weighed(news))

    async def _weigh(self, scales: Scales, target: Target) -> None:
        if target.course:
            await scales.trace(target.place.node)
            self._targets.done(target, again=False)
            return
        good = False
        try:
            reach = self._asked if target.names else self._reached
            good = await reach(scales, target)
        except JobFailed as error:
            self._setbacks.failed(error)
        except EngineError as error:
            self._setbacks.lost(error)
        if good:
            self._setbacks.went_well()
            more = not target.names and not scales.is_asked(target.place)
            self._targets.done(target, again=scales.take_dropped(), more=more)
        else:
            self._targets.give_up(target, forget=not self._is_coming(target.place))

    async def _reached(self, scales: Scales, target: Target) -> bool:
        """Where it isn't, at least what was weighed before is looked up."""
        engine = await self._fitting.engine() if target.depth else None
        limit = float("inf") if target.asked else IDLE_MOST
        with suppress(TooMuch):
            if engine and await scales.reach(target.place, target.depth, engine, limit):
                return True
        return await scales.reach(target.place, Depth.KEPT) and not target.depth

    async def _asked(self, scales: Scales, target: Target) -> bool:
        engine = await self._fitting.engine()
        return engine is not None and await scales.ask(target.place, engine.scorer)

    def _is_coming(self, place: Place) -> bool:
        """Whether it is only for now that it can't be weighed: the engine loads, or has something
        else to do, or is going to read what was written on the way."""
        if self._generation.is_coming:
            return True
        tree = self._session.tree
        path = [node for node, at in tree.stretches(place) if at]
        unread = [node for node in path if tree[node].token_count is None]
        return bool(unread) and self._session.will_be_read(unread)

    def _tell(self) -> None:
        scales, now = self._fitting.scales, asyncio.get_running_loop().time()
        if scales is not None and now - self._told > TOLD_EVERY:
            self._told = now
            self._session.emit(Weighing(scales.done, scales.total))

    def _save(self) -> None:
        scales = self._fitting.scales
        if scales is not None and scales.unsaved:
            self._session.keep_readings(*scales.take_unsaved())
