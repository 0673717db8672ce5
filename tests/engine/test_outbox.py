"""What an engine says is gathered while it comes fast; nothing is lost, late or out of order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loom.core.node import Ending
from loom.core.span import Span
from loom.engine.api import Ended, Event, Failed, Grown, Progress
from loom.engine.outbox import EVERY, Outbox, gathered
from loom.testing import text_of
from loom.testing.engines import span_in


class Told:
    """An outbox, what has left it line by line, and its clock."""

    def __init__(self) -> None:
        self.time = 100.0
        self.lines: list[Sequence[Event]] = []
        self.outbox = Outbox(self.lines.append, lambda: self.time)

    def step(self, took: float, *events: Event) -> None:
        self.time += took
        self.outbox.put(events, took)


def grown(number: int, branch: int = 0, job: str = "g") -> Grown:
    floats, ids = np.full((1, 1), -number, np.float32), np.full(1, number, np.int32)
    text = b"%d " % number
    ends = np.full(1, len(text), np.int32)
    columns = (ids, ends, *floats.repeat(3, 0), ids, ids[None], floats)
    return Grown(job, branch, text, Span(*columns))


def test_what_comes_slowly_goes_at_once() -> None:
    told = Told()
    for number in range(5):
        told.step(EVERY, grown(number))
    assert [len(line) for line in told.lines] == [1] * 5


def test_the_first_after_a_rest_goes_at_once_and_the_next_ones_together() -> None:
    told = Told()
    told.step(EVERY / 9, grown(0, 0), grown(0, 1))
    assert [len(line) for line in told.lines] == [2]
    for number in range(1, 9):
        told.step(EVERY / 8.5, grown(number, 0), grown(number, 1))
    assert len(told.lines) == 2
    assert [(e.branch, len(e.span)) for e in told.lines[1] if isinstance(e, Grown)] == [
        (0, 8),
        (1, 8),
    ]


def test_nothing_is_older_than_a_line_when_it_goes() -> None:
    told, said = Told(), list[float]()
    for number in range(200):
        count = len(told.lines)
        told.step(EVERY / 7, grown(number))
        said += [told.time] * (len(told.lines) - count)
    assert max(np.diff(said)) <= EVERY
    assert len(said) <= 1 + 200 / 6


def test_an_engine_that_says_nothing_for_a_while_lets_go_what_is_held() -> None:
    told = Told()
    for number in range(2):
        told.step(EVERY / 10, grown(number))
    for _ in range(10):
        told.step(EVERY / 10)
    assert [len(line) for line in told.lines] == [1, 1]


def test_what_is_no_token_takes_all_along() -> None:
    for other in (Ended("g", 1, Ending.LENGTH), Failed("g", "No."), Progress("g", 1, 2)):
        told = Told()
        for number in range(3):
            told.step(EVERY / 10, grown(number))
        told.step(EVERY / 10, other)
        assert told.lines[-1][-1] == other
        assert text_of([e for line in told.lines for e in line], "g") == b"0 1 2 "


def test_it_is_emptied_once() -> None:
    told = Told()
    for number in range(2):
        told.step(0, grown(number))
    told.outbox.empty()
    told.outbox.empty()
    assert [len(line) for line in told.lines] == [1, 1]


events = st.lists(
    st.one_of(
        st.builds(grown, st.integers(0, 99), st.integers(0, 2), st.sampled_from("ab")),
        st.builds(Ended, st.sampled_from("ab"), st.integers(0, 2), st.just(Ending.LENGTH)),
        st.builds(Progress, st.sampled_from("ab"), st.integers(0, 9), st.just(9)),
    ),
    max_size=30,
)


@given(events)
def test_gathered_they_say_the_same(said: list[Event]) -> None:
    found = gathered(said)
    for job in "ab":
        for branch in range(3):
            assert text_of(found, job, branch) == text_of(said, job, branch)
            if text_of(said, job, branch):
                before, after = span_in(said, job, branch), span_in(found, job, branch)
                for (name, one), (_, other) in zip(before.columns(), after.columns(), strict=True):
                    assert np.array_equal(one, other), name  # type: ignore[arg-type]
            assert _before_its_end(found, job, branch) == _before_its_end(said, job, branch)
    rest = [[e for e in events if not isinstance(e, Grown)] for events in (said, found)]
    assert rest[0] == rest[1]


def test_columns_that_do_not_fit_together_go_as_they_are() -> None:
    one, other = grown(1), grown(2)
    wider = replace(
        other.span,
        top_ids=other.span.top_ids.repeat(2, 1),
        top_logprobs=other.span.top_logprobs.repeat(2, 1),
    )
    said = [one, replace(other, span=wider)]
    assert gathered(said) == said


def _before_its_end(events: Sequence[Event], job: str, branch: int) -> list[bytes]:
    """What a branch had when each event that is no token came."""
    return [
        text_of(events[:index], job, branch)
        for index, event in enumerate(events)
        if not isinstance(event, Grown)
    ]
