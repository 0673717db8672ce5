"""How closely two readings of the same tokens agree, and how closely they have to.

Pure numbers: knows spans, no engine and no session.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from loom.core.span import Span

# Largest |Δ logprob| in nats that rounding explains, by how exactly the engine computes. Reading in
# chunks against growing in a batch was off by 1e-5 in float32 on the bundled model, 2e-3 in GGUF.
TOLERANCES = {"float32": 2e-3, "float64": 2e-3, "float16": 0.05, "bfloat16": 0.25}
OTHERWISE = 0.1  # quantised weights and whatever else: attention and cache in half precision


def tolerance(dtype: str) -> float:
    """Nats; `dtype` as an engine names it (`float32`, `F16`, `Q8_0` …)."""
    return TOLERANCES.get(dtype.lower().removeprefix("torch."), OTHERWISE)


def largest_difference(recorded: Span, found: Span) -> float:
    """max |Δ logprob| of the tokens, in nats; infinite where the tokens are others."""
    if len(recorded) != len(found) or not np.array_equal(recorded.ids, found.ids):
        return math.inf
    if not len(recorded):
        return 0.0
    gap = np.abs(recorded.logprob.astype(np.float64) - found.logprob.astype(np.float64))
    return float(np.nan_to_num(gap, nan=math.inf).max())


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first token at which two continuations part.

    `gap` is the largest difference of a probability, `log_gap` of a logprob in nats, over the
    alternatives that both recorded there: nearly nothing where only rounding chose between tokens
    (a near-tie), large where another distribution was drawn from. Infinite where both have nothing
    in common.
    """

    index: int
    recorded: int
    found: int
    gap: float
    log_gap: float


def divergence(recorded: Span, found: Span) -> Divergence | None:
    """Where `found` first differs from `recorded`; None if one begins with all of the other."""
    length = min(len(recorded), len(found))
    differs = np.flatnonzero(recorded.ids[:length] != found.ids[:length])
    if not len(differs):
        return None
    index = int(differs[0])
    before = dict(zip(recorded.top_ids[index].tolist(), recorded.top_logprobs[index], strict=True))
    after = dict(zip(found.top_ids[index].tolist(), found.top_logprobs[index], strict=True))
    pairs = [(float(before[i]), float(after[i])) for i in before.keys() & after.keys()]
    return Divergence(
        index=index,
        recorded=int(recorded.ids[index]),
        found=int(found.ids[index]),
        gap=max((abs(math.exp(p) - math.exp(q)) for p, q in pairs), default=math.inf),
        log_gap=max((abs(p - q) for p, q in pairs), default=math.inf),
    )
