"""Token columns in less room, every bit of them: for nodes that are complete.

Only the wide ones are squeezed. Bytes of the same weight lie together for zlib; what the sampler
made of the alternatives is kept as what is left after the line that temperature makes of them. A
blob that would not get shorter stays as it is, and its length tells which it is.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loom.core.span import TEMPERATURES
from loom.store.columns import COLUMNS, Blobs

LEAST = 8  # tokens; fewer aren't worth it
_MOST = 11  # bytes a value that can come out
_PLAIN, _LINE = b"p", b"l"
_IDS, _MODEL, _SAMPLED, _RENYI = (
    COLUMNS.index(name) for name in ("top_ids", "top_logprobs", "top_sampled", "renyi")
)

Floats = NDArray[np.float32]


def squeezed(count: int, top: int, blobs: Blobs) -> Blobs:
    """The blobs of `columns.encode`, some of them shorter."""
    if count < LEAST:
        return blobs
    found = list(blobs)
    for place, size in _wide(count, top):
        blob = blobs[place]
        if blob:
            found[place] = _shorter(blob, _line_of(place, blobs, top) or _plain(blob, size), size)
    return tuple(found)


def unsqueezed(count: int, top: int, blobs: Sequence[bytes | None]) -> Blobs:
    """What `squeezed` was given. Raises ValueError for what it can't have made."""
    found = list(blobs)
    for place, size in _wide(count, top):
        blob = found[place]
        if blob and size and len(blob) % size and count >= LEAST:
            try:
                found[place] = _restored(blob, size, top, found[_MODEL])
            except (zlib.error, struct.error, ValueError) as error:
                raise ValueError(f"the column {COLUMNS[place]} makes no sense: {error}") from error
    return tuple(found)


def _wide(count: int, top: int) -> list[tuple[int, int]]:
    """Places of columns and how many values they have; what others are restored from first."""
    size = count * top
    return [(_IDS, size), (_MODEL, size), (_SAMPLED, size), (_RENYI, count * len(TEMPERATURES))]


def _shorter(raw: bytes, packed: bytes, size: int) -> bytes:
    """`packed` where it is shorter, in a length that no raw blob has."""
    if len(packed) % size == 0:
        packed += b"\0"
    return packed if len(packed) < len(raw) else raw


def _plain(blob: bytes, size: int) -> bytes:
    return _PLAIN + zlib.compress(_by_weight(np.frombuffer(blob, np.uint8), size))


def _by_weight(data: NDArray[np.uint8], size: int) -> bytes:
    return np.ascontiguousarray(data.reshape(size, -1).T).tobytes()


def _restored(blob: bytes, size: int, top: int, model: bytes | None) -> bytes:
    inflater = zlib.decompressobj()
    data = inflater.decompress(blob[1:], _MOST * size)
    if not inflater.eof:
        raise ValueError("a column is cut short or too long")
    if blob[:1] == _LINE:
        return _from_line(data, _floats(model or b"", top))
    if blob[:1] != _PLAIN or len(data) % size:
        raise ValueError("a column begins with what it can't begin with")
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(-1, size).T).tobytes()


# ── the line that temperature makes ────────────────────────────────────────────────────────


def _line_of(place: int, blobs: Blobs, top: int) -> bytes | None:
    """What the sampler made of the model's logprobs; None for another column, or where there are
    values of which one can't tell."""
    if place != _SAMPLED:
        return None
    sampled, model = _floats(blobs[_SAMPLED] or b"", top), _floats(blobs[_MODEL] or b"", top)
    cut = np.isneginf(sampled)
    if not np.isfinite(model).all() or not np.isfinite(sampled[~cut]).all():
        return None
    base = _base(sampled, cut)
    slope = _slope(sampled, model, cut)
    left = (sampled.view(np.int32) - _on_line(base, slope, model, cut).view(np.int32)) * ~cut
    folded = ((left << 1) ^ (left >> 31)).astype("<i4")  # small ones of either sign are small
    return _LINE + zlib.compress(
        struct.pack("<d", slope)
        + _by_weight(base.astype("<f4").view(np.uint8), len(base))
        + np.packbits(cut).tobytes()
        + _by_weight(folded.reshape(-1).view(np.uint8), folded.size)
    )


def _from_line(data: bytes, model: Floats) -> bytes:
    rows, size = len(model), model.size
    ends = np.cumsum([8, 4 * rows, (size + 7) // 8, 4 * size]).tolist()
    if len(data) != ends[-1]:
        raise ValueError("a column has another length than its values")
    (slope,) = struct.unpack("<d", data[:8])
    bits = np.frombuffer(data[ends[1] : ends[2]], np.uint8)
    cut = np.unpackbits(bits, count=size).astype(bool).reshape(model.shape)
    base = _unfold(data[8 : ends[0] + 4 * rows], rows).view(np.float32)
    folded = _unfold(data[ends[2] :], size).reshape(model.shape).view(np.uint32)
    left = (folded >> 1).astype(np.int32) ^ -(folded & 1).astype(np.int32)
    sampled = (_on_line(base, slope, model, cut).view(np.int32) + left).view(np.float32)
    return np.where(cut, np.float32(-np.inf), sampled).astype("<f4").tobytes()


def _unfold(data: bytes, size: int) -> NDArray[np.int32]:
    columns = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(4, size).T)
    return columns.view("<i4").reshape(size).astype(np.int32, copy=False)


def _floats(blob: bytes, top: int) -> Floats:
    return np.frombuffer(blob, "<f4").reshape(-1, top).astype(np.float32, copy=False)


def _first(cut: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Of each row the first that wasn't cut off."""
    first: NDArray[np.intp] = np.argmin(cut, axis=1)
    return first


def _base(sampled: Floats, cut: NDArray[np.bool_]) -> Floats:
    base = sampled[np.arange(len(sampled)), _first(cut)]
    return np.where(np.isfinite(base), base, np.float32(0))


def _on_line(base: Floats, slope: float, model: Floats, cut: NDArray[np.bool_]) -> Floats:
    wide = model.astype(np.float64)
    begin = wide[np.arange(len(wide)), _first(cut)]
    with np.errstate(over="ignore", invalid="ignore"):
        return (base[:, None] + (wide - begin[:, None]) * slope).astype(np.float32)


def _slope(sampled: Floats, model: Floats, cut: NDArray[np.bool_]) -> float:
    """1 / temperature, as far as one can tell."""
    rows = np.arange(len(model))
    begin = _first(cut)
    whole = np.where(cut, np.float32(0), sampled).astype(np.float64)
    rise = np.where(cut, 0, whole - whole[rows, begin][:, None])
    run = np.where(cut, 0, model - model[rows, begin][:, None].astype(np.float64))
    widest = int(np.argmax(np.abs(run)))
    if not run.flat[widest] or not rise.flat[widest]:
        return 1.0
    slope = float(rise.flat[widest] / run.flat[widest])
    near = 1 / round(1 / slope, 4) if round(1 / slope, 4) else slope
    return near if abs(near - slope) < 1e-4 * abs(slope) else slope
