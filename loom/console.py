"""Where a command's answer goes: facts as JSON or lines for a reader on stdout, the rest on stderr.

Knows streams and terminals; knows no session. Model text must pass through `core.text.visible`
before it gets here; JSON is plain ASCII, so nothing in it can steer a terminal.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from loom.core.text import visible

STYLES = {"dim": "2", "bold": "1", "underline": "4"}
BAR = 24  # cells of a progress bar
PATIENCE = 0.5  # seconds that are waited without a word
CLEAR_LINE = "\r\x1b[2K"

Facts = Mapping[str, Any]


class CommandError(Exception):
    """What was asked for can't be done: the message says what and why, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CommandError):
    """The command line itself is wrong; exits with 2."""


@dataclass(frozen=True, slots=True)
class Console:
    """`styled` is about stdout, `live` about progress on stderr."""

    out: TextIO
    err: TextIO
    json: bool = False
    styled: bool = False
    live: bool = False
    width: int = 80

    @classmethod
    def of_process(cls, *, json: bool) -> Console:
        """The process's own streams, as the environment asks for them."""
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        return cls(
            out=sys.stdout,
            err=sys.stderr,
            json=json,
            styled=sys.stdout.isatty() and not plain,
            live=sys.stderr.isatty() and os.environ.get("TERM") != "dumb",
            width=shutil.get_terminal_size((80, 24)).columns,
        )

    def answer(self, facts: Callable[[], Facts], lines: Callable[[], Iterable[str]]) -> None:
        """Print one of the two; the other is never made."""
        if self.json:
            self.out.write(to_json(facts()) + "\n")
        else:
            self.out.writelines(line + "\n" for line in lines())
        self.out.flush()

    def fail(self, message: str, hint: str = "") -> None:
        """Say on stderr what went wrong."""
        if self.json:
            self.err.write(to_json({"error": message, "hint": hint}) + "\n")
        else:
            self.err.write(visible(f"loom: {message}\n" + (f"  {hint}\n" if hint else "")))
        self.err.flush()

    def note(self, text: str) -> None:
        """A remark for the person at the terminal; silent in scripts that read JSON."""
        if not self.json:
            self.err.write(visible(f"{text}\n"))
            self.err.flush()

    def style(self, text: str, name: str) -> str:
        return f"\x1b[{STYLES[name]}m{text}\x1b[0m" if self.styled else text

    def progress(self, what: str, fraction: float | None) -> None:
        """Redraw the one line of progress; without a terminal on stderr nothing is written."""
        if not self.live:
            return
        line = what if fraction is None else f"{bar(fraction)} {what}"
        self.err.write(CLEAR_LINE + line[: max(self.width - 1, 1)])
        self.err.flush()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say what is being waited for, if the block takes a while."""
        timer = threading.Timer(PATIENCE, self.progress, (f"{what} …", None))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            self.end_progress()

    def end_progress(self) -> None:
        if self.live:
            self.err.write(CLEAR_LINE)
            self.err.flush()


def bar(fraction: float) -> str:
    """`fraction` of a bar of BAR cells; outside 0–1 it is full or empty."""
    full = round(min(max(fraction, 0.0), 1.0) * BAR)
    return "━" * full + "─" * (BAR - full)


def to_json(facts: Facts) -> str:
    """One line of ASCII; DEL is escaped too. An infinite or undefined number becomes null."""
    text = json.dumps(_finite(facts), ensure_ascii=True, allow_nan=False)
    return text.replace("\x7f", "\\u007f")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
