"""The end of a text given back to the model: which tokens may repeat it, and how likely each is.

A text that stops inside a token spoils what comes next, as the model has hardly ever seen it cut
there. So its last tokens are taken back (`begins` are their bytes) and drawn anew, among those that
repeat these bytes: the text's own, one after the other, and at each of them every token that goes
beyond its end. Each is as likely as the model holds the text with it to be, given that it begins
so. Knows tokens and distributions; knows no jobs.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loom.core.recipe import Sampling
from loom.core.sampling import Choices, choices
from loom.core.seeds import uniform
from loom.core.span import Span
from loom.core.statistics import span_of

Ids = NDArray[np.intp]
Rows = NDArray[np.float32]


class Beginnings:
    """The tokens of a vocabulary by the bytes they begin with; those without any, and `banned`
    ones, are left out."""

    def __init__(self, table: Sequence[bytes], banned: Container[int] = ()) -> None:
        usable = [token for token, piece in enumerate(table) if piece and token not in banned]
        self._ids = sorted(usable, key=table.__getitem__)
        self._pieces = [table[token] for token in self._ids]
        self.longest = max(map(len, self._pieces), default=0)

    def beyond(self, begins: bytes) -> Ids:
        """Tokens that begin with these bytes and go on, by rising id."""
        return np.sort(np.array(self._ids[slice(*self._found(begins))], dtype=np.intp))

    def any_beyond(self, begins: bytes) -> bool:
        first, last = self._found(begins)
        return first < last

    def _found(self, begins: bytes) -> tuple[int, int]:
        pieces = self._pieces
        first = bisect_right(pieces, begins)
        return first, bisect_left(pieces, True, first, key=lambda p: not p.startswith(begins))


@dataclass(frozen=True, slots=True)
class Seam:
    """What is drawn anew: the text's `own` tokens, and at each those `beyond` its end."""

    begins: bytes
    own: tuple[int, ...]
    beyond: tuple[Ids, ...]

    @classmethod
    def of(
        cls,
        begins: bytes,
        own: Sequence[int],
        pieces: Sequence[bytes],
        tokens: Beginnings,
        lead: bytes = b"",
    ) -> Seam:
        """`pieces` are the bytes of the `own` tokens in their place; a tokenizer may put a `lead`
        before the first."""
        rests, at = [], 0
        for piece in pieces:
            rests.append(begins[at:] if at else lead + begins)
            at += len(piece)
        return cls(begins, tuple(own), tuple(tokens.beyond(rest) for rest in rests))

    def weights(self, rows: Rows) -> NDArray[np.float64]:
        """log of what each token is worth, float64[len(own), V], −inf where it can't be drawn;
        `rows` are the model's logprobs before each of the own tokens.

        An own token stands for all that goes on from it and repeats the rest.
        """
        logs = rows.astype(np.float64)
        found = np.full(logs.shape, -np.inf)
        onward = 0.0
        for stage in reversed(range(len(self.own))):
            beyond, own = self.beyond[stage], self.own[stage]
            found[stage, beyond] = logs[stage, beyond]
            found[stage, own] = logs[stage, own] + onward
            onward = float(np.logaddexp.reduce(found[stage]))
        return found


class Mending:
    """A seam with what the model holds of it; the same for every branch of a job."""

    def __init__(
        self, seam: Seam, rows: Rows, sampling: Sampling, before: Sequence[int], top: int
    ) -> None:
        """`before` are the last tokens before the seam. Raises ValueError where nothing can be
        drawn."""
        self.seam = seam
        self._rows, self._top = rows, top
        self._found: list[Choices] = []
        for stage, weights in enumerate(seam.weights(rows)):
            recent = [*before, *seam.own[:stage]]
            self._found.append(choices(weights[None], sampling, [recent]))

    def drawn(self, seed: int) -> tuple[int, ...]:
        """The tokens with which the branch of this seed repeats the bytes."""
        tokens: list[int] = []
        for stage, own in enumerate(self.seam.own):
            token = self._found[stage].draw(0, uniform(seed, -1 - stage))
            tokens.append(token)
            if token != own:
                break
        return tuple(tokens)

    def spans(self, tokens: Sequence[int], pieces: Sequence[bytes]) -> list[Span]:
        """Each of these tokens as a span of its own: what the model held of it, and the draw."""
        return [
            span_of(
                self._rows[stage : stage + 1],
                [token],
                [len(piece)],
                self._top,
                self._found[stage],
                drawn=True,
            )
            for stage, (token, piece) in enumerate(zip(tokens, pieces, strict=True))
        ]
