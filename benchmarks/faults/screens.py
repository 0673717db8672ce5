"""`kill -9` of the program on a terminal while somebody types in its editor."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from functools import partial
from pathlib import Path

import pexpect
import pyte

from benchmarks.faults.outcome import Outcome
from benchmarks.faults.witness import Lie
from loom.session import Session
from loom.store.examine import examine

ROWS, COLUMNS = 24, 80
PATIENCE = 90.0  # seconds
OLDEST = 1.0  # seconds by which a draft may be behind what was on the screen


class Screen:
    """The program in an editor; when each number typed was seen on the screen."""

    def __init__(self, session: Path) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "loom", "--model", "echo", str(session)],
            dimensions=(ROWS, COLUMNS),
            timeout=PATIENCE,
        )
        self.seen: list[float] = []

    @property
    def text(self) -> str:
        return " ".join(line.strip() for line in self._screen.display)

    def read(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self._stream.feed(self.process.read_nonblocking(1 << 16, timeout=left))
            except pexpect.TIMEOUT:
                return
            except pexpect.EOF as error:
                raise Lie(f"the program ended by itself: {self.text.strip()[:300]}") from error

    def wait(self, what: str) -> None:
        until = time.monotonic() + PATIENCE
        while what not in self.text:
            if time.monotonic() > until:
                raise Lie(f"{what!r} never came on the screen")
            self.read(0.05)

    def type(self, word: str) -> None:
        """A word and a space; when the word could be seen is noted."""
        self.process.send(f"{word} ")
        self.wait(word)
        self.seen.append(time.monotonic())


def typists(folder: Path, source: random.Random, count: int) -> Outcome:
    """Numbered words are typed until the program is killed; the draft is at most a second old."""
    outcome = Outcome("kill -9 of the screen while one types")
    for index in range(count):
        path = folder / f"typed-{index}.loom"
        outcome.attempt(f"kill {index}", partial(_typed, path, source))
        path.unlink(missing_ok=True)
    return outcome


def _typed(path: Path, source: random.Random) -> tuple[str, float]:
    screen = Screen(path)
    try:
        screen.wait("commits")
        killed = time.monotonic() + 0.3 + source.random() * 2.5
        while time.monotonic() < killed:
            screen.type(f"w{len(screen.seen)}")
    finally:
        screen.process.kill(9)
        moment = time.monotonic()
        screen.process.close(force=True)
    due = sum(1 for seen in screen.seen if moment - seen > OLDEST)
    session = Session.open(path)
    try:
        words = session.draft.text.split() if session.draft else []
    finally:
        asyncio.run(session.close())
    if words[:due] != [f"w{number}" for number in range(due)]:
        raise Lie(f"{due} words were on the screen for a second; the draft has {words}")
    if not examine(path).whole:
        raise Lie("the session is damaged")
    return "draft there", 1.0
