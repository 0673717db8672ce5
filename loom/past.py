"""How a session looked at a moment of its history, found by going through its events again.

Touches neither tree nor file: it says what would have to change.
"""

from __future__ import annotations

from collections.abc import Iterable

from loom.core.marks import Kind, Mark, Marks
from loom.core.node import ROOT, Place
from loom.core.tree import Tree
from loom.history import BARRIERS, HIDDEN_BY_UNDO, Operation
from loom.store.batch import EventRow

KINDS = {Kind.HIDDEN, Kind.BOOKMARK, Kind.FOLDED, Kind.TAG, Kind.NOTE}
"""Marks that come back with a moment; where one has been is not taken back."""

EMPTY = "empty"  # the value of a mark that hides a node without text; it is never taken back


class Past:
    """After event `number` of `events`. Raises ValueError where one can't go back there."""

    def __init__(self, events: Iterable[EventRow], number: int) -> None:
        self.nodes = {ROOT}
        self.marks: dict[Mark, str] = {}
        self.settings: dict[str, str | None] = {}
        self.place = Place(ROOT, 0)
        found = False
        for event in events:
            if event.id <= number:
                found = event.id == number
                self._take(event)
            elif event.kind in BARRIERS:
                raise ValueError(f"One can't go back there: {BARRIERS[event.kind]} since.")
            else:
                self._look_back(event)
        if not found:
            raise ValueError(f"There is no moment {number} in the history.")

    def _take(self, event: EventRow) -> None:
        data = event.data
        if "set" in data:  # undone, redone or dropped: marks as they became
            for node, start, kind, value in data["set"]:
                self._mark(Mark(node, start, Kind(kind)), value)
            self.settings |= dict(data.get("became", ()))
        else:
            operation = Operation.from_json(event.kind, data)
            self.nodes.update(operation.added)
            for mark, _, new in operation.marks:
                self._mark(mark, new)
            self.settings |= dict(operation.settings_forward())
        moved = data.get("moved")
        if moved:
            self.place = Place(*moved[1])

    def _mark(self, mark: Mark, value: str | None) -> None:
        if value is None:
            self.marks.pop(mark, None)
        else:
            self.marks[mark] = value

    def _look_back(self, event: EventRow) -> None:
        """A setting that was first changed later was then what it was changed from."""
        for name, old, _ in event.data.get("settings", ()):
            self.settings.setdefault(name, old)

    def changes(self, tree: Tree, marks: Marks) -> tuple[tuple[Mark, str | None, str | None], ...]:
        """(mark, value now, value then) of everything that differs; later nodes are hidden."""
        now = {mark: value for mark, value in marks if mark.kind in KINDS}
        then = {m: value for m, value in self.marks.items() if m.kind in KINDS and m.node in tree}
        for number in tree:
            node = tree[number]
            # What hangs on the first byte of a hidden node is not hidden along with it.
            if number not in self.nodes and (node.parent in self.nodes or node.at == 0):
                then.setdefault(Mark(number, 0, Kind.HIDDEN), HIDDEN_BY_UNDO)
        then |= {mark: value for mark, value in now.items() if value == EMPTY}
        then |= {m: v for m, v in now.items() if m.node not in self.nodes and m not in then}
        return tuple(
            (mark, now.get(mark), then.get(mark))
            for mark in sorted(now.keys() | then.keys())
            if now.get(mark) != then.get(mark)
        )
