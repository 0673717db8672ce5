"""A span as one blob a column, little-endian and lossless, ≤ 300 bytes a token at k = 20.

Floats are float32. Integers take the least of 1, 2 or 3 bytes (unsigned) or 4 (signed) that holds
the whole column, `ends` as the lengths of the tokens; the width follows from the blob's length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.span import TEMPERATURES, Span

COLUMNS = tuple(Span.__dataclass_fields__)
_INTEGERS = {"ids", "ends", "rank", "top_ids"}
_PER_TOP = {"top_ids", "top_logprobs", "top_sampled"}
_OPTIONAL = {
    "sampled_logprob",
    "sampled_entropy",
    "sampled_varentropy",
    "top_sampled",
    "mass_above",
    "renyi",
}

Blobs = tuple[bytes | None, ...]


def encode(span: Span) -> tuple[int, int, Blobs]:
    """(tokens, alternatives, blobs in the order of COLUMNS).

    Raises ValueError for a column of another shape.
    """
    if span.top_ids.ndim != 2:
        raise ValueError(f"top_ids has {span.top_ids.ndim} dimensions, not 2")
    count, top = len(span), span.top_ids.shape[1]
    blobs = tuple(
        None if column is None else _packed(name, column, _shape(name, count, top))
        for name, column in span.columns()
    )
    return count, top, blobs


def decode(count: int, top: int, blobs: Sequence[bytes | None]) -> Span:
    """The span of `encode`. Raises ValueError where a blob doesn't fit."""
    columns: dict[str, NDArray[Any] | None] = {}
    for name, blob in zip(COLUMNS, blobs, strict=True):
        if blob is None and name not in _OPTIONAL:
            raise ValueError(f"the column {name} is missing")
        columns[name] = None if blob is None else _unpacked(name, blob, _shape(name, count, top))
    return Span(**columns)  # type: ignore[arg-type]


def _shape(name: str, count: int, top: int) -> tuple[int, ...]:
    if name in _PER_TOP:
        return (count, top)
    return (count, len(TEMPERATURES)) if name == "renyi" else (count,)


def _packed(name: str, column: NDArray[Any], shape: tuple[int, ...]) -> bytes:
    if column.shape != shape:
        raise ValueError(f"the column {name} has shape {column.shape}, not {shape}")
    if name not in _INTEGERS:
        return column.astype("<f4", copy=False).tobytes()
    values = column.astype("<i4", copy=False).ravel()
    if name == "ends":
        values = np.diff(values, prepend=np.int32(0)).astype("<i4", copy=False)
    raw = np.ascontiguousarray(values).view(np.uint8).reshape(-1, 4)
    return raw[:, : _width(values)].tobytes()


def _width(values: NDArray[np.int32]) -> int:
    if not len(values) or int(values.min()) < 0:
        return 4
    return max(1, (int(values.max()).bit_length() + 7) // 8)


def _unpacked(name: str, blob: bytes, shape: tuple[int, ...]) -> NDArray[Any]:
    size = math.prod(shape)
    width = len(blob) // size if size else 4
    if len(blob) != size * width or width not in ((1, 2, 3, 4) if name in _INTEGERS else (4,)):
        raise ValueError(f"the column {name} has {len(blob)} bytes for {size} values")
    if name not in _INTEGERS:
        return np.frombuffer(blob, "<f4").reshape(shape).astype(np.float32, copy=False)
    raw = np.zeros((size, 4), np.uint8)
    raw[:, :width] = np.frombuffer(blob, np.uint8).reshape(size, width)
    values = raw.view("<i4").ravel()
    if name == "ends":
        values = np.cumsum(values, dtype=np.int32)
    return values.reshape(shape).astype(np.int32, copy=False)
