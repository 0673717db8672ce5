"""Records the sessions of this folder anew: `python -m sessions.record [NAME …]`.

Who writes here is a script: the openings are its own, every other word is the bundled model's,
unedited, and what is walked into is drawn by the recording's seed, not picked for its looks.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loom.config import Config
from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.extensions import HOUSE, resolve_model
from loom.session import SESSION_SUFFIX, Session
from loom.store.atomic import sync_folder

FOLDER = Path(__file__).resolve().parent
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

    async def grow(self, count: int = 4) -> list[Segment]:
        """Continuations here, all of them."""
        self._clock.pass_by(READING / 2)
        nodes = self.session.grow(count=count)
        self._clock.pass_by(DRAWING * self.session.recipe.tokens)
        await self.session.finished(nodes)
        return list(self.session.continuations())

    def walk(self, into: Sequence[Segment]) -> Segment:
        """Into one of them."""
        self._clock.pass_by(READING)
        taken = self._choice.choice(into)
        self.session.go(self.session.display.place_of_end(taken))
        return taken

    def go(self, place: Place) -> None:
        self._clock.pass_by(READING / 4)
        self.session.go(place)

    def doubt(self, node: int) -> None:
        """Branch where the model knew least how to go on, with what it held likeliest but one."""
        span = self.session.span(node)
        assert span is not None
        self._clock.pass_by(READING)
        index = int(span.entropy.argmax())
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


@dataclass(frozen=True, slots=True)
class Recording:
    """`seed` is the session's and that of the choices; `play` is what is done."""

    name: str
    title: str
    seed: int
    play: Callable[[Hand], Awaitable[None]]
    preset: str = "balanced"
    tokens: int = 40


async def first_story(hand: Hand) -> None:
    """Grow, walk in, go back and elsewhere, branch inside, write on, throw away, take back."""
    await hand.write("The lighthouse keeper had not spoken to anyone since")
    fork = hand.session.place
    first = hand.walk(await hand.grow())
    hand.walk(await hand.grow())
    hand.go(fork)
    others = [segment for segment in hand.session.continuations() if segment != first]
    second = hand.walk(others)
    hand.walk(await hand.grow(3))
    hand.doubt(second.node)
    hand.walk(await hand.grow(3))
    await hand.write("\n\nThen, one night in March, the light went out.")
    night = hand.session.place
    grown = await hand.grow()
    hand.hide(grown[-1])
    hand.undo()
    kept = hand.walk(grown)
    hand.bookmark(kept)
    hand.walk(await hand.grow())
    hand.go(night)


RECORDINGS = (Recording("first-story", "A first story", 7, first_story, preset="careful"),)


async def record(recording: Recording, folder: Path, model: str) -> Path:
    """Play it on `model` into a file in `folder`, in place of one that is there."""
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix=".recording-", dir=folder) as scratch:
        path = Path(scratch) / (recording.name + SESSION_SUFFIX)
        async with Session.create(path, now=clock, seed=recording.seed) as session:
            recipe = replace(Config().recipe_with(recording.preset), tokens=recording.tokens)
            session.set_sampling(recipe=recipe)
            session.set_title(recording.title)
            await session.attach(model)
            await session.engine_ready()
            await recording.play(Hand(session, clock, recording.seed))
        target = path.replace(folder / path.name)
    sync_folder(folder)
    return target


def main() -> int:
    names = [recording.name for recording in RECORDINGS]
    parser = argparse.ArgumentParser(description="Record the sessions that come with Loom anew.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--model", default=HOUSE, help="another model than the bundled one")
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="FOLDER")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in names]
    if unknown:
        parser.error(f"there is no recording {unknown[0]!r}; there are {', '.join(names)}")
    model = resolve_model(args.model)
    for recording in RECORDINGS:
        if not args.names or recording.name in args.names:
            path = asyncio.run(record(recording, args.to, model))
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", file=sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
