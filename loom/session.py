"""A session that can act: the only place where a session changes.

Every effect of the screen, the command line and scripts is a method here: one event, one
transaction, undoable where it changes the tree. Moving, marks, settings and undo are in
`journal.py`; what engine, plugins and sources say is in `watched.py`. Engine work is in
`generation.py`, which says in `nursery.py` what has come.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Node, Place, place_hash
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.engine.api import Capabilities, EngineError, Following
from loom.history import GROW, TAKE, Operation
from loom.paths import Paths
from loom.store.backup import Backups, Keeper
from loom.store.batch import Batch, ModelRow
from loom.store.store import Store
from loom.watched import Watched

SESSION_SUFFIX = ".loom"


class Session(Watched):
    """See the module's docstring. Made by `Session.create` or `Session.open`."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        super().__init__(store, now)
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

    # ── inside ─────────────────────────────────────────────────────────────────────────

    def _keep_backup(self) -> None:
        """Once a day, while one works on; what is empty needs none."""
        if len(self.tree) > 1:
            backups = Backups(Paths.default().backups, self.path)
            today = datetime.fromtimestamp(self._now())
            self._keeper = Keeper(backups, today, self._store_failed)
