"""The sources in the lens: who leads at a place, and what one token did to that.

Knows posteriors; knows neither sessions nor widgets. Without a calibration no share is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.cells import cell_len

from loom.core.text import visible
from loom.instruments.sources.api import NULL, Posterior, Standing
from loom.ui import glyphs
from loom.ui.widgets import lens_lines
from loom.ui.widgets.lens_lines import Fact, Line, Part
from loom.ui.widgets.wrapping import clip
from loom.ui.worlds import NONE, UNASKED, Movement, null_rank, ranks

SHOWN = 4  # sources at a place
MOVED = 3  # sources of a token
RANK, SHARE, BITS = 3, 7, 7  # columns
NAME = 14
STALE = "·"  # beside what was not rescored
BADGE = "uncalibrated: ranks and bits only"
NOT_RESCORED = f"{STALE} not rescored here: the share it had"
ASKED = "read and asked; bits by reading"
BY_READING = "by reading"
NOT_ASKED = f"{UNASKED} by reading alone, not asked yet"


def evidence(bits: float) -> str:
    """+14.2, −3.1, +120."""
    digits = 0 if abs(bits) >= 100 else 1
    return f"{bits:+.{digits}f}".replace("-", "−")


def told(bits: float) -> str:
    """So many that two figures can be seen: 1.32, 0.21, 0.004 bits."""
    return f"{bits:.{2 if bits >= 0.1 or bits < 0.0005 else 3}f} bits"


def worlds(posterior: Posterior) -> str:
    count = posterior.worlds
    text = f"{count:.1f}" if count < 9.95 else f"{count:.0f}"
    return f"{text} world{'' if text == '1.0' else 's'}"


def at_place(posterior: Posterior, width: int, most: int = SHOWN) -> Iterator[Line]:
    """The likeliest, none of these, and how open it is."""
    yield lens_lines.heading("Sources", worlds(posterior), width)
    shown, null = posterior.standings[:most], null_rank(posterior)
    full = _full(posterior, shown)
    ranked = [(rank + (rank >= null), one) for rank, one in enumerate(shown, start=1)]
    rows = [(rank, _row(rank, one, width, posterior, full)) for rank, one in ranked]
    rows.append((null, _null_row(null, posterior, width, full)))
    for _, row in sorted(rows, key=lambda one: one[0]):
        yield row
    if not posterior.calibrated:
        yield ((clip(BADGE, width)[0], "note"),)
    if any(not one.rescored for one in shown):
        yield ((clip(NOT_RESCORED, width)[0], "note"),)
    if way := by_what(posterior):
        yield ((clip(way, width)[0], "note"),)


def by_what(posterior: Posterior) -> str:
    """It is believed by reading, or by asking, too; "" where there is one way only."""
    if posterior.read is not None:
        return ASKED
    return NOT_ASKED if posterior.unasked else ""


def _full(posterior: Posterior, shown: tuple[Standing, ...]) -> float:
    """The value at which a bar is full."""
    if not posterior.calibrated:
        return max(1.0, *(one.bits for one in shown)) if shown else 1.0
    return lens_lines.scale(max([posterior.null, *(one.probability for one in shown)]))


def _row(rank: int, one: Standing, width: int, posterior: Posterior, full: float) -> Line:
    value = one.probability if posterior.calibrated else one.bits
    share = glyphs.percent(one.probability) if posterior.calibrated else ""
    bits = evidence(one.bits) if one.rescored else STALE
    look = "token" if one.rescored else "rest"
    return _columns(rank, visible(one.short or one.name), look, value / full, share, bits, width)


def _null_row(rank: int, posterior: Posterior, width: int, full: float) -> Line:
    value = posterior.null if posterior.calibrated else 0.0
    share = glyphs.percent(posterior.null) if posterior.calibrated else ""
    return _columns(rank, NONE, "rest", value / full, share, "", width)


def _columns(
    rank: int, name: str, look: str, part: float, share: str, bits: str, width: int
) -> Line:
    fixed = RANK + BITS + (SHARE if share else 0)
    name_room = min(NAME, max(8, width - fixed - 3))
    bar = max(0, width - fixed - name_room - 1)
    shown, used = clip(name, name_room)
    parts: list[Part] = [
        (f"{rank:>{RANK - 1}} ", "rank"),
        (shown + " " * (name_room - used + 1), look),
        (glyphs.bar(part, bar), "bar"),
    ]
    if share:
        parts.append((f"{share:>{SHARE}}", "share"))
    return (*parts, (f"{bits:>{BITS}}", "mark"))


def along(posterior: Posterior) -> str:
    """By what the course is that leads there; "" where there is one way only."""
    return BY_READING if by_what(posterior) else ""


def of_token(
    movement: Movement, shorts: dict[str, str], width: int, calibrated: bool, by: str = ""
) -> Iterator[Line]:
    """What it did to what was believed: in bits, and who led before and after. `by`: what is to be
    said of how that is known (`along`)."""
    moved = "" if math.isnan(movement.moved) else f"moved {told(movement.moved)}"
    yield lens_lines.heading("Sources", moved, width)
    yield from _movers(movement, shorts, width, calibrated=calibrated)
    if not math.isnan(movement.expected):
        yield from lens_lines.fact(Fact("expected", told(movement.expected)), width)
    for note in (by, "" if calibrated else BADGE):
        if note:
            yield ((clip(note, width)[0], "note"),)


def _movers(
    movement: Movement, shorts: dict[str, str], width: int, *, calibrated: bool
) -> Iterator[Line]:
    known = not any(map(math.isnan, movement.before.tolist()))
    before, after = ranks(movement.before), ranks(movement.after)
    for column in movement.leaders(MOVED):
        name = movement.names[column]
        if calibrated:
            now = glyphs.percent(float(movement.after[column]))
            then = glyphs.percent(float(movement.before[column]))
        else:
            now, then = f"rank {after[column]}", f"{before[column]}"
        course = f"{then} → {now}" if known else now
        shown = visible(NONE if name == NULL else shorts.get(name, name))
        words, used = clip(shown, max(8, width - cell_len(course) - 1))
        gap = " " * max(1, width - used - cell_len(course))
        yield ((words, "rest" if name == NULL else "token"), (gap, "value"), (course, "share"))
