"""A record in which one can move, mark, set, undo and go back: each is one event, one transaction.

Knows nothing of engines; what grows is asked for and stopped through two methods that `Session`
has of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from loom.changes import Change, Moved, Notice, SamplingChanged, TreeChanged
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.history import CHECKPOINT, REDO, RETURN, SET, UNDO, Operation, Setting
from loom.past import EMPTY, Past
from loom.record import Record
from loom.store.batch import Batch, EventRow
from loom.store.store import SessionDamaged, Store, StoreError


class Journal(Record):
    """See the module's docstring."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        super().__init__(store)
        self._now = now
        self._listeners: list[Callable[[Change], None]] = []
        self._back: list[Place] = []
        self._forward: list[Place] = []
        self._walked = Place(ROOT, 0)  # all the way there, the children are marked as visited last
        self._told_of_damage = False
        store.on_error = self._store_failed

    def growing(self) -> tuple[int, ...]:
        """Nodes that grow."""
        return ()

    def cancel(self, nodes: Iterable[int] | None = None) -> None:
        """Stop these (all that grow, by default); what came is sealed and kept."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """In which listeners are called, where there is one."""
        return None

    def _wake(self) -> None:
        """There may be something new to read."""

    # ── moving ────────────────────────────────────────────────────────────────────────────────

    def go(self, place: Place) -> None:
        """Move, to what is in sight there; marks the path's last visited children.

        Raises KeyError for an unknown node.
        """
        place = Place(place.node, max(0, min(place.at, self.tree[place.node].length)))
        place = self._visible_place(place)
        if place == self.place:
            return
        self._back.append(self.place)
        self._forward.clear()
        self._go(place)

    def go_back(self) -> bool:
        """To where the writer was before; False at the beginning."""
        return self._retrace(self._back, self._forward)

    def go_forward(self) -> bool:
        return self._retrace(self._forward, self._back)

    def _retrace(self, source: list[Place], other: list[Place]) -> bool:
        while source:
            place = source.pop()
            if place.node in self.tree and not self.is_hidden(place.node):
                other.append(self.place)
                self._go(place)
                return True
        return False

    def _go(self, place: Place) -> None:
        marks: list[tuple[Mark, str | None]] = []
        if not self.is_visited(place.node):
            marks.append((Mark(place.node, 0, Kind.VISITED), "1"))
        for parent, child in self._new_steps(place):
            last = Mark(parent.node, parent.at, Kind.LAST)
            if self.marks.get(last) != str(child):
                marks.append((last, str(child)))
        before, self.place, self._walked = self.place, place, place
        self._set_marks(marks)
        if not self.read_only:
            self._post(
                Batch(
                    marks=tuple(marks),
                    meta=self._place_meta(),
                    event=self._event("go", {"moved": [list(before), list(place)]}),
                )
            )
        self._emit(Moved(place))
        if marks:
            self._emit(TreeChanged(frozenset({place.node})))
        self._wake()

    def _new_steps(self, place: Place) -> list[tuple[Place, int]]:
        """(parent, child) on the way to `place`, from where it leaves the way walked last."""
        tree, (node, _), (other, _) = self.tree, place, self._walked
        steps = []
        while node != other:
            if tree.depth(node) < tree.depth(other):
                other = tree[other].parent or ROOT
                continue
            parent = tree[node].hangs_at
            steps += [(place, node) for place in {parent: None, self.asked_at(node): None}]
            node = parent.node
        return steps[::-1]

    # ── marks and settings ────────────────────────────────────────────────────────────────────

    def mark(self, mark: Mark, value: str | None) -> None:
        """Set or (None) remove a bookmark, fold, tag or note."""
        self.mark_all({mark: value})

    def mark_all(self, changes: Mapping[Mark, str | None]) -> None:
        """Several marks as one operation."""
        marks = tuple(
            (mark, self.marks.get(mark), value)
            for mark, value in changes.items()
            if self.marks.get(mark) != value
        )
        if marks:
            self._commit(Operation("mark", marks=marks))

    def set_title(self, title: str) -> None:
        """What lists and the status line call the session. Raises ValueError for none."""
        if not title.strip():
            raise ValueError("A title needs at least one letter.")
        self._set({"title": title})

    def set_sampling(self, *, recipe: Recipe | None = None, branches: int | None = None) -> None:
        """What `grow` does from now on. Raises ValueError for a number of branches below 1."""
        if branches is not None and branches < 1:
            raise ValueError(f"The number of branches must be 1 or more, not {branches}.")
        wanted = {
            "branches": str(branches or self.branches),
            "recipe": json.dumps((recipe or self.recipe).to_json()),
        }
        self._set(wanted)

    def _set(self, wanted: Mapping[str, str]) -> None:
        """Change settings. What is set before anything has happened is how the session began."""
        now = {"branches": str(self.branches), "recipe": json.dumps(self.recipe.to_json())}
        changes = tuple(
            (name, self._meta.get(name), value)
            for name, value in wanted.items()
            if (self._meta.get(name) or now.get(name)) != value
        )
        if changes and self._events:
            self._commit(Operation(SET, settings=changes))
        elif not self._events:
            self._post(Batch(meta=wanted))
            self._take_settings(tuple(wanted.items()))

    def _take_settings(self, settings: Iterable[Setting]) -> None:
        """What changed settings mean here; the file has them already."""
        changed = tuple(settings)
        for name, value in changed:
            self._meta[name] = value or ""
        if changed:
            self._read_settings()
            self._emit(SamplingChanged())

    # ── undo ──────────────────────────────────────────────────────────────────────────────────

    def undo(self) -> str | None:
        """Take the last operation back; its kind, or None if there is none."""
        operation = self.history.undo()
        if operation is None:
            return None
        place = operation.moved[0] if operation.moved else self.place
        self.cancel([node for node in operation.added if node in self.growing()])
        self._replay(UNDO, operation.backward(), operation.settings_backward(), place)
        return operation.kind

    def redo(self) -> str | None:
        operation = self.history.redo()
        if operation is None:
            return None
        place = operation.moved[1] if operation.moved else self.place
        self._replay(REDO, operation.forward(), operation.settings_forward(), place)
        return operation.kind

    def _kept_away(self, mark: Mark, value: str | None) -> str | None:
        """`value`, but a node that ended before it had any text stays hidden."""
        if value is not None or mark.kind is not Kind.HIDDEN:
            return value
        node = self.tree[mark.node]
        ended = node.ended is not None and node.ended is not Ending.EOS
        return EMPTY if ended and node.author is Author.MODEL and not node.text else None

    def _replay(
        self,
        kind: str,
        marks: tuple[tuple[Mark, str | None], ...],
        settings: tuple[Setting, ...],
        place: Place,
    ) -> None:
        marks = tuple((mark, self._kept_away(mark, value)) for mark, value in marks)
        self._set_marks(marks)
        before, self.place = self.place, self._visible_place(place)
        data: dict[str, Any] = {"moved": [list(before), list(self.place)]}
        data["set"] = [[m.node, m.start, str(m.kind), value] for m, value in marks]
        if settings:
            data["became"] = [list(setting) for setting in settings]
        meta = {**self._place_meta(), **dict(settings)}
        self._post(Batch(marks=marks, meta=meta, event=self._event(kind, data)))
        self._take_settings(settings)
        self._emit(TreeChanged(frozenset(mark.node for mark, _ in marks)))
        if before != self.place:
            self._emit(Moved(self.place))

    # ── going back ────────────────────────────────────────────────────────────────────────────

    def checkpoint(self, name: str) -> int:
        """Name this moment, to come back to; its number. Raises ValueError for no name."""
        if not name.strip():
            raise ValueError("A checkpoint needs a name of at least one letter.")
        event = self._event(CHECKPOINT, {"name": name.strip()})
        self._post(Batch(event=event))
        return event.id

    def return_to(self, number: int) -> None:
        """Make everything look as it did after event `number`; undoable, nothing is deleted.

        Raises ValueError for a number that there is none of, or that lies before something that
        can't be undone.
        """
        self._check_writable()
        past = Past(self.events(), number)
        marks = past.changes(self.tree, self.marks)
        settings = tuple(
            (name, self._meta.get(name), value)
            for name, value in past.settings.items()
            if self._meta.get(name, "") != (value or "")
        )
        hides = {mark.node for mark, _, new in marks if mark.kind is Kind.HIDDEN and new}
        self.cancel([node for node in self.growing() if self._is_below(node, hides)])
        place = past.place if past.place.node in self.tree else self.place
        marks = tuple((mark, old, self._kept_away(mark, new)) for mark, old, new in marks)
        operation = Operation(
            RETURN, marks=marks, settings=settings, moved=(self.place, place), more={"to": number}
        )
        if operation.undoable:
            self._commit(operation)
        else:
            self.go(place)

    def _is_below(self, node: int, tops: Container[int]) -> bool:
        return any(stretch.node in tops for stretch in self.tree.stretches(Place(node, 0)))

    # ── watching ──────────────────────────────────────────────────────────────────────────────

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Hear of every change; call what comes back to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _emit(self, change: Change) -> None:
        for listener in tuple(self._listeners):
            listener(change)

    def emit(self, change: Change) -> None:
        self._emit(change)

    @property
    def now(self) -> float:
        return self._now()

    # ── inside ────────────────────────────────────────────────────────────────────────────────

    def _commit(
        self,
        operation: Operation,
        nodes: tuple[tuple[Node, Span | None], ...] = (),
        marks: tuple[tuple[Mark, str | None], ...] = (),
    ) -> None:
        """Carry out one operation: tree, marks and place, history, file, listeners."""
        self._check_writable()
        for node, span in nodes:
            self.tree.add(node)
            self.display.invalidate(node.id)
            if span is not None:
                self._keep_span(node.id, span)
        every = marks + tuple((mark, new) for mark, _, new in operation.marks)
        self._set_marks(every)
        self.history.record(operation)
        if operation.moved:
            self._back.append(self.place)
            self.place = self._visible_place(operation.moved[1])
        event = self._event(operation.kind, operation.to_json())
        settings = operation.settings_forward()
        meta = {**self._place_meta(), **dict(settings)}
        self._post(Batch(nodes=nodes, marks=every, meta=meta, event=event))
        self._take_settings(settings)
        touched = {node.id for node, _ in nodes} | {mark.node for mark, _ in every}
        self._emit(TreeChanged(frozenset(touched)))
        if operation.moved:
            self._emit(Moved(self.place))

    def _set_marks(self, marks: Iterable[tuple[Mark, str | None]]) -> None:
        for mark, value in marks:
            self.marks.set(mark, value)
            self.display.invalidate(mark.node)

    def _event(self, kind: str, data: dict[str, Any]) -> EventRow:
        self._events += 1
        return EventRow(self._events, self._now(), kind, data)

    def _place_meta(self) -> dict[str, str]:
        return {"place": json.dumps(list(self.place))}

    def _check_writable(self) -> None:
        if self.read_only:
            raise StoreError(
                f"{self.path.name} is open for reading only.",
                "Close the other Loom that has it open, or save a copy and open that.",
            )

    def _post(self, batch: Batch) -> None:
        self._check_writable()
        self._store.post(batch)

    def _damage_found(self, error: SessionDamaged) -> None:
        if self._told_of_damage:
            return
        self._told_of_damage = True
        self._emit(Notice(str(error), error.hint, "error"))

    def _store_failed(self, error: StoreError) -> None:
        """Called in the writer's thread."""
        notice = Notice(str(error), error.hint, "error")
        loop = self.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._emit, notice)
