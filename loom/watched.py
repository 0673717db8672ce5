"""What engine, plugins and sources say of a session, and how the latter two come to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from loom.asking.asked import Aloud
from loom.config import Config
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.discovery import Found
from loom.engine.client import EngineClient
from loom.generation import Generation
from loom.instruments import calibration
from loom.instruments.api import Flag, Reading
from loom.instruments.sources.api import Course, Posterior, Scores, SourceSet
from loom.nursery import Nursery
from loom.raised import Raised
from loom.reading.readings import Readings
from loom.reading.roster import Calibrations, Running
from loom.store.batch import Batch, ReadingRow
from loom.store.store import Store

if TYPE_CHECKING:
    from loom.sources.beliefs import Beliefs
    from loom.sources.known import Passage


class Watched(Nursery):
    """See the module's docstring."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        super().__init__(store, now)
        self._generation = Generation(self)
        self._readings = Readings(self)
        self._weigher: Beliefs | None = None

    # ── what the engine adds ───────────────────────────────────────────────────────────────

    @property
    def engine(self) -> EngineClient | None:
        return self._generation.client

    def span(self, node: int) -> Span | None:
        """Token columns of a node, None where no model has read it; also while it grows."""
        growing = self._generation.span(node)
        return super().span(node) if growing is None else growing

    def piece(self, node: int, token_id: int) -> bytes:
        """The bytes of a token of the model that read `node`; b"" if they were never recorded."""
        row = self.model_of(node)
        if row is not None and self._generation.speaks_for(row):
            vocabulary = self._generation.vocabulary
            return vocabulary[token_id] if 0 <= token_id < len(vocabulary) else b""
        return super().piece(node, token_id)

    def growing(self) -> tuple[int, ...]:
        return self._generation.nodes()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        return self._generation.loop

    def _wake(self) -> None:
        self._generation.wake()

    # ── instruments ────────────────────────────────────────────────────────────────────────

    async def attach_instruments(
        self,
        config: Config,
        found: Sequence[Found] | None = None,
        calibrations: Calibrations = calibration.load,
    ) -> None:
        """Have plugins read this session, in a process of their own: those that are found (or
        `found`) and that `config` doesn't switch off. Returns before they are loaded."""
        await self._readings.attach(config, found, calibrations)

    @property
    def has_instruments(self) -> bool:
        """Whether plugins are attached, loaded or not."""
        return self._readings.client is not None

    def hand_instruments_to(self, other: Watched) -> bool:
        """Let `other` go on with this session's plugins; False where there are none."""
        return self._readings.hand_over(other._readings)

    def instruments(self) -> list[Running]:
        """The plugins that were attached, by name, and what has become of them."""
        return self._readings.listed()

    async def instruments_settled(self) -> None:
        """Wait until everything in sight has been read."""
        await self._readings.settled()

    def readings(self, node: int) -> dict[str, Reading]:
        """By instrument; with those attached only what they have read with today's settings."""
        found = self._readings.of(node)
        return super().readings(node) if found is None else found

    def _flags_of(self, node: int) -> Mapping[str, tuple[Flag, ...]]:
        found = self._readings.flags(node)
        return super()._flags_of(node) if found is None else found

    @property
    def flagged(self) -> AbstractSet[int]:
        """Nodes in which the plugins attached have raised flags; nothing is read from the file."""
        return self._readings.flagged

    def raised_in(self, node: int) -> list[Raised]:
        """Their flags in a node, in order; likewise."""
        return self._readings.raised(node)

    def is_calibrated(self, node: int) -> bool | None:
        """Whether anything was found out about the model that has read a node; None where there are
        no plugins or no model has read it."""
        return self._readings.is_calibrated(node)

    def will_be_read(self, nodes: Iterable[int]) -> bool:
        """Whether the engine is going to give tokens to any of these written nodes by itself; they
        lie on one path, from the top down."""
        return self._generation.will_read(nodes)

    def keep_readings(self, rows: tuple[ReadingRow, ...], settings: Mapping[str, str]) -> None:
        """Put what was read into the file; it is no event."""
        self._meta |= settings
        self._post(Batch(readings=rows, meta=settings))

    # ── sources ────────────────────────────────────────────────────────────────────────────

    @property
    def _beliefs(self) -> Beliefs:
        """Made, and its modules loaded, when first needed: no first frame waits for it."""
        if self._weigher is None:
            from loom.sources.beliefs import Beliefs

            self._weigher = Beliefs(self, self._generation)
        return self._weigher

    @property
    def has_sources(self) -> bool:
        """Whether anything has been asked about sources yet, or attached."""
        return self._weigher is not None

    async def attach_sources(self, config: Config, *, idle: bool = True) -> None:
        """Have the set offered that `config` names. With `idle`, if it doesn't say otherwise, weigh
        what is in sight in idle time: the node where the writer is under every frame, what goes on
        there and beside it under the likeliest."""
        await self._beliefs.attach(config, idle=idle)

    @property
    def sources(self) -> SourceSet | None:
        """The set in force: the one chosen here, else the one offered for the model attached."""
        return self._beliefs.sources

    def set_sources(self, wanted: SourceSet | None) -> None:
        """Weigh these from now on; None: weigh none, whatever is offered. Undoable."""
        from loom.sources.chosen import SETTING, spelled

        setting = {SETTING: spelled(wanted)}
        if self.read_only:
            self._take_settings(setting.items())
        else:
            self._set(setting)

    def posterior(self, node: int) -> Posterior | None:
        """What is believed at a node's end; None while that isn't known."""
        return self.posterior_at(self.tree[node].end)

    def posterior_at(self, place: Place) -> Posterior | None:
        """The same inside a node; asking for a place is to have it known before long."""
        return self._beliefs.posterior_at(place)

    def course(self, node: int) -> Course | None:
        """How the belief went along a node's tokens; asking is to have it known before long."""
        return self._beliefs.course(node)

    def scores(self, node: int) -> Scores | None:
        """What each frame gave the node's tokens, as far as it was weighed; likewise."""
        return self._beliefs.scores(node)

    def passage(self, place: Place) -> Passage | None:
        """The whole passage up to a place, its tokens and their scores; None while it isn't known.
        Asking changes nothing."""
        return self._beliefs.passage(place)

    def asking(self) -> Aloud:
        """The engine, for questions that become no nodes. Raises EngineError without one."""
        return self._generation.aloud()

    def weigh(self, place: Place | None = None) -> None:
        """Weigh the path to a place under every frame, also where idle time isn't used."""
        self._beliefs.weigh(place or self.place)

    def stop_weighing(self) -> bool:
        """Weigh no more until the writer moves or asks for it; whether anything was under way."""
        return self._weigher is not None and self._weigher.stop()

    @property
    def weighing(self) -> tuple[int, int] | None:
        """(done, total) in tokens times frames of what is being weighed; None while nothing is."""
        return None if self._weigher is None else self._weigher.progress

    async def weighed(self) -> None:
        """Wait until all that is in sight, or was asked for, has been weighed."""
        await self._beliefs.settled()

    def framed(self, recipe: Recipe | None = None, place: Place | None = None) -> Recipe:
        """A recipe (this session's) as it is drawn by at a place: what its frame stands for."""
        wanted = recipe or self.recipe
        return self._beliefs.framed(place or self.place, wanted) if wanted.frame else wanted

    def engine_wanted(self, wanted: bool) -> None:
        """For what goes before all weighing; or not any more."""
        if self._weigher is not None:
            self._weigher.give_way(busy=wanted)
