"""A session that can act: the only place where a session changes.

Every effect of the screen, the command line and scripts is a method here: one event, one
transaction, undoable where it changes the tree. Moving, marks, settings and undo are in
`journal.py`; engine work is in `generation.py`, which calls back into this class.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from loom.asking.asked import Aloud
from loom.changes import Moved, TreeChanged
from loom.config import Config
from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Node, Place, place_hash
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.discovery import Found
from loom.engine.api import Capabilities, EngineError, Following
from loom.engine.client import EngineClient
from loom.generation import Generation
from loom.history import DROP, GROW, SEAL, TAKE, Operation
from loom.instruments import calibration
from loom.instruments.api import Flag, Reading
from loom.instruments.sources.api import Course, Posterior, Scores, SourceSet
from loom.journal import Journal
from loom.past import EMPTY
from loom.paths import Paths
from loom.raised import Raised
from loom.reading.readings import Readings
from loom.reading.roster import Calibrations, Running
from loom.seams import Cut
from loom.store.backup import Backups, Keeper
from loom.store.batch import Batch, ModelRow, ReadingRow
from loom.store.store import Store

if TYPE_CHECKING:
    from loom.sources.beliefs import Beliefs
    from loom.sources.known import Passage

SESSION_SUFFIX = ".loom"


class Session(Journal):
    """See the module's docstring. Made by `Session.create` or `Session.open`."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        super().__init__(store, now)
        self._generation = Generation(self)
        self._readings = Readings(self)
        self._weigher: Beliefs | None = None
        self._keeper: Keeper | None = None

    # ── opening and closing ────────────────────────────────────────────────────────────────

    @classmethod
    def create(
        cls, path: Path, *, now: Callable[[], float] = time.time, seed: int | None = None
    ) -> Self:
        """A new, empty session file. Raises StoreError if it exists or can't be written."""
        store = Store.create(path)
        number = secrets.randbits(48) if seed is None else seed
        store.post(Batch(meta={"seed": str(number), "created": str(now())}))
        store.flush()
        return cls(store, now)

    @classmethod
    def open(
        cls, path: Path, *, read_only: bool = False, now: Callable[[], float] = time.time
    ) -> Self:
        """Raises StoreError (missing, foreign, locked, damaged …)."""
        session = cls(Store.open(path, read_only=read_only), now)
        if not session.read_only:
            session._seal_leftovers()
            session._keep_backup()
        return session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Seal what grows, end the engine, leave a single file."""
        if self._weigher is not None:
            await self._weigher.close()
        await self._generation.close()
        await self._readings.close()
        if self._keeper is not None:
            self._keeper.close()
        self._close_index()
        self._store.close()

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

    # ── writing ────────────────────────────────────────────────────────────────────────────

    def write(self, text: str | bytes, place: Place | None = None) -> int:
        """A writer's node at `place`; the writer moves to its end. Raises ValueError for none."""
        content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        if not content:
            raise ValueError("There is no text to write.")
        node = self._new_node(place or self.place, Author.WRITER, content)
        return self._add_written("write", node, None)

    def take_alternative(self, node: int, index: int, token_id: int) -> int:
        """Branch at token `index` of `node` with another of its recorded alternatives.

        Raises ValueError for a token that isn't among them. A branch that is there already is
        walked into instead.
        """
        span = self.span(node)
        if span is None or not 0 <= index < len(span):
            raise ValueError("No model has read this token yet.")
        found = [k for k, other in enumerate(span.top_ids[index].tolist()) if other == token_id]
        if not found:
            raise ValueError(f"Token {token_id} is not among the recorded alternatives.")
        token = span[index]
        place = Place(node, token.start)
        if token_id == token.id:
            self.go(Place(node, token.end))
            return node
        text = self.piece(node, token_id)
        taken = span.alternative(index, found[0], len(text))
        return self._take(place, text, taken, self.model_of(node), {})

    def take_next(self, following: Following, token_id: int, place: Place | None = None) -> int:
        """Go on with one token of the next-token distribution at `place`."""
        if token_id not in following.ids:
            raise ValueError(f"Token {token_id} is not among the tokens shown.")
        rank = following.ids.index(token_id)
        text = following.pieces[rank]
        pieces = dict(zip(following.ids, following.pieces, strict=True))
        row = self._generation.model_row()
        return self._take(place or self.place, text, following.span(rank), row, pieces)

    def _take(
        self,
        place: Place,
        text: bytes,
        span: Span,
        row: ModelRow | None,
        pieces: Mapping[int, bytes],
    ) -> int:
        """A branch of one token that the writer chose, or the one that is there already."""
        for child in self.tree.children(place.node):
            node = self.tree[child]
            taken = node.at == place.at and node.author is Author.WRITER and node.text == text
            if taken and node.token_count == 1 and not self.is_hidden(child):
                self.go(node.end)
                return child
        node = replace(
            self._new_node(place, Author.WRITER, text),
            token_count=1,
            model=row.id if row else None,
        )
        if row is not None:
            self._post(Batch(pieces=tuple((row.id, i, piece) for i, piece in pieces.items())))
        return self._add_written(TAKE, node, span)

    def _add_written(self, kind: str, node: Node, span: Span | None) -> int:
        node = replace(node, ended=Ending.WRITTEN)
        node = replace(node, hash=place_hash(self.hash_at(node.hangs_at), node, span, ""))
        marks = ((Mark(node.id, 0, Kind.VISITED), "1"),)
        operation = Operation(kind, added=(node.id,), moved=(self.place, node.end))
        self._commit(operation, nodes=((node, span),), marks=marks)
        self._generation.wake()
        return node.id

    def save_draft(self, text: str | None, place: Place) -> None:
        """Keep what the editor holds; None forgets it."""
        draft = "" if text is None else json.dumps({"text": text, "place": list(place)})
        if draft != self._meta.get("draft", ""):
            self._meta["draft"] = draft
            self._post(Batch(meta={"draft": draft}))

    def keep_hoisted(self, tops: Sequence[tuple[int, int]]) -> None:
        """Remember (node, start) of what is hoisted, the innermost last, for the next time."""
        hoisted = json.dumps([list(top) for top in tops])
        if hoisted != self._meta.get("hoisted", "[]") and not self.read_only:
            self._meta["hoisted"] = hoisted
            self._post(Batch(meta={"hoisted": hoisted}))

    # ── arranging ──────────────────────────────────────────────────────────────────────────

    def hide(self, segment: Segment) -> int:
        """Take a segment and all that hangs after it out of sight; how many nodes vanish.

        Raises ValueError for the empty root.
        """
        if segment.node == ROOT:
            raise ValueError("The start of the tree can't be hidden.")
        twins = self.display.twins(segment)
        seen = {node for twin in twins for node in self._visible_below(twin)}
        moved = (self.place, self._refuge(twins[0])) if self._is_within(twins) else None
        marks = tuple((Mark(t.node, t.start, Kind.HIDDEN), None, "hidden") for t in twins)
        self._generation.cancel([node for node in self.growing() if node in seen])
        self._commit(Operation("hide", marks=marks, moved=moved))
        return len(seen)

    def _is_within(self, segments: Iterable[Segment]) -> bool:
        """Whether the writer is in one of `segments` or after it."""
        starts = {segment.node: segment.start for segment in segments}
        return any(
            stop > starts[node] or (stop, node) == (0, self.place.node)
            for node, stop in self.tree.stretches(self.place)
            if node in starts
        )

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

    def hand_instruments_to(self, other: Session) -> bool:
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

    # ── the engine ─────────────────────────────────────────────────────────────────────────

    async def attach(self, model: str, options: Mapping[str, Any] | None = None) -> None:
        """Start an engine in a process of its own; returns before it is ready."""
        await self._generation.attach(model, options or {})

    def hand_engine_to(self, other: Session) -> bool:
        """Let `other` go on with this session's engine, as it is; what grows here is sealed.

        False where there is no engine that lives.
        """
        return self._generation.hand_over(other._generation)

    async def engine_ready(self) -> Capabilities:
        """Wait for the engine. Raises EngineError if it can't be loaded."""
        return await self._generation.ready()

    def grow(
        self,
        place: Place | None = None,
        *,
        count: int | None = None,
        recipe: Recipe | None = None,
        seed: int | None = None,
    ) -> tuple[int, ...]:
        """Begin continuations at `place`; their nodes at once. Greedy grows one.

        Raises EngineError without an engine. A given `seed` makes the same tokens again at the same
        place; without it every call at a place gets new ones.
        """
        if self.engine is None:
            raise EngineError("No model is loaded.", "Choose one with --model or in loom.toml.")
        there, with_recipe = place or self.place, recipe or self.recipe
        number = 1 if with_recipe.sampling.temperature == 0 else count or self.branches
        address = self.hash_at(there)
        ordinal = 0 if seed is not None else self._ordinal(address.hex())
        if seed is None:
            self._ordinals[address.hex()] = ordinal + 1
        seeds = self._generation.seeds(
            self.seed if seed is None else seed, address, ordinal, number
        )
        with_recipe = self.framed(with_recipe, there)
        row, recipe_id = self._generation.model_row(), self._recipe_id(with_recipe)
        nodes = [
            replace(
                self._new_node(there, Author.MODEL, b"", offset=i),
                recipe=recipe_id,
                model=row.id if row else None,
                seed=branch_seed,
            )
            for i, branch_seed in enumerate(seeds)
        ]
        more = {"place": address.hex(), "ordinal": ordinal} if seed is None else {}
        ids = tuple(node.id for node in nodes)
        operation = Operation(GROW, added=ids, more=more)
        self._commit(operation, nodes=tuple((node, None) for node in nodes))
        self._generation.start(ids, there, with_recipe, seeds)
        return ids

    async def generate(
        self,
        place: Place | None = None,
        *,
        count: int | None = None,
        recipe: Recipe | None = None,
        seed: int | None = None,
    ) -> tuple[int, ...]:
        """`grow`, and wait for it. Raises EngineError if the engine fails."""
        nodes = self.grow(place, count=count, recipe=recipe, seed=seed)
        await self.finished(nodes)
        return nodes

    async def finished(self, nodes: Iterable[int]) -> None:
        """Wait until none of `nodes` grows. Raises EngineError if their job failed."""
        await self._generation.finished(nodes)

    def cancel(self, nodes: Iterable[int] | None = None) -> None:
        """Stop these (all that grow, by default); what came is sealed and kept."""
        self._generation.cancel(self.growing() if nodes is None else nodes)

    def read(self, place: Place | None = None) -> tuple[int, ...]:
        """Have the engine read written text on the path that has no tokens yet; which nodes."""
        self._generation.resume_reading()
        return self._generation.read(place or self.place)

    def stop_reading(self) -> bool:
        """Stop the reading of written text until `read` is called; whether any was under way."""
        return self._generation.stop_reading()

    async def next_tokens(self, place: Place | None = None, top: int = 20) -> Following:
        """The distribution of the next token at a place. Raises EngineError."""
        return await self._generation.following(place or self.place, top)

    # ── for generation.py ──────────────────────────────────────────────────────────────────

    def engine_wanted(self, wanted: bool) -> None:
        """For what goes before all weighing; or not any more."""
        if self._weigher is not None:
            self._weigher.give_way(busy=wanted)

    def set_grown(
        self, node: Node, span: Span | None, pieces: Mapping[int, bytes] | None = None
    ) -> None:
        """Replace a node by what it has become; with the bytes of new tokens it is written, too."""
        self.tree.replace(node)
        self.display.invalidate(node.id)
        if span is not None and not node.growing:
            self._keep_span(node.id, span)
        if pieces is not None:
            rows = tuple((node.model or 0, number, piece) for number, piece in pieces.items())
            self._post(Batch(nodes=((node, span),), pieces=rows))

    def set_sealed(self, node: Node, span: Span | None, pieces: Mapping[int, bytes]) -> None:
        """The final form of a grown or read node, with the bytes of every token it mentions.

        When a node was complete is an event too: it is what replay knows the speed from.
        """
        sealed = None
        if node.author is Author.MODEL:
            sealed = self._event(SEAL, {"node": node.id})
            row = self.model_of(node.id) if node.model is None else self._models[node.model]
            before = self.hash_at(node.hangs_at)
            node = replace(
                node, hash=place_hash(before, node, span, row.fingerprint if row else "")
            )
        self.set_grown(node, span)
        rows = tuple((node.model or 0, number, piece) for number, piece in pieces.items())
        self._post(Batch(nodes=((node, span),), pieces=rows, event=sealed))

    def hang_before(self, number: int, cut: Cut) -> None:
        """A node that hasn't begun begins with a writer's last bytes, in other tokens."""
        node, recipe = self.tree[number], self.recipe_of(number)
        assert recipe is not None and node.parent is not None
        recipe_id = self._recipe_id(replace(recipe, begins=cut.begins))
        self.display.invalidate(number)
        self.tree.hang(replace(node, at=cut.place.at, recipe=recipe_id))
        for touched in (number, node.parent):
            self.display.invalidate(touched)
        self._emit(TreeChanged(frozenset({number, node.parent})))

    def drop_empty(self, nodes: Iterable[int]) -> None:
        """Hide nodes that got no text before they ended."""
        marks = tuple((Mark(node, 0, Kind.HIDDEN), EMPTY) for node in nodes)
        if not marks:
            return
        self._set_marks(marks)
        changes = [[m.node, m.start, str(m.kind), value] for m, value in marks]
        before, self.place = self.place, self._visible_place(self.place)
        event = self._event(DROP, {"set": changes})
        self._post(Batch(marks=marks, meta=self._place_meta(), event=event))
        self._emit(TreeChanged(frozenset(mark.node for mark, _ in marks)))
        if before != self.place:
            self._emit(Moved(self.place))

    def add_model(self, capabilities: Capabilities, spec: str) -> ModelRow:
        """The row of a model, made when it is new to the session."""
        runtime = {"engine": capabilities.name, **capabilities.runtime}
        for row in self._models.values():
            if row.fingerprint == capabilities.fingerprint and row.runtime == runtime:
                return row
        row = ModelRow(
            len(self._models) + 1, capabilities.fingerprint, capabilities.label, spec, runtime
        )
        self._models[row.id] = row
        self._post(Batch(models=(row,)))
        return row

    # ── inside ─────────────────────────────────────────────────────────────────────────────

    def _new_node(self, place: Place, author: Author, text: bytes, offset: int = 0) -> Node:
        if place.node not in self.tree:
            raise KeyError(place.node)
        if self.tree[place.node].growing and not self.tree[place.node].length:
            place = self.tree[place.node].hangs_at  # it may have to hang elsewhere yet
        number = self.tree.next_id + offset
        return Node(number, place.node, place.at, author, text, created=self._now())

    def _recipe_id(self, recipe: Recipe) -> int:
        for number, known in self._recipes.items():
            if known == recipe:
                return number
        number = len(self._recipes) + 1
        self._recipes[number] = recipe
        self._post(Batch(recipes=((number, recipe.to_json()),)))
        return number

    def _seal_leftovers(self) -> None:
        """Nodes that grew when the program was killed keep what they had."""
        left = [node for node in self.tree.nodes.values() if node.growing]
        for node in left:
            self.set_sealed(replace(node, ended=Ending.CRASH), self.span(node.id), {})
        self.drop_empty([node.id for node in left if not node.length])
        self.place = self._visible_place(self.place)

    def _keep_backup(self) -> None:
        """Once a day, while one works on; what is empty needs none."""
        if len(self.tree) > 1:
            backups = Backups(Paths.default().backups, self.path)
            today = datetime.fromtimestamp(self._now())
            self._keeper = Keeper(backups, today, self._store_failed)
