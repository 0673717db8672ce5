"""What is told of readings: nodes at once or a few together, a complaint once.

Knows who is to hear; not what was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from loom.changes import Change, Notice, Read

TELL_EVERY = 0.1  # seconds between two news of old nodes


class News:
    """`flagged` gives the nodes that have flags now."""

    def __init__(
        self, emit: Callable[[Change], None], flagged: Callable[[], AbstractSet[int]]
    ) -> None:
        self._emit, self._flagged = emit, flagged
        self._nodes: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._said: set[str] = set()

    def read(self, nodes: Iterable[int], *, urgent: bool) -> None:
        """These were read, or have lost their flags."""
        self._nodes.update(nodes)
        if urgent:
            self._tell()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELL_EVERY, self._tell)

    def complain(self, text: str, hint: str) -> None:
        """Once, however often it happens."""
        if text not in self._said:
            self._said.add(text)
            self._emit(Notice(text, hint, "warning"))

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        self.stop()
        nodes, self._nodes = frozenset(self._nodes), set()
        if nodes:
            self._emit(Read(nodes, nodes & self._flagged()))
