"""Loops, templates, and text that has grown too sure or too unsure to pass for reference text.

Every statistic is watched along the path against the limit that unseen human text passes with a
chance of at most α in 512 tokens, all statistics together (`loom calibrate`; before that nothing is
flagged). What the model drew itself is judged like any other text: this is no test of the sampler.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loom.core.span import Span
from loom.instruments.api import Context, Flag, Passage, Reading, Settings
from loom.instruments.conformal import fewest_works, ladder
from loom.instruments.moments import moments_of, standardised
from loom.instruments.repeats import Memory
from loom.instruments.watching import SETTLED, Floats, Ints, crossings, cusum, is_sure, run, since

NAME = "traps"
VERSION = "2"
ABOUT = "Loops, templates, and text too sure or too unsure to pass for reference text."
OPTIONS: dict[str, Any] = {"alpha": 0.05, "genre": "all", "ignore": []}

HORIZON = 512  # tokens
ALL = "all"
CERTAIN = 0.02  # nats of entropy
FARTHEST = 2.0  # σ that a token counts for at most


@dataclass(frozen=True, slots=True)
class Statistic:
    """What is watched: `spread` is about how far apart its large values lie in human text (log).
    For the sums: the column summed, its sign, and the σ a token is forgiven."""

    unit: str
    spread: float
    said: str
    perhaps: str
    column: str = ""
    sign: float = 0.0
    drift: float = 0.0


STATISTICS = {
    "loop": Statistic(
        "tokens",
        0.7,
        "{value:.0f} tokens repeat those {period} before them.",
        "a loop: go back to where it began; or a refrain, a ruled line, a table",
    ),
    "schema": Statistic(
        "words",
        0.3,
        "{value:.0f} of the last 96 words, numbers aside, repeat those about {words} words before.",
        "a template that fills itself in; or a list, a catalogue, a litany that is meant",
    ),
    "repetition": Statistic(
        "sequences",
        0.4,
        "{value:.0f} of the sequences of four in the last 256 tokens are copies.",
        "a loop with variations; or a refrain, a formula, a table",
    ),
    "certainty": Statistic(
        "tokens",
        0.4,
        "For {value:.0f} tokens the model has been certain of the next one.",
        "an absorbing state or a loop; or text known by heart",
    ),
    "entropy_down": Statistic(
        "σ",
        0.5,
        "The model has long been surer of the next token than in reference text.",
        "a loop coming on, a low temperature; or formulaic text",
        "entropy",
        -1.0,
        0.5,
    ),
    "entropy_up": Statistic(
        "σ",
        0.4,
        "The model has long been less sure of the next token than in reference text.",
        "text falling apart, a high temperature; or names, numbers, another language",
        "entropy",
        1.0,
        0.5,
    ),
    "surprise_up": Statistic(
        "σ",
        0.3,
        "The text has long surprised the model more than reference text does.",
        "text falling apart, a high temperature; or matter foreign to the model",
        "surprise",
        1.0,
        0.5,
    ),
    "excess_down": Statistic(
        "σ",
        0.3,
        "The text has long been likelier than the model's own uncertainty lets one expect.",
        "a temperature below 1, a cut-off tail; or text the model was trained on",
        "excess",
        -1.0,
        0.25,
    ),
    "excess_up": Statistic(
        "σ",
        0.3,
        "The text has long been less likely than the model's own uncertainty lets one expect.",
        "a temperature above 1, tokens chosen by hand; or matter foreign to the model",
        "excess",
        1.0,
        0.25,
    ),
}
CHOICE = False
UNITS = {name: statistic.unit for name, statistic in STATISTICS.items()}
SUMS = {name: each for name, each in STATISTICS.items() if each.column}
COUNTS = ("schema", "repetition")
EXPLAINED = dict.fromkeys(COUNTS, "loop")  # what a loop that was flagged need not say again

State = dict[str, Any]


def start(settings: Settings) -> State:
    return _start(_reference(settings))


def step(state: State, span: Span, context: Context) -> tuple[State, Reading]:
    track = _Track(state, span, context)
    raised, reference = dict(state["raised"]), state["reference"]
    alphas, limits = reference["alphas"], reference["limits"]
    flags = tuple(
        track.flag(name, place, rung)
        for name, place, rung in crossings(track.series, limits, alphas, raised, EXPLAINED)
    )
    values = {name: column.astype(np.float32) for name, column in track.series.items()}
    summary = {"reference": reference["name"] or "uncalibrated"}
    return {**track.state, "raised": raised}, Reading(values, summary, flags)


def calibrate(passages: Sequence[Passage], options: Mapping[str, Any]) -> dict[str, Any]:
    """Moments and limits for all passages together, and for each genre of enough works."""
    genres = {ALL: list(passages)}
    for passage in passages:
        if passage.genre:
            genres.setdefault(passage.genre, []).append(passage)
    enough = fewest_works(0.05)
    return {
        genre: _fitted(some)
        for genre, some in genres.items()
        if genre == ALL or len({passage.work for passage in some}) >= enough
    }


def _reference(settings: Settings) -> State:
    """What the state has to know of the calibration."""
    kept = settings.calibration or {}
    genre = settings.options["genre"] if settings.options["genre"] in kept else ALL
    if genre not in kept:
        return {"name": "", "moments": {}, "limits": {}, "alphas": [], "horizon": HORIZON}
    fitted, alpha = kept[genre], float(settings.options["alpha"])
    ignored = settings.options["ignore"]
    rungs = [rung for rung, other in enumerate(fitted["alphas"]) if other <= alpha]
    return {
        "name": genre,
        "moments": fitted["moments"],
        "limits": {
            name: [row[i] for i in rungs]
            for name, row in fitted["limits"].items()
            if name not in ignored
        },
        "alphas": [fitted["alphas"][i] for i in rungs],
        "horizon": fitted["horizon"],
    }


def _start(reference: Mapping[str, Any]) -> State:
    return {
        "memory": Memory.empty().kept(),
        "certainty": 0,
        "sums": dict.fromkeys(SUMS, 0.0),
        "since": dict.fromkeys((*SUMS, *COUNTS), 0),
        "raised": {},
        "reference": reference,
    }


class _Track:
    """A span read on from a state: each statistic after each token, where what it speaks of began,
    and the state after it, `raised` still as before."""

    def __init__(self, state: State, span: Span, context: Context) -> None:
        self.series: dict[str, Floats] = {}
        self._began: dict[str, Ints] = {}
        self._reference = state["reference"]
        places = context.position + np.arange(len(span))
        memory, self._repeats = Memory.of(state["memory"]).after(span.ids, context.pieces)
        self._count(state, span, places)
        self._sum(state, span, places)
        for name, before in state["since"].items():
            if name in self.series:
                settled = self.series[name] <= self._floor(name)
                self._began[name] = since(settled, before, places)
        self.state = {
            "memory": memory.kept(),
            "certainty": int(self.series["certainty"][-1]),
            "sums": {name: float(self.series.get(name, [0.0])[-1]) for name in SUMS},
            "since": {name: int(self._began.get(name, [0])[-1]) for name in state["since"]},
            "raised": state["raised"],
            "reference": self._reference,
        }

    def _count(self, state: State, span: Span, places: Ints) -> None:
        repeats = self._repeats
        certain = run(span.entropy < CERTAIN, state["certainty"])
        self.series["loop"] = repeats.loop.astype(np.float64)
        self.series["schema"] = repeats.schema.astype(np.float64)
        self.series["repetition"] = repeats.grams.astype(np.float64)
        self.series["certainty"] = certain.astype(np.float64)
        self._began["loop"] = places + 1 - repeats.loop - repeats.period
        self._began["certainty"] = places + 1 - certain

    def _sum(self, state: State, span: Span, places: Ints) -> None:
        """How many σ too high or too low in all, less the drift, never below 0: CUSUMs."""
        if not self._reference["moments"]:
            return
        standard = standardised(span, places, self._reference["moments"])
        for name, each in SUMS.items():
            far = np.clip(each.sign * standard[each.column], -FARTHEST, FARTHEST)
            self.series[name] = cusum(far - each.drift, state["sums"][name])

    def _floor(self, name: str) -> float:
        """Up to which a statistic says nothing yet."""
        row = self._reference["limits"].get(name)
        return SETTLED * row[0] if row and name in COUNTS else 0.0

    def flag(self, name: str, place: int, rung: int) -> Flag:
        alphas, statistic = self._reference["alphas"], STATISTICS[name]
        sure = is_sure(alphas[rung])
        return Flag(
            level="flag" if sure else "info",
            null="reference",
            at=place,
            began=max(0, int(self._began[name][place])),
            bits=-math.log2(alphas[rung]),
            reason=statistic.said.format(
                value=self.series[name][place],
                period=self._repeats.period[place],
                words=self._repeats.words[place],
            ),
            alpha=next(alpha for alpha in alphas if is_sure(alpha)) if sure else alphas[0],
            horizon=self._reference["horizon"],
            perhaps=statistic.perhaps,
        )


def _fitted(passages: Sequence[Passage]) -> dict[str, Any]:
    """Works are what is exchangeable; where there are too few of them, passages have to do."""
    works = [passage.work for passage in passages]
    by = "works" if len(set(works)) >= fewest_works(0.05) else "passages"
    if by == "passages":
        works = [str(number) for number in range(len(passages))]
    horizon = min(HORIZON, *(len(passage.span) for passage in passages))
    reference = {
        "name": ALL,
        "moments": moments_of([passage.span for passage in passages], works),
        "limits": {},
        "alphas": [],
        "horizon": horizon,
    }
    rows: list[list[float]] = []
    groups: list[str] = []
    for passage, work in zip(passages, works, strict=True):
        found = _maxima(passage, reference)
        rows += found
        groups += [work] * len(found)
    spreads = [statistic.spread for statistic in STATISTICS.values()]
    alphas, table = ladder(np.array(rows), groups, spreads)
    return {
        "works": len(set(works)),
        "by": by,
        "windows": len(rows),
        "horizon": horizon,
        "moments": reference["moments"],
        "alphas": alphas,
        "limits": dict(zip(STATISTICS, table, strict=True)) if alphas else {},
    }


def _maxima(passage: Passage, reference: Mapping[str, Any]) -> list[list[float]]:
    """The largest value of each statistic in each window; the last may overlap the one before it by
    a thirty-second part."""
    horizon, length = reference["horizon"], len(passage.span)
    series = _Track(_start(reference), passage.span, passage.context).series
    starts = range(0, length - horizon + horizon // 32 + 1, horizon)
    firsts = [min(start, length - horizon) for start in starts]
    return [
        [float(series[name][first : first + horizon].max()) for name in STATISTICS]
        for first in firsts
    ]
