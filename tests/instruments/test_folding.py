"""The fold without a process: cutting, joining, and what a plugin must not return."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core.span import Span
from loom.instruments.api import Context, Flag, Instrument, Reading, Settings, State
from loom.instruments.folding import Stretch, advance, begin, fold, joined
from loom.instruments.promises import STATE_LIMIT, BrokenPromise
from loom.testing.paths import human_path, nasty_path

SETTINGS = Settings({}, "model")


def start(settings: Settings) -> State:
    return {"sum": 0.0, "text": ""}


def step(state: State, span: Span, context: Context) -> tuple[State, Reading]:
    """Every third token is flagged; all that stands around it is in the values."""
    total, values, flags = state["sum"], [], []
    for index, logprob in enumerate(span.logprob.tolist()):
        total = 0.75 * total - logprob
        values.append(total)
        position = context.position + index
        if position % 3 == 0:
            flags.append(Flag("info", "none", index, position // 2, total, f"Token {position}."))
    text = (state["text"] + b"".join(context.pieces).decode("latin-1"))[-5:]
    offsets = np.cumsum([0, *map(len, context.pieces)])[:-1]
    seen = {"total": np.array(values), "offset": context.offset + offsets}
    return {"sum": total, "text": text}, Reading(seen, {"tokens": len(span)}, tuple(flags))


INSTRUMENT = cast(Instrument, SimpleNamespace(NAME="test", start=start, step=step))


def answering(answer: Any) -> Instrument:
    return cast(Instrument, SimpleNamespace(start=lambda s: 0, step=lambda *a: answer))


def whole(path: list[Stretch]) -> tuple[State, Reading]:
    steps = list(fold(INSTRUMENT, SETTINGS, path))
    parts = [(len(part), reading) for part, (_, reading) in zip(path, steps, strict=True)]
    return steps[-1][0], joined(parts)


@given(st.data())
def test_a_path_may_be_cut_at_any_token(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([nasty_path(), human_path(100)]))
    cut: list[Stretch] = []
    for stretch in path:
        edges = data.draw(st.lists(st.integers(0, len(stretch)), max_size=4))
        bounds = [0, *sorted(edges), len(stretch)]
        cut += [stretch.cut(a, b) for a, b in zip(bounds, bounds[1:], strict=False)]
    (state, one), (again, parts) = whole(path), whole(cut)
    assert state == again
    assert one.flags == parts.flags and one.summary == parts.summary
    assert {n: c.tobytes() for n, c in one.values.items()} == {
        n: c.tobytes() for n, c in parts.values.items()
    }


def test_a_cut_keeps_bytes_positions_and_the_choice_at_the_beginning() -> None:
    stretch = nasty_path()[3]
    first, rest = stretch.cut(0, 4), stretch.cut(4, len(stretch))
    assert first.context.pieces + rest.context.pieces == stretch.context.pieces
    assert rest.context.position == stretch.context.position + 4
    assert rest.context.offset == stretch.context.offset + sum(map(len, first.context.pieces))
    assert (first.context.choice, rest.context.choice) == (stretch.context.choice, None)
    assert int(rest.span.ends[-1]) == sum(map(len, rest.context.pieces))


def test_a_stretch_without_tokens_is_no_step() -> None:
    empty = nasty_path()[0].cut(2, 2)
    assert advance(answering("nonsense"), [1], empty) == ([1], Reading())


def test_a_plugin_that_changes_its_state_in_place_changes_none_that_was_kept() -> None:
    def spoiling(state: State, span: Span, context: Context) -> tuple[State, Reading]:
        state.append(len(span))
        return state, Reading()

    plugin = cast(Instrument, SimpleNamespace(start=lambda s: [], step=spoiling))
    path = nasty_path()
    states = [state for state, _ in fold(plugin, SETTINGS, path)]
    assert [len(state) for state in states] == [1, 2, 3, 4]


def test_numpy_is_as_always_whatever_a_plugin_has_set() -> None:
    def strict(state: State, span: Span, context: Context) -> tuple[State, Reading]:
        np.seterr(all="raise")
        return state, Reading()

    before = np.geterr()
    plugin = cast(Instrument, SimpleNamespace(start=lambda s: 0, step=strict))
    advance(plugin, 0, nasty_path()[0])
    assert np.geterr() == before


def test_joining_fills_what_a_part_lacks_and_adds_numbers_up() -> None:
    flag = Flag("info", "none", 1, 7, 4.0, "Because.")
    first = Reading({"a": np.ones(2, np.float32)}, {"n": 2, "word": "x"}, (flag,))
    second = Reading({"b": np.ones(3, np.float32)}, {"n": 3, "word": "y"}, (flag,))
    both = joined([(2, first), (3, second)])
    assert np.isnan(both.values["a"]).tolist() == [False, False, True, True, True]
    assert np.isnan(both.values["b"]).tolist() == [True, True, False, False, False]
    assert both.summary == {"n": 5, "word": "y"}
    assert [(one.at, one.began) for one in both.flags] == [(1, 7), (3, 7)]


GOOD = Flag("flag", "none", 0, 0, 9.0, "So.")


def reading(**fields: Any) -> Reading:
    """Whatever the types say."""
    return Reading(**fields)


def with_flag(**changes: Any) -> Reading:
    fields = {name: getattr(GOOD, name) for name in GOOD.__dataclass_fields__}
    return Reading(flags=(Flag(**{**fields, **changes}),))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "step returned None and not a state"),
        ((1, 2, 3), "step returned a tuple and not"),
        ((1, {}), "step returned a dict where a Reading belongs"),
        ((1, reading(values=[])), "values is a list"),
        ((1, reading(values={"": np.zeros(4)})), "values has '' as a name"),
        ((1, reading(values={"a": [1.0] * 4})), "'a' are not an array of numbers"),
        ((1, reading(values={"a": np.zeros(3)})), r"have the shape \(3,\) for 4 tokens"),
        ((1, reading(values={"a": np.zeros((4, 1))})), "have the shape"),
        ((1, reading(values={"a": np.array(list("abcd"))})), "'a' are not an array of numbers"),
        ((1, reading(values={"a": np.array([np.inf] * 4)})), "is infinite"),
        ((1, reading(values={"a": np.full(4, 1e300)})), "is infinite"),
        ((1, reading(values={str(i): np.zeros(4) for i in range(33)})), "values holds 33 names"),
        ((1, reading(summary={"a": float("nan")})), "'a' in the summary is nan"),
        ((1, reading(summary={"a": None})), "is None and not a number"),
        ((1, reading(summary={"a": True})), "is True and not a number"),
        ((1, reading(flags=None)), "flags are None"),
        ((1, reading(flags=(GOOD,) * 81)), "81 flags were raised in a span, and 80"),
        ((1, reading(flags=("x",))), "a str stands where a Flag"),
        ((1, with_flag(level="alarm")), "level of a flag is 'alarm'"),
        ((1, with_flag(null=None)), "null of a flag is None"),
        ((1, with_flag(at=4)), "at of a flag is 4, outside 0 to 3"),
        ((1, with_flag(at=1.0)), "at of a flag is 1.0 and not a whole"),
        ((1, with_flag(began=1)), "began of a flag is 1, outside 0 to 0"),
        ((1, with_flag(bits=float("inf"))), "bits of a flag is inf"),
        ((1, with_flag(reason=" \n")), "a flag gives no reason"),
        ((1, with_flag(reason=b"x")), "reason of a flag is b'x'"),
        ((1, with_flag(alpha=0.0)), "alpha of a flag is 0.0"),
        ((1, with_flag(horizon=0)), "horizon of a flag is 0"),
        ((float("nan"), reading()), "its state can't be kept"),
        (((1, 2), reading()), "its state changes when it is kept"),
        (({1: 2}, reading()), "its state changes when it is kept"),
        (({"a": object()}, reading()), "its state can't be kept"),
        (("x" * STATE_LIMIT, reading()), "its state takes"),
    ],
)
def test_what_breaks_a_promise_is_said(answer: Any, why: str) -> None:
    stretch = nasty_path()[0].cut(0, 4)
    with pytest.raises(BrokenPromise, match=why):
        advance(answering(answer), 0, stretch)


def test_a_state_that_contains_itself_is_refused() -> None:
    state: list[Any] = []
    state.append(state)
    with pytest.raises(BrokenPromise, match="its state can't be kept"):
        begin(cast(Instrument, SimpleNamespace(start=lambda settings: state)), SETTINGS)


def test_answers_come_out_in_plain_types() -> None:
    odd: list[Any] = [np.int64(3), np.int32(0), np.float32(2), "a\x1b[31m\n b"]
    flag = Flag("flag", "none", *odd)
    values: Any = {
        "a": np.arange(4),
        "b": np.array([True, False, True, True]),
        "c": np.full(4, np.nan),
    }
    summary: Any = {"n": np.int64(4), "w": "x"}
    answer = np.float64(0.5), Reading(values, summary, (flag,))
    state, found = advance(answering(answer), 0, nasty_path()[0].cut(0, 4))
    assert type(state) is float and state == 0.5
    assert {column.dtype for column in found.values.values()} == {np.dtype(np.float32)}
    assert type(found.summary["n"]) is float
    (plain,) = found.flags
    assert (type(plain.at), type(plain.began), type(plain.bits)) == (int, int, float)
    assert plain.reason == "a␛[31m b"
