"""What a model said about a stretch of text, token by token, as columns.

All logarithms are natural. `logprob`, `entropy`, `varentropy`, `rank` and the alternatives are the
model's own distribution at temperature 1, before any sampler; the `sampled_*` columns are the
distribution the token was really drawn from, None where nothing was drawn or nothing differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOP = 20  # alternatives recorded by default
TEMPERATURES = (0.5, 0.67, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)  # SCIENCE B1's seven, and 2.0

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Token:
    """One row of a span; `start` and `end` are bytes in the node's text."""

    id: int
    start: int
    end: int
    logprob: float
    entropy: float
    varentropy: float
    rank: int
    sampled_logprob: float | None
    alternatives: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Columns of T tokens with k alternatives each.

    ids int32[T]; ends int32[T], bytes from the start of the node's text; logprob, entropy,
    varentropy float32[T] in nats (nats² for the last); rank int32[T], 0 is the most probable;
    top_ids int32[T, k] and top_logprobs float32[T, k], falling; sampled_logprob, sampled_entropy,
    sampled_varentropy float32[T]; top_sampled float32[T, k], the same alternatives under the
    sampler (−inf: cut off); mass_above float32[T], probability under the sampler of all tokens it
    ranks higher than the drawn one; renyi float32[T, 8], log Σ q^(1/T) at TEMPERATURES. Columns
    about the sampler are None for text that was read, not drawn; top_sampled and sampled_* are None
    too where q equals p.
    """

    ids: Ints
    ends: Ints
    logprob: Floats
    entropy: Floats
    varentropy: Floats
    rank: Ints
    top_ids: Ints
    top_logprobs: Floats
    sampled_logprob: Floats | None = None
    sampled_entropy: Floats | None = None
    sampled_varentropy: Floats | None = None
    top_sampled: Floats | None = None
    mass_above: Floats | None = None
    renyi: Floats | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Token:
        i = range(len(self))[index]
        return Token(
            id=int(self.ids[i]),
            start=int(self.ends[i - 1]) if i else 0,
            end=int(self.ends[i]),
            logprob=float(self.logprob[i]),
            entropy=float(self.entropy[i]),
            varentropy=float(self.varentropy[i]),
            rank=int(self.rank[i]),
            sampled_logprob=None
            if self.sampled_logprob is None
            else float(self.sampled_logprob[i]),
            alternatives=tuple(
                (int(t), float(p))
                for t, p in zip(self.top_ids[i], self.top_logprobs[i], strict=True)
            ),
        )

    def count_until(self, offset: int) -> int:
        """How many tokens end at or before byte `offset`."""
        return int(np.searchsorted(self.ends, offset, side="right"))

    def cut(self, start: int, stop: int) -> Span:
        """Tokens start..stop (in tokens), `ends` counted from the first one kept."""
        base = int(self.ends[start - 1]) if start else 0
        columns = {
            name: None if column is None else column[start:stop] for name, column in self.columns()
        }
        ends = columns["ends"]
        assert ends is not None
        columns["ends"] = (ends - base).astype(np.int32)
        return Span(**columns)  # type: ignore[arg-type]

    def pieces(self, text: bytes) -> tuple[bytes, ...]:
        """The bytes of each token, of the text that the span is about."""
        return cut(text, self.ends.tolist())

    def singles(self) -> list[Span]:
        """Each token as a span of its own."""
        columns = dict(self.columns())
        columns["ends"] = np.diff(self.ends, prepend=np.int32(0))
        count = len(self)
        parts = [
            [None] * count if column is None else [column[i : i + 1] for i in range(count)]
            for column in columns.values()
        ]
        return [Span(*row) for row in zip(*parts, strict=True)]

    def alternative(self, index: int, rank: int, length: int) -> Span:
        """One token of `length` bytes: alternative `rank` of token `index`, read, not drawn."""
        row = self.cut(index, index + 1)
        return Span(
            ids=row.top_ids[:, rank].copy(),
            ends=np.array([length], np.int32),
            logprob=row.top_logprobs[:, rank].copy(),
            entropy=row.entropy,
            varentropy=row.varentropy,
            rank=np.array([rank], np.int32),
            top_ids=row.top_ids,
            top_logprobs=row.top_logprobs,
        )

    def columns(self) -> list[tuple[str, NDArray[Any] | None]]:
        """(name, array or None) in the order of the declaration."""
        return [(name, getattr(self, name)) for name in NAMES]


NAMES = tuple(field.name for field in fields(Span))
"""Of the columns, in the order of the declaration."""


def cut(text: bytes, ends: Sequence[int]) -> tuple[bytes, ...]:
    """The bytes of each token, of a text whose tokens end there."""
    return tuple(text[a:b] for a, b in zip((0, *ends), ends, strict=False))


def joined(spans: Sequence[Span]) -> Span:
    """One span of all tokens; an optional column is kept where every part has it.

    Raises ValueError for no spans or different numbers of alternatives.
    """
    if not spans:
        raise ValueError("joined() needs at least one span")
    columns: dict[str, NDArray[Any] | None] = {}
    for name in NAMES:
        parts = [getattr(span, name) for span in spans]
        present = [part for part in parts if part is not None]
        columns[name] = np.concatenate(present) if len(present) == len(parts) else None
    bases = np.cumsum([0, *[int(s.ends[-1]) if len(s) else 0 for s in spans[:-1]]])
    columns["ends"] = np.concatenate(
        [s.ends + base for s, base in zip(spans, bases, strict=True)]
    ).astype(np.int32)
    return Span(**columns)  # type: ignore[arg-type]
