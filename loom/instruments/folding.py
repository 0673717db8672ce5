"""The fold itself, without a process: an instrument over a path cut into stretches.

    for state, reading in fold(instrument, settings, stretches): ...

Says in one sentence what a plugin did that the contract forbids; knows no trees and no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from loom.core.span import Span
from loom.instruments.api import Context, Drawn, Instrument, Reading, Settings, State
from loom.instruments.promises import checked_reading, state_text, text_state


@dataclass(frozen=True, slots=True)
class Stretch:
    """What `step` is given once: a span and what stands around it."""

    span: Span
    context: Context

    def __len__(self) -> int:
        return len(self.span)

    def cut(self, start: int, stop: int) -> Stretch:
        """Tokens start..stop, as if they were a span of their own."""
        context, pieces = self.context, self.context.pieces
        around = replace(
            context,
            position=context.position + start,
            offset=context.offset + sum(map(len, pieces[:start])),
            pieces=pieces[start:stop],
            choice=None if start else context.choice,
            drawn=_cut(context.drawn, start, stop),
        )
        return Stretch(self.span.cut(start, stop), around)

    def without_choice(self) -> Stretch:
        """As it is handed to an instrument that doesn't look at the choice."""
        return Stretch(self.span, replace(self.context, choice=None))


def _cut(drawn: Drawn | None, start: int, stop: int) -> Drawn | None:
    if drawn is None:
        return None
    return replace(drawn, steps=drawn.steps[start:stop], branches=drawn.branches[start:stop])


_CARE: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""numpy's own, whatever another plugin has set."""


def begin(instrument: Instrument, settings: Settings) -> State:
    """The state before the first token. Raises BrokenPromise, or what the plugin raises."""
    with np.errstate(**_CARE):
        return text_state(state_text(instrument.start(settings)))


def advance(instrument: Instrument, state: State, stretch: Stretch) -> tuple[State, Reading]:
    """One step, its answer checked and brought to plain types; a stretch without tokens is none.

    Raises BrokenPromise, or what the plugin raises.
    """
    if not len(stretch):
        return state, Reading()
    with np.errstate(**_CARE):
        answer = instrument.step(state, stretch.span, stretch.context)
    reading = checked_reading(answer, len(stretch), stretch.context.position)
    return text_state(state_text(answer[0])), reading


def fold(
    instrument: Instrument, settings: Settings, stretches: Iterable[Stretch]
) -> Iterator[tuple[State, Reading]]:
    """The state after each stretch and what was read in it. Raises as `advance` does."""
    state = begin(instrument, settings)
    for stretch in stretches:
        state, reading = advance(instrument, state, stretch)
        yield text_state(state_text(state)), reading  # a copy: the next step may not spoil it


def joined(parts: Sequence[tuple[int, Reading]]) -> Reading:
    """One reading of (tokens, reading) of stretches that follow each other.

    Numbers of the summaries add up, of words the last ones stand; a value that a part lacks is NaN
    there.
    """
    names = dict.fromkeys(name for _, reading in parts for name in reading.values)
    values = {
        name: np.concatenate(
            [reading.values.get(name, np.full(n, np.nan, np.float32)) for n, reading in parts]
        )
        for name in names
    }
    summary: dict[str, float | str] = {}
    flags = []
    before = 0
    for tokens, reading in parts:
        flags += [replace(flag, at=flag.at + before) for flag in reading.flags]
        before += tokens
        for name, value in reading.summary.items():
            earlier = summary.get(name)
            numbers = isinstance(value, int | float) and isinstance(earlier, int | float)
            summary[name] = earlier + value if numbers else value  # type: ignore[operator]
    return Reading(values, summary, tuple(flags))
