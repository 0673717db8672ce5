"""What plugins must not do to the process they share: noticed, and laid at the right door.

Printing goes to a file of its own and is found there. Starting processes is refused by an audit
hook. Memory is limited by the kernel (RLIMIT_DATA: what a process may write to, so that reserved
addresses and mapped libraries don't count, as they would with RLIMIT_AS) and the one under which
it has grown is named. No protection against malice: plugins have the user's rights.
"""

from __future__ import annotations

import io
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loom.core.text import decode, visible

MEMORY = 1 << 30  # bytes that all plugins together may take beyond what they were loaded with
_SHOWN = 4096  # bytes of what was printed
_STARTS = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "subprocess.Popen",
    }
)


class Misdeed(Exception):
    """What a plugin did besides its work; a sentence without its name."""


class OutOfMemory(Misdeed):
    """`culprit` is the plugin under which the process has grown most."""

    def __init__(self, culprit: str) -> None:
        super().__init__(f"it took more than {MEMORY >> 20:,} MB of memory")
        self.culprit = culprit


class Guard:
    """One for a process; `install` before any plugin is loaded, `limit` after all are."""

    def __init__(self) -> None:
        self._printed, path = tempfile.mkstemp()
        Path(path).unlink()
        self._watching = False
        self._started = ""
        self._grown: dict[str, int] = {}
        self._taken = _Taken()

    def install(self) -> None:
        os.dup2(self._printed, 1)
        sys.stdout = io.TextIOWrapper(
            os.fdopen(os.dup(1), "wb", 0), encoding="utf-8", errors="replace", write_through=True
        )
        sys.addaudithook(self._audit)

    def limit(self, memory: int = MEMORY) -> None:
        """From now on what is taken beyond `memory` bytes more is refused; where it can be."""
        taken = self._taken.now()
        if taken is None:
            return
        with suppress(OSError, ValueError):
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (taken + memory, hard))

    def forget_printed(self) -> str:
        """What was printed since, which is moved to the log."""
        length = os.lseek(self._printed, 0, os.SEEK_CUR)
        if not length:
            return ""
        text = decode(os.pread(self._printed, _SHOWN, 0))
        os.lseek(self._printed, 0, os.SEEK_SET)
        os.ftruncate(self._printed, 0)
        print(text, file=sys.stderr)
        return text

    @contextmanager
    def watching(self, plugin: str) -> Iterator[None]:
        """Raises Misdeed after the block for what happened in it and raised nothing."""
        before, self._started, self._watching = self._taken.now(), "", True
        try:
            yield
        except MemoryError:
            self._count(plugin, before)
            raise OutOfMemory(max(self._grown, key=lambda name: self._grown[name])) from None
        finally:
            self._watching = False
            printed = self.forget_printed()
        self._count(plugin, before)
        if self._started:
            raise Misdeed(self._started)
        if printed:
            raise Misdeed(f"it printed {ascii(visible(printed.strip())[:40])}")

    def _count(self, plugin: str, before: int | None) -> None:
        grown = (self._taken.now() or 0) - (before or 0)
        self._grown[plugin] = self._grown.get(plugin, 0) + grown

    def _audit(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self._watching and event in _STARTS:
            self._started = f"it tried to start a process ({event})"
            raise Misdeed(self._started)


class _Taken:
    """Bytes the process may write to, as RLIMIT_DATA counts them; None where it can't be told."""

    def __init__(self) -> None:
        self._page = resource.getpagesize()
        try:
            self._file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1

    def now(self) -> int | None:
        if self._file < 0:
            return None
        try:
            return int(os.pread(self._file, 256, 0).split()[5]) * self._page
        except OSError:  # a plugin has closed it
            return None
