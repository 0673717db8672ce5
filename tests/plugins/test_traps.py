"""What is flagged and when, on texts made for it; calibrated on made-up human-like works."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loom.core.node import Author
from loom.core.span import joined as joined_spans
from loom.instruments.api import Context, Flag, Passage, Settings
from loom.instruments.folding import Stretch
from loom.testing import (
    check_instrument,
    human_path,
    load_plugin,
    loop_path,
    path_of,
    random_path,
    read_along,
)

TRAPS: Any = load_plugin(Path(__file__).parents[2] / "plugins" / "traps.py")
WORKS, TOKENS = 100, 320
LEAD = 200


def passage(number: int, genre: str = "", tokens: int = TOKENS) -> Passage:
    path = human_path(tokens, seed=number)
    pieces = tuple(piece for part in path for piece in part.context.pieces)
    span = joined_spans([part.span for part in path])
    return Passage(span, Context(0, 0, Author.IMPORT, pieces), f"work {number}", genre)


@cache
def calibration() -> dict[str, Any]:
    kept = TRAPS.calibrate([passage(1000 + number) for number in range(WORKS)], {})
    return dict(json.loads(json.dumps(kept)))


def settings(**options: Any) -> Settings:
    return Settings({**TRAPS.OPTIONS, **options}, "made-up", calibration())


def flags(path: Sequence[Stretch], **options: Any) -> list[tuple[int, str, Flag]]:
    """(token after the lead, statistic, flag)"""
    found = read_along(TRAPS, path, settings(**options)).reading.flags
    said = {each.perhaps: name for name, each in TRAPS.STATISTICS.items()}
    return [(flag.at - LEAD, said[flag.perhaps], flag) for flag in found]


def first(path: Sequence[Stretch], *names: str) -> int:
    """How many tokens after the lead one of these was flagged."""
    return min(at for at, name, _ in flags(path) if name in names and at >= 0) + 1


def looped(period: int, seed: int = 0) -> list[Stretch]:
    """A loop that the model never learns to expect: only its words give it away."""
    lead = human_path(LEAD, seed, Author.MODEL)
    tail = human_path(period, seed + 500, Author.MODEL)
    path = list(lead)
    for _ in range(6):
        for part in tail:
            pieces = part.context.pieces
            bits = (-part.span.logprob / math.log(2)).tolist()
            path = path_of(pieces, bits, entropy=bits, after=path)
    return path


def test_it_keeps_the_contract() -> None:
    check_instrument(TRAPS, clock=lambda: 0.0)


def test_nothing_is_flagged_before_it_is_calibrated() -> None:
    for path in (loop_path(1, 400), random_path()):
        reading = read_along(TRAPS, path).reading
        assert reading.flags == ()
        assert reading.summary["reference"] == "uncalibrated"
        assert reading.values["loop"].max() >= 0
        assert "entropy_up" not in reading.values


@pytest.mark.parametrize(("period", "most"), [(12, 36), (40, 90)])
def test_a_loop_is_flagged_soon(period: int, most: int) -> None:
    delays = [first(looped(period, seed), "loop") for seed in range(5)]
    assert np.median(delays) <= most


def test_an_absorbing_state_is_flagged_at_once() -> None:
    path = human_path(LEAD, 3, Author.MODEL)
    path = path_of([" so"] * 40, [7] + [0.0] * 39, entropy=[5] + [0.0] * 39, after=path)
    assert first(path, "certainty", "loop") <= 10


def test_what_a_known_sampler_explains_is_not_flagged() -> None:
    cold = path_of([f" w{n}" for n in range(300)], [3.0] * 300, entropy=[5.0] * 300)
    assert "excess_down" in {name for _, name, _ in flags(cold)}
    known = []
    for part in cold:
        drawn = np.full(len(part), 2.0, np.float32)
        span = replace(part.span, sampled_logprob=-drawn, sampled_entropy=drawn)
        known.append(replace(part, span=span))
    assert "excess_down" not in {name for _, name, _ in flags(known)}


def test_word_salad_is_flagged_as_too_unsure_and_too_surprising() -> None:
    names = {name for _, name, _ in flags(random_path(400))}
    assert {"entropy_up", "surprise_up"} <= names
    assert "loop" not in names


def test_a_flag_says_what_was_tested_with_which_evidence_and_what_would_explain_it() -> None:
    loops = [flag for _, name, flag in flags(looped(12)) if name == "loop"]
    for flag in loops:
        assert (flag.null, flag.horizon) == ("reference", TOKENS)
        assert flag.alpha == {"info": 0.05, "flag": 0.01}[flag.level]
        assert flag.bits >= -math.log2(flag.alpha) - 1e-9
        assert abs(flag.began - LEAD) <= 3
        assert "repeat those 12 before them" in flag.reason
        assert "refrain" in flag.perhaps
    assert loops[-1].level == "flag"


def test_an_occurrence_is_said_once_and_once_more_when_it_has_become_sure() -> None:
    path: list[Stretch] = []
    for part in human_path(400, 11):
        path = path_of(part.context.pieces, 7, entropy=7, after=path)
    rising = [flag for _, name, flag in flags(path) if name == "entropy_up"]
    assert [(flag.level, flag.alpha) for flag in rising] == [("info", 0.05), ("flag", 0.01)]
    assert rising[0].bits < rising[1].bits
    assert rising[0].at < rising[1].at


def test_a_second_loop_is_a_second_occurrence() -> None:
    path = looped(12)
    path = [*path, *human_after(path, 100)]
    again = human_path(12, 77)[0].context.pieces * 6
    loops = [f for _, name, f in flags(path_of(again, 6, after=path)) if name == "loop"]
    assert len({flag.began for flag in loops}) == 2
    assert abs(loops[-1].began - sum(map(len, path))) <= 3
    assert sum(flag.level == "flag" for flag in loops) == 2


def test_what_a_loop_explains_is_not_said_as_well() -> None:
    names = {name for _, name, _ in flags(looped(12))}
    assert "loop" in names
    assert "schema" not in names
    values = read_along(TRAPS, looped(12), settings()).reading.values
    assert values["schema"].max() > calibration()["all"]["limits"]["schema"][0]


def human_after(path: Sequence[Stretch], tokens: int) -> list[Stretch]:
    for part in human_path(tokens, 9):
        bits = (-part.span.logprob / math.log(2)).tolist()
        path = path_of(part.context.pieces, bits, after=path)
    return list(path)[-len(human_path(tokens, 9)) :]


def test_a_loop_that_goes_on_in_a_child_is_not_flagged_anew() -> None:
    path = looped(12)
    state = TRAPS.start(settings())
    found: list[Flag] = []
    for part in path:
        for place in range(len(part)):
            one = part.cut(place, place + 1)
            state, reading = TRAPS.step(json.loads(json.dumps(state)), one.span, one.context)
            found += reading.flags
    assert [f for f in found if "before them" in f.reason] == [
        replace(flag, at=0) for _, name, flag in flags(path) if name == "loop"
    ]


def test_a_smaller_alpha_flags_no_more() -> None:
    path = looped(12)
    strict = flags(path, alpha=0.01)
    assert {flag.level for _, _, flag in strict} == {"flag"}
    assert {flag.alpha for _, _, flag in strict} == {0.01}
    assert min(at for at, _, _ in strict) >= min(at for at, _, _ in flags(path))


def test_what_is_to_be_ignored_is_not_flagged() -> None:
    names = {name for _, name, _ in flags(random_path(400))}
    left = {name for _, name, _ in flags(random_path(400), ignore=["surprise_up"])}
    assert left == names - {"surprise_up"}


def test_an_alpha_that_the_calibration_does_not_reach_flags_nothing() -> None:
    assert flags(looped(12), alpha=0.001) == []


def test_unseen_text_of_the_same_kind_raises_few_alarms() -> None:
    paths = [human_path(TOKENS, seed=5000 + number) for number in range(80)]
    alarmed = [bool(flags(path)) for path in paths]
    error = (0.05 * 0.95 / len(alarmed)) ** 0.5
    assert np.mean(alarmed) <= 0.05 + 3 * error


def test_a_genre_of_enough_works_has_limits_of_its_own() -> None:
    verse = [passage(3000 + n, "verse", 128) for n in range(20)]
    prose = [passage(4000 + n, "prose", 128) for n in range(5)]
    kept = TRAPS.calibrate(verse + prose, {})
    assert set(kept) == {"all", "verse"}
    assert kept["all"]["works"] == 25
    started = TRAPS.start(Settings({**TRAPS.OPTIONS, "genre": "verse"}, "", kept))
    assert started["reference"]["name"] == "verse"
    started = TRAPS.start(Settings({**TRAPS.OPTIONS, "genre": "prose"}, "", kept))
    assert started["reference"]["name"] == "all"


def test_few_works_are_judged_passage_by_passage_and_that_is_said() -> None:
    passages = [passage(n, tokens=128) for n in range(30)]
    same = [Passage(p.span, p.context, f"work {n % 3}") for n, p in enumerate(passages)]
    kept = TRAPS.calibrate(same, {})["all"]
    assert (kept["by"], kept["works"], kept["alphas"]) == ("passages", 30, [0.1, 0.05])


def test_the_state_is_small() -> None:
    state = read_along(TRAPS, looped(40), settings()).state
    assert len(json.dumps(state, separators=(",", ":"))) < 3000
