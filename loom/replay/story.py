"""What happened in a session, in order: its events as moments that a player can carry out.

Knows the session's record; needs no model, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.history import HIDDEN_BY_UNDO, SEAL, Operation
from loom.record import Record
from loom.store.batch import EventRow
from loom.store.errors import NONSENSE, damaged


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, `time` in Unix seconds.

    `added` nodes appear (a model's grow from here on), `sealed` ones are complete; `marks` are set
    (None: removed) and the writer is at `place` afterwards (None: where they were).
    """

    id: int
    time: float
    kind: str
    added: tuple[int, ...] = ()
    sealed: tuple[int, ...] = ()
    marks: tuple[tuple[Mark, str | None], ...] = ()
    place: Place | None = None

    @property
    def takes_back(self) -> bool:
        """Whether something was undone."""
        return any(value == HIDDEN_BY_UNDO for _, value in self.marks)


def story(record: Record) -> tuple[Moment, ...]:
    """Every event of the session, in the order in which they happened.

    Times never fall, whatever the clock did. What was removed for good never was. Raises StoreError
    for a history that makes no sense.
    """
    found: list[Moment] = []
    latest = 0.0
    try:
        for event in record.events():
            latest = max(latest, event.time)
            found.append(_moment(event, latest))
        # Earlier versions gave the numbers of removed nodes again: the last one is meant.
        born = {node: time for time, moment in enumerate(found) for node in moment.added}
        here = {node: born.get(node, -1) for node in record.tree}
        return tuple(_of_these(moment, time, here) for time, moment in enumerate(found))
    except NONSENSE as error:  # of a file whose version had no checksums
        raise damaged(record.path, f"its history makes no sense ({error!r})") from error


def _of_these(moment: Moment, time: int, here: Mapping[int, int]) -> Moment:
    """As if there had never been nodes but those of `here`, from the given moment on."""

    def is_there(node: int) -> bool:
        return here.get(node, time + 1) <= time

    return replace(
        moment,
        added=tuple(node for node in moment.added if here.get(node) == time),
        sealed=tuple(filter(is_there, moment.sealed)),
        marks=tuple((mark, value) for mark, value in moment.marks if is_there(mark.node)),
        place=moment.place if moment.place and is_there(moment.place.node) else None,
    )


def _moment(event: EventRow, time: float) -> Moment:
    data = event.data
    operation = Operation.from_json(event.kind, data)
    sealed = (data["node"],) if event.kind == SEAL else ()
    place = operation.moved[1] if operation.moved else None
    marks = operation.forward() if operation.marks else ()
    marks += tuple(_restored(data.get("set", ())))
    return Moment(event.id, time, event.kind, operation.added, sealed, marks, place)


def _restored(
    changes: Iterable[tuple[int, int, str, str | None]],
) -> Iterable[tuple[Mark, str | None]]:
    """What an undo or redo set."""
    return ((Mark(node, start, Kind(name)), value) for node, start, name, value in changes)
