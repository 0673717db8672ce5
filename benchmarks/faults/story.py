"""A session file as writing leaves it, made without a model: every table filled, hashes right."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np

from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Node, Place, place_hash
from loom.core.span import Span
from loom.store.batch import Batch, EventRow, ModelRow
from loom.store.store import Store

VOCABULARY = tuple(f" w{number}".encode() for number in range(500))
MODEL = ModelRow(1, "a fingerprint", "a model", "echo", {"device": "cpu"})


class Story:
    """Nodes that hang on one another at ends and in the middle, one transaction each."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store, self._random = store, random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._nodes = {ROOT: Node(ROOT, None, 0, Author.WRITER, ended=Ending.WRITTEN)}
        self._spans: dict[int, Span | None] = {ROOT: None}
        self._before = {ROOT: bytes(16)}
        store.post(
            Batch(
                models=(MODEL,),
                recipes=((1, {"tokens": 8}),),
                meta={"seed": str(seed), "title": "a story"},
            )
        )

    @staticmethod
    def note(store: Store) -> Batch:
        """One more event for a session, whatever is in it."""
        number = len(store.load().events) + 1
        return Batch(event=EventRow(number, 1.8e9, "checkpoint", {"name": f"note {number}"}))

    def grow(self, count: int) -> None:
        """`count` nodes more, each posted."""
        for _ in range(count):
            self._add()

    def _add(self) -> None:
        number = len(self._nodes)
        place = self._place()
        written = number == 1 or self._random.random() < 0.3
        span = None if written else self._span()
        pieces = {} if span is None else {i: VOCABULARY[i] for i in set(span.ids.tolist())}
        text = self._words() if span is None else b"".join(VOCABULARY[i] for i in span.ids)
        node = Node(
            number,
            place.node,
            place.at,
            Author.WRITER if written else Author.MODEL,
            text,
            recipe=None if written else 1,
            model=None if written else 1,
            seed=None if written else number,
            ended=Ending.WRITTEN if written else Ending.LENGTH,
            created=1.7e9 + number / 7,
            token_count=None if span is None else len(span),
        )
        self._before[number] = self._hash(place)
        node = replace(node, hash=place_hash(self._before[number], node, span, _print(node)))
        self._nodes[number], self._spans[number] = node, span
        self._store.post(self._batch(node, span, pieces))

    def _batch(self, node: Node, span: Span | None, pieces: dict[int, bytes]) -> Batch:
        data = {"added": [node.id], "marks": [], "moved": [[0, 0], list(node.end)]}
        return Batch(
            nodes=((node, span),),
            marks=((Mark(node.id, 0, Kind.VISITED), "1"),),
            pieces=tuple((1, token, piece) for token, piece in pieces.items()),
            meta={"place": f"[{node.id}, {node.length}]"},
            event=EventRow(node.id, node.created, "write" if span is None else "grow", data),
        )

    def _place(self) -> Place:
        parent = self._nodes[max(0, len(self._nodes) - self._random.randint(1, 4))]
        span = self._spans[parent.id]
        if span is not None and self._random.random() < 0.3:
            return Place(parent.id, int(span.ends[self._random.randrange(len(span))]))
        return parent.end

    def _hash(self, place: Place) -> bytes:
        node = self._nodes[place.node]
        before = self._before[node.id]
        return place_hash(before, node, self._spans[node.id], _print(node), place.at)

    def _words(self) -> bytes:
        return b" ".join(self._random.choices(VOCABULARY, k=self._random.randint(1, 30)))

    def _span(self) -> Span:
        count, numbers = self._random.randint(1, 24), self._numbers
        ids = numbers.integers(0, len(VOCABULARY), count).astype(np.int32)
        lengths = [len(VOCABULARY[i]) for i in ids]

        def floats(*shape: int) -> np.ndarray:
            return numbers.normal(size=shape).astype(np.float32)

        return Span(
            ids=ids,
            ends=np.cumsum(lengths).astype(np.int32),
            logprob=floats(count),
            entropy=floats(count),
            varentropy=floats(count),
            rank=numbers.integers(0, 90, count).astype(np.int32),
            top_ids=numbers.integers(0, len(VOCABULARY), (count, 20)).astype(np.int32),
            top_logprobs=floats(count, 20),
            mass_above=floats(count),
            renyi=floats(count, 8),
        )


def _print(node: Node) -> str:
    return MODEL.fingerprint if node.author is Author.MODEL else ""


def write_story(path: Path, nodes: int, seed: int = 0) -> Path:
    """A new session at `path`, closed."""
    store = Store.create(path)
    try:
        Story(store, seed).grow(nodes)
    finally:
        store.close()
    return path
