"""What instruments have read along a path, as columns over its tokens.

Reads a session; computes and draws nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loom.core.node import Place
from loom.session import Session
from loom.ui.widgets.course import Course

AT_ONCE = 16  # nodes of which the readings are fetched between two looks at the keyboard

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Name(NamedTuple):
    """Of a column: who reads it, and what they call it."""

    plugin: str
    value: str


@dataclass(frozen=True, slots=True)
class Series:
    """`columns` are float32[tokens], NaN where there is no value; `begins` are the bytes of the
    path at which its tokens begin, `nodes` the tokens with which a node does. `said` is what each
    plugin sums up of the last node it has read."""

    columns: dict[Name, Floats]
    begins: Ints
    nodes: tuple[int, ...]
    said: dict[str, str]

    def __len__(self) -> int:
        return len(self.begins)

    def token_at(self, byte: int) -> int:
        """The token in which a byte of the path lies, or the last one."""
        found = int(np.searchsorted(self.begins, byte, side="right")) - 1
        return max(0, min(found, len(self) - 1))


async def series_on(session: Session, place: Place) -> Series:
    """Along the path to `place`."""
    course = Course()
    course.lead(place, session.tree)
    parts: dict[Name, list[tuple[int, Floats]]] = {}
    begins: list[Ints] = []
    said: dict[str, str] = {}
    nodes, tokens = [], 0
    for number, (start, (node, stop)) in enumerate(course.between(0, course.length)):
        span = session.span(node)
        count = 0 if span is None else span.count_until(stop)
        if span is not None and count:
            begins.append(start + np.concatenate([[0], span.ends[: count - 1]]).astype(np.int64))
            nodes.append(tokens)
            for plugin, reading in session.readings(node).items():
                words = [value for value in reading.summary.values() if isinstance(value, str)]
                said[plugin] = ", ".join(words)
                for name, values in reading.values.items():
                    parts.setdefault(Name(plugin, name), []).append((tokens, values[:count]))
            tokens += count
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
    columns = {name: _joined(parts[name], tokens) for name in sorted(parts, key=_plugin)}
    return Series(columns, np.concatenate([np.zeros(0, np.int64), *begins]), tuple(nodes), said)


def _plugin(name: Name) -> str:
    return name.plugin


def _joined(parts: Iterable[tuple[int, Floats]], tokens: int) -> Floats:
    column = np.full(tokens, np.nan, np.float32)
    for start, values in parts:
        column[start : start + len(values)] = values
    return column


def binned(column: Floats, edges: Sequence[int]) -> Floats:
    """The mean of what lies between each two edges; NaN where nothing does."""
    known = ~np.isnan(column)
    starts = np.asarray(edges[:-1])
    sums = np.add.reduceat(np.where(known, column, 0), starts)
    counts = np.add.reduceat(known.astype(np.float32), starts)
    means: Floats = np.divide(sums, counts, out=np.full(len(starts), np.nan, np.float32),
                              where=counts > 0)  # fmt: skip
    return means
