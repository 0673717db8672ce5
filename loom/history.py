"""Undo and redo, derived from the session's append-only events; touches neither tree nor file.

An operation is what one event did: nodes added, marks changed, the place moved. Undoing is an event
too, so the stacks survive a restart: they are rebuilt by reading the events in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loom.core.marks import Kind, Mark
from loom.core.node import Place

UNDO, REDO, SEAL = "undo", "redo", "seal"
HIDDEN_BY_UNDO = "undone"


@dataclass(frozen=True, slots=True)
class Operation:
    """`marks` are (mark, value before, value after); `moved` is (place before, place after)."""

    kind: str
    added: tuple[int, ...] = ()
    marks: tuple[tuple[Mark, str | None, str | None], ...] = ()
    moved: tuple[Place, Place] | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"added": list(self.added), **self.more}
        data["marks"] = [[m.node, m.start, str(m.kind), old, new] for m, old, new in self.marks]
        data["moved"] = [list(place) for place in self.moved] if self.moved else None
        return data

    @classmethod
    def from_json(cls, kind: str, data: dict[str, Any]) -> Operation:
        moved = data.get("moved")
        known = {"added", "marks", "moved"}
        return cls(
            kind=kind,
            added=tuple(data.get("added", ())),
            marks=tuple(
                (Mark(node, start, Kind(name)), old, new)
                for node, start, name, old, new in data.get("marks", ())
            ),
            moved=(Place(*moved[0]), Place(*moved[1])) if moved else None,
            more={key: value for key, value in data.items() if key not in known},
        )

    @property
    def undoable(self) -> bool:
        return bool(self.added or self.marks)

    def forward(self) -> tuple[tuple[Mark, str | None], ...]:
        """Mark changes that do this again."""
        shown = tuple((Mark(node, 0, Kind.HIDDEN), None) for node in self.added)
        return shown + tuple((mark, new) for mark, _, new in self.marks)

    def backward(self) -> tuple[tuple[Mark, str | None], ...]:
        """Mark changes that take this back."""
        gone = tuple((Mark(node, 0, Kind.HIDDEN), HIDDEN_BY_UNDO) for node in self.added)
        return gone + tuple((mark, old) for mark, old, _ in reversed(self.marks))


class History:
    """What can be undone and redone; a new operation forgets what was undone before it."""

    def __init__(self) -> None:
        self._done: list[Operation] = []
        self._undone: list[Operation] = []

    def read(self, kind: str, data: dict[str, Any]) -> None:
        """Take in one recorded event."""
        if kind == UNDO:
            self.undo()
        elif kind == REDO:
            self.redo()
        else:
            self.record(Operation.from_json(kind, data))

    def record(self, operation: Operation) -> None:
        if not operation.undoable:
            return
        self._done.append(operation)
        self._undone.clear()

    @property
    def last(self) -> Operation | None:
        """What undo would take back."""
        return self._done[-1] if self._done else None

    @property
    def last_undone(self) -> Operation | None:
        """What redo would do again."""
        return self._undone[-1] if self._undone else None

    def undo(self) -> Operation | None:
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Operation | None:
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]
