"""Values to put into a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from loom.core.node import Author, Ending, Node
from loom.core.span import Span
from loom.store.store import Store


def make_span(count: int, top: int = 20, vocabulary: int = 200_000, seed: int = 0) -> Span:
    """Random, with every column there is."""
    random = np.random.default_rng(seed)

    def floats(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    def ids(*shape: int) -> np.ndarray:
        return random.integers(0, vocabulary, shape, dtype=np.int32)

    return Span(
        ids=ids(count),
        ends=np.cumsum(random.integers(0, 12, count)).astype(np.int32),
        logprob=floats(count),
        entropy=floats(count),
        varentropy=floats(count),
        rank=ids(count),
        top_ids=ids(count, top),
        top_logprobs=floats(count, top),
        sampled_logprob=floats(count),
        sampled_entropy=floats(count),
        sampled_varentropy=floats(count),
        top_sampled=floats(count, top),
        mass_above=floats(count),
        renyi=floats(count, 8),
    )


def make_node(number: int, text: bytes = b"word", parent: int | None = 0, at: int = 0) -> Node:
    return Node(
        id=number,
        parent=parent,
        at=at,
        author=Author.MODEL,
        text=text,
        recipe=1,
        model=1,
        seed=2**53 - number,
        ended=Ending.LENGTH,
        created=1_700_000_000.25 + number,
        token_count=3,
        hash=bytes(range(16)),
    )


@pytest.fixture
def span() -> Callable[..., Span]:
    return make_span


@pytest.fixture
def node() -> Callable[..., Node]:
    return make_node


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """New, open, and closed after the test."""
    made = Store.create(tmp_path / "story.loom")
    yield made
    made.close()
