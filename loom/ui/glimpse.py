"""A first look at a session before the program is there: its text, where it is going to stand.

Drawn without Textual, which takes longer to load than a writer to see the text. How the page was
laid out is known from the last time; where it isn't, or where anything else is unusual, there is
nothing to see before the page itself.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loom.core.text import ALIGNED, visible
from loom.store.ending import End, end_of_text
from loom.ui.widgets.wrapping import glyphs, tab_width, wrap

try:
    import termios
except ImportError:  # another platform
    termios = None  # type: ignore[assignment]

NAME = "page.json"  # the file in the state folder
PATIENCE = 0.5  # seconds that are waited without a word
OPEN, SHUT = "\x1b[?1049h", "\x1b[?1049l"  # the screen that programs draw on
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
PLAIN = "\x1b[0m"


def terminal() -> list[Any]:
    """All that decides how a page looks on this terminal. Raises OSError where there is none."""
    names = ("TERM", "COLORTERM", "NO_COLOR")
    return [*os.get_terminal_size(2), *(os.environ.get(name, "") for name in names)]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the text stood on a page and how it looked: escape codes by what they are for, such as
    `page`, `bar` and `earlier writer`. Lines are wrapped at `width`."""

    terminal: list[Any]
    x: int
    y: int
    width: int
    height: int
    looks: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path) -> Layout | None:
        """What `save` wrote there, if it was on such a terminal."""
        try:
            layout = cls(**json.loads((folder / NAME).read_bytes()))
            fits = layout.terminal == terminal() and layout.width > 0
            return layout if fits else None
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def save(self, folder: Path) -> None:
        """It matters little if it is lost."""
        data = json.dumps(asdict(self)).encode()
        with suppress(OSError):
            if not (folder / NAME).is_file() or (folder / NAME).read_bytes() != data:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / NAME).write_bytes(data)


def drawn(layout: Layout, end: End) -> str:
    """The page with nothing on it but title and text."""
    columns, lines = layout.terminal[:2]
    page, bar = layout.looks["page"], layout.looks["bar"]
    rows = [f"{bar if y in (0, lines - 1) else page}{' ' * columns}" for y in range(lines)]
    title = visible(end.title)[: columns - 2]
    parts = [_at(0, 0), "\r\n".join(rows), _at(1, 0), layout.looks["title"], title]
    for row, line in enumerate(_lines(layout, end)):
        parts += [_at(layout.x, layout.y + row), line]
    return "".join((*parts, PLAIN))


def _at(x: int, y: int) -> str:
    return f"\x1b[{y + 1};{x + 1}H"


def _lines(layout: Layout, end: End) -> list[str]:
    """The last lines of the text, with its looks; wrapped from the beginning of a paragraph."""
    text, stops, looks = "", list[int](), list[str]()
    for number, (author, data) in enumerate(end.stretches, start=1):
        text += data.decode("utf-8", ALIGNED)
        stops.append(len(text))
        when = "current" if number == len(end.stretches) else "earlier"
        looks.append(layout.looks[f"{when} {author}"])
    lines = list(_wrapped(text, 0 if end.whole else text.find("\n") + 1, layout.width))
    if len(lines) < layout.height and not end.whole:  # lines may be cut elsewhere than on the page
        lines = list(_wrapped(text, 0, layout.width))
    seen = lines[-layout.height :]
    return [_line(line, at, stops, looks, layout.width) for at, line in seen]


def _wrapped(text: str, start: int, width: int) -> Iterator[tuple[int, str]]:
    """(character with which it begins, line) from character `start` on."""
    for paragraph in text[start:].split("\n"):
        safe = visible(paragraph.removesuffix("\r"))
        edges = [*wrap(safe, width), len(safe)]
        for first, last in zip(edges, edges[1:], strict=False):
            yield start + first, safe[first:last]
        start += len(paragraph) + 1


def _line(text: str, at: int, stops: Sequence[int], looks: Sequence[str], width: int) -> str:
    """`at`: the character of the whole with which it begins."""
    parts, before, column = list[str](), "", 0
    for glyph in glyphs(text):
        columns = glyph.width or tab_width(column, width)
        look = looks[min(bisect_right(stops, at + glyph.start), len(looks) - 1)]
        parts.append(
            ("" if look == before else look) + (glyph.drawn if glyph.width else " " * columns)
        )
        before, column = look, column + columns
    return "".join(parts)


class Glimpse:
    """Stands on the terminal from `with` on, until the program draws over it or the block ends."""

    def __init__(self, picture: str, busy: str = "", columns: int = 0) -> None:
        self._picture, self._busy, self._columns = picture, busy, columns
        self.stands = False
        self.attributes: list[Any] | None = None  # of the terminal, as they were before

    @classmethod
    def of(cls, session: Path | None, state: Path) -> Glimpse:
        """`state`: the folder in which the layout was kept."""
        layout = Layout.load(state) if session is not None and termios is not None else None
        end = end_of_text(session) if layout is not None and session is not None else None
        if layout is None or end is None:
            return cls("")
        try:
            return cls(drawn(layout, end), layout.looks["busy"], layout.terminal[0])
        except (KeyError, TypeError, ValueError):  # a layout that somebody else wrote
            return cls("")

    def __enter__(self) -> Glimpse:
        if self._picture and all(stream.isatty() for stream in (sys.stdin, sys.stderr)):
            self._keep_keys()
            self._write(OPEN + HIDE_CURSOR + self._picture)
            self.stands = True
        return self

    def __exit__(self, *_: object) -> None:
        if not self.stands:
            return
        self.stands = False
        self._write(SHUT + SHOW_CURSOR)
        if self.attributes is not None:
            with suppress(termios.error):
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self.attributes)

    def _keep_keys(self) -> None:
        """What is typed meanwhile waits for the program as it is; Ctrl+C still ends it."""
        with suppress(termios.error):
            self.attributes = termios.tcgetattr(sys.stdin)
            fresh = termios.tcgetattr(sys.stdin)
            fresh[0] &= ~(termios.IXON | termios.ICRNL | termios.INLCR | termios.IGNCR)
            fresh[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
            fresh[6][termios.VSUSP] = bytes([os.fpathconf(0, "PC_VDISABLE")])
            termios.tcsetattr(sys.stdin, termios.TCSANOW, fresh)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say in the first line what is being waited for, if the block takes a while."""
        said = _at(self._columns - len(what) - 3, 0) + self._busy + f"{what} …" + PLAIN
        timer = threading.Timer(PATIENCE, self._write, (said,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
