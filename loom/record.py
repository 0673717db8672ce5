"""What a session holds, as read from its file; nothing is changed here.

`Session` (session.py) is the Record that can also act.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loom.core import text as texts
from loom.core.display import Display, Segment
from loom.core.marks import Kind, Mark, Marks, is_hidden
from loom.core.node import ROOT, Author, Place, place_hash
from loom.core.recipe import Recipe
from loom.core.search import Search
from loom.core.span import Span
from loom.core.tree import Tree
from loom.engine.api import Piece
from loom.history import History
from loom.instruments.api import Flag, Reading
from loom.instruments.keeping import unpack
from loom.raised import Raised, raised_on
from loom.store.batch import EventRow, Loaded, ModelRow, ReadingRow
from loom.store.errors import NONSENSE, StoreError, damaged
from loom.store.loading import collector_paused
from loom.store.numbers import first_free
from loom.store.opening import RECENT
from loom.store.store import SessionDamaged, Store
from loom.store.textindex import TextIndex

SPANS_KEPT = 2048  # token columns held in memory, in nodes
SOURCES = "sources"  # among instruments, what the frames of a source set say; it is no plugin
ANSWERS = "sources asked"  # likewise, what the model says when it is asked about them
NO_PLUGINS = (SOURCES, ANSWERS)


@dataclass(frozen=True, slots=True)
class Draft:
    """What an editor held when it was last saved, and where it would have gone."""

    text: str
    place: Place


class Record:
    """See the module's docstring."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.path: Path = store.path
        try:
            self._read(store.load(RECENT))
        except NONSENSE as error:  # of a file whose version had no checksums
            store.close()
            raise damaged(self.path, f"what it says makes no sense ({error!r})") from error
        except StoreError:
            store.close()
            raise
        self._spans: OrderedDict[int, Span] = OrderedDict()
        self._lost: set[int] = set()  # nodes whose columns can't be read
        self._index: TextIndex | None = None

    def _read(self, loaded: Loaded) -> None:
        with collector_paused():
            self.tree, self.marks = Tree.of(loaded.nodes), Marks()
            for mark, value in loaded.marks:
                self.marks.set(mark, value)
        self.display = Display(self.tree, self.marks)
        self._recipes = {number: Recipe.from_json(data) for number, data in loaded.recipes}
        self._models = {row.id: row for row in loaded.models}
        self._meta = dict(loaded.meta)
        self.tree.reserve(first_free(self._meta))
        self._events = 0
        self._ordinals: dict[str, int] = {}  # of places where something was grown since
        self._read_history(loaded.events)
        self.place = Place(*json.loads(self._meta.get("place", "[0, 0]")))
        if not 0 <= self.place.at <= self.tree[self.place.node].length:
            raise ValueError(f"there is no byte {self.place.at} in node {self.place.node}")
        self._read_settings()

    def search(self, query: str, top: Segment | None = None) -> Search:
        """What `query` finds in `top` and what hangs there, by default everything."""
        if self._index is None or self._index.tree is not self.tree:
            self._close_index()
            self._index = TextIndex(self.tree)
        return Search(self.display, query, top, self._index.among)

    def _close_index(self) -> None:
        if self._index is not None:
            self._index.close()

    def _read_history(self, recent: Sequence[EventRow]) -> None:
        """Of a long one only the end, until more is asked for."""
        whole = not recent or recent[0].id == 1
        self.history = History(None if whole else self.events)
        self._events = recent[-1].id if recent else 0
        self.history.read_recent(recent)

    def _ordinal(self, place: str) -> int:
        """How many generations there have been at the place of that hash."""
        if place not in self._ordinals:
            self._ordinals[place] = self._store.ordinal(place)
        return self._ordinals[place]

    def _read_settings(self) -> None:
        self.branches = int(self._meta.get("branches") or 4)
        self.recipe = Recipe.from_json(json.loads(self._meta.get("recipe") or "{}"))
        _ = self.seed, self.draft, self.hoisted  # read when asked for; do they make sense?

    @property
    def read_only(self) -> bool:
        return self._store.read_only

    @property
    def title(self) -> str:
        return self._meta.get("title") or self.path.stem

    def copy_to(self, path: Path) -> None:
        """The session as it is now in a new file. Raises StoreError, also where there is one."""
        self._store.copy_to(path)

    def events(self) -> tuple[EventRow, ...]:
        """Everything that happened, in order; read from the file anew."""
        return self._store.events()

    @property
    def seed(self) -> int:
        return int(self._meta.get("seed", 0))

    @property
    def draft(self) -> Draft | None:
        saved = self._meta.get("draft")
        if not saved:
            return None
        data = json.loads(saved)
        return Draft(data["text"], Place(*data["place"]))

    @property
    def hoisted(self) -> tuple[tuple[int, int], ...]:
        """(node, start) of what was hoisted, the innermost last, as far as it is there."""
        tops = json.loads(self._meta.get("hoisted", "[]"))
        return tuple((node, start) for node, start in tops if node in self.tree)

    def text(self, node: int) -> str:
        return texts.decode(self.tree[node].text)

    def path_text(self, place: Place | None = None) -> str:
        """Everything from the start to `place` (by default where the writer is)."""
        return texts.decode(self.tree.path_bytes(place or self.place))

    def span(self, node: int) -> Span | None:
        """Token columns of a node, None where no model has read it."""
        if self.tree[node].token_count is None:
            return None
        if node in self._spans:
            self._spans.move_to_end(node)
            return self._spans[node]
        span = self._stored_span(node)
        if span is not None:
            self._keep_span(node, span)
        return span

    def _stored_span(self, node: int) -> Span | None:
        """None too where what is in the file is damaged: the text goes on without its columns."""
        if node in self._lost:
            return None
        try:
            span = self._store.span(node)
            if span is not None and len(span) == self.tree[node].token_count:
                return span
            if self.tree[node].token_count:
                self._damage_found(damaged(self.path, f"the tokens of node {node} are lost"))
        except SessionDamaged as error:
            self._damage_found(error)
        self._lost.add(node)
        return None

    def _damage_found(self, error: SessionDamaged) -> None:
        """What was read turned out to be damaged, long after the session was opened."""

    def readings(self, node: int) -> dict[str, Reading]:
        """What instruments have read in a node when they last did, by name."""
        found = {}
        for row in self.reading_rows(node):
            with suppress(ValueError):  # damaged: it can be read again
                found[row.instrument] = unpack(row.state, row.data).reading
        return found

    def reading(self, node: int, instrument: str) -> Reading | None:
        return self.readings(node).get(instrument)

    def reading_rows(self, node: int, instrument: str | None = None) -> tuple[ReadingRow, ...]:
        """The same as it is in the file; or what that one has read, though it be no plugin."""
        rows = self._store.readings(node)
        if instrument is None:
            return tuple(row for row in rows if row.instrument not in NO_PLUGINS)
        return tuple(row for row in rows if row.instrument == instrument)

    def flags(self, place: Place | None = None) -> list[Raised]:
        """What instruments have raised on the path to `place`, in order."""
        return raised_on(self, place or self.place, self._flags_of)

    def _flags_of(self, node: int) -> Mapping[str, tuple[Flag, ...]]:
        return {name: reading.flags for name, reading in self.readings(node).items()}

    def setting(self, name: str) -> str | None:
        """What the file holds under that name besides nodes, marks and events."""
        return self._meta.get(name)

    @property
    def event_count(self) -> int:
        """The number of the last thing that happened."""
        return self._events

    def piece(self, node: int, token_id: int) -> bytes:
        """The bytes of a token of the model that read `node`; b"" if they were never recorded."""
        row = self.model_of(node)
        if row is None:
            return b""
        try:
            return self._store.pieces(row.id, [token_id]).get(token_id, b"")
        except SessionDamaged as error:
            self._damage_found(error)
            return b""

    def edges(self, node: int) -> Sequence[int]:
        """Where tokens end, in bytes; words while no model has read the node."""
        span = self.span(node)
        if span is None:
            return texts.word_edges(self.tree[node].text)
        edges: list[int] = span.ends.tolist()
        if not edges or edges[-1] < self.tree[node].length:
            edges.append(self.tree[node].length)
        return edges

    def recipe_of(self, node: int) -> Recipe | None:
        number = self.tree[node].recipe
        return None if number is None else self._recipes[number]

    def model_of(self, node: int) -> ModelRow | None:
        """The model that drew the node, or has read it."""
        number = self.tree[node].model
        return None if number is None else self._models[number]

    def is_hidden(self, node: int) -> bool:
        return is_hidden(self.tree, self.marks, node)

    def is_visited(self, node: int) -> bool:
        return self.marks.get(Mark(node, 0, Kind.VISITED)) is not None

    def asked_at(self, node: int) -> Place:
        """Where the writer stood when the node was grown: one that begins by repeating the text
        before that place hangs earlier."""
        hangs, recipe = self.tree[node].hangs_at, self.recipe_of(node)
        return hangs if recipe is None else Place(hangs.node, hangs.at + len(recipe.begins))

    def continuations(self, place: Place | None = None) -> tuple[Segment, ...]:
        """What goes on after `place`: the cards."""
        there = place or self.place
        segment = self.display.segment_of(there)
        after = self.display.children(segment) if segment.stop == there.at else ()
        every = {*after, *self._repeating(there)}
        return tuple(sorted(every, key=lambda found: (found.node != there.node, found)))

    def _repeating(self, there: Place) -> Iterator[Segment]:
        """What goes on there and hangs before, as it repeats what is in between."""
        places = {
            hangs: None
            for child in self.tree.children(there.node)
            if (hangs := self.tree[child].hangs_at) != there and self.asked_at(child) == there
        }
        for hangs in places:
            for segment in self.display.children(self.display.segment_of(hangs)):
                if not segment.start and self.asked_at(segment.node) == there:
                    yield segment

    def hash_at(self, place: Place) -> bytes:
        """The place's hash; known for places inside nodes that still grow, too."""
        digest, stretches = bytes(16), [place]
        while not self._is_sealed_end(stretches[-1]):
            node = self.tree[stretches[-1].node]
            if node.parent is None:
                break
            stretches.append(node.hangs_at)
        for stretch in reversed(stretches):
            node = self.tree[stretch.node]
            if self._is_sealed_end(stretch):
                digest = node.hash
                continue
            row = self.model_of(node.id) if node.author is Author.MODEL else None
            fingerprint = row.fingerprint if row else ""
            digest = place_hash(digest, node, self.span(node.id), fingerprint, stretch.at)
        return digest

    def _is_sealed_end(self, place: Place) -> bool:
        node = self.tree[place.node]
        return bool(node.hash) and place.at == node.length

    def prefix(
        self, place: Place, fingerprint: str, recipe: Recipe | None = None
    ) -> tuple[Piece, ...]:
        """The path for the engine with `fingerprint`: its own ids, and bytes for the rest. With a
        recipe as it is given to grow by it: after its frame."""
        frame, skipped = (recipe.frame, recipe.instead) if recipe is not None else ("", 0)
        pieces: list[Piece] = [frame.encode("utf-8", "surrogateescape")]
        for node, stop in self.tree.stretches(place):
            start, skipped = min(skipped, stop), max(0, skipped - stop)
            pieces += self._pieces_of(node, start, stop, fingerprint) if start < stop else ()
        return tuple(piece for piece in pieces if piece)

    def _pieces_of(self, node: int, start: int, stop: int, fingerprint: str) -> Iterable[Piece]:
        """Bytes `start` to `stop` of a node; a token that one of them lies in is given as text."""
        text, row, span = self.tree[node].text, self.model_of(node), self.span(node)
        if span is None or row is None or row.fingerprint != fingerprint:
            return (text[start:stop],)
        first, last = span.count_until(start) if start else 0, span.count_until(stop)
        edge = int(span.ends[first - 1]) if first else 0
        if edge < start:
            first, edge = first + 1, int(span.ends[first]) if first < len(span) else stop
        if first > last:
            return (text[start:stop],)
        known = int(span.ends[last - 1]) if last else 0
        ids = tuple(span.ids[first:last].tolist())
        return text[start:edge], ids, text[max(known, edge) : stop]

    def last_child(self, place: Place | None = None) -> Segment | None:
        """The continuation last visited here, else the first; None at a leaf."""
        children = self.continuations(place)
        if not children:
            return None
        there = place or self.place
        last = self.marks.get(Mark(there.node, there.at, Kind.LAST))
        return next((child for child in children if str(child.node) == last), children[0])

    def _visible_below(self, segment: Segment) -> Iterable[int]:
        stack = [segment]
        while stack:
            there = stack.pop()
            yield there.node
            stack += self.display.children(there)

    def _refuge(self, segment: Segment) -> Place:
        siblings = list(self.display.siblings(segment))
        if segment not in siblings:  # it begins inside of what is shown as one
            return Place(segment.node, segment.start)
        place = siblings.index(segment)
        beside = siblings[place + 1 :] + siblings[:place][::-1]
        if beside:
            return Place(beside[0].node, beside[0].stop)
        parent = self.display.parent(segment) or self.display.root
        return Place(parent.node, parent.stop)

    def _visible_place(self, place: Place) -> Place:
        """`place`, or the nearest place above it that is not hidden."""
        while place.node != ROOT and self.is_hidden(place.node):
            place = self.tree[place.node].hangs_at
        limit = self.marks.hidden_from(place.node)
        return place if limit is None else Place(place.node, min(place.at, limit))

    def _keep_span(self, node: int, span: Span) -> None:
        self._spans[node] = span
        self._spans.move_to_end(node)
        while len(self._spans) > SPANS_KEPT:
            self._spans.popitem(last=False)
