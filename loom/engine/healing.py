"""The first steps of a Generate whose branches repeat the end of the text before them.

Reads what the model holds of that end, token by token; then every branch draws how it repeats it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loom.core.span import Span
from loom.engine.api import Generate
from loom.engine.arithmetic import Arithmetic
from loom.engine.network import Network
from loom.engine.seam import Beginnings, Mending, Seam
from loom.engine.sequences import Sequences


class Healing:
    """After the tokens `before` the recipe's `begins`."""

    def __init__(
        self,
        job: Generate,
        network: Network,
        arithmetic: Arithmetic,
        tokens: Beginnings,
        before: Sequence[int],
    ) -> None:
        spelling, start = network.language.spelling, not before
        own = spelling.encode(job.recipe.begins, start=start)
        lead = b" " if start and spelling.dummy else b""
        pieces = spelling.spelled(own, start=start)
        self.before = [*before]
        self.seam = Seam.of(job.recipe.begins, own, pieces, tokens, lead)
        self._recipe, self._spelling = job.recipe, spelling
        self._arithmetic, self._size = arithmetic, network.language.size
        self._text = Sequences(network, [*before, *own], 1)
        self._rows: list[NDArray[np.float32]] = []

    def read(self) -> tuple[int, int] | None:
        """One forward pass: tokens (read, to read); None when all is known that is needed."""
        count = len(self.before) + len(self._rows)
        progress = self._text.ready(count)
        if progress is not None:
            return progress
        self._rows.append(self._arithmetic.on_host(self._text.last(count)[0, -1:]))
        wanted = len(self.seam.own)
        return (len(self._rows), wanted) if len(self._rows) < wanted else None

    def close(self) -> None:
        """What was read of the text is remembered."""
        self._text.drop([0])

    @cached_property
    def mending(self) -> Mending:
        """Once all is read. Raises ValueError where nothing can be drawn."""
        recipe = self._recipe
        window = recipe.sampling.repetition_window
        recent = self.before[-window:] if window else []
        top = min(recipe.top, self._size)
        return Mending(self.seam, np.concatenate(self._rows), recipe.sampling, recent, top)

    def said(self, tokens: Sequence[int]) -> list[tuple[bytes, Span]]:
        """These tokens, drawn by the mending: their bytes and columns."""
        pieces = self._spelling.spelled(tokens, start=not self.before)
        return list(zip(pieces, self.mending.spans(tokens, pieces), strict=True))
