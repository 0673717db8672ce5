"""A session of 100,000 nodes, 32 tokens each and 20 alternatives a token, and the same as JSON.

Knows what is in it, not how long anything takes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from loom.core.node import ROOT, Author, Ending, Node
from loom.core.span import Span
from loom.store.batch import Batch, EventRow, ModelRow
from loom.store.file import settle
from loom.store.opening import for_writing
from loom.store.rows import statements, write
from loom.store.store import Store

NODES, TOKENS, TOP, WORDS = 100_000, 32, 20, 4000


def material(count: int) -> Iterator[tuple[Node, Span, EventRow]]:
    """`count` nodes of 32 tokens, most of them on one of the last few before."""
    source, numbers = random.Random(1), np.random.default_rng(1)
    spans = [_span(numbers) for _ in range(64)]
    lengths = {ROOT: 0}
    for number in range(1, count + 1):
        text, span = spans[number % len(spans)]
        parent = max(0, number - source.randint(1, 6))
        lengths[number] = len(text)
        node = Node(
            *(number, parent, lengths[parent], Author.MODEL, text, 1, 1, number, Ending.LENGTH),
            created=1.7e9 + number,
            token_count=TOKENS,
            hash=number.to_bytes(16, "big"),
        )
        data = {"added": [number], "place": node.hash.hex(), "ordinal": 0, "marks": []}
        yield node, span, EventRow(number, node.created, "grow", data)


def _span(numbers: np.random.Generator) -> tuple[bytes, Span]:
    ids = numbers.integers(0, WORDS, TOKENS).astype(np.int32)
    pieces = [b" word%d" % number for number in ids]

    def floats(*shape: int) -> np.ndarray:
        return numbers.normal(size=shape).astype(np.float32)

    top = numbers.integers(0, WORDS, (TOKENS, TOP)).astype(np.int32)
    ends = np.cumsum([len(piece) for piece in pieces]).astype(np.int32)
    logprob, entropy, varentropy = floats(TOKENS), floats(TOKENS), floats(TOKENS)
    likeliest = floats(TOKENS, TOP)
    span = Span(ids, ends, logprob, entropy, varentropy, ids % 50, top, likeliest)
    return b"".join(pieces), span


def as_json(node: Node, span: Span) -> dict[str, Any]:
    columns = {name: column.tolist() for name, column in span.columns() if column is not None}
    return {
        "id": node.id,
        "parent": node.parent,
        "at": node.at,
        "author": node.author,
        "text": node.text.decode(),
        "seed": node.seed,
        "ended": node.ended,
        "created": node.created,
        "tokens": columns,
    }


def built(path: Path, count: int) -> Path:
    """A session of `count` nodes, many in a transaction."""
    Store.create(path).close()
    connection = for_writing(path)
    models, recipes = (ModelRow(1, "f", "m", "m"),), ((1, {"tokens": TOKENS}),)
    write(connection, statements(Batch(models=models, recipes=recipes)))
    rows = material(count)
    while some := list(islice(rows, 500)):
        batches = (Batch(nodes=((node, span),), event=event) for node, span, event in some)
        write(connection, [row for batch in batches for row in statements(batch)])
    settle(connection)
    return path
