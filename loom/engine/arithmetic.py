"""What is done with log-probabilities: tokens are drawn from them, columns of a span made of them.

Here on the host, in numpy; a backend whose model computes elsewhere may bring its own, so that only
the results travel. Knows no jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from loom.core.recipe import Sampling
from loom.core.sampling import choices
from loom.core.statistics import columns_of, read_columns
from loom.engine.api import JobFailed

Columns = dict[str, NDArray[Any]]


class Arithmetic(Protocol):
    """`logprobs` are what the rows of its network give: float32[T, V], nats."""

    def drawn(
        self,
        logprobs: Any,
        sampling: Sampling,
        recent: Sequence[Sequence[int]],
        uniforms: Sequence[float],
        top: int,
        *,
        changed: bool = False,
    ) -> tuple[list[int], Callable[[], Columns]]:
        """A token for each row, drawn with its uniform, and what computes all columns of their span
        but ids and ends; with `changed` those of the sampler even where it changes nothing. Raises
        JobFailed where the model gave no numbers, ValueError where nothing is left."""
        ...

    def on_host(self, logprobs: Any) -> NDArray[np.float32]:
        """The same numbers in numpy. Raises JobFailed where there are none."""
        ...

    def read(self, logprobs: Any, chosen: Sequence[int], top: int) -> Columns:
        """The columns of tokens that were read. Raises JobFailed where there are no numbers."""
        ...

    def even(self, size: int) -> Any:
        """What is known of a token where the model says nothing: that it is one of `size`."""
        ...


class HostArithmetic:
    """In numpy. Tokens that are `banned` are never drawn."""

    def __init__(self, banned: NDArray[np.bool_]) -> None:
        self._banned = np.flatnonzero(banned)

    def drawn(
        self,
        logprobs: NDArray[np.float32],
        sampling: Sampling,
        recent: Sequence[Sequence[int]],
        uniforms: Sequence[float],
        top: int,
        *,
        changed: bool = False,
    ) -> tuple[list[int], Callable[[], Columns]]:
        found = choices(_checked(logprobs), sampling, recent, self._banned)
        tokens = [found.draw(row, u) for row, u in enumerate(uniforms)]
        changed = changed or not sampling.neutral or len(self._banned) > 0
        return tokens, partial(
            columns_of, logprobs, tokens, top, found, drawn=True, changed=changed
        )

    def on_host(self, logprobs: NDArray[np.float32]) -> NDArray[np.float32]:
        return _checked(logprobs)

    def read(self, logprobs: NDArray[np.float32], chosen: Sequence[int], top: int) -> Columns:
        columns = read_columns(logprobs, chosen, top)
        if np.isnan(columns["entropy"]).any():  # a sum over all of the row
            raise overflow()
        return columns

    def even(self, size: int) -> NDArray[np.float32]:
        return np.full((1, size), -np.log(size), np.float32)


def overflow() -> JobFailed:
    return JobFailed(
        "The model's numbers overflowed.",
        'Load it with the engine option dtype = "float32" or "bfloat16".',
    )


def _checked(logprobs: NDArray[np.float32]) -> NDArray[np.float32]:
    if np.isnan(logprobs).any():
        raise overflow()
    return logprobs
