"""Text as terminal cells: glyphs that take 1 or 2 columns, and where lines of a width begin.

Knows characters and columns; knows nothing of bytes, tokens, nodes or Textual.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from rich.cells import cell_len

TAB = 4  # columns between tab stops
PIECE = 4096  # characters wrapped at a time: most of a long line is plain where part of it isn't

_JOINER, _VARIATION = "\u200d", "\ufe0f"
_SIMPLE = re.compile("[\x20-\x7e\xa0-\xac\xae-\u02ff\u2013\u2014\u2018-\u201e\u2026]*")
_OPENING = frozenset("([{“‘«「『（〔［｛〈《【")
_CLOSING = frozenset(
    ")]}”’»」』）〕］｝〉》】、。，．！？：；,.!?:;…ーぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)
_SOFT_HYPHEN = "\xad"  # terminals disagree on its width


class Glyph(NamedTuple):
    """What is drawn as one unit: characters `start`..`stop` of the text, `width` columns.

    A tab has width 0 here: its columns depend on where it stands.
    """

    start: int
    stop: int
    drawn: str
    width: int


def is_simple(text: str) -> bool:
    """Whether every character is a glyph of one column, so that columns are characters."""
    return _SIMPLE.fullmatch(text) is not None


def glyphs(text: str) -> list[Glyph]:
    """Marks and joined emoji go with what they stand on; a mark on nothing gets a dotted circle.

    Expects no control characters but tabs. The glyphs cover every character of `text`.
    """
    if is_simple(text):
        return [Glyph(i, i + 1, character, 1) for i, character in enumerate(text)]
    found: list[Glyph] = []
    for i, character in enumerate(text):
        last = found[-1] if found else None
        if last is not None and _joins(text, last, i):
            found[-1] = _joined(text, last, i)
        else:
            found.append(_glyph(i, character))
    return found


def _glyph(i: int, character: str) -> Glyph:
    if character == "\t":
        return Glyph(i, i + 1, character, 0)
    shown = "‐" if character == _SOFT_HYPHEN else character
    if width := cell_len(shown):
        return Glyph(i, i + 1, shown, width)
    is_mark = unicodedata.category(character)[0] == "M" and character != _VARIATION
    return Glyph(i, i + 1, "◌" + character if is_mark else "◌", 1)


def _joins(text: str, last: Glyph, i: int) -> bool:
    if last.drawn == "\t":
        return False
    if text[i - 1] == _JOINER and last.width == 2 and cell_len(text[i]) == 2:
        return True
    return not cell_len(text[i]) and text[i] not in (_SOFT_HYPHEN, "\t")


def _joined(text: str, last: Glyph, i: int) -> Glyph:
    character = text[i]
    if (
        character == _JOINER
    ):  # drawn only between two pictures, else terminals disagree on its width
        return Glyph(last.start, i + 1, last.drawn, last.width)
    link = _JOINER if text[i - 1] == _JOINER and cell_len(character) else ""
    drawn = last.drawn + link + character
    return Glyph(last.start, i + 1, drawn, max(last.width, cell_len(drawn)))


def tab_width(column: int, width: int) -> int:
    """Columns of a tab at `column` of a line `width` wide: at least one, never past the edge."""
    return max(1, min(TAB - column % TAB, width - column))


def wrap(text: str, width: int, start: int = 0) -> list[int]:
    """Where lines begin, from character `start` (itself a beginning) on.

    Lines break after spaces, hyphens and between wide characters; words longer than a line are cut.
    A line takes `width` columns and, past the edge, one space.
    """
    starts, size = [start], PIECE
    while starts[-1] + size < len(text):
        at = starts[-1]
        # How the last line of a piece begins may hang on what comes after it.
        found = _wrap_piece(text[at : at + size], width)[1:-1]
        starts += [at + line for line in found]
        size = PIECE if found else 2 * size
    at = starts[-1]
    return starts + [at + line for line in _wrap_piece(text[at:], width)[1:]]


def _wrap_piece(text: str, width: int) -> list[int]:
    return _wrap_simple(text, width) if is_simple(text) else _wrap_glyphs(text, width)


def _wrap_simple(text: str, width: int) -> list[int]:
    starts, at, end = [0], 0, len(text)
    while end - at > width + (end - at == width + 1 and text[-1] == " "):
        at = _break_simple(text, at, width)
        starts.append(at)
    return starts


def _break_simple(text: str, at: int, width: int) -> int:
    best = text.rfind(" ", at, at + width + 1) + 1
    for hyphen in "-—":
        found = text.rfind(hyphen, max(at, best), at + width)
        while found > at and not _breaks_after_hyphen(text[found - 1], text[found + 1]):
            found = text.rfind(hyphen, max(at, best), found)
        if found > at:
            best = max(best, found + 1)
    return best if best > at else at + width


def _breaks_after_hyphen(before: str, after: str) -> bool:
    return before.isalnum() and after.isalnum()


def _wrap_glyphs(text: str, width: int) -> list[int]:
    units = glyphs(text)
    starts, first, column, best, i = [0], 0, 0, 0, 0
    while i < len(units):
        unit = units[i]
        blank = unit.drawn in " \t"
        taken = unit.width or tab_width(column, width)
        if column + taken > width + blank and i > first:
            first = best if best > first else i
            starts.append(units[first].start)
            column, i = 0, first
            continue
        column += taken
        i += 1
        if i < len(units) and _breaks_between(units, i, first):
            best = i
    return starts


def _breaks_between(units: list[Glyph], i: int, first: int) -> bool:
    """Whether a line that began with unit `first` may end before unit `i`."""
    before, after = units[i - 1], units[i]
    if before.drawn in " \t":
        return True
    if before.drawn in "-—":
        return i - 2 >= first and _breaks_after_hyphen(units[i - 2].drawn[-1], after.drawn[0])
    if before.width < 2 and after.width < 2:
        return False
    return before.drawn not in _OPENING and after.drawn not in _CLOSING and after.drawn != " "


def clip(text: str, width: int) -> tuple[str, int]:
    """As much of one line as fits, with … where it is cut, and the columns that takes."""
    if width <= 0:
        return "", 0
    if is_simple(text[: width + 1]):
        shown = text if len(text) <= width else text[: width - 1].rstrip() + "…"
        return shown, len(shown)
    used, shown, units = 0, "", glyphs(text)
    for i, unit in enumerate(units):
        room = width if i + 1 == len(units) else width - 1
        if used + max(1, unit.width) > room:
            return (shown + "…", used + 1) if used < width else (shown, used)
        shown += unit.drawn if unit.width else " "
        used += max(1, unit.width)
    return shown, used
