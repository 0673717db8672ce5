"""Session files to look at: bushy, deep, long; at the end of each a station to walk about.

Knows the session file; knows nothing of the screen.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.engines import load
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Node, place_hash
from loom.core.recipe import PRESETS, Recipe
from loom.core.span import Span, joined
from loom.engine.api import Engine, Generate, Grown, Job, Score
from loom.history import Operation
from loom.store.batch import Batch, EventRow, ModelRow
from loom.store.rows import statements, write
from loom.store.store import Store

FAMILY = 4  # continuations at a place
STREAMS = 8  # that g grows
TOKENS = 100  # of a node of the long path
VISITED = 3  # one node in so many has been walked into
LEAD = (
    "and the lamp went round as it had every night, over the water"  # longer than a row of the tree
)
MODEL = 1  # the row of echo in the session
Links = Iterable[tuple[int, int]]
"""Ids and parents, in order of creation."""


def bushy(count: int) -> Iterator[tuple[int, int]]:
    """Four at a time, mostly at what is recent and now and then anywhere."""
    chance = random.Random(count)
    for first in range(1, count + 1, FAMILY):
        recent = range(max(0, first - 8 * FAMILY), first)
        parent = chance.choice(recent if chance.random() < 0.7 else range(first))
        yield from ((id_, parent) for id_ in range(first, min(first + FAMILY, count + 1)))


def chain(count: int) -> Iterator[tuple[int, int]]:
    yield from ((id_, id_ - 1) for id_ in range(1, count + 1))


def marker(node: int) -> bytes:
    """What stands in the text of one node only, behind all that fits into a row of the tree."""
    return b"#%06d#" % node


@dataclass(frozen=True, slots=True)
class Station:
    """Where one walks about: siblings, and the children of each."""

    siblings: tuple[int, ...]
    children: tuple[tuple[int, ...], ...]


class Writer:
    """Writes a session's nodes as a writer and echo would have made them."""

    def __init__(self) -> None:
        self._echo = load("echo")
        self._fingerprint = self._echo.can().fingerprint
        self._nodes: dict[int, Node] = {ROOT: Node(ROOT, None, 0, Author.WRITER)}
        self._spans: dict[int, Span] = {}

    def add(self, id_: int, parent: int, text: bytes, span: Span | None = None) -> None:
        """At the end of its parent."""
        above = self._nodes[parent]
        node = Node(
            id_, parent, above.length, Author.MODEL, text, None, MODEL, id_, Ending.LENGTH,
            1.7e9 + id_, None if span is None else len(span),
        )  # fmt: skip
        before = above.hash or bytes(16)
        self._nodes[id_] = replace(node, hash=place_hash(before, node, span, self._fingerprint))
        if span is not None:
            self._spans[id_] = span

    def add_plain(self, links: Links) -> int:
        """Nodes that no model has read; the last one's id."""
        id_ = ROOT
        for id_, parent in links:
            self.add(id_, parent, b" %s %s and on." % (LEAD.encode(), marker(id_)))
        return id_

    def add_long(self, tokens: int) -> int:
        """A chain of nodes of TOKENS tokens each, the same text in all of them."""
        text, span = grown(self._echo, Generate("g", (b"The lamp",), LONG, (1,)))
        for id_, parent in chain(tokens // len(span)):
            self.add(id_, parent, text, span)
        return tokens // len(span)

    def add_station(self, parent: int) -> Station:
        siblings = self._add_family(parent, parent + 1)
        children = tuple(
            self._add_family(id_, siblings[-1] + 1 + i * FAMILY) for i, id_ in enumerate(siblings)
        )
        return Station(siblings, children)

    def _add_family(self, parent: int, first: int) -> tuple[int, ...]:
        for id_ in range(first, first + FAMILY):
            text = b" %s %s and on." % (LEAD.encode(), marker(id_))
            self.add(id_, parent, text, grown(self._echo, Score("s", (), text))[1])
        return tuple(range(first, first + FAMILY))

    def save(self, path: Path, place: int) -> None:
        """With the events, marks and settings that go with the nodes; the writer is at `place`."""
        ids = [id_ for id_ in self._nodes if id_ != ROOT]
        able = self._echo.can()
        runtime = {"engine": able.name, **able.runtime}
        pieces = self._echo.pieces(range(able.vocabulary))
        store = Store.create(path)
        store.post(
            Batch(
                nodes=tuple((self._nodes[id_], self._spans.get(id_)) for id_ in ids),
                marks=tuple((Mark(i, 0, Kind.VISITED), "1") for i in ids if not i % VISITED),
                models=(ModelRow(MODEL, able.fingerprint, able.label, "echo", runtime),),
                pieces=tuple((MODEL, i, piece) for i, piece in enumerate(pieces)),
                meta={
                    "seed": "7",
                    "created": "1700000000",
                    "place": json.dumps([place, self._nodes[place].length]),
                    "branches": str(STREAMS),
                    "recipe": json.dumps(replace(LONG, tokens=100_000).to_json()),
                },
            )
        )
        store.close()
        self._record(path, ids)

    def _record(self, path: Path, ids: list[int]) -> None:
        """An event for each family, all in one transaction, which a Batch can't say."""
        families = (ids[first : first + FAMILY] for first in range(0, len(ids), FAMILY))
        events = (
            EventRow(number, 1.7e9, "grow", Operation("grow", added=tuple(family)).to_json())
            for number, family in enumerate(families, start=1)
        )
        rows = (row for event in events for row in statements(Batch(event=event)))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            write(connection, rows)


LONG = Recipe(PRESETS["balanced"], tokens=TOKENS, preset="balanced")


def grown(engine: Engine, job: Job) -> tuple[bytes, Span]:
    """Text and columns of a job with one branch."""
    engine.submit(job)
    found: list[Grown] = []
    while events := engine.step():
        found += [event for event in events if isinstance(event, Grown)]
    return b"".join(event.text for event in found), joined([event.span for event in found])
