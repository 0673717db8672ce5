"""The columns of a span from the distributions behind it, many rows in one pass.

Sums are float64; rows are taken in blocks so that a long text over a large vocabulary stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loom.core.span import TEMPERATURES, Span

Array = NDArray[Any]
BLOCK = 1 << 21  # cells taken at once
NEVER = -1e4  # stands for −inf where it would make 0 × ∞; its exponential is 0


def span_of(
    logprobs: Array,
    chosen: ArrayLike,
    ends: ArrayLike,
    top: int,
    sampled: Array | None = None,
    drawn: bool = False,
) -> Span:
    """A span of T tokens. `logprobs` float[T, V] are the model's, `chosen` and `ends` int[T].

    With `drawn` the sampler's columns are filled from `sampled` (float64[T, V]), or, where that is
    None, from `logprobs`: nothing was changed, so `top_sampled` and `sampled_*` stay None.
    """
    ids = np.asarray(chosen, dtype=np.int32)
    columns = read_columns(logprobs, ids, top)
    if drawn:
        columns |= drawn_columns(logprobs if sampled is None else sampled, ids)
    if drawn and sampled is not None:
        columns |= sampled_columns(sampled, ids, columns["top_ids"])
    return Span(ids=ids, ends=np.asarray(ends, dtype=np.int32), **columns)


def read_columns(logprobs: Array, chosen: ArrayLike, top: int) -> dict[str, Array]:
    """logprob, entropy, varentropy, rank, top_ids, top_logprobs of T rows.

    Of equal tokens the one with the lower id ranks higher. There are at most V alternatives.
    """
    ids = np.asarray(chosen, dtype=np.int64)
    parts = [
        _read_block(logprobs[block], ids[block], min(top, logprobs.shape[1]))
        for block in _blocks(logprobs.shape)
    ]
    return _stacked(parts)


def sampled_columns(sampled: Array, chosen: ArrayLike, top_ids: Array) -> dict[str, Array]:
    """sampled_logprob, sampled_entropy, sampled_varentropy and top_sampled of T rows."""
    ids = np.asarray(chosen, dtype=np.int64)
    parts = []
    for block in _blocks(sampled.shape):
        logs = sampled[block]
        entropy, varentropy = _entropies(logs)
        parts.append(
            {
                "sampled_logprob": _at(logs, ids[block]).astype(np.float32),
                "sampled_entropy": entropy,
                "sampled_varentropy": varentropy,
                "top_sampled": np.take_along_axis(logs, top_ids[block], axis=1).astype(np.float32),
            }
        )
    return _stacked(parts)


def drawn_columns(logq: Array, chosen: ArrayLike) -> dict[str, Array]:
    """mass_above and renyi of T rows under the distribution they were drawn from."""
    ids = np.asarray(chosen, dtype=np.int64)
    parts = []
    for block in _blocks(logq.shape):
        logs = logq[block]
        higher = np.where(_above(logs, ids[block]), np.exp(logs, dtype=np.float64), 0.0)
        parts.append({"mass_above": higher.sum(axis=1).astype(np.float32), "renyi": _renyi(logs)})
    return _stacked(parts)


def _read_block(logs: Array, ids: Array, top: int) -> dict[str, Array]:
    entropy, varentropy = _entropies(logs)
    top_ids = _top(logs, top)
    return {
        "logprob": _at(logs, ids).astype(np.float32),
        "entropy": entropy,
        "varentropy": varentropy,
        "rank": _above(logs, ids).sum(axis=1).astype(np.int32),
        "top_ids": top_ids.astype(np.int32),
        "top_logprobs": np.take_along_axis(logs, top_ids, axis=1).astype(np.float32),
    }


def _entropies(logs: Array) -> tuple[Array, Array]:
    """Mean and variance of the surprise under each row itself, nats and nats², float32."""
    surprise = -np.maximum(logs, NEVER, dtype=np.float64)
    weights = np.exp(-surprise)
    entropy = np.einsum("ij,ij->i", weights, surprise)
    surprise -= entropy[:, None]
    varentropy = np.einsum("ij,ij,ij->i", weights, surprise, surprise)
    return entropy.astype(np.float32), varentropy.astype(np.float32)


def _above(logs: Array, ids: Array) -> Array:
    """bool[T, V]: the tokens ranked higher than the chosen one."""
    own = _at(logs, ids)[:, None]
    above: Array = logs > own
    for row, tied in enumerate((logs == own).sum(axis=1) > 1):
        if tied:
            above[row, : ids[row]] |= logs[row, : ids[row]] == own[row]
    return above


def _top(logs: Array, top: int) -> Array:
    """int64[T, top]: the likeliest, falling; of equal ones the lower id first."""
    width = logs.shape[1]
    least = np.partition(logs, width - top, axis=1)[:, width - top]
    found = np.empty((len(logs), top), dtype=np.int64)
    for row, (line, bound) in enumerate(zip(logs, least, strict=True)):
        candidates = np.flatnonzero(line >= bound)
        found[row] = candidates[np.argsort(-line[candidates], kind="stable")[:top]]
    return found


def _renyi(logs: Array) -> Array:
    """log Σ q^(1/T) at each of TEMPERATURES, float32[T, 8], over the tokens that can be drawn."""
    possible = np.isfinite(logs).any(axis=0)
    kept = np.maximum(logs if possible.all() else logs[:, possible], NEVER).astype(np.float32)
    peak = kept.max(axis=1, keepdims=True, initial=NEVER)
    kept -= peak
    found = np.empty((len(logs), len(TEMPERATURES)), dtype=np.float64)
    for column, temperature in enumerate(TEMPERATURES):
        total = np.exp(kept / np.float32(temperature)).sum(axis=1, dtype=np.float64)
        found[:, column] = np.log(total) + peak[:, 0] / temperature
    return found.astype(np.float32)


def _at(logs: Array, ids: Array) -> Array:
    """logs[t, ids[t]]."""
    return np.take_along_axis(logs, ids[:, None], axis=1)[:, 0]


def _blocks(shape: Sequence[int]) -> Iterator[slice]:
    """Slices of rows; one even when there are none, so that columns keep their shape."""
    rows, width = shape
    step = max(1, BLOCK // max(width, 1))
    for start in range(0, max(rows, 1), step):
        yield slice(start, start + step)


def _stacked(parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
