"""Lines and stacks over a common axis as an SVG picture: panels one below the other, with marks.

Knows numbers and names only. A line is told from the others by its dashes too, a layer of a stack
by its name beside it, neither by hue alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 150  # of the picture and of one panel, in points
LEFT, RIGHT, TOP, BETWEEN = 64, 130, 40, 34
INKS = (("#1f5fa8", ""), ("#b3471d", "6 3"), ("#3b7a3b", "2 3"), ("#7a3b7a", "8 3 2 3"))
FILLS = ("#9cb8d9", "#e0a98c", "#a9cba4", "#c9a7cb", "#e3d08f", "#8fc7c9", "#d99cae", "#b5b0e0")
REST = "#e6e6e6"  # of layers beyond these
LABEL = 13  # points from one name to the next below it, at least
ROWS, LETTER = 4, 6  # of the names of marks; points that a letter of them takes
TICKS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """`values` at `places`; what isn't finite leaves a gap."""

    name: str
    places: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place that is pointed out."""

    place: float
    name: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines; `stacked`, they are layers one on the other, shares of 1, the first at the bottom, and
    what there is beyond len(FILLS) of them is grey. Without a `scale` no numbers stand beside."""

    title: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    stacked: bool = False
    scale: bool = True


def svg(title: str, axis: str, panels: Sequence[Panel]) -> str:
    """The picture; `axis` says what the places are."""
    height = TOP + len(panels) * (HEIGHT + BETWEEN) + 10
    places = [x for panel in panels for line in panel.lines for x in line.places]
    across = _Scale.over(places, LEFT, WIDTH - RIGHT)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>',
    ]
    for index, panel in enumerate(panels):
        body += _panel(panel, across, TOP + index * (HEIGHT + BETWEEN))
    body.append(
        f'<text x="{WIDTH - RIGHT}" y="{height - 4}" text-anchor="end">{escape(axis)}</text></svg>'
    )
    return "\n".join(body) + "\n"


@dataclass(frozen=True, slots=True)
class _Scale:
    """From a number to a place in the picture."""

    low: float
    high: float
    first: float
    last: float

    @classmethod
    def over(cls, numbers: Sequence[float], first: float, last: float) -> _Scale:
        finite = [n for n in numbers if math.isfinite(n)] or [0.0]
        low, high = min(finite), max(finite)
        return cls(low, high if high > low else low + 1, first, last)

    def __call__(self, number: float) -> float:
        share = (number - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)

    def ticks(self) -> Iterator[float]:
        """Round numbers inside."""
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough)
        at = math.ceil(self.low / step) * step
        while at <= self.high + step / 1e6:
            yield round(at, 12)
            at += step


def _panel(panel: Panel, across: _Scale, top: float) -> Iterator[str]:
    bottom = top + HEIGHT
    values = [0.0, 1.0] if panel.stacked else [y for line in panel.lines for y in line.values]
    up = _Scale.over(values, bottom, top + 16)
    yield f'<text x="{LEFT}" y="{top + 10}" font-weight="bold">{escape(panel.title)}</text>'
    for tick in up.ticks() if panel.scale else ():
        y = up(tick)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>'
    for tick in across.ticks():
        yield f'<text x="{across(tick)}" y="{bottom + 14}" text-anchor="middle">{tick:g}</text>'
    yield from (_layers if panel.stacked else _curves)(panel.lines, across, up, top)
    yield from _marks(panel.marks, across, top, bottom)


def _marks(marks: Sequence[Mark], across: _Scale, top: float, bottom: float) -> Iterator[str]:
    """A name that would run into one before it stands a row lower, as long as there are rows."""
    free = [-math.inf] * ROWS
    for mark in sorted(marks, key=lambda mark: mark.place):
        x = across(mark.place)
        row = next((row for row in range(ROWS) if free[row] <= x), free.index(min(free)))
        free[row] = x + 6 + LETTER * len(mark.name)
        y = top + 24 + LABEL * row
        yield f'<path d="M{x} {top + 16}V{bottom}" stroke="#a00" stroke-dasharray="1 2"/>'
        yield f'<text x="{x + 3}" y="{y}" fill="#a00">{escape(mark.name)}</text>'


def _curves(lines: Sequence[Line], across: _Scale, up: _Scale, top: float) -> Iterator[str]:
    for index, line in enumerate(lines):
        ink, dashes = INKS[index % len(INKS)]
        stroke = f'stroke="{ink}" stroke-width="1.4" stroke-dasharray="{dashes}"'
        yield f'<path d="{_path(line, across, up)}" fill="none" {stroke}/>'
        if line.name:
            y = top + 26 + 16 * index
            yield f'<path d="M{WIDTH - RIGHT + 8} {y - 4}h22" fill="none" {stroke}/>'
            yield f'<text x="{WIDTH - RIGHT + 34}" y="{y}">{escape(line.name)}</text>'


def _layers(lines: Sequence[Line], across: _Scale, up: _Scale, top: float) -> Iterator[str]:
    """Each from the top of the one before it; its name stands where it is in the end."""
    below = [0.0] * (len(lines[0].places) if lines else 0)
    ends: list[float] = []
    for index, line in enumerate(lines):
        above = [low + value for low, value in zip(below, line.values, strict=True)]
        edge = _path(Line("", line.places, above), across, up)
        back = _path(Line("", line.places[::-1], below[::-1]), across, up).replace("M", "L", 1)
        fill = FILLS[index] if index < len(FILLS) else REST
        yield f'<path d="{edge}{back}Z" fill="{fill}" stroke="#fff" stroke-width="0.6"/>'
        ends.append(up((below[-1] + above[-1]) / 2) if above else up(0))
        below = above
    named = [(end, line.name) for end, line in zip(ends, lines, strict=True) if line.name]
    x = WIDTH - RIGHT
    for (end, name), y in zip(named, _apart([end for end, _ in named], top + 20), strict=True):
        yield f'<path d="M{x} {end}L{x + 10} {y}h4" fill="none" stroke="#888"/>'
        yield f'<text x="{x + 17}" y="{round(y + 4, 1)}">{escape(name)}</text>'


def _apart(ends: Sequence[float], top: float) -> list[float]:
    """Heights falling towards the top, at least LABEL from one another and below `top`."""
    lowest = [top + LABEL * (len(ends) - 1 - index) for index in range(len(ends))]
    places: list[float] = []
    for end, least in zip(ends, lowest, strict=True):
        places.append(max(min(end, places[-1] - LABEL) if places else end, least))
    return [round(place, 1) for place in places]


def _path(line: Line, across: _Scale, up: _Scale) -> str:
    parts, pen = [], "M"
    for x, y in zip(line.places, line.values, strict=True):
        if not math.isfinite(y):
            pen = "M"
            continue
        parts.append(f"{pen}{across(x)} {up(y)}")
        pen = "L"
    return "".join(parts)
