"""A passage scored under the frames of a set, block by block, by whatever engine can be asked.

What has to be read is planned in `instruments.sources.windows`. Knows no sessions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from loom.asking.questions import Gate, Questions, Scorer, at_once
from loom.core.span import TOP
from loom.engine.api import EngineError
from loom.instruments.sources.api import BLOCK, Scores, SourceSet
from loom.instruments.sources.windows import Block, FrameTooLong, Opening, Windows, joined

SHOWN = 40  # characters of a frame in an error


@dataclass(frozen=True, slots=True)
class Frames:
    """A set's frames as one model reads them; good as long as both stay the same.

    `opens_with_space`: its tokenizer puts a space before a document. `limits` says, in a sentence,
    what the model's context leaves no room for; "" if there is room for all.
    """

    windows: Windows
    texts: tuple[str, ...]
    opens_with_space: bool
    at_once: int
    limits: str = ""

    def numbers(self, texts: Collection[str]) -> frozenset[int]:
        return frozenset(number for number, text in enumerate(self.texts) if text in texts)


async def frames_of(scorer: Scorer, wanted: SourceSet) -> Frames:
    """Raises EngineError where this engine can't score, or a frame is too long for the model."""
    model = await scorer.ready()
    if not model.scores:
        raise EngineError(
            f"The engine of {model.label} can't read given text, so sources can't be weighed.",
            "Choose another engine or model. Asking it for an attribution needs only drawing.",
        )
    ids = [(await scorer.encode(text.encode(), start=True))[0] for text in wanted.frames]
    try:
        windows = Windows.for_context(ids, model.context)
    except FrameTooLong as error:
        raise _too_long(wanted, error) from None
    spaced = await scorer.encode(b"a", start=True) != await scorer.encode(b"a", start=False)
    limits = _limits(windows, model.context)
    return Frames(windows, wanted.frames, spaced, at_once(model), limits)


def _too_long(wanted: SourceSet, error: FrameTooLong) -> EngineError:
    text = wanted.frames[error.frame]
    source = next(source for source in wanted.sources if text in source.frames)
    start = text[:SHOWN].replace("\n", "⏎") + ("…" if len(text) > SHOWN else "")
    return EngineError(
        f"A frame of {source.name} ({start}) has {error.tokens} tokens; this model's context has "
        f"room for {max(0, error.most)}.",
        f"Shorten it in the source set {wanted.name}, or use a model with a larger context.",
    )


def _limits(windows: Windows, context: int) -> str:
    block = windows.block
    if block == BLOCK:
        return ""
    return (
        f"The frames leave so little of the model's context of {context} tokens that each token is"
        f" judged by the {block} to {2 * block} before it, not the {BLOCK} to {2 * BLOCK}."
    )


async def blocks(
    scorer: Scorer,
    frames: Frames,
    ids: Sequence[int],
    start: int = 0,
    stop: int | None = None,
    *,
    only: Collection[str] | None = None,
    following: bool = False,
    wide: bool = False,
    top: int = TOP,
    opens: bool = True,
    gate: Gate | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AsyncGenerator[Block, None]:
    """Tokens `start`..`stop` of the passage `ids`, a block after the other; see `Windows.steps`.

    `only` these frames, of the others nothing is known. `opens`: the ids are those of a text that
    opens a document. While `gate` is shut nothing is before the engine, and no answer is lost. What
    is closed early (`aclosing`) leaves nothing behind. `progress` counts tokens times frames.
    Raises EngineError.
    """
    stop = len(ids) if stop is None else stop
    if not 0 <= start <= stop <= len(ids):
        raise ValueError(f"there are no tokens {start}..{stop} in {len(ids)}")
    numbers = None if only is None else frames.numbers(only)
    opening = await _opening(scorer, ids, opens) if frames.opens_with_space else Opening()
    steps = [
        *frames.windows.steps(
            ids, start, stop, only=numbers, following=following, wide=wide, opening=opening
        )
    ]
    asked = Questions(scorer, steps, frames.at_once, top, gate, progress)
    try:
        for index, step in enumerate(steps):
            yield frames.windows.block_of(step, await asked.answers(index))
    finally:
        await asked.take_back()


async def _opening(scorer: Scorer, ids: Sequence[int], opens: bool) -> Opening:
    """The tokens that a space before the document has got into, and the same without it; where the
    passage stands inside one, the other way round."""
    pieces = scorer.vocabulary
    text, count = b"", 0
    while not text and count < len(ids):
        count += 1
        text = b"".join(pieces[i] for i in ids[:count] if 0 <= i < len(pieces))
        text = text.removeprefix(b" ") if opens else text
    if not text:
        return Opening()
    alone, _ = await scorer.encode(text, start=True)
    after, _ = await scorer.encode(text, start=False)
    return Opening(count, alone, after)


async def score_frames(
    scorer: Scorer,
    wanted: SourceSet,
    ids: Sequence[int],
    start: int = 0,
    stop: int | None = None,
    *,
    only: Collection[str] | None = None,
    read: Callable[[Block], Scores] | None = None,
    frames: Frames | None = None,
    wide: bool = False,
    opens: bool = True,
    gate: Gate | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scores:
    """What the model gives tokens `start`..`stop` of the passage `ids` under the frames of the set.

    `read` is told each block as it comes and says what is kept of it (`tracking.Follower`); without
    it the information of the tokens isn't known, and less is asked of the engine. `frames` saves
    their preparing (`frames_of`) where many passages are scored. The rest is as in `blocks`.
    """
    if frames is None:
        frames = await frames_of(scorer, wanted)
    come = blocks(
        scorer, frames, ids, start, stop,
        only=only, wide=wide, top=TOP if read else 1, opens=opens, gate=gate, progress=progress,
    )  # fmt: skip
    parts = []
    async with aclosing(come) as every:
        async for block in every:
            parts.append(read(block) if read else block.scores)
    return joined(parts, len(frames.texts))
