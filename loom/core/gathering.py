"""Token columns that grow at their end: adding tokens costs by how many are added.

What was given out stays as it was; later tokens go behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.span import NAMES, Span

ROOM = 64  # tokens there is room for at first


class Gathering:
    """The same as `joined` of all that was added, a part at a time."""

    __slots__ = ("_columns", "_count", "_shown")

    def __init__(self) -> None:
        self._columns: dict[str, NDArray[Any] | None] = {}
        self._count = 0
        self._shown: Span | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, span: Span) -> None:
        """An optional column is kept as long as every part has it. Raises ValueError for another
        number of alternatives."""
        base, stop = self._last_end(), self._count + len(span)
        for name in NAMES:
            part = getattr(span, name)
            if name == "ends":
                part = part + np.int32(base)
            self._columns[name] = self._put(name, part, stop)
        self._count, self._shown = stop, None

    def span(self) -> Span | None:
        """All tokens so far; None before the first part."""
        if self._shown is None and self._columns:
            count = self._count
            shown = {n: None if c is None else c[:count] for n, c in self._columns.items()}
            self._shown = Span(**shown)  # type: ignore[arg-type]
        return self._shown

    def _last_end(self) -> int:
        ends = self._columns.get("ends")
        return int(ends[self._count - 1]) if ends is not None and self._count else 0

    def _put(self, name: str, part: NDArray[Any] | None, stop: int) -> NDArray[Any] | None:
        column = self._columns.get(name)
        if part is None or (column is None and name in self._columns):
            return None
        if column is None or stop > len(column):
            column = self._widened(column, part, stop)
        column[self._count : stop] = part
        return column

    def _widened(self, column: NDArray[Any] | None, part: NDArray[Any], stop: int) -> NDArray[Any]:
        fresh = np.empty((max(ROOM, 2 * stop), *part.shape[1:]), part.dtype)
        if column is not None:
            fresh[: self._count] = column[: self._count]
        return fresh
