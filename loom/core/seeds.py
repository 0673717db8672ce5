"""Addressed randomness: a seed for every branch and a uniform for every token, from their address.

No state and no sequence, so order, batching and cancelling change nothing.
"""

from __future__ import annotations

import hashlib

BITS = 53  # a float64's mantissa, and the integers JSON keeps


def branch_seed(session_seed: int, place: bytes, ordinal: int, branch: int) -> int:
    """Seed of one branch, 0 ≤ seed < 2^53.

    `place` is the hash of the place it hangs at, `ordinal` counts the generations at that place and
    `branch` those grown together.
    """
    return _number(f"seed|{session_seed}|{ordinal}|{branch}|".encode() + place)


def uniform(seed: int, t: int) -> float:
    """The number in [0, 1) that draws token `t` (from 0) of the branch with this seed.

    Tokens that repeat a writer's own, cut anew, are drawn with −1, −2 … before: a branch whose
    seam stays as it was is drawn as if nobody had looked at it.
    """
    return _number(f"uniform|{seed}|{t}".encode()) / (1 << BITS)


def _number(address: bytes) -> int:
    digest = hashlib.blake2b(address, digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - BITS)
