"""The file a child process's stderr goes to: kept at a sane size, and its last lines for people.

The child writes to it directly (appending), so nothing is lost with the parent. Knows no process.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from loom.core.text import visible

LIMIT = 1 << 20  # bytes; twice this is the most that is kept, in the log and its `.1`
_TAIL = 1 << 14
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class ProcessLog:
    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path = path
        self._limit = limit
        self._start = 0

    def open(self) -> int:
        """A file descriptor to hand to a child that starts now; the caller closes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.trim()
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._start = os.fstat(fd).st_size
        return fd

    def trim(self) -> None:
        """Moves the contents to `.1` when they have grown too large; the writer goes on."""
        try:
            if self.path.stat().st_size <= self._limit:
                return
            with self.path.open("r+b") as log:
                log.seek(-self._limit, os.SEEK_END)
                self.path.with_name(self.path.name + ".1").write_bytes(log.read())
                log.truncate(0)
        except OSError:
            return
        self._start = 0

    def last_lines(self, count: int) -> tuple[str, ...]:
        """The last non-empty lines since `open`, without anything a terminal would obey."""
        try:
            with self.path.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._start if self._start <= size else 0, size - _TAIL))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ()
        lines = [visible(line) for line in _ESCAPE.sub("", text).splitlines()]
        return tuple([line.rstrip() for line in lines if line.strip()][-count:])
