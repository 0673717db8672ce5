"""Verify: have the model read every recorded token again and compare the probabilities.

Yields one Check a node, in the order asked for, while the engine reads a few more; changes nothing.
The comparison is DESIGN's teacher-forcing: the recorded ids after the recorded prefix, so sampling
plays no part.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from loom.engine.api import JobFailed
from loom.record import Record
from loom.replay.agreement import largest_difference
from loom.replay.checks import Check, Verdict
from loom.replay.material import prefix_of, spoiled
from loom.replay.models import Bench
from loom.store.batch import ModelRow

AT_ONCE = 8  # nodes that the engine has been asked for


async def verify(
    record: Record, row: ModelRow, nodes: Iterable[int], bench: Bench
) -> AsyncIterator[Check]:
    """Raises EngineError if the engine dies."""
    waiting: deque[asyncio.Task[Check]] = deque()
    try:
        for number in nodes:
            waiting.append(asyncio.create_task(_checked(record, row, number, bench)))
            if len(waiting) == AT_ONCE:
                yield await waiting[0]
                waiting.popleft()
        while waiting:
            yield await waiting[0]
            waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _checked(record: Record, row: ModelRow, number: int, bench: Bench) -> Check:
    flaw = spoiled(record, row, number, bench.mismatch)
    return flaw or await _read_again(record, row, number, bench)


async def _read_again(record: Record, row: ModelRow, number: int, bench: Bench) -> Check:
    node, span = record.tree[number], record.span(number)
    assert span is not None
    tokens = len(span)
    try:
        answer = await bench.asking.score(
            prefix_of(record, number, row), tuple(span.ids.tolist()), span.top_ids.shape[1]
        )
    except JobFailed as error:
        return Check(number, tokens, Verdict.DIFFERS, str(error))
    found = answer.span
    if found is None or bytes(answer.text) != node.text:
        return Check(number, tokens, Verdict.EDITED, "its tokens don't spell its text")
    difference = largest_difference(span, found)
    if difference <= bench.tolerance:
        return Check(number, tokens, Verdict.SAME, difference=difference)
    why = f"off by {difference:.3g} nats, more than the {bench.tolerance:g} that rounding explains"
    return Check(number, tokens, Verdict.DIFFERS, why, difference)
