"""Work that many changes a second ask for, done at once and then a few times a second.

Knows a widget's timers; knows nothing of the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from textual.timer import Timer
from textual.widget import Widget


class Pace:
    """Between two runs of `work` lie `seconds`; it is then given all nodes asked for meanwhile."""

    def __init__(self, widget: Widget, seconds: float, work: Callable[[set[int]], None]) -> None:
        self._widget, self._seconds, self._work = widget, seconds, work
        self._waiting: set[int] = set()
        self._rest: Timer | None = None
        self._held_until, self._was_held = 0.0, False

    def hold(self, seconds: float) -> None:
        """Begin nothing for so long; asked for again and again, it is granted once a run."""
        if not self._was_held:
            self._was_held, self._held_until = True, time.monotonic() + seconds

    def ask(self, nodes: Iterable[int]) -> None:
        self._waiting.update(nodes)
        if self._rest is None:
            self._run()

    def _run(self) -> None:
        held = self._held_until - time.monotonic()
        if held > 0:
            self._rest = self._widget.set_timer(held, self._run)
            return
        nodes, self._waiting, self._rest = self._waiting, set(), None
        self._was_held = False
        if nodes:
            self._rest = self._widget.set_timer(self._seconds, self._run)
            self._work(nodes)
