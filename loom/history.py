"""Undo and redo, derived from the session's append-only events; touches neither tree nor file.

An operation is what one event did: nodes added, marks changed, the place moved. Undoing is an event
too, so the stacks survive a restart: they are rebuilt by reading the events in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.store.batch import COMPACTED, REPAIRED, EventRow

UNDO, REDO, SEAL = "undo", "redo", "seal"
DROP = "drop"  # nodes that got no text before they ended are out of sight
TAKE = "take"  # a writer chose one of the model's tokens
GROW = "grow"  # one job: all that it added was drawn side by side
CHECKPOINT, RETURN, SET = "checkpoint", "return", "set"
BARRIERS = {COMPACTED: "hidden nodes were removed for good", REPAIRED: "the session was repaired"}
"""Events before which nothing can be undone, and why."""

HIDDEN_BY_UNDO = "undone"

Setting = tuple[str, str | None]
"""Its name and what it becomes; None: as if it had never been set."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`marks` are (mark, value before, value after), `settings` the same by name; `moved` is (place
    before, place after)."""

    kind: str
    added: tuple[int, ...] = ()
    marks: tuple[tuple[Mark, str | None, str | None], ...] = ()
    settings: tuple[tuple[str, str | None, str | None], ...] = ()
    moved: tuple[Place, Place] | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"added": list(self.added), **self.more}
        data["marks"] = [[m.node, m.start, str(m.kind), old, new] for m, old, new in self.marks]
        if self.settings:
            data["settings"] = [list(setting) for setting in self.settings]
        data["moved"] = [list(place) for place in self.moved] if self.moved else None
        return data

    @classmethod
    def from_json(cls, kind: str, data: dict[str, Any]) -> Operation:
        moved = data.get("moved")
        known = {"added", "marks", "moved", "settings"}
        return cls(
            kind=kind,
            added=tuple(data.get("added", ())),
            marks=tuple(
                (Mark(node, start, Kind(name)), old, new)
                for node, start, name, old, new in data.get("marks", ())
            ),
            settings=tuple((name, old, new) for name, old, new in data.get("settings", ())),
            moved=(Place(*moved[0]), Place(*moved[1])) if moved else None,
            more={key: value for key, value in data.items() if key not in known},
        )

    @property
    def undoable(self) -> bool:
        return bool(self.added or self.marks or self.settings)

    def after(self, other: Operation) -> Operation | None:
        """This and `other` before it as one, where both set the same settings and nothing else."""
        mine = [name for name, _, _ in self.settings]
        if self.kind != SET or other.kind != SET or mine != [name for name, _, _ in other.settings]:
            return None
        first = {name: old for name, old, _ in other.settings}
        return replace(self, settings=tuple((n, first[n], new) for n, _, new in self.settings))

    def forward(self) -> tuple[tuple[Mark, str | None], ...]:
        """Mark changes that do this again."""
        shown = tuple((Mark(node, 0, Kind.HIDDEN), None) for node in self.added)
        return shown + tuple((mark, new) for mark, _, new in self.marks)

    def backward(self) -> tuple[tuple[Mark, str | None], ...]:
        """Mark changes that take this back."""
        gone = tuple((Mark(node, 0, Kind.HIDDEN), HIDDEN_BY_UNDO) for node in self.added)
        return gone + tuple((mark, old) for mark, old, _ in reversed(self.marks))

    def settings_forward(self) -> tuple[Setting, ...]:
        return tuple((name, new) for name, _, new in self.settings)

    def settings_backward(self) -> tuple[Setting, ...]:
        return tuple((name, old) for name, old, _ in self.settings)


class History:
    """What can be undone and redone; a new operation forgets what was undone before it.

    A setting that is changed several times in a row, as while one types, is one operation.
    `earlier` gives all events where only the last of them were read, if these don't suffice.
    """

    def __init__(self, earlier: Callable[[], Iterable[EventRow]] | None = None) -> None:
        self._done: list[Operation] = []
        self._undone: list[Operation] = []
        self._earlier = earlier
        self._read_whole = False
        self.barrier = ""  # why nothing before it can be undone

    def read_recent(self, events: Iterable[EventRow]) -> None:
        """Take in the last recorded events, in order."""
        for event in events:
            self.read(event.kind, event.data)
            if self._read_whole:  # these among them
                return

    def read(self, kind: str, data: dict[str, Any]) -> None:
        """Take in one recorded event."""
        if kind in (UNDO, REDO):
            stacks = (self._done, self._undone) if kind == UNDO else (self._undone, self._done)
            if self._earlier is not None and not stacks[0]:
                self._read_everything()
            elif stacks[0]:
                stacks[1].append(stacks[0].pop())
        elif kind in BARRIERS:
            self._done, self._undone, self.barrier = [], [], BARRIERS[kind]
            self._earlier = None
        else:
            self.record(Operation.from_json(kind, data))

    def _read_everything(self) -> None:
        """From the first event on, with all there are by now; what was read goes."""
        earlier, self._earlier, self._read_whole = self._earlier, None, True
        self._done, self._undone = [], []
        for event in earlier() if earlier is not None else ():
            self.read(event.kind, event.data)

    def record(self, operation: Operation) -> None:
        if not operation.undoable:
            return
        joined = operation.after(self._done[-1]) if self._done else None
        if joined is not None:
            self._done[-1] = joined
        else:
            self._done.append(operation)
        self._undone.clear()

    @property
    def last(self) -> Operation | None:
        """What undo would take back."""
        if not self._done and self._earlier is not None:
            self._read_everything()
        return self._done[-1] if self._done else None

    @property
    def last_undone(self) -> Operation | None:
        """What redo would do again."""
        return self._undone[-1] if self._undone else None

    def adder_of(self, node: int) -> str | None:
        """The kind of the operation that added the node, as far as it was read."""
        return next((one.kind for one in reversed(self._done) if node in one.added), None)

    def undo(self) -> Operation | None:
        operation = self.last
        if operation is not None:
            self._undone.append(self._done.pop())
        return operation

    def redo(self) -> Operation | None:
        operation = self.last_undone
        if operation is not None:
            self._done.append(self._undone.pop())
        return operation
