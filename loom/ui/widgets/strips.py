"""Readings along a path, a line each: name, value at the cursor, and the course of it as bars.

Knows columns over tokens and where flags are; knows neither sessions nor keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import ClassVar, NamedTuple

import numpy as np
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.style import Style
from textual.widgets import Static

from loom.core.text import visible
from loom.raised import Raised
from loom.ui import glyphs
from loom.ui.series import Floats, Name, Series, binned
from loom.ui.widgets.layers import LEADING, STEPS
from loom.ui.widgets.looks import Looks
from loom.ui.widgets.stack import Level, Stack
from loom.ui.widgets.wrapping import clip

NAME, VALUE = 15, 15  # columns
LEAST = 0.005  # what is told of a value
ALONG, SEAM, HERE, REST = "╌", "┊", "▼", "─"

MOVED = "▴"
SOURCES = "sources"  # who tells what is known of them


class Row(NamedTuple):
    """`look` is that of the strip; `looks` those of its cells, where each has its own."""

    name: str
    value: str
    strip: str
    look: str
    looks: Sequence[str] = ()


class Strips(Static):
    """Lines of one path; a click asks for a token."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "strips--name", "strips--plugin", "strips--value", "strips--bars", "strips--flags",
        "strips--ruler", "strips--here", *(f"strips--{LEADING}{step}" for step in range(STEPS)),
    }  # fmt: skip

    class Sought(Message):
        """A token was clicked."""

        def __init__(self, token: int) -> None:
            super().__init__()
            self.token = token

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.cursor = 0
        self._series = Series({}, np.zeros(0, np.int64), (), {})
        self._flags: Sequence[Raised] = ()
        self._units: Mapping[Name, str] = {}
        self._bars: tuple[int, dict[Name, str]] = (0, {})
        self._stack: Stack | None = None
        self._drawn_levels: tuple[int, list[Level]] = (0, [])
        self._rows: list[Row] = []
        self._looks = Looks(self)

    def show(
        self,
        series: Series,
        flags: Sequence[Raised],
        units: Mapping[Name, str],
        stack: Stack | None = None,
    ) -> None:
        self._series, self._flags, self._units, self._stack = series, flags, units, stack
        self._bars, self._drawn_levels = (0, {}), (0, [])
        self._lay()
        self.refresh(layout=True)

    def point(self, token: int) -> None:
        """The cursor to a token."""
        self.cursor = token
        self._lay()
        self.refresh()

    # ── columns ────────────────────────────────────────────────────────────────────────────

    @property
    def room(self) -> int:
        return max(8, self.size.width - NAME - VALUE)

    @property
    def edges(self) -> list[int]:
        """The tokens at which the columns begin, and the end."""
        count = max(1, min(self.room, len(self._series)))
        return [round(i * len(self._series) / count) for i in range(count + 1)]

    def column_of(self, token: int) -> int:
        count = len(self.edges) - 1
        return max(0, min(int(np.searchsorted(self.edges, token, side="right")) - 1, count - 1))

    def step(self, token: int, columns: int) -> int:
        """The token at which the column begins that is so many on."""
        edges = self.edges
        column = max(0, min(self.column_of(token) + columns, len(edges) - 2))
        return edges[column]

    # ── lines ──────────────────────────────────────────────────────────────────────────────

    def _lay(self) -> None:
        self._rows = list(self._listed()) if len(self._series) else []

    def _listed(self) -> Iterator[Row]:
        here, count = f"token {self.cursor + 1}", f"of {len(self._series)}"
        yield Row(here, count, self._ruler(), "ruler")
        bars, before = self._drawn_bars(), ""
        for name, column in self._series.columns.items():
            if name.plugin != before:
                before = name.plugin
                yield self._plugin_row(before)
                yield from self._levels() if before == SOURCES else ()
            value = measured(float(column[self.cursor]), self._units.get(name, ""))
            yield Row(f"  {name.value.replace('_', ' ')}", value, bars[name], "bars")

    def _plugin_row(self, plugin: str) -> Row:
        mine = [raised for raised in self._flags if raised.plugin == plugin]
        if mine:
            return Row(plugin, "", self._flag_line(mine), "flags")
        if plugin == SOURCES and self._stack is not None:
            return Row(plugin, self._series.said.get(plugin, ""), self._moved_line(), "flags")
        return Row(plugin, "", self._series.said.get(plugin, ""), "ruler")

    def _levels(self) -> Iterator[Row]:
        """The shares of the sources, one row above the other."""
        stack = self._stack
        if stack is None:
            return
        if self._drawn_levels[0] != self.room:
            self._drawn_levels = self.room, stack.levels(self.edges)
        for part, (cells, looks) in zip(stack.parts, self._drawn_levels[1], strict=True):
            yield Row(f"  {part.title}", stack.value(part, self.cursor), cells, "bars", looks)

    def _moved_line(self) -> str:
        """Where the tokens are that moved the shares most."""
        cells = [" "] * (len(self.edges) - 1)
        for first, _ in self._stack.along.spots if self._stack is not None else ():
            cells[self.column_of(self._series.token_at(first))] = MOVED
        return "".join(cells)

    def _ruler(self) -> str:
        cells = [REST] * (len(self.edges) - 1)
        for token in self._series.nodes:
            cells[self.column_of(token)] = SEAM
        cells[self.column_of(self.cursor)] = HERE
        return "".join(cells)

    def _flag_line(self, flags: Sequence[Raised]) -> str:
        cells = [" "] * (len(self.edges) - 1)
        for raised in flags:
            first, last = self.column_of(raised.start), self.column_of(raised.stop - 1)
            for column in range(first, last + 1):
                cells[column] = ALONG if cells[column] == " " else cells[column]
        for raised in sorted(flags, key=lambda one: one.flag.level == "flag"):
            cells[self.column_of(raised.stop - 1)] = glyphs.FLAGS[raised.flag.level]
        return "".join(cells)

    def _drawn_bars(self) -> dict[Name, str]:
        if self._bars[0] != self.room:
            edges = self.edges
            columns = self._series.columns.items()
            self._bars = self.room, {name: bars(binned(c, edges)) for name, c in columns}
        return self._bars[1]

    # ── drawing ────────────────────────────────────────────────────────────────────────────

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._rows)

    def on_resize(self) -> None:
        self._lay()
        self.refresh(layout=True)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._looks.clear()

    @property
    def allow_select(self) -> bool:
        return False

    def render(self) -> Content:
        return Content("\n").join(map(self._line, self._rows))

    def _line(self, row: Row) -> Content:
        name, value, strip, look, looks = row
        kind = "name" if name.startswith(" ") else "plugin"
        here = self.column_of(self.cursor) if look != "ruler" else len(strip)
        strip, _ = clip(visible(strip), self.room)
        cells = [(look,) if not looks else (look, looks[x]) for x in range(len(strip))]
        return Content.assemble(
            (_cell(name, NAME), self._looks.content(f"strips--{kind}")),
            (_cell(value, VALUE), self._looks.content("strips--value")),
            *self._pieces(strip, cells, here),
        )

    def _pieces(
        self, strip: str, cells: Sequence[tuple[str, ...]], here: int
    ) -> Iterator[tuple[str, Style]]:
        """Runs of cells that look alike; the one at the cursor stands out."""
        marked = [(*names, "here") if x == here else names for x, names in enumerate(cells)]
        at = 0
        for names, run in groupby(marked):
            count = len(list(run))
            style = self._looks.content(*(f"strips--{name}" for name in names if name))
            yield strip[at : at + count], style
            at += count

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.x >= NAME + VALUE and len(self._series):
            event.stop()
            edges = self.edges
            self.post_message(self.Sought(edges[min(offset.x - NAME - VALUE, len(edges) - 2)]))


def bars(values: Floats) -> str:
    """One bar each, over the whole range of them and 0; nothing where there is no value."""
    known = values[~np.isnan(values)]
    low, high = (min(0.0, float(known.min())), float(known.max())) if len(known) else (0.0, 0.0)
    size = high - low or 1.0
    most = len(glyphs.LEVELS) - 1
    return "".join(
        " "
        if np.isnan(value)
        else glyphs.LEVELS[max(0, min(most, round((value - low) / size * most)))]
        for value in values.tolist()
    )


def measured(value: float, unit: str) -> str:
    """Three figures or so, with the unit."""
    if np.isnan(value):
        return "–"
    if abs(value) < LEAST:
        value = 0.0
    digits = 0 if value == round(value) or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {visible(unit)}".rstrip()


def _cell(text: str, width: int) -> str:
    shown, used = clip(visible(text), width - 1)
    return shown + " " * (width - used)
