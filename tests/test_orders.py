"""What is to grow, on its way: where a job begins, and that nothing is asked for what is over."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from loom.core.node import ROOT, Author, Node, Place
from loom.core.recipe import Recipe
from loom.core.tree import Tree
from loom.engine.api import Capabilities, EngineError, Generate
from loom.engine.client import EngineClient
from loom.growth import Growth
from loom.orders import Order, Orders
from loom.session import Session

TABLE = [b"The", b" lam", b" lamp", b"Onc", b"Once"]


class Desk:
    """An engine that cuts text into the longest tokens, and a session with one written node."""

    def __init__(self, text: bytes, **runtime: str) -> None:
        self.tree, self.growth = Tree(), Growth()
        self.tree.add(Node(1, ROOT, 0, Author.WRITER, text))
        self.history = SimpleNamespace(adder_of=lambda node: None)
        self.jobs: list[Generate] = []
        self.cancelled: list[tuple[str, int]] = []
        self.vocabulary, self.state, self.fails = TABLE, "ready", False
        self.able = Capabilities("x", "x", "mine", 5, 99, heals=True, runtime=runtime)
        self.orders = Orders(cast(Session, self), self.growth)

    def span(self, node: int) -> None:
        return None

    def model_of(self, node: int) -> None:
        return None

    def prefix(self, place: Place, fingerprint: str, recipe: Recipe) -> tuple[bytes, ...]:
        return (self.tree.path_bytes(place),)

    async def encode(self, text: bytes, start: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if self.fails:
            raise EngineError("It can't.")
        ids, ends = [], [0]
        while ends[-1] < len(text):
            rest = text[ends[-1] :]
            ids.append(max(range(5), key=lambda i: len(TABLE[i]) * rest.startswith(TABLE[i])))
            ends.append(ends[-1] + len(TABLE[ids[-1]]))
        return tuple(ids), tuple(ends[1:])

    def submit(self, job: Generate) -> None:
        self.jobs.append(job)

    def cancel(self, job: str, branch: int) -> None:
        self.cancelled.append((job, branch))

    async def grown(self, recipe: Recipe, *gone: int) -> Generate:
        for branch, node in enumerate((2, 3)):
            self.growth.start(node, "grow-1", branch, 0.0)
        for node in gone:
            self.growth.stop(node)
        self.orders.add(Order((2, 3), self.tree[1].end, recipe, (7, 8)))
        self.orders.submit(cast(EngineClient, self), self.able)
        for _ in range(5):
            await asyncio.sleep(0)
        (job,) = self.jobs
        return job


async def test_half_a_word_is_left_out_of_the_prefix_and_begun_with() -> None:
    job = await Desk(b"The lam").grown(Recipe())
    assert (job.prefix, job.recipe.begins, job.seeds) == ((b"The",), b" lam", (7, 8))


@pytest.mark.parametrize("recipe", [Recipe(heal=False), Recipe()])
async def test_else_the_text_is_given_as_it_is(recipe: Recipe) -> None:
    desk = Desk(b"The lam" if not recipe.heal else b"The lamp")
    job = await desk.grown(recipe)
    assert (job.prefix, job.recipe.begins) == ((desk.tree[1].text,), b"")


async def test_an_engine_that_can_not_cut_the_text_is_given_it_all_the_same() -> None:
    desk = Desk(b"The lam")
    desk.fails = True
    assert (await desk.grown(Recipe())).prefix == (b"The lam",)


async def test_what_is_over_by_then_is_not_asked_for() -> None:
    desk = Desk(b"The lam")
    await desk.grown(Recipe(), 2)
    assert desk.cancelled == [("grow-1", 0)]
    again: Any = Desk(b"The lam")
    with pytest.raises(ValueError):
        await again.grown(Recipe(), 2, 3)
    assert again.jobs == []


@pytest.mark.parametrize(
    ("runtime", "begins"),
    [
        ({"sight": "stepwise"}, b""),
        ({"sight": "stepwise", "first": "0"}, b"Onc"),
        ({"sight": "stepwise", "opening": "0"}, b"Onc"),
        ({"sight": "sliding"}, b"Onc"),
    ],
)
async def test_a_model_that_can_not_begin_a_text_keeps_its_first_token(
    runtime: dict[str, str], begins: bytes
) -> None:
    assert (await Desk(b"Onc", **runtime).grown(Recipe())).recipe.begins == begins
