"""Token columns that grow at their end: adding tokens costs by how many are added.

What was given out stays as it was; later tokens go behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.span import Span, joined

ROOM = 64  # tokens there is room for at first
AT_ONCE = 32  # parts: together they cost less than one by one, and nobody waits for so few


class Gathering:
    """The same as `joined` of all that was added, a part at a time."""

    __slots__ = ("_columns", "_count", "_length", "_parts", "_shown")

    def __init__(self) -> None:
        self._columns: dict[str, NDArray[Any] | None] = {}
        self._count = 0  # tokens in the columns
        self._length = 0  # tokens in all
        self._parts: list[Span] = []  # not in the columns yet
        self._shown: Span | None = None

    def __len__(self) -> int:
        return self._length

    def add(self, span: Span) -> None:
        """Raises ValueError, here or in `span`, for parts of different numbers of alternatives."""
        self._parts.append(span)
        self._length += len(span)
        if len(self._parts) >= AT_ONCE:
            self._gather()

    def span(self) -> Span | None:
        """All tokens so far; None before the first part."""
        if self._parts:
            self._gather()
        return self._shown

    def _gather(self) -> None:
        self._take(joined(self._parts))
        self._parts.clear()

    def _take(self, part: Span) -> None:
        """An optional column is kept as long as every part has it."""
        base, stop = self._last_end(), self._count + len(part)
        shown: dict[str, NDArray[Any] | None] = {}
        for name, column in part.columns():
            fresh = column + np.int32(base) if name == "ends" and column is not None else column
            self._columns[name] = whole = self._put(name, fresh, stop)
            shown[name] = None if whole is None else whole[:stop]
        self._count, self._shown = stop, Span(**shown)  # type: ignore[arg-type]

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
