"""What a model believes of the sources of a whole passage, along its tokens and in the end.

Knows an engine that can be asked and a set of sources; knows no session.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loom.asking.coherence import Suffixes, worth
from loom.asking.framing import blocks, frames_of
from loom.asking.questions import Scorer
from loom.bylines import begun_under
from loom.core.span import cut
from loom.core.text import char_offset, decode
from loom.engine.api import EngineError
from loom.instruments.sources import filtering, pooling, tempering
from loom.instruments.sources.api import (
    Course,
    Pooling,
    Posterior,
    Scores,
    SourceSet,
    Tempering,
)
from loom.instruments.sources.layout import layout
from loom.instruments.sources.tracking import Follower, bits_following
from loom.instruments.sources.windows import joined

LN2 = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class Estimate:
    """`ids` are the passage's tokens and `pieces` their bytes; `byline` is the text before it that
    is a frame of the set itself. `limits`: what the model's context left no room for, in a
    sentence. `pooling`: how this and what the model says when asked count together, if that is
    known."""

    wanted: SourceSet
    byline: bytes
    ids: tuple[int, ...]
    pieces: tuple[bytes, ...]
    scores: Scores
    course: Course
    posterior: Posterior
    limits: str = ""
    pooling: Pooling | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """Token number `token` moved the posterior by `bits`, most of it to the source `towards`.
    `text` are the characters that it is part of, the first of which is number `character`."""

    token: int
    character: int
    text: str
    bits: float
    towards: str


async def estimate_of(
    scorer: Scorer,
    wanted: SourceSet,
    text: bytes,
    known: Tempering | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Estimate:
    """Of a text that opens a document. `known` is what was fitted for this model and set, None:
    nothing was. Raises EngineError."""
    byline = byline_of(wanted, text)
    ids, ends = await scorer.encode(text[len(byline) :], start=True)
    if not ids:
        raise EngineError(
            "There is no text to weigh.", "Give a text that is longer than its byline."
        )
    pieces = cut(text[len(byline) :], ends)
    return await _weighed(scorer, wanted, byline, ids, pieces, known, progress)


async def _weighed(
    scorer: Scorer,
    wanted: SourceSet,
    byline: bytes,
    ids: tuple[int, ...],
    pieces: tuple[bytes, ...],
    known: Tempering | None,
    progress: Callable[[int, int], None],
) -> Estimate:
    frames = await frames_of(scorer, wanted)
    follower = Follower(wanted, filtering.begin(wanted), known or tempering.DEFAULT)
    parts, following = [], None
    async with aclosing(blocks(scorer, frames, ids, following=True, progress=progress)) as come:
        async for block in come:
            parts.append(follower.read(block))
            following = bits_following(block, follower.belief.weights)
    scores = joined(parts, len(frames.texts))
    return of_scores(wanted, byline, ids, pieces, scores, known, following, frames.limits)


def of_scores(
    wanted: SourceSet,
    byline: bytes,
    ids: tuple[int, ...],
    pieces: tuple[bytes, ...],
    scores: Scores,
    known: Tempering | None,
    following: float | None = None,
    limits: str = "",
) -> Estimate:
    """Of a passage that has been weighed, from its first token on."""
    used = known or tempering.DEFAULT
    belief, course = filtering.advance(wanted, filtering.begin(wanted), scores, used)
    rescored = np.concatenate([[True], ~np.isnan(scores.ratio).any(axis=0)])
    posterior = filtering.posterior(
        wanted, belief, calibrated=known is not None, rescored=rescored, following=following
    )
    together = None if known is None else known.pooling
    return Estimate(wanted, byline, ids, pieces, scores, course, posterior, limits, together)


async def asked_too(scorer: Scorer, read: Estimate) -> Estimate:
    """What is believed with what the model says when asked about every source, where it is known
    how that counts. Raises EngineError."""
    if read.pooling is None:
        return read
    suffixes = Suffixes(scorer, read.wanted, pooling=read.pooling)
    asked = await worth(suffixes, read.wanted, read.ids)
    both = pooling.posterior(read.wanted, read.posterior, asked, read.pooling)
    return replace(read, posterior=both)


def byline_of(wanted: SourceSet, text: bytes) -> bytes:
    """The longest frame of the set that the text begins with; b"" where there is none."""
    return text[: begun_under(text, wanted.frames)]


def moved(estimate: Estimate, count: int) -> list[Moved]:
    """The `count` tokens that moved the posterior most, the first in the text first."""
    of, course = layout(estimate.wanted), estimate.course
    shares = np.vstack([of.members @ of.prior, course.shares])
    towards = (shares[1:] - shares[:-1]).argmax(axis=1)
    order = np.argsort(-course.moved, kind="stable")[:count]
    return [
        Moved(token, *_read(estimate, token), float(course.moved[token]), course.names[by])
        for token in np.sort(order).tolist()
        for by in (towards[token],)
    ]


def _read(estimate: Estimate, token: int) -> tuple[int, str]:
    """Whole characters: a token may be a part of one."""
    text = estimate.byline + b"".join(estimate.pieces)
    start = len(estimate.byline) + sum(map(len, estimate.pieces[:token]))
    last = start + max(0, len(estimate.pieces[token]) - 1)
    first = char_offset(text, start)
    return first, decode(text)[first : char_offset(text, last) + 1]


def evidence(wanted: SourceSet, scores: Scores) -> NDArray[np.float64]:
    """float64[T, S]: untempered bits for each source against none, after each token."""
    of = layout(wanted)
    bits = np.zeros((len(scores), len(of.prior)))
    np.cumsum(np.nan_to_num(scores.ratio, nan=0.0) / LN2, axis=0, out=bits[:, 1:])
    parts = of.members[1:] * of.prior
    columns = []
    for row in parts:
        mine = row > 0
        weights = np.log2(row[mine] / row[mine].sum())
        columns.append(np.logaddexp2.reduce(bits[:, mine] + weights, axis=1))
    return np.stack(columns, axis=1) if columns else np.zeros((len(scores), 0))
