"""How much of a text the writer steered, in bits.

A writer steers by choosing among continuations, by going back, and by writing. Each is counted
against what the model would have done alone, so the three can be added. What was chosen is a bound
(log₂ of how many were offered) and, as `…_kl`, what choosing the best of so many is worth where
they differ as chance has it. The first token after a seam is the least certain figure: the model
might have cut the text elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.node import Author
from loom.core.span import Span
from loom.instruments.api import Choice, Context, Reading, Settings

NAME = "ledger"
VERSION = "1"
ABOUT = "How much of the text the writer steered, in bits: chosen, gone back and written."
OPTIONS = {"pause": 300.0}  # seconds; so much of a longer gap counts as time at work
UNITS = {"steering": "bits"}

BIT = math.log(2)  # in nats


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
    summary = choice_bits(context.choice)
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


def choice_bits(choice: Choice | None) -> dict[str, float]:
    """Bits of having come to a node: to come back is to choose among one more."""
    if choice is None:
        choice = Choice()
    offered, all_told = choice.offered, choice.offered + choice.backtracks
    return {
        "chosen": math.log2(offered),
        "gone_back": math.log2(all_told) - math.log2(offered),
        "chosen_kl": best_of(offered),
        "gone_back_kl": best_of(all_told) - best_of(offered),
    }


def best_of(count: int) -> float:
    """How far, in bits, the best of so many draws lies from a single one (KL)."""
    return math.log2(count) - (count - 1) / (count * BIT)


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
