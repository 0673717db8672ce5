"""A path's probabilities as they are recorded, and under another model, side by side.

Runs that model in a process of its own for as long as it reads; changes nothing in the session.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loom.core.beside import Reading, Stretch, beside
from loom.core.node import Place
from loom.core.span import Span, joined
from loom.engine.api import Ended, EngineError, Event, Failed, Grown, JobFailed, Score
from loom.engine.client import Died, EngineClient, LoadFailed, Signal
from loom.paths import Paths
from loom.record import Record

JOB = "beside"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`first` names the models that are on record along the path, `second` the other one."""

    text: bytes
    first: tuple[str, ...]
    second: str
    stretches: tuple[Stretch, ...]

    def totals(self) -> tuple[int, float, float]:
        """(bytes, bits, bits) of what both have read."""
        both = [s for s in self.stretches if s.first is not None and s.second is not None]
        size = sum(stretch.stop - stretch.start for stretch in both)
        first, second = (
            -math.fsum(getattr(stretch, name) for stretch in both) / math.log(2)
            for name in ("first", "second")
        )
        return size, first, second


async def compared(
    session: Record,
    place: Place,
    model: str,
    options: Mapping[str, Any],
    heard: Callable[[Event | Signal], None] = lambda event: None,
) -> Comparison:
    """The path to `place` under `model`. Raises EngineError, also where there is no text."""
    text = session.tree.path_bytes(place)
    if not text:
        raise JobFailed("There is no text here to compare.", "Write or grow something first.")
    label, span = await _read(text, model, options, heard)
    found = {row.label: None for row in map(session.model_of, _path(session, place)) if row}
    stretches = beside(len(text), _recorded(session, place), _tokens(span, 0, len(text)))
    return Comparison(text, tuple(found), label, tuple(stretches))


def _path(session: Record, place: Place) -> list[int]:
    return [stretch.node for stretch in session.tree.stretches(place)]


def _recorded(session: Record, place: Place) -> Iterator[Reading]:
    """Every token of the path that is on record, whole."""
    base = 0
    for node, stop in session.tree.stretches(place):
        span = session.span(node)
        if span is not None:
            yield from _tokens(span, base, stop)
        base += stop


def _tokens(span: Span, base: int, stop: int) -> Iterator[Reading]:
    start = 0
    for end, logprob in zip(span.ends.tolist(), span.logprob.tolist(), strict=True):
        if end > stop:
            return
        yield base + start, base + end, logprob
        start = end


async def _read(
    text: bytes,
    model: str,
    options: Mapping[str, Any],
    heard: Callable[[Event | Signal], None],
) -> tuple[str, Span]:
    """(name of the model, every token of `text`)."""
    spans: list[Span] = []
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hear(event: Event | Signal) -> None:
        heard(event)
        if isinstance(event, Grown):
            spans.append(event.span)
        elif not over.done():
            _settle(over, event)

    client = EngineClient(model, options, hear, Paths.default().log_file("engine-beside"))
    try:
        await client.start()
        capabilities = await client.ready()
        client.submit(Score(JOB, (), text, top=1))
        await over
    finally:
        over.cancel()
        await client.close()
    if not spans:
        raise JobFailed("The model could not read this text.", "Its tokens don't spell it.")
    return capabilities.label, joined(spans)


def _settle(over: asyncio.Future[None], event: Event | Signal) -> None:
    match event:
        case Ended():
            over.set_result(None)
        case Failed(_, error, hint) | LoadFailed(error, hint):
            over.set_exception(EngineError(error, hint))
        case Died(code, lines):
            last = lines[-1].strip() if lines else "it left no message"
            why = f"The other model's engine stopped unexpectedly (exit {code}): {last}."
            over.set_exception(EngineError(why, "Try again, or another model."))
