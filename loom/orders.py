"""What is to grow, on its way to the engine: kept until there is one, begun where it has to begin.

Knows jobs, places and the end of written text; hears nothing of what comes of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from loom.core.node import Author, Place
from loom.core.recipe import Recipe
from loom.engine.api import Capabilities, EngineError, Generate
from loom.engine.client import EngineClient
from loom.engine.network import STEPWISE
from loom.engine.seam import Beginnings
from loom.growth import Growth
from loom.history import TAKE
from loom.seams import Cut, Repeats, Tail

if TYPE_CHECKING:
    from loom.nursery import Nursery


@dataclass(frozen=True, slots=True)
class Order:
    """`nodes` are to grow at `place`, each from its seed."""

    nodes: tuple[int, ...]
    place: Place
    recipe: Recipe
    seeds: tuple[int, ...]


class Orders:
    """Those of one session; nodes that don't grow any more are left out."""

    def __init__(self, session: Nursery, growth: Growth) -> None:
        self._session, self._growth = session, growth
        self._waiting: list[Order] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._client: EngineClient | None = None
        self._beginnings: tuple[Sequence[bytes], Beginnings] | None = None

    def add(self, order: Order) -> None:
        self._waiting.append(order)

    def clear(self) -> None:
        """Nothing more will come of any."""
        self._waiting.clear()

    def close(self) -> None:
        for task in self._under_way:
            task.cancel()

    def submit(self, client: EngineClient, able: Capabilities) -> None:
        """All that wait, to an engine that is ready."""
        self._client = client
        waiting, self._waiting = self._waiting, []
        for order in waiting:
            tail = self._tail(order, able)
            if tail is None:
                self._submit(order, None, able)
            elif tail.unread == len(tail.text):
                self._submit(order, _possible(tail.cut(self._tokens(client)), tail, able), able)
            else:
                self._begin(self._cut_and_submit(order, tail, client, able))

    def _tail(self, order: Order, able: Capabilities) -> Tail | None:
        """The writer's text whose end may be cut anew."""
        session, at = self._session, order.place.at
        node = session.tree[order.place.node]
        if not (able.heals and order.recipe.heal and at) or node.author is Author.MODEL:
            return None
        if session.history.adder_of(node.id) == TAKE:
            return None
        above = session.tree.stretches(node.hangs_at)
        opens = not order.recipe.frame and not any(stretch.at for stretch in above)
        row, span = session.model_of(node.id), session.span(node.id)
        known = row is not None and row.fingerprint == able.fingerprint
        return Tail.of(node, at, span if known else None, opens=opens)

    async def _cut_and_submit(
        self, order: Order, tail: Tail, client: EngineClient, able: Capabilities
    ) -> None:
        start, cut = tail.unread, None
        try:
            ids, ends = await client.encode(tail.text[start:], tail.opens and not start)
            cut = tail.read(ids, ends).cut(self._tokens(client))
        except EngineError:
            pass  # the job will say the same
        if client is self._client and client.state == "ready":
            self._submit(order, _possible(cut, tail, able), able)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _tokens(self, client: EngineClient) -> Beginnings:
        known = self._beginnings
        if known is None or known[0] is not client.vocabulary:
            self._beginnings = known = (client.vocabulary, Beginnings(client.vocabulary))
        return known[1]

    def _submit(self, order: Order, cut: Cut | None, able: Capabilities) -> None:
        """What of it is still wanted; with `cut` the end of the text is drawn again."""
        buffers = [self._growth.of(node) for node in order.nodes]
        alive = [buffer for buffer in buffers if buffer is not None]
        if not alive or self._client is None:
            return
        job, place, recipe = alive[0].job, order.place, order.recipe
        if cut is not None and not self._is_replaced(cut.place, recipe):
            place, recipe = cut.place, replace(recipe, begins=cut.begins)
            for buffer in alive:
                buffer.repeats = Repeats(cut)
        prefix = self._session.prefix(place, able.fingerprint, recipe)
        self._client.submit(Generate(job, prefix, recipe, order.seeds))
        for branch, node in enumerate(order.nodes):
            if node not in self._growth:
                self._client.cancel(job, branch)

    def _is_replaced(self, place: Place, recipe: Recipe) -> bool:
        """Whether a frame stands in for the text there."""
        if not recipe.instead:
            return False
        return sum(at for _, at in self._session.tree.stretches(place)) < recipe.instead


def _possible(cut: Cut | None, tail: Tail, able: Capabilities) -> Cut | None:
    """None too where all of the text would have to be drawn by a model that can't begin one."""
    if cut is None or cut.place.at or not tail.opens or able.runtime.get("sight") != STEPWISE:
        return cut
    return cut if "first" in able.runtime or "opening" in able.runtime else None
