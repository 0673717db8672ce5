"""Verify: have the model read every recorded token again and compare the probabilities.

Yields one Check a node; changes nothing. The comparison is DESIGN's teacher-forcing: the recorded
ids after the recorded prefix, so sampling plays no part.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from loom.engine.api import JobFailed
from loom.record import Record
from loom.replay.agreement import largest_difference
from loom.replay.checks import Check, Verdict
from loom.replay.material import prefix_of, spoiled
from loom.replay.models import Bench
from loom.store.batch import ModelRow


async def verify(
    record: Record, row: ModelRow, nodes: Iterable[int], bench: Bench
) -> AsyncIterator[Check]:
    """Raises EngineError if the engine dies."""
    for number in nodes:
        flaw = spoiled(record, row, number, bench.mismatch)
        yield flaw or await _read_again(record, row, number, bench)


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
