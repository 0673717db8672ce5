"""The columns of a span from the distributions behind it, many rows in one pass.

The model's own are computed in the precision they come in (sums pairwise, to some 1e-6 nats), the
sampler's in float64. Rows are taken in blocks so that a long text over a large vocabulary stays
small; none depends on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loom.core.sampling import Choices
from loom.core.span import TEMPERATURES, Span

Array = NDArray[Any]
BLOCK = 1 << 19  # cells taken at once: what is computed of them stays in a processor's cache
GROUPS = 64  # a row is looked through for its likeliest tokens in so many parts at once
NEVER = -1e4  # stands for −inf where it would make 0 × ∞; its exponential is 0


def span_of(
    logprobs: Array,
    chosen: ArrayLike,
    ends: ArrayLike,
    top: int,
    sampled: Array | Choices | None = None,
    drawn: bool = False,
    changed: bool = True,
) -> Span:
    """A span of T tokens. `logprobs` float[T, V] are the model's, `chosen` and `ends` int[T].

    With `drawn` the sampler's columns are filled from `sampled` (log q, float64[T, V], or as
    `choices`), or, where that is None, from `logprobs`. Where nothing was `changed`,
    top_sampled and sampled_* stay None.
    """
    ids = np.asarray(chosen, dtype=np.int32)
    columns = columns_of(logprobs, ids, top, sampled, drawn=drawn, changed=changed)
    return Span(ids=ids, ends=np.asarray(ends, dtype=np.int32), **columns)


def columns_of(
    logprobs: Array,
    chosen: ArrayLike,
    top: int,
    sampled: Array | Choices | None = None,
    *,
    drawn: bool = False,
    changed: bool = True,
) -> dict[str, Array]:
    """All of a span but its ids and ends; see `span_of`."""
    ids = np.asarray(chosen, dtype=np.int32)
    columns = read_columns(logprobs, ids, top)
    if not drawn:
        return columns
    found = logprobs if sampled is None else sampled
    rows = found if isinstance(found, Choices) else Choices.of(found)
    places = _places(rows, ids)
    columns |= drawn_columns(rows, places)
    if sampled is not None and changed:
        columns |= sampled_columns(rows, places, columns["top_ids"])
    return columns


def read_columns(logprobs: Array, chosen: ArrayLike, top: int) -> dict[str, Array]:
    """logprob, entropy, varentropy, rank, top_ids, top_logprobs of T rows.

    Of equal tokens the one with the lower id ranks higher. There are at most V alternatives.
    """
    ids = np.asarray(chosen, dtype=np.int64)
    parts = [
        _read_block(logprobs[block], ids[block], min(top, logprobs.shape[1]))
        for block in _blocks(logprobs.shape)
    ]
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def sampled_columns(rows: Choices, places: Array, top_ids: Array) -> dict[str, Array]:
    """sampled_logprob, sampled_entropy, sampled_varentropy and top_sampled of T rows; `places` are
    those of the drawn tokens in `rows`."""
    entropy = -rows.totals(rows.weights * rows.logs) + 0.0
    apart = np.square(rows.logs + rows.spread(entropy))
    return {
        "sampled_logprob": rows.logs[places].astype(np.float32),
        "sampled_entropy": entropy.astype(np.float32),
        "sampled_varentropy": rows.totals(rows.weights * apart).astype(np.float32),
        "top_sampled": _logs_at(rows, top_ids).astype(np.float32),
    }


def drawn_columns(rows: Choices, places: Array) -> dict[str, Array]:
    """mass_above and renyi of T rows under the distribution they were drawn from."""
    own = rows.logs[places]
    above = rows.logs > rows.spread(own)
    for index, place in enumerate(places.tolist()):
        before = slice(rows.row(index).start, place)
        above[before] |= rows.logs[before] == own[index]
    mass = rows.totals(np.where(above, rows.weights, 0.0))
    return {"mass_above": mass.astype(np.float32), "renyi": _renyi(rows)}


def _places(rows: Choices, ids: Array) -> Array:
    """Where in `rows` the token of each row is."""
    parts = [rows.row(index) for index in range(len(rows))]
    found = [p.start + rows.ids[p].searchsorted(i) for p, i in zip(parts, ids, strict=True)]
    return np.array(found, dtype=np.intp)


def _logs_at(rows: Choices, ids: Array) -> Array:
    """log q of each of ids[T, k], −inf for what can't be drawn."""
    places = np.empty(ids.shape, np.intp)
    for index, wanted in enumerate(ids):
        part = rows.row(index)
        places[index] = rows.ids[part].searchsorted(wanted)
    places = np.minimum(places, rows.counts[:, None] - 1) + rows.starts[:-1, None]
    return np.where(rows.ids[places] == ids, rows.logs[places], -np.inf)


