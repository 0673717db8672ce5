"""Pasted text taken as a whole.

Textual's parser of terminal input looks at every character by itself, a second for a megabyte,
and the keys typed meanwhile wait. There is no public way in: where its modules are other than
expected, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.message import Message

try:
    from textual._xterm_parser import XTermParser
    from textual.drivers import linux_driver
except ImportError:  # another platform or another Textual
    linux_driver = None  # type: ignore[assignment]

BEGIN, END = "\x1b[200~", "\x1b[201~"


def install() -> None:
    """For the apps that start from now on."""
    if linux_driver is not None and hasattr(linux_driver, "XTermParser"):
        linux_driver.XTermParser = PasteParser


if linux_driver is not None:

    class PasteParser(XTermParser):
        """What lies between the marks of a paste goes by its parent. A beginning that is cut in two
        by the terminal is the parent's to find, as slow as ever."""

        def __init__(self, debug: bool = False) -> None:
            super().__init__(debug)
            self._pasted: list[str] | None = None

        def feed(self, data: str) -> Iterable[Message]:
            if not data:  # the end of all input
                yield from super().feed(data)
                return
            while data:
                if self._pasted is None:
                    typed, begun, data = data.partition(BEGIN)
                    if typed:
                        yield from super().feed(typed)
                    self._pasted = [] if begun else None
                else:
                    whole, data = self._gather(data, self._pasted)
                    if whole is not None:
                        self._pasted = None
                        yield events.Paste(whole.replace("\x00", ""))

        @staticmethod
        def _gather(data: str, pasted: list[str]) -> tuple[str | None, str]:
            """(the paste if it is over, what comes after it)."""
            tail = "".join(pasted[-1:])[-len(END) :]
            text, ended, rest = (tail + data).partition(END)
            if tail:
                pasted[-1] = pasted[-1][: -len(tail)]
            pasted.append(text)
            return ("".join(pasted) if ended else None), rest
