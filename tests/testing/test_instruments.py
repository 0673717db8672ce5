"""The checker of plugins passes what keeps the protocol, and names and places what doesn't."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from loom.core.node import Author
from loom.core.span import Span
from loom.instruments.api import Choice, Context, Flag, Reading, Settings
from loom.testing import (
    ContractBroken,
    check_instrument,
    faults_of,
    human_path,
    load_plugin,
    loop_path,
    nasty_path,
    path_of,
    random_path,
    read_along,
    sample_paths,
)
from loom.testing.instruments import cut_at_random

PATHS = {"human-like text": human_path(150), "awkward bytes": nasty_path()}
Answer = tuple[Any, Reading]


def start(settings: Settings) -> Any:
    return {"seen": 0, "sum": 0.0}


def step(state: Any, span: Span, context: Context) -> Answer:
    """Counts; flags every 25th token of a path."""
    total, flags = state["sum"], []
    for index, bits in enumerate(span.entropy.tolist()):
        total += bits
        at = context.position + index
        if at % 25 == 24:
            flags.append(Flag("info", "none", index, at - 3, 0.0, "This is a 25th token."))
    new = {"seen": state["seen"] + len(span), "sum": total}
    summary: dict[str, float | str] = {"tokens": float(len(span)), "so far": f"{new['seen']}"}
    return new, Reading({"surprise": -span.logprob}, summary, tuple(flags))


def plugin(**members: Any) -> Any:
    good = {"NAME": "counter", "VERSION": "1", "start": start, "step": step, "OPTIONS": {"n": 3}}
    return SimpleNamespace(**{**good, **members})


def spoilt(change: Callable[[Any, Reading, Context], Answer]) -> Any:
    """Answers as `step` does, but for `change`."""

    def changed(state: Any, span: Span, context: Context) -> Answer:
        return change(*step(state, span, context), context)

    return plugin(step=changed)


def told(broken: Any, **more: Any) -> str:
    with pytest.raises(ContractBroken) as caught:
        check_instrument(broken, PATHS, **more)
    return str(caught.value)


def test_what_keeps_the_protocol_passes() -> None:
    check_instrument(plugin())


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"NAME": "two words"}, "It is no plugin: NAME must be one word"),
        ({"step": None}, "It is no plugin: it does not define step"),
        ({"start": lambda settings: {1: 2}}, "start: its state"),
        ({"start": lambda settings: 1 / 0}, "start raised ZeroDivisionError"),
        ({"calibrate": lambda passages, options: 1 / 0}, "calibrate raised ZeroDivisionError"),
    ],
)
def test_a_module_that_is_none_is_told(members: Mapping[str, Any], said: str) -> None:
    assert said in told(plugin(**members))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s, r, c: s, "returned a dict"),
        (lambda s, r, c: (s, None), "returned None where a Reading belongs"),
        (lambda s, r, c: ({"n": (1, 2)}, r), "use lists and dicts with text keys"),
        (lambda s, r, c: ({"n": float("nan")}, r), "can't be kept as JSON"),
        (lambda s, r, c: ({"n": "x" * 100_000}, r), "characters"),
        (lambda s, r, c: (s, replace(r, values={"v": np.zeros(1)})), "shape"),
        (lambda s, r, c: (s, replace(r, values={"v": r.values["surprise"] + np.inf})), "infinite"),
        (lambda s, r, c: (s, replace(r, summary={"n": float("nan")})), "'n' in the summary is nan"),
        (
            lambda s, r, c: (s, Reading(flags=(Flag("info", "none", 0, 0, 1.0, ""),))),
            "a flag gives no reason",
        ),
        (
            lambda s, r, c: (s, Reading(flags=(Flag("info", "none", 0, 10**6, 1.0, "It is so."),))),
            "began of a flag is 1000000",
        ),
    ],
)
def test_an_answer_that_is_none_is_told_with_its_place(
    change: Callable[[Any, Reading, Context], Answer], said: str
) -> None:
    text = told(spoilt(change))
    assert said.lower() in text.lower()
    assert "(human-like text, token " in text


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (Flag("info", "none", 0, 0, 0.0, "odd"), "must be a sentence, not 'odd'"),
        (Flag("info", "none", 0, 0, 1.0, "It is so."), "0 bits, “info”"),
        (Flag("flag", "none", 0, 0, 0.0, "It is so."), "0 bits, “info”"),
        (Flag("info", "reference", 0, 0, 3.0, "It is so."), "3.00 bits are too few for “info”"),
        (Flag("flag", "sampler", 0, 0, 5.0, "It is so."), "5.00 bits are too few for “flag”"),
    ],
)
def test_a_flag_that_says_too_little_or_too_much_is_told(flag: Flag, said: str) -> None:
    assert said in told(spoilt(lambda s, r, c: (s, Reading(flags=(flag,)))))


def test_what_is_raised_is_told_once() -> None:
    text = told(spoilt(lambda s, r, c: {}["missing"]))  # type: ignore[index]
    assert text == "step raised KeyError: 'missing'. (human-like text, token 0)"


def test_chance_is_found() -> None:
    dice = random.Random(1)
    text = told(
        spoilt(
            lambda s, r, c: (s, Reading({"v": r.values["surprise"] + np.float32(dice.random())}))
        )
    )
    assert "The values 'v' are others the second time it reads the same path." in text


def test_a_state_changed_in_place_is_found() -> None:
    def changing(state: Any, span: Span, context: Context) -> Answer:
        state["seen"] += 1
        return state, Reading()

    assert "changed the state it was given" in told(plugin(step=changing))


def test_what_depends_on_where_spans_end_is_found() -> None:
    text = told(
        spoilt(lambda s, r, c: (s, Reading({"v": np.full(len(c.pieces), len(c.pieces), "f4")})))
    )
    assert "The values 'v' are others when the same tokens come in other spans." in text
    text = told(spoilt(lambda s, r, c: (s, Reading(summary={"spans": 1.0}))))
    assert "The summary 'spans' doesn't come to the same" in text
    flag = Flag("info", "none", 0, 0, 0.0, "A span begins.")
    text = told(spoilt(lambda s, r, c: (s, Reading(flags=(flag,)))))
    assert "It raises other flags when the same tokens come in other spans." in text


def test_what_is_kept_outside_the_state_is_found() -> None:
    numbers = count()
    text = told(spoilt(lambda s, r, c: ({**s, "n": next(numbers)}, r)))
    assert "It comes to another state the second time it reads the same path." in text
    last = {"position": -1, "calls": 0}

    def counting(state: Any, reading: Reading, context: Context) -> Answer:
        """As pure as it looks while one path is read after the other."""
        begins = context.position <= last["position"] or context.position == 0
        last["calls"] = (0 if begins else last["calls"]) + len(context.pieces)
        last["position"] = context.position
        return {**state, "n": last["calls"]}, reading

    assert "when it reads others in between" in told(spoilt(counting))


def test_what_a_restart_loses_is_found(tmp_path: Any) -> None:
    file = tmp_path / "forgetful.py"
    file.write_text(
        "from loom.instruments.api import Reading\n"
        "NAME, SEEN = 'forgetful', {}\n"
        "def start(settings):\n    return 0\n"
        "def step(state, span, context):\n"
        "    for index in range(len(span)):\n"
        "        SEEN[context.position + index] = True\n"
        "    known = sum(place in SEEN for place in range(context.position))\n"
        "    return known + len(span), Reading()\n"
    )
    text = told(load_plugin(file))
    assert "It comes to another state after a restart in the middle." in text


def test_a_folder_is_a_plugin_too(tmp_path: Any) -> None:
    folder = tmp_path / "parted"
    folder.mkdir()
    (folder / "reading.py").write_text(
        "from loom.instruments.api import Reading\n"
        "def step(state, span, context):\n    return state + len(span), Reading()\n"
    )
    (folder / "__init__.py").write_text(
        "from .reading import step\nNAME = 'parted'\ndef start(settings):\n    return 0\n"
    )
    check_instrument(load_plugin(folder))


def test_slowness_is_told_by_the_clock_that_is_given() -> None:
    ticks = count(0, 0.1)
    assert "ms a token; 0.5 ms is the most" in told(plugin(), clock=lambda: next(ticks))
    stopped = list(faults_of(plugin(), PATHS, clock=lambda: 0.0))
    assert stopped == []


def test_made_up_paths_are_paths() -> None:
    for path in sample_paths().values():
        position = offset = 0
        for stretch in path:
            span, context = stretch.span, stretch.context
            assert (context.position, context.offset) == (position, offset)
            assert np.diff(span.ends, prepend=0).tolist() == [len(p) for p in context.pieces]
            assert (np.diff(span.top_logprobs, axis=1) <= 1e-6).all()
            assert (np.exp(span.top_logprobs.astype(float)).sum(axis=1) <= 1 + 1e-5).all()
            there = span.rank < span.top_ids.shape[1]
            rows = np.flatnonzero(there)
            assert (span.top_ids[rows, span.rank[rows]] == span.ids[rows]).all()
            position, offset = position + len(span), offset + int(span.ends[-1])
    assert human_path(100, 1)[0].span.ids.tolist() != human_path(100, 2)[0].span.ids.tolist()


def test_human_like_text_is_as_surprising_as_expected_and_word_salad_more_so() -> None:
    spans = [stretch.span for stretch in human_path(6000)]
    surprise, entropy = (
        -np.concatenate([span.logprob for span in spans]),
        np.concatenate([span.entropy for span in spans]),
    )
    error = (surprise - entropy).std() / np.sqrt(len(surprise))
    assert abs((surprise - entropy).mean()) < 4 * error
    assert -random_path()[0].span.logprob.mean() > 2 * surprise.mean()


def test_a_loop_repeats_its_tokens_ever_more_surely() -> None:
    ids = np.concatenate([stretch.span.ids for stretch in loop_path(5, 60, lead=20)])
    assert (ids[20:-5] == ids[25:]).all()
    assert (ids[:20] != ids[5:25]).any()


def test_a_path_can_be_written_by_hand() -> None:
    path = path_of("Once upon a time", 2.0, author=Author.WRITER)
    path = path_of([" the", " sea"], [1.0, 9.0], choice=Choice(4), after=path)
    assert path[0].context.pieces == (b"Once", b" upon", b" a", b" time")
    assert (path[1].context.position, path[1].context.offset) == (4, 16)
    assert np.allclose(-path[1].span.logprob / np.log(2), [1, 9])
    run = read_along(plugin(), path)
    assert run.reading.summary == {"tokens": 6.0, "so far": "6"}
    assert run.state == {"seen": 6, "sum": pytest.approx(18 * np.log(2), rel=1e-6)}


def test_cutting_a_path_loses_no_token_and_keeps_the_choice_at_the_node() -> None:
    path = human_path(200)
    cut = cut_at_random(path)
    assert sum(map(len, cut)) == 200
    assert len(cut) > len(path)
    assert sum(stretch.context.choice is not None for stretch in cut) == len(path)