def _renyi(rows: Choices) -> Array:
    """log Σ q^(1/T) at each of TEMPERATURES, float32[T, 8]; powers of one exponential where that is
    as exact."""
    if not len(rows):
        return np.empty((0, len(TEMPERATURES)), np.float32)
    peaks = np.maximum.reduceat(rows.logs, rows.starts[:-1])
    shifted = (rows.logs - rows.spread(peaks)).astype(np.float32)
    powers = np.exp(shifted)
    root = np.sqrt(powers)
    quick = {0.5: np.square(powers), 0.8: np.sqrt(root) * powers, 2.0: root}
    found = np.empty((len(rows), len(TEMPERATURES)), dtype=np.float64)
    for column, temperature in enumerate(TEMPERATURES):
        if temperature in quick:
            totals = rows.totals(quick[temperature])
        else:
            np.multiply(shifted, np.float32(1 / temperature), out=powers)
            totals = rows.totals(np.exp(powers, out=powers))
        found[:, column] = np.log(totals, dtype=np.float64) + peaks / temperature
    return found.astype(np.float32)


def _read_block(logs: Array, ids: Array, top: int) -> dict[str, Array]:
    entropy, varentropy = _entropies(logs)
    top_ids = _top(logs, top)
    rows = np.arange(len(logs))
    return {
        "logprob": logs[rows, ids].astype(np.float32),
        "entropy": entropy,
        "varentropy": varentropy,
        "rank": _ranks(logs, ids),
        "top_ids": top_ids.astype(np.int32),
        "top_logprobs": logs[rows[:, None], top_ids].astype(np.float32),
    }


def _entropies(logs: Array) -> tuple[Array, Array]:
    """Mean and variance of the surprise under each row itself, nats and nats², float32."""
    if logs.size and not logs.min() > NEVER:
        logs = np.maximum(logs, NEVER)
    weights = np.exp(logs)
    terms = weights * logs
    entropy = -terms.sum(axis=1) + 0.0
    np.add(logs, entropy[:, None], out=terms)
    terms *= terms
    terms *= weights
    return entropy.astype(np.float32), terms.sum(axis=1).astype(np.float32)


def _ranks(logs: Array, ids: Array) -> Array:
    """How many tokens rank higher than the chosen one, int32[T]."""
    found = np.empty(len(logs), np.int32)
    for index, (row, token) in enumerate(zip(logs, ids.tolist(), strict=True)):
        before = np.count_nonzero(row[:token] >= row[token])
        found[index] = before + np.count_nonzero(row[token:] > row[token])
    return found


def _top(logs: Array, top: int) -> Array:
    """int64[T, top]: the likeliest, falling; of equal ones the lower id first."""
    found = np.empty((len(logs), top), dtype=np.int64)
    for row, (line, bound) in enumerate(zip(logs, _bounds(logs, top), strict=True)):
        candidates = (line >= bound).nonzero()[0]
        found[row] = candidates[(-line[candidates]).argsort(kind="stable")[:top]]
    return found


def _bounds(logs: Array, top: int) -> Array:
    """For each row a number that at least `top` tokens reach, and not many more: of the maxima of
    many small groups of tokens, the `top`th."""
    width = logs.shape[1] // GROUPS
    if width < 8 * top:
        groups = logs
    else:
        groups = logs[:, : GROUPS * width].reshape(len(logs), GROUPS, width).max(axis=1)
    place = groups.shape[1] - top
    found: Array = np.partition(groups, place, axis=1)[:, place]
    return found


def _blocks(shape: Sequence[int]) -> Iterator[slice]:
    """Slices of rows; one even when there are none, so that columns keep their shape."""
    rows, width = shape
    step = max(1, BLOCK // max(width, 1))
    for start in range(0, max(rows, 1), step):
        yield slice(start, start + step)
