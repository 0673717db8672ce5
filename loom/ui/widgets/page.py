"""The bytes of a path as wrapped lines: where each byte stands and what is drawn there.

Wraps by paragraph and, when text is appended, from the last line on only. Knows nothing of nodes,
tokens or Textual.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loom.core.text import ALIGNED, byte_offsets, visible
from loom.ui.widgets.wrapping import glyphs, is_simple, tab_width, wrap

Offsets = NDArray[np.int32]

UNSETTLED = 4  # characters at the end of a text that more bytes may turn into another one


class Line(NamedTuple):
    """Bytes `start`..`stop` of the page; what lies after `text_stop` is a line end, not drawn.

    Cell i is `drawn[i]`, begins at byte `bytes[i]` and takes `widths[i]` columns; one column each
    where `widths` is None.
    """

    start: int
    text_stop: int
    stop: int
    drawn: Sequence[str]
    bytes: Sequence[int]
    widths: Sequence[int] | None

    @property
    def width(self) -> int:
        return self.columns(0, len(self.drawn))

    def columns(self, first: int, last: int) -> int:
        """Columns of the cells from `first` up to `last`."""
        return last - first if self.widths is None else sum(self.widths[first:last])

    def column(self, byte: int) -> int:
        """Columns before the cell that holds `byte`."""
        if byte >= self.text_stop:
            return self.width
        return self.columns(0, max(0, bisect_right(self.bytes, byte) - 1))

    def byte(self, column: int) -> int | None:
        """The byte drawn at `column`; None right of the last cell."""
        for byte, width in zip(self.bytes, self.widths or (1,) * len(self.bytes), strict=True):
            column -= width
            if column < 0:
                return byte
        return None


@dataclass(slots=True)
class Paragraph:
    """`text` is safe to draw and has no line end; `offsets` are the bytes at which its characters
    begin, and where the last one ends; None where every character is one byte. Lines begin at the
    characters `starts`."""

    data: bytes
    text: str
    offsets: Offsets | None
    starts: list[int]

    def byte(self, character: int) -> int:
        return character if self.offsets is None else int(self.offsets[character])

    def character(self, byte: int) -> int:
        """The character that `byte` lies in; the end for a byte of the line end."""
        if byte >= self.byte(len(self.text)):
            return len(self.text)
        if self.offsets is None:
            return byte
        return int(np.searchsorted(self.offsets, byte, side="right")) - 1

    def line_of(self, byte: int) -> int:
        return bisect_right(self.starts, self.character(byte)) - 1


def _read(data: bytes) -> tuple[str, Offsets | None]:
    """Text to draw, and the byte offsets of its characters; `data` has no line end."""
    text = data.decode("utf-8", ALIGNED)
    if len(text) == len(data):
        return visible(text), None
    return visible(text), byte_offsets(text)


def _cells(
    paragraph: Paragraph, start: int, stop: int, width: int
) -> tuple[Sequence[str], list[int] | slice | None, list[int] | None]:
    """(drawn, characters after `start`, widths) of a line's cells; characters None: a byte each."""
    text = paragraph.text[start:stop]
    if is_simple(text):
        return text, None if paragraph.offsets is None else slice(len(text)), None
    drawn, characters, widths, column = [], [], [], 0
    for glyph in glyphs(text):
        columns = glyph.width or tab_width(column, width)
        drawn.append(glyph.drawn if glyph.width else " " * columns)
        characters.append(glyph.start)
        widths.append(columns)
        column += columns
    return drawn, characters, widths


def _without_line_end(data: bytes) -> bytes:
    if not data.endswith(b"\n"):
        return data
    return data[:-2] if data.endswith(b"\r\n") else data[:-1]


def _paragraph(data: bytes, width: int) -> Paragraph:
    text, offsets = _read(_without_line_end(data))
    return Paragraph(data, text, offsets, wrap(text, width))


def _continued(old: Paragraph, line: int, data: bytes, width: int) -> Paragraph:
    """The paragraph `data`, which is `old` up to where `line` begins."""
    begin = old.starts[line]
    if begin == 0:
        return _paragraph(data, width)
    base = old.byte(begin)
    tail, tail_offsets = _read(_without_line_end(data)[base:])
    text = old.text[:begin] + tail
    offsets = None
    if old.offsets is not None or tail_offsets is not None:
        head = _all_offsets(old.offsets, begin)[:begin]
        offsets = np.concatenate([head, base + _all_offsets(tail_offsets, len(tail))])
    return Paragraph(data, text, offsets, old.starts[:line] + wrap(text, width, begin))


