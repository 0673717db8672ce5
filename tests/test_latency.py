"""A line with 300 ms of latency: what is typed ahead arrives late, in lumps and in pieces."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
import pytest

import loom

ROWS, COLUMNS = 30, 100
PATIENCE = 60.0
LATENCY = 0.3  # seconds, each way
GAP = 0.03  # seconds between the pieces of a torn escape sequence
OPENING = "The lighthouse keeper had not spoken"
FINISHED = re.compile(r"tok(?:ens)? · (?:full|the end)")  # on a card
LEFT, RIGHT, UP, DOWN = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
ESC, CTRL_G = "\x1b", "\x07"


class SlowLine:
    """Keys reach the program, and its screen the writer, LATENCY later than they were sent."""

    def __init__(self, folder: Path) -> None:
        environment = {
            **os.environ,
            "LOOM_HOME": str(folder / "home"),
            "PYTHONPATH": str(Path(loom.__file__).parents[1]),
            "TERM": "xterm-256color",
            "ESCDELAY": "500",  # ms; the sender can't keep to GAP while the machine is busy
            "LC_ALL": "C.UTF-8",
        }
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._out: deque[tuple[float, str]] = deque()
        self._back: deque[tuple[float, bytes]] = deque()
        self._free = 0.0
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "loom", "--model", "echo", "story.loom"],
            env=environment,
            cwd=str(folder),
            dimensions=(ROWS, COLUMNS),
        )

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def send(self, keys: str) -> None:
        """As one packet."""
        self._free = max(self._free, time.monotonic())
        self._out.append((self._free + LATENCY, keys))

    def tear(self, keys: str) -> None:
        """Byte by byte, a packet each."""
        for key in keys:
            self.send(key)
            self._free += GAP

    def wait_for(self, text: str) -> None:
        self._wait(repr(text), lambda: text in self.text)

    def wait_for_cards(self, count: int) -> None:
        """So many that grow no more."""
        self._wait(f"{count} finished cards", lambda: len(FINISHED.findall(self.text)) >= count)

    def _wait(self, what: str, seen: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not seen():
            if time.monotonic() > deadline:
                pytest.fail(f"never saw {what}:\n{self.text}")
            self._carry()

    def pause(self, seconds: float) -> None:
        """The writer waits."""
        end = max(self._free, time.monotonic()) + seconds
        while time.monotonic() < end:
            self._carry()

    def _carry(self) -> None:
        now = time.monotonic()
        while self._out and self._out[0][0] <= now:
            self.process.send(self._out.popleft()[1])
        while self._back and self._back[0][0] <= now:
            self._stream.feed(self._back.popleft()[1])
        try:
            drawn = self.process.read_nonblocking(65536, 0.005)
            self._back.append((time.monotonic() + LATENCY, drawn))
        except pexpect.TIMEOUT:
            pass


def test_nothing_typed_over_a_slow_line_is_lost_or_misread(tmp_path: Path) -> None:
    line = SlowLine(tmp_path)
    try:
        line.wait_for("A new session")
        line.tear(OPENING)
        line.tear(LEFT + LEFT + RIGHT + RIGHT)  # in the editor; no Esc among them commits it
        line.send(" to anyone" + CTRL_G)  # typed ahead of all that is seen
        line.wait_for_cards(4)
        assert OPENING + " to anyone" in line.text, line.text
        line.send("2")
        line.wait_for("Nothing has grown here yet")
        line.tear(LEFT)
        line.wait_for_cards(4)
        line.send("i" + " ever" + ESC)  # opened, written in and left before it is seen
        line.wait_for("6 nodes")
        line.send("u")
        line.wait_for_cards(4)
        line.send("q")
        deadline = time.monotonic() + PATIENCE
        while line.process.isalive() and time.monotonic() < deadline:
            try:
                line._carry()
            except pexpect.EOF:
                break
        line.process.wait()
        assert line.process.exitstatus == 0
    finally:
        line.process.close(force=True)
