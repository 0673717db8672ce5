"""Undo and redo as stacks derived from events."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.history import HIDDEN_BY_UNDO, REDO, UNDO, History, Operation
from loom.store.batch import EventRow

GROW = Operation("grow", added=(2, 3), moved=None, more={"place": "ab", "ordinal": 1})
HIDE = Operation(
    "hide",
    marks=((Mark(2, 5, Kind.HIDDEN), None, "hidden"),),
    moved=(Place(2, 9), Place(1, 4)),
)
GO = Operation("go", moved=(Place(1, 4), Place(2, 9)))


def test_an_operation_survives_json() -> None:
    for operation in (GROW, HIDE, GO):
        data = json.loads(json.dumps(operation.to_json()))
        assert Operation.from_json(operation.kind, data) == operation


def test_backward_takes_back_what_forward_does() -> None:
    assert GROW.backward() == tuple((Mark(n, 0, Kind.HIDDEN), HIDDEN_BY_UNDO) for n in (2, 3))
    assert GROW.forward() == tuple((Mark(n, 0, Kind.HIDDEN), None) for n in (2, 3))
    assert HIDE.backward() == ((Mark(2, 5, Kind.HIDDEN), None),)
    assert HIDE.forward() == ((Mark(2, 5, Kind.HIDDEN), "hidden"),)


def test_moving_is_not_undone() -> None:
    history = History()
    history.record(GROW)
    history.record(GO)
    assert history.undo() == GROW
    assert history.undo() is None


@given(st.lists(st.sampled_from(["grow", "hide", UNDO, REDO, "go"]), max_size=40))
def test_reading_the_events_gives_the_stacks_back(kinds: list[str]) -> None:
    live = History()
    events: list[tuple[str, dict[str, object]]] = []
    made = 0
    for kind in kinds:
        if kind in (UNDO, REDO):
            done = live.undo() if kind == UNDO else live.redo()
            if done is not None:
                events.append((kind, {}))
            continue
        made += 1
        operation = Operation(kind, added=() if kind == "go" else (made,))
        live.record(operation)
        events.append((kind, operation.to_json()))
    read = History()
    for kind, data in events:
        read.read(kind, data)
    assert _drained(read) == _drained(live)


def _drained(history: History) -> tuple[list[Operation], list[Operation]]:
    redo, undo = [], []
    while (operation := history.redo()) is not None:
        redo.append(operation)
    while (operation := history.undo()) is not None:
        undo.append(operation)
    return redo, undo


@given(
    st.lists(st.sampled_from(["grow", "hide", UNDO, REDO, "go"]), max_size=60),
    st.integers(0, 60),
)
def test_the_end_of_a_long_record_is_enough_until_more_is_asked_for(
    kinds: list[str], read: int
) -> None:
    events: list[EventRow] = []
    whole = History()
    for number, kind in enumerate(kinds, start=1):
        data = {} if kind in (UNDO, REDO, "go") else Operation(kind, added=(number,)).to_json()
        events.append(EventRow(number, 0.0, kind, data))
        whole.read(kind, data)
    recent = events[max(0, len(events) - read) :]
    complete = len(recent) == len(events)
    partly = History(None if complete else lambda: events)
    partly.read_recent(recent)
    steps = [UNDO] * 3 + [REDO] * 4 + [UNDO] * (len(kinds) + 1)
    for number, kind in enumerate(steps, start=len(kinds) + 1):
        assert partly.last == whole.last
        done = (partly.undo(), whole.undo()) if kind == UNDO else (partly.redo(), whole.redo())
        assert done[0] == done[1]
        assert partly.last_undone == whole.last_undone
        if done[0] is not None:  # recorded, as everything is
            events.append(EventRow(number, 0.0, kind, {}))