def _all_offsets(offsets: Offsets | None, characters: int) -> Offsets:
    return np.arange(characters + 1, dtype=np.int32) if offsets is None else offsets


class Page:
    """Bytes wrapped at a width. There is always a last paragraph, empty after a line end."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._paragraphs = [_paragraph(b"", width)]
        self._bytes = [0]  # where each paragraph begins
        self._lines = [0]  # its first line

    @property
    def width(self) -> int:
        return self._width

    @property
    def length(self) -> int:
        """Bytes."""
        return self._bytes[-1] + len(self._paragraphs[-1].data)

    @property
    def line_count(self) -> int:
        return self._lines[-1] + len(self._paragraphs[-1].starts)

    def set_width(self, width: int) -> None:
        if width == self._width:
            return
        self._width = width
        line = 0
        for i, paragraph in enumerate(self._paragraphs):
            paragraph.starts = wrap(paragraph.text, width)
            self._lines[i] = line
            line += len(paragraph.starts)

    def replace_tail(self, keep: int, tail: bytes) -> int:
        """Keep the first `keep` bytes and put `tail` after them; the first line that changed."""
        index = bisect_right(self._bytes, keep) - 1
        old, inner = self._paragraphs[index], keep - self._bytes[index]
        line = bisect_right(old.starts, max(0, old.character(inner) - UNSETTLED)) - 1
        first, *rest = _split(old.data[:inner] + tail)
        fresh = [_continued(old, line, first, self._width)]
        fresh += [_paragraph(piece, self._width) for piece in rest]
        self._put(index, fresh)
        return self._lines[index] + line

    def _put(self, index: int, paragraphs: Sequence[Paragraph]) -> None:
        byte, line = self._bytes[index], self._lines[index]
        del self._paragraphs[index:], self._bytes[index:], self._lines[index:]
        for paragraph in paragraphs:
            self._paragraphs.append(paragraph)
            self._bytes.append(byte)
            self._lines.append(line)
            byte += len(paragraph.data)
            line += len(paragraph.starts)

    def line(self, y: int) -> Line:
        """Raises IndexError outside the page."""
        if not 0 <= y < self.line_count:
            raise IndexError(y)
        index = bisect_right(self._lines, y) - 1
        paragraph, base = self._paragraphs[index], self._bytes[index]
        row = y - self._lines[index]
        start = paragraph.starts[row]
        is_last = row + 1 == len(paragraph.starts)
        stop = len(paragraph.text) if is_last else paragraph.starts[row + 1]
        end = len(paragraph.data) if is_last else paragraph.byte(stop)
        drawn, offsets, widths = _cells(paragraph, start, stop, self._width)
        first, text_stop = base + paragraph.byte(start), base + paragraph.byte(stop)
        bytes_ = (
            range(first, text_stop)
            if offsets is None
            else (base + _all_offsets(paragraph.offsets, stop)[start:][offsets]).tolist()
        )
        return Line(first, text_stop, base + end, drawn, bytes_, widths)

    def line_of(self, byte: int) -> int:
        """The line that holds `byte`; the last one for the end of the page."""
        index = bisect_right(self._bytes, byte) - 1
        return self._lines[index] + self._paragraphs[index].line_of(byte - self._bytes[index])

    def around(self, byte: int, reach: int) -> tuple[int, bytes]:
        """(start, bytes) of the paragraphs about `byte`, at most `reach` bytes to either side."""
        index = bisect_right(self._bytes, byte) - 1
        first, last = max(0, index - 1), min(len(self._paragraphs), index + 2)
        base = self._bytes[first]
        data = b"".join(paragraph.data for paragraph in self._paragraphs[first:last])
        start = max(0, byte - base - reach)
        return base + start, data[start : byte - base + reach]


def _split(data: bytes) -> Sequence[bytes]:
    """Paragraphs with their line ends; the last has none and may be empty."""
    *whole, last = data.split(b"\n")
    return [*(piece + b"\n" for piece in whole), last]
