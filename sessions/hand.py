"""Who writes in a recording: a hand that does what a script says, on a clock that a script tells.

Its choices are drawn by a seed. Knows a session, not which recording it makes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.core.recipe import PRESETS
from loom.session import Session

BEGAN = 1_772_359_200.0  # 2026-03-01, 10:00 UTC: when the first recording is said to begin
TYPING, READING, DRAWING = 0.2, 4.0, 0.03  # seconds: a letter typed, a choice made, a token drawn


class Clock:
    """The time a recording tells: it goes by what is done, not by how fast this machine is."""

    def __init__(self) -> None:
        self._now = BEGAN

    def __call__(self) -> float:
        return self._now

    def pass_by(self, seconds: float) -> None:
        self._now = round(self._now + seconds, 3)


class Hand:
    """A writer whose choices are drawn by `seed`."""

    def __init__(self, session: Session, clock: Clock, seed: int) -> None:
        self.session, self._clock = session, clock
        self._choice = random.Random(seed)

    async def write(self, text: str) -> None:
        """Type it, and let the model read it."""
        self._clock.pass_by(TYPING * len(text))
        self.session.write(text)
        while nodes := self.session.read():
            await self.session.finished(nodes)
            await asyncio.sleep(0.02)  # the engine may be at another node first

    async def grow(self, count: int = 4, frame: str = "") -> list[Segment]:
        """Continuations here, all of them; with a frame as if that stood before the text."""
        self._clock.pass_by(READING / 2)
        recipe = replace(self.session.recipe, frame=frame)
        nodes = self.session.grow(count=count, recipe=recipe)
        self._clock.pass_by(DRAWING * self.session.recipe.tokens)
        await self.session.finished(nodes)
        return list(self.session.continuations())

    async def weigh(self, segments: Sequence[Segment]) -> None:
        """Have it known of each who could have written it up to there."""
        for segment in segments:
            self.session.weigh(self.session.display.place_of_end(segment))
        await self.session.weighed()

    def walk(self, into: Sequence[Segment]) -> Segment:
        """Into one of them."""
        self._clock.pass_by(READING)
        taken = self.chosen(into)
        self.session.go(self.session.display.place_of_end(taken))
        return taken

    def turn_to(self, preset: str) -> None:
        """Draw by another preset from now on."""
        self._clock.pass_by(READING)
        recipe = replace(self.session.recipe, sampling=PRESETS[preset], preset=preset)
        self.session.set_sampling(recipe=recipe)

    def chosen(self, among: Sequence[Segment]) -> Segment:
        return self._choice.choice(among)

    def go(self, place: Place) -> None:
        self._clock.pass_by(READING / 4)
        self.session.go(place)

    def doubt(self, node: int, before: int | None = None) -> None:
        """Branch where the model knew least how to go on, with what it held likeliest but one."""
        span = self.session.span(node)
        assert span is not None
        self._clock.pass_by(READING)
        index = int(span.entropy[:before].argmax())
        others = [other for other, _ in span[index].alternatives if other != span[index].id]
        self.session.take_alternative(node, index, others[0])

    def hide(self, segment: Segment) -> None:
        self._clock.pass_by(READING / 2)
        self.session.hide(segment)

    def undo(self) -> None:
        self._clock.pass_by(READING / 4)
        self.session.undo()

    def bookmark(self, segment: Segment) -> None:
        self._clock.pass_by(READING / 4)
        self.session.mark(Mark(segment.node, segment.start, Kind.BOOKMARK), "1")
