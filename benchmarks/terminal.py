"""A program behind a pseudo-terminal, as a user has it: keys in, frames out, both timed.

Knows bytes, frames and processes; knows nothing of what is on the screen.
"""

from __future__ import annotations

import fcntl
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROWS, COLUMNS = 40, 120
PATIENCE = 60.0  # seconds after which what was waited for is taken not to come
QUIET = 0.25  # seconds without output after which everything has been drawn

ASKS_FOR_FRAMES, HAS_FRAMES = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
FRAME_END = b"\x1b[?2026l"


class NeverSeen(RuntimeError):
    """What was waited for did not come."""


class Terminal:
    """Says that it can take frames whole, so that the end of each can be seen in the output."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path):
        self.output = bytearray()
        self._frames = False
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, **environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
            cwd=folder,
            start_new_session=True,
        )
        os.close(slave)

    def press(self, keys: str) -> float:
        """The moment at which they were pressed."""
        moment = time.perf_counter()
        os.write(self._master, keys.encode())
        return moment

    def mark(self) -> int:
        """Where the output stands now, all that has come read."""
        while self._read(0):
            pass
        return len(self.output)

    def shown(self, marker: bytes, since: int = 0) -> float:
        """The moment at which the frame with `marker` was whole. Raises NeverSeen."""
        deadline = time.perf_counter() + PATIENCE
        sought = since
        while True:
            at = self.output.find(marker, sought)
            if at >= 0 and (not self._frames or self.output.find(FRAME_END, at) >= 0):
                return time.perf_counter()
            sought = max(since, len(self.output) - len(marker)) if at < 0 else at
            if time.perf_counter() > deadline or self.process.poll() is not None:
                raise NeverSeen(f"{marker!r} was never shown")
            self._read(0.05)

    def page(self, marker: bytes) -> float:
        """The same for a frame of Textual's, whatever was drawn before it came."""
        self.shown(ASKS_FOR_FRAMES)
        return self.shown(marker, self.output.find(ASKS_FOR_FRAMES))

    def settle(self, quiet: float = QUIET) -> None:
        """Until nothing has been drawn for a while."""
        deadline = time.perf_counter() + PATIENCE
        while self._read(quiet) and time.perf_counter() < deadline:
            pass

    def watch(self, seconds: float) -> None:
        """Take in what is drawn meanwhile."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self._master, 1 << 18)
        except OSError:  # the other end is closed
            return False
        self.output += piece
        if not self._frames and ASKS_FOR_FRAMES in self.output:
            self._frames = True
            os.write(self._master, HAS_FRAMES)
        return bool(piece)

    # ── what it costs ──────────────────────────────────────────────────────────────────────

    def memory(self) -> int | None:
        """Bytes of the program's own process in memory; None where the system doesn't tell."""
        statm = Path(f"/proc/{self.process.pid}/statm")
        if not statm.exists():
            return None
        return int(statm.read_text().split()[1]) * resource.getpagesize()

    def computed(self) -> float | None:
        """Seconds of processor time of the program's own process so far."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return None
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the program, kindly at first."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        deadline = time.perf_counter() + 10
        while self.process.poll() is None and time.perf_counter() < deadline:
            self._read(0.05)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
