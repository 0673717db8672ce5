"""What a belief is worth in bits: its entropy, what moved it, what the next token would tell.

Knows distributions, not what they are about.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

AT_ONCE = 64  # tokens whose rows are laid side by side


def entropy_bits(shares: NDArray[Any]) -> Floats:
    """Of distributions along the last axis; 0 · log 0 is 0."""
    return -_plogp(np.asarray(shares, np.float64)).sum(axis=-1) + 0.0


def surprise_bits(after: NDArray[Any], before: NDArray[Any]) -> Floats:
    """KL(after ‖ before) along the last axis: by how much a belief moved (Itti & Baldi 2009)."""
    new, old = np.asarray(after, np.float64), np.asarray(before, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(new > 0, new * np.log2(new / old), 0.0)
    return np.maximum(terms.sum(axis=-1), 0.0)


def information(
    weights: NDArray[Any], ids: NDArray[np.integer[Any]], logprobs: NDArray[Any]
) -> Floats:
    """What the next token is expected to tell about the source, in bits (SCIENCE A6).

    The Jensen-Shannon divergence of what the frames expect, weighted by the belief before it.
    `weights`: [F] or [T, F], of the frames that were scored, needn't add up to 1; `ids` and
    `logprobs` (nats): [F, k] or [T, F, k], the likeliest tokens under each frame, −inf or NaN where
    there are fewer. Over the union of these and "any other": a token that only other frames list
    has under a frame what they give it on average, at most what this frame gives its own k-th, all
    of them together at most what it has left. Shape [] or [T].
    """
    one = ids.ndim == 2
    shares = np.asarray(weights, np.float64)
    rows, chances = (ids[None], logprobs[None]) if one else (ids, logprobs)
    shares = np.broadcast_to(shares, rows.shape[:2])
    parts = [
        _information(shares[at : at + AT_ONCE], rows[at : at + AT_ONCE], chances[at : at + AT_ONCE])
        for at in range(0, len(rows), AT_ONCE)
    ]
    found = np.concatenate(parts) if parts else np.zeros(0)
    return found[0] if one else found


def _information(weights: Floats, ids: NDArray[np.integer[Any]], logprobs: NDArray[Any]) -> Floats:
    """[T]; every token of every union is one row of a table [N, F], sorted by t."""
    count, frames, _ = ids.shape
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.full(weights.shape, 1 / frames), where=total > 0)
    there = np.isfinite(logprobs)
    time, frame, _ = np.nonzero(there)
    width = int(ids.max(initial=0)) + 1
    keys, row = np.unique(time * width + ids[there], return_inverse=True)
    of = keys // width
    chance = np.full((len(keys), frames), np.nan)
    chance[row, frame] = np.exp(logprobs[there].astype(np.float64))
    least = np.where(there, np.exp(np.where(there, logprobs, 0.0)), np.inf).min(axis=2)
    starts = np.searchsorted(of, np.arange(count))
    filled, left = _filled(chance, shares, np.where(np.isfinite(least), least, 0.0), of, starts)
    mixed, mixed_left = (filled * shares[of]).sum(axis=1), (left * shares).sum(axis=1)
    apart = -_sums(_plogp(filled), starts) - _plogp(left)
    together = -_sums(_plogp(mixed), starts) - _plogp(mixed_left)
    return np.maximum(together - (apart * shares).sum(axis=1), 0.0)


def _filled(
    chance: Floats, shares: Floats, least: Floats, of: NDArray[np.intp], starts: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """The table with nothing unknown [N, F], and what each frame has left [T, F]."""
    unknown = np.isnan(chance)
    known = np.where(unknown, 0.0, chance)
    left = np.maximum(1 - _sums(known, starts), 0.0)
    weight = np.where(unknown, 0.0, shares[of])
    total = weight.sum(axis=1)
    plain = np.divide(known.sum(axis=1), np.maximum((~unknown).sum(axis=1), 1))
    mean = np.divide((known * weight).sum(axis=1), total, out=plain, where=total > 0)
    guess = np.where(unknown, np.minimum(mean[:, None], least[of]), 0.0)
    guessed = _sums(guess, starts)
    fits = np.divide(left, guessed, out=np.ones_like(left), where=guessed > left)
    guess *= fits[of]
    return known + guess, np.maximum(left - _sums(guess, starts), 0.0)


def _sums(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Over the rows from each start to the next; a start without rows has 0."""
    lengths = np.diff(np.append(starts, len(values)))
    found = np.zeros((len(starts), *values.shape[1:]))
    if len(values):
        found[lengths > 0] = np.add.reduceat(values, starts[lengths > 0], axis=0)
    return found


def _plogp(shares: Floats) -> Floats:
    return shares * np.log2(np.where(shares > 0, shares, 1.0))
