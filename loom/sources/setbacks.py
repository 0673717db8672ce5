"""What goes wrong while sources are weighed: said once, and not tried over and over.

Knows errors; not what was being weighed.
"""

from __future__ import annotations

from collections.abc import Callable

from loom.changes import Change, Notice
from loom.engine.api import EngineError
from loom.mistakes import admit

FAILURES = 3  # in a row
DEATHS = 2
HINT = "Ask for a node to be weighed, or choose another source set, to try again."


class Setbacks:
    """`off`: nothing more is weighed unless the writer asks for it."""

    def __init__(self, emit: Callable[[Change], None]) -> None:
        self._emit = emit
        self.off = False
        self._failures = self._deaths = 0

    def forget(self) -> None:
        """Another engine or set, or the writer wants to see for himself."""
        self.off, self._failures, self._deaths = False, 0, 0

    def went_well(self) -> None:
        self._failures = 0

    def refused(self, error: EngineError) -> None:
        """The engine can't do it at all."""
        if not self.off:
            self._emit(Notice(str(error), error.hint, "warning"))
        self.off = True

    def failed(self, error: EngineError) -> None:
        """One node could not be weighed."""
        self._failures += 1
        if self._failures == 1 and not self.off:
            what = f"A node's sources could not be weighed: {error}"
            self._emit(Notice(what, error.hint or HINT, "warning"))
        self.off = self.off or self._failures >= FAILURES

    def lost(self, error: EngineError) -> None:
        """The engine went away meanwhile, which is said elsewhere."""
        self._deaths += 1
        if self._deaths == DEATHS and not self.off:
            self.off = True
            what = "The engine went away twice while sources were weighed; they are left alone now."
            self._emit(Notice(what, HINT, "warning"))

    def mistake(self, error: Exception) -> None:
        """Of Loom's own."""
        admit(self._emit, "Sources are weighed no more", error)
