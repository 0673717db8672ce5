"""What weighing a node under eight frames takes beside generating it, and asking after it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from loom.asking.coherence import Suffixes
from loom.asking.framing import frames_of, score_frames
from loom.asking.process import Asking
from loom.core.recipe import Recipe
from loom.instruments.sources.api import SourceSet

PATH, NODE, ROUNDS = 192, 64, 5
FRAMES = 8  # at most: what cards and neighbours get: the parent's first seven, and the null
BRANCHES = 4


async def of(asking: Asking, wanted: SourceSet, seed: int, rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians in seconds, over as many paths; a path was weighed before its node is, as a parent
    is. `share`: of the generation of one such node, and of four side by side. `asking`: about all
    sources of the set. Paths and nodes that the model ended early aren't counted."""
    among = replace(wanted, sources=wanted.sources[: FRAMES - 1], pairs=())
    frames = await frames_of(asking, among)
    suffixes, names = Suffixes(asking, wanted), [source.name for source in wanted.sources]
    rows: list[tuple[float, float, float, float]] = []
    for number in range(20 * rounds):
        path = await _drawn(asking, (), [seed * 1000 + number], PATH)
        await score_frames(asking, among, path, frames=frames, wide=True)
        seeds = [number * BRANCHES + branch for branch in range(BRANCHES)]
        before = perf_counter()
        node = await _drawn(asking, path, seeds[:1], NODE)
        alone = perf_counter()
        await _drawn(asking, path, seeds, NODE)
        together = perf_counter()
        ids = path + node
        await score_frames(asking, among, ids, len(path), len(ids), frames=frames)
        weighed = perf_counter()
        await suffixes.logprobs(ids, names)
        asked = perf_counter() - weighed
        if (len(path), len(node)) == (PATH, NODE):
            rows.append((alone - before, together - alone, weighed - together, asked))
        if len(rows) == rounds:
            break
    else:
        raise SystemExit("The model ends its texts too early to time a node: take another one.")
    columns = zip(*rows, strict=True)
    generating, four, weighing, asking_too = (statistics.median(column) for column in columns)
    shares = [row[2] / row[0] for row in rows]
    return {
        "tokens": NODE,
        "frames": len(among.frames),
        "rounds": rounds,
        "generating": round(generating, 4),
        "four": round(four, 4),
        "weighing": round(weighing, 4),
        "names": len(names),
        "asking": round(asking_too, 4),
        "share": round(statistics.median(shares), 3),
        "shares": [round(share, 3) for share in shares],
        "share_of_four": round(statistics.median(4 * row[2] / row[1] for row in rows), 3),
    }


async def _drawn(
    asking: Asking, before: tuple[int, ...], seeds: Sequence[int], tokens: int
) -> tuple[int, ...]:
    """The first of the continuations."""
    recipe = Recipe(tokens=tokens, heal=False)
    answers = await asking.generate((before,) if before else (), recipe, seeds)
    span = answers[0].span
    return () if span is None else tuple(span.ids.tolist())
