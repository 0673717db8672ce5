"""The text of a job as token ids, piece by piece, and token ids as a span; knows no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from loom.core.span import Span
from loom.engine.api import JobFailed, Piece
from loom.engine.arithmetic import Columns
from loom.engine.network import Language

PAUSE = 1024  # tokens from one bit of text after which encoding goes on in the next step


def encoded(pieces: Sequence[Piece], language: Language) -> Iterator[tuple[int, Sequence[int]]]:
    """(number of the piece, token ids) in order, long pieces bit by bit. Raises JobFailed for ids
    that the model doesn't have."""
    start = True
    for index, piece in enumerate(pieces):
        if isinstance(piece, bytes):
            parts: Iterator[Sequence[int]] = language.spelling.blocks(piece, start=start)
        else:
            parts = iter((_known(piece, language),))
        for ids in parts:
            start = start and not ids
            yield index, ids


def _known(ids: Sequence[int], language: Language) -> Sequence[int]:
    if ids and not 0 <= min(ids) <= max(ids) < language.size:
        raise JobFailed(
            "The text before holds tokens of another model.",
            "Generate with the model it was written with, or pass it as text.",
        )
    return ids


def span_of(tokens: Sequence[int], pieces: Sequence[bytes], columns: Columns) -> Span:
    ends = np.cumsum([len(piece) for piece in pieces])
    return Span(ids=np.array(tokens, np.int32), ends=ends.astype(np.int32), **columns)
