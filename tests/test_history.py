"""Undo and redo as stacks derived from events."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.history import HIDDEN_BY_UNDO, REDO, UNDO, History, Operation

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
