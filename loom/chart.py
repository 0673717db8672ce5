"""Lines over a common axis as an SVG picture: panels one below the other, with marks.

Knows numbers and names only. A line is told from the others by its dashes too, not by hue alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 150  # of the picture and of one panel, in points
LEFT, RIGHT, TOP, BETWEEN = 64, 130, 40, 34
INKS = (("#1f5fa8", ""), ("#b3471d", "6 3"), ("#3b7a3b", "2 3"), ("#7a3b7a", "8 3 2 3"))
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
    title: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()


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
    up = _Scale.over([y for line in panel.lines for y in line.values], bottom, top + 16)
    yield f'<text x="{LEFT}" y="{top + 10}" font-weight="bold">{escape(panel.title)}</text>'
    for tick in up.ticks():
        y = up(tick)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>'
    for tick in across.ticks():
        yield f'<text x="{across(tick)}" y="{bottom + 14}" text-anchor="middle">{tick:g}</text>'
    for index, line in enumerate(panel.lines):
        ink, dashes = INKS[index % len(INKS)]
        stroke = f'stroke="{ink}" stroke-width="1.4" stroke-dasharray="{dashes}"'
        yield f'<path d="{_path(line, across, up)}" fill="none" {stroke}/>'
        y = top + 26 + 16 * index
        yield f'<path d="M{WIDTH - RIGHT + 8} {y - 4}h22" fill="none" {stroke}/>'
        yield f'<text x="{WIDTH - RIGHT + 34}" y="{y}">{escape(line.name)}</text>'
    for mark in panel.marks:
        x = across(mark.place)
        yield f'<path d="M{x} {top + 16}V{bottom}" stroke="#a00" stroke-dasharray="1 2"/>'
        yield f'<text x="{x + 3}" y="{top + 24}" fill="#a00">{escape(mark.name)}</text>'


def _path(line: Line, across: _Scale, up: _Scale) -> str:
    parts, pen = [], "M"
    for x, y in zip(line.places, line.values, strict=True):
        if not math.isfinite(y):
            pen = "M"
            continue
        parts.append(f"{pen}{across(x)} {up(y)}")
        pen = "L"
    return "".join(parts)
