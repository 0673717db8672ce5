"""How much of a text the writer steered, in bits.

A writer steers by choosing among continuations, by going back, and by writing. Each is counted
against what the model would have done alone, so the three can be added. What was chosen is a bound
(log₂ n/m: of n different ones m were taken) and, as `…_kl`, what choosing the best m of n is worth
where they differ as chance has it. What stands beside a writer's own words was not chosen among:
they cost their surprise. The first token after a seam is the least certain figure: the model
might have cut the text elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.node import Author
from loom.core.span import Span
from loom.instruments.api import Choice, Context, Reading, Settings

NAME = "ledger"
VERSION = "2"
ABOUT = "How much of the text the writer steered, in bits: chosen, gone back and written."
OPTIONS = {"pause": 300.0}  # seconds; so much of a longer gap counts as time at work
UNITS = {"steering": "bits"}

BIT = math.log(2)  # in nats
NODES, HALVES = np.polynomial.legendre.leggauss(96)
SHARES, WEIGHTS = (NODES + 1) / 2, HALVES / 2  # to integrate over 0 to 1


def start(settings: Settings) -> dict[str, Any]:
    pause = float(settings.options["pause"])
    return {"pause": pause, "timing": False, "steered": 0.0, "model": 0.0, "timed": 0.0, "at": 0.0}


def step(state: dict[str, Any], span: Span, context: Context) -> tuple[dict[str, Any], Reading]:
    """Choosing and going back count at the first token of a node, writing at each; `timed` are the
    bits steered in `seconds`, for of some nodes nobody knows how long they took."""
    surprise = -span.logprob.astype(np.float64) / BIT
    written = surprise if context.author is Author.WRITER else surprise[:0]
    grown = surprise if context.author is Author.MODEL else surprise[:0]
    excess = written - span.entropy[: len(written)].astype(np.float64) / BIT
    summary = choice_bits(context.choice, context.author)
    bits = summary["chosen"] + summary["gone_back"]
    seconds = _seconds(context.choice, state["pause"])
    timing = state["timing"] if context.choice is None else context.choice.seconds is not None
    after = {
        "pause": state["pause"],
        "timing": timing,
        "steered": _sum(state["steered"] + bits, written),
        "model": _sum(state["model"], grown),
        "timed": _sum(state["timed"] + bits, written) if timing else state["timed"],
        "at": state["at"] + seconds,
    }
    summary |= {
        "tokens": float(len(span)),
        "written": _sum(0.0, written),
        "written_excess": _sum(0.0, excess),
        "model": _sum(0.0, grown),
        "seconds": seconds,
        "timed": bits + _sum(0.0, written) if timing else 0.0,
    }
    values = {"steering": _steering(bits, written, len(span))}
    return after, Reading(values, {**summary, "so_far": _said(after)})


def choice_bits(choice: Choice | None, author: Author) -> dict[str, float]:
    """Bits of having come to a node: to come back is to choose among one more."""
    if choice is None:
        choice = Choice()
    drawn = author is Author.MODEL
    offered, taken = (choice.offered, choice.taken) if drawn else (1, 1)
    all_told = offered + choice.backtracks
    return {
        "chosen": math.log2(offered / taken),
        "gone_back": math.log2(all_told / offered),
        "chosen_kl": best_of(offered, taken),
        "gone_back_kl": best_of(all_told, taken) - best_of(offered, taken),
    }


@cache
def best_of(count: int, taken: int = 1) -> float:
    """How far, in bits, one of the best `taken` of so many draws lies from a single one (KL).

    One than which a share of all is better is among them if at most taken − 1 of the others are:
    count / taken times the probability of that is the density of what was taken.
    """
    if taken >= count:
        return 0.0
    if taken == 1:
        return math.log2(count) - (count - 1) / (count * BIT)
    found, most = 0.0, min(0.5, 4 * (taken + 10) / count)  # hardly one is worse
    for low, high in ((0.0, most), (most, 1.0)):
        better = np.maximum(low + SHARES * (high - low), 1e-300)
        among = np.zeros_like(better)
        for k in range(taken):
            rest = (count - 1 - k) * np.log1p(-better)
            among += np.exp(_ways(count - 1, k) + k * np.log(better) + rest)
        density = count / taken * among
        part = density * np.log2(np.maximum(density, 1e-300))
        found += (high - low) * float(np.sum(WEIGHTS * part))
    return found


def _ways(count: int, taken: int) -> float:
    """Log of in how many ways so many can be taken."""
    return math.lgamma(count + 1) - math.lgamma(taken + 1) - math.lgamma(count - taken + 1)


def _seconds(choice: Choice | None, pause: float) -> float:
    known = None if choice is None else choice.seconds
    return 0.0 if known is None else min(known, pause)


def _steering(bits: float, written: NDArray[np.float64], tokens: int) -> NDArray[np.float32]:
    values = np.zeros(tokens, np.float64)
    values[: len(written)] = written
    values[0] += bits
    return values.astype(np.float32)


def _sum(total: float, values: Iterable[float]) -> float:
    """One after the other, so that it comes out the same however a path is cut."""
    for value in values:
        total += float(value)
    return total


def _said(state: dict[str, Any]) -> str:
    """In words, of the whole path up to here."""
    steered, everything = state["steered"], state["steered"] + state["model"]
    said = f"{steered:.1f} bits steered"
    if everything:
        said += f", {steered / everything:.0%} of what the text holds"
    if state["at"]:
        said += f", {state['timed'] * 60 / state['at']:.1f} bits a minute"
    return said
