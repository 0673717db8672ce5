from __future__ import annotations

from loom.reading.agenda import Agenda


def drained(agenda: Agenda, *, idle: bool = True) -> list[int]:
    found = []
    while (node := agenda.next(idle=idle)) is not None:
        found.append(node)
    return found


def test_the_newest_comes_first_and_what_just_came_before_the_rest() -> None:
    agenda = Agenda()
    agenda.add_backlog([1, 9, 4])
    agenda.add([3, 7])
    agenda.add([5])
    assert agenda.urgent and len(agenda) == 6
    assert drained(agenda) == [7, 5, 3, 9, 4, 1]
    assert not agenda.urgent and not len(agenda)


def test_the_backlog_waits_while_something_grows() -> None:
    agenda = Agenda()
    agenda.add_backlog([1, 2])
    agenda.add([8])
    assert drained(agenda, idle=False) == [8]
    assert drained(agenda) == [2, 1]


def test_a_node_is_queued_once_and_again_when_it_was_taken() -> None:
    agenda = Agenda()
    agenda.add([4, 4])
    agenda.add([4])
    assert drained(agenda) == [4]
    agenda.add([4])
    assert drained(agenda) == [4]


def test_what_was_put_aside_comes_back_when_it_is_recalled() -> None:
    agenda = Agenda()
    for node in (4, 5, 6):
        agenda.put_aside(node)
    assert agenda.waits and agenda.next(idle=True) is None
    agenda.recall([5, 9])
    assert drained(agenda) == [5]
    agenda.recall()
    assert drained(agenda) == [6, 4]
    agenda.recall()
    assert not agenda.waits and drained(agenda) == []
