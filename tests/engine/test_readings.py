"""Scores that wait are read in one pass, and say what each says when it is read by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loom.core.recipe import Recipe
from loom.core.span import Span, joined
from loom.engine.api import Ended, Event, Failed, Following, Generate, Grown, JobFailed, Score
from loom.engine.bytetable import ByteExact
from loom.engine.network import Interrupted, Language, Network, Reading
from loom.engine.prefixes import Prefixes, Values
from loom.engine.turns import Turns

SIZE = 64
ROOM = 256
Floats = NDArray[np.float32]


def after(ids: Sequence[int]) -> Floats:
    """What follows these: other numbers after any other text."""
    chance = np.random.default_rng([len(ids), *ids[-40:]])
    logits = chance.normal(size=SIZE).astype(np.float32)
    return cast(Floats, logits - np.log(np.exp(logits).sum()))


@dataclass
class FakeRows:
    """Rows that know their text by heart."""

    network: FakeNetwork
    texts: list[list[int]]

    @property
    def length(self) -> int:
        return len(self.texts[0])

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> Floats:
        return cast(Floats, self.begin(tokens, keep)())

    def begin(self, tokens: Sequence[Sequence[int]], keep: int) -> Callable[[], Any]:
        self.network.begin([len(row) for row in tokens])
        return lambda: self._read(tokens, keep)

    def _read(self, tokens: Sequence[Sequence[int]], keep: int) -> Floats:
        self.network.end(self.texts[0], tokens[0])
        return np.stack([self._row(*row, keep) for row in zip(self.texts, tokens, strict=True)])

    def _row(self, text: list[int], tokens: Sequence[int], keep: int) -> Floats:
        text += tokens
        first = len(text) - keep + 1
        rows = [after(text[:stop]) for stop in range(first, len(text) + 1)]
        return np.stack(rows) if rows else np.empty((0, SIZE), np.float32)

    def fork(self, count: int) -> None:
        self.texts = [list(self.texts[0]) for _ in range(count)]

    def select(self, rows: Sequence[int]) -> None:
        self.texts = [self.texts[row] for row in rows]

    def save(self, row: int, ids: Sequence[int]) -> None:
        assert self.texts[row] == list(ids)
        known = self.network.prefixes.known(ids)
        self.network.prefixes.put(ids, known, tuple(ids[known:]))


@dataclass
class FakeNetwork:
    """`passes`: the tokens of each text in each pass. `broken` passes are broken off; a pass over
    a text that holds the token `poison` fails."""

    room: int = ROOM
    context: int = 4096
    passes: list[list[int]] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    poison: int = -1
    under_way: int = 0

    def __post_init__(self) -> None:
        table = [bytes([32 + i]) for i in range(SIZE)]
        spelling = ByteExact(table, lambda text: [ord(letter) - 32 for letter in text])
        banned = np.zeros(SIZE, np.bool_)
        self.language = Language(spelling, self.context, 1, None, frozenset({0}), banned)
        self.prefixes: Prefixes[tuple[int, ...]] = Prefixes(
            1 << 20, Values(lambda ids: 4 * len(ids), lambda ids, start, stop: ids[start:stop])
        )

    def rows(self, ids: Sequence[int]) -> FakeRows:
        known = self.prefixes.known(ids)
        return FakeRows(self, [list(ids[:known])])

    def together(self, readings: Sequence[Reading]) -> Callable[[], list[Any]]:
        self.begin([len(reading.tokens) for reading in readings])
        rows = [cast(FakeRows, reading.rows) for reading in readings]

        def read() -> list[Any]:
            self.end(*(row.texts[0] for row in rows), *(reading.tokens for reading in readings))
            return [
                row._row(row.texts[0], reading.tokens, reading.keep)
                for row, reading in zip(rows, readings, strict=True)
            ]

        return read

    def begin(self, counts: list[int]) -> None:
        assert not self.under_way, "two passes at once"
        self.under_way = 1
        self.passes.append(counts)

    def end(self, *texts: Sequence[int]) -> None:
        self.under_way = 0
        if len(self.passes) in self.broken:
            raise Interrupted
        if any(self.poison in text for text in texts):
            raise JobFailed("There is poison in it.")


def drive(network: FakeNetwork, *jobs: Score | Generate, cancel: str = "") -> list[Event]:
    turns = Turns(cast(Network, network))
    for job in jobs:
        turns.submit(job)
    events: list[Event] = []
    for _ in range(10_000):
        came = turns.step()
        events += came
        if cancel and any(getattr(event, "job", "") == cancel for event in came):
            turns.cancel(cancel, None)
            cancel = ""
        if not came and not turns._line:
            return events
    raise AssertionError("it doesn't end")


def span(events: Sequence[Event], job: str) -> Span:
    return joined([e.span for e in events if isinstance(e, Grown) and e.job == job])


def text(seed: int, length: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).integers(2, SIZE, length).tolist())


def frames(count: int, length: int, passage: int) -> list[Score]:
    shared = text(0, passage)
    return [Score(str(n), (text(n + 1, length),), shared, top=3) for n in range(count)]


def alike(one: Span, other: Span) -> bool:
    columns = zip(one.columns(), other.columns(), strict=True)
    return all(
        b is None if a is None else b is not None and np.array_equal(a, b)
        for (_, a), (_, b) in columns
    )


PIECES = st.lists(st.integers(2, 9), max_size=30).map(tuple)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(PIECES, PIECES, st.booleans()), min_size=1, max_size=12),
    st.sampled_from([0, 8, 40, ROOM]),
    st.sets(st.integers(1, 30)),
    st.sampled_from([16, 4096]),
)
def test_any_texts_say_together_what_each_says_by_itself(
    texts: list[tuple[tuple[int, ...], tuple[int, ...], bool]],
    room: int,
    broken: set[int],
    context: int,
) -> None:
    jobs = [Score(str(n), (a,), b, 3, following) for n, (a, b, following) in enumerate(texts)]
    together = drive(FakeNetwork(room=room, broken=broken, context=context), *jobs)
    for job in jobs:
        alone = drive(FakeNetwork(room=0, context=context), job)
        mine = [e for e in together if e.job == job.id and isinstance(e, Grown | Ended | Following)]
        assert mine[-1] == Ended(job.id, 0, alone[-1].reason)  # type: ignore[union-attr]
        assert [e for e in mine if isinstance(e, Following)] == [
            e for e in alone if isinstance(e, Following)
        ]
        if job.text:
            assert alike(span(mine, job.id), span(alone, job.id))


def test_short_texts_share_a_pass_with_what_stands_before_them() -> None:
    network = FakeNetwork()
    events = drive(network, *frames(8, 20, 40))
    assert [len(counts) for counts in network.passes] == [4, 4]
    assert max(map(max, network.passes)) == 1 + 20 + 40 - 1
    assert sum(isinstance(e, Ended) for e in events) == 8


def test_no_pass_has_more_tokens_than_there_is_room_for_but_of_one_text() -> None:
    network = FakeNetwork()
    drive(network, *frames(5, 70, 300), Score("long", (), text(99, 2000)))
    assert all(sum(counts) <= ROOM or len(counts) == 1 for counts in network.passes)
    assert max(max(counts) for counts in network.passes) <= 256 + 64


def test_what_several_texts_begin_with_is_read_once() -> None:
    network = FakeNetwork()
    shared = text(5, 200)
    jobs = [Score(str(n), (shared,), text(n, 20)) for n in range(6)]
    events = drive(network, *jobs)
    assert sum(map(sum, network.passes)) <= 1 + 200 + 6 * 20
    assert len(network.passes) <= 3
    assert all(len(span(events, job.id)) == 20 for job in jobs)


def test_a_short_text_need_not_wait_for_long_ones() -> None:
    jobs = [Score(f"long {n}", (), text(n, 1200)) for n in range(3)]
    for room in (0, ROOM):
        events = drive(FakeNetwork(room=room), *jobs, Score("short", (), text(7, 5)))
        ends = [e.job for e in events if isinstance(e, Ended)]
        assert ends[0] == "short" and ends[1] == "long 0"


def test_growing_and_reading_take_turns_however_many_texts_are_read() -> None:
    network = FakeNetwork()
    grows = Generate("grows", (text(1, 10),), Recipe(tokens=30), (1, 2))
    events = drive(network, *frames(12, 60, 256), grows)
    drawn = [counts == [1, 1] for counts in network.passes]
    first = drawn.index(True)
    assert drawn[first : first + 12 : 2] == [True] * 6
    assert len(span(events, "grows")) > 0


def test_cancelling_one_text_leaves_the_others() -> None:
    jobs = frames(6, 20, 300)
    expected = drive(FakeNetwork(), *jobs)
    events = drive(FakeNetwork(), *jobs, cancel="2")
    reasons = {e.job: e.reason.value for e in events if isinstance(e, Ended)}
    assert reasons.pop("2") == "cancel"
    assert set(reasons.values()) == {"length"} and len(reasons) == 5
    assert all(alike(span(events, job), span(expected, job)) for job in reasons)


def test_a_text_that_can_not_be_read_fails_alone() -> None:
    network = FakeNetwork(poison=1)
    jobs = frames(6, 20, 40)
    jobs[3] = Score("3", (text(4, 20),), (5, 1, 6))
    network.language = Language(
        network.language.spelling, 4096, 0, None, frozenset(), network.language.banned
    )
    events = drive(network, *jobs)
    assert [e.job for e in events if isinstance(e, Failed)] == ["3"]
    assert sorted(e.job for e in events if isinstance(e, Ended)) == ["0", "1", "2", "4", "5"]
    assert len(span(events, "5")) == 40


def test_ids_of_another_model_fail_alone() -> None:
    events = drive(FakeNetwork(), *frames(2, 5, 5), Score("odd", ((SIZE + 1,),), (3,)))
    assert [e.job for e in events if isinstance(e, Failed)] == ["odd"]
    assert sum(isinstance(e, Ended) for e in events) == 2


@pytest.mark.parametrize("broken", [{5}, {5, 6}, {7}])
def test_a_pass_ahead_that_is_broken_off_changes_nothing(broken: set[int]) -> None:
    job = Generate("g", (text(1, 10),), Recipe(tokens=12), (1, 2, 3))
    expected = drive(FakeNetwork(), job)
    events = drive(FakeNetwork(broken=broken), job)
    for branch in range(3):
        one, other = (
            joined([e.span for e in came if isinstance(e, Grown) and e.branch == branch])
            for came in (expected, events)
        )
        assert alike(one, other)


def test_a_branch_cancelled_while_the_next_pass_is_under_way_leaves_the_others() -> None:
    job = Generate("g", (text(1, 10),), Recipe(tokens=12), (1, 2, 3))
    expected = drive(FakeNetwork(), job)
    turns = Turns(cast(Network, network := FakeNetwork()))
    turns.submit(job)
    events: list[Event] = []
    while sum(isinstance(e, Grown) for e in events) < 9:
        events += turns.step()
    assert network.under_way
    turns.cancel("g", 1)
    while came := turns.step():
        events += came
    for branch in (0, 2):
        one, other = (
            joined([e.span for e in came if isinstance(e, Grown) and e.branch == branch])
            for came in (expected, events)
        )
        assert alike(one, other)
