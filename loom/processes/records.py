"""One JSON object a line; bytes and columns of numbers travel in it as base64, little-endian.

Knows token columns and nothing of who speaks. `read_x(x_record(value)) == value` for all.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from loom.core.span import TEMPERATURES, Span

Record = dict[str, Any]

_INTEGERS = frozenset({"ids", "ends", "rank", "top_ids"})
_TYPES = {f.name: np.dtype("<i4" if f.name in _INTEGERS else "<f4") for f in fields(Span)}
_AS_WIDE_AS_TOP = ("top_ids", "top_logprobs", "top_sampled")
_WIDTHS = {"renyi": len(TEMPERATURES)}


def line(record: Record) -> bytes:
    """One line, newline included; ASCII only, so no byte in it can be taken for its end."""
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


class Lines:
    """Cuts a stream of chunks into records; a record may be as long as it likes."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Record]:
        """The records completed by `chunk`. Raises ValueError for a line that isn't one."""
        *whole, rest = chunk.split(b"\n")
        if not whole:
            self._begun.append(rest)
            return []
        whole[0] = b"".join([*self._begun, whole[0]])
        self._begun = [rest] if rest else []
        return [_record(text) for text in whole]


def _record(text: bytes) -> Record:
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError("a line of the protocol is not an object")
    return record


def bytes_text(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def read_bytes(text: str) -> bytes:
    return b64decode(text)


def ints_text(values: Iterable[int]) -> str:
    """int32 little-endian; raises OverflowError for what doesn't fit."""
    return bytes_text(np.array(tuple(values), dtype="<i4").tobytes())


def read_ints(text: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(b64decode(text), dtype="<i4").tolist())


def strings_record(pieces: Sequence[bytes]) -> Record:
    """Byte strings as one blob and the offsets of their ends."""
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    return {"data": bytes_text(b"".join(pieces)), "ends": ints_text(ends.tolist())}


def read_strings(record: Record) -> list[bytes]:
    data, ends = b64decode(record["data"]), read_ints(record["ends"])
    return [data[a:b] for a, b in zip((0, *ends), ends, strict=False)]


def span_record(span: Span) -> Record:
    present = [(name, column) for name, column in span.columns() if column is not None]
    data = b"".join(column.astype(_TYPES[name]).tobytes() for name, column in present)
    return {
        "tokens": len(span),
        "top": span.top_ids.shape[1],
        "without": [name for name, column in span.columns() if column is None],
        "data": bytes_text(data),
    }


def read_span(record: Record) -> Span:
    """The arrays are views of one read-only buffer."""
    data, tokens, without = b64decode(record["data"]), record["tokens"], record["without"]
    widths = _WIDTHS | dict.fromkeys(_AS_WIDE_AS_TOP, record["top"])
    columns: dict[str, Any] = {}
    offset = 0
    for name, kind in _TYPES.items():
        if name in without:
            continue
        width = widths.get(name)
        count = tokens if width is None else tokens * width
        column = np.frombuffer(data, kind, count, offset)
        columns[name] = column if width is None else column.reshape(tokens, width)
        offset += 4 * count
    return Span(**columns)
