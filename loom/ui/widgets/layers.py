"""Colour layers over text: which of six steps a token falls in.

Knows columns over tokens; knows nothing of colours, which are the stylesheet's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from loom.core.span import Floats, Span

LayerName = Literal["plain", "probability", "surprise", "entropy", "author"]
LAYERS: tuple[LayerName, ...] = get_args(LayerName)
WorldLayer = Literal["source", "evidence", "information"]
WORLD_LAYERS: tuple[WorldLayer, ...] = get_args(WorldLayer)
STEPS = 6
UNKNOWN = -1  # the step of a token of which a layer knows nothing


@dataclass(frozen=True, slots=True)
class Scale:
    """Steps of a layer: a value falls in the step of the first limit it stays below.

    `prefix` begins the component class of a step (`p` → text--p0 …); step 5 is the most remarkable.
    """

    prefix: str
    unit: str
    limits: tuple[float, ...]
    falling: bool = False

    def label(self, step: int) -> str:
        """What a step means, for a legend: `< 2`, `4 to 7`, `≥ 13` …"""
        limits = self.limits
        if step == 0:
            return f"{'≥' if self.falling else '<'} {limits[0]:g}{self.unit}"
        if step == STEPS - 1:
            return f"{'<' if self.falling else '≥'} {limits[-1]:g}{self.unit}"
        low, high = sorted((limits[step - 1], limits[step]))
        return f"{low:g} to {high:g}{self.unit}"

    def brief(self, step: int) -> str:
        """The same in a few cells, the unit with the last of them: `<2`, `4+`, `13+ bits` …"""
        least = step == (STEPS - 1 if self.falling else 0)
        limit = self.limits[min(step, STEPS - 2) if self.falling else max(0, step - 1)]
        text = f"{limit:g}".removeprefix("0") if 0 < limit < 1 else f"{limit:g}"
        return f"{f'<{text}' if least else f'{text}+'}{self.unit if step == STEPS - 1 else ''}"


SCALES: dict[str, Scale] = {
    "probability": Scale("p", " %", (90, 50, 20, 5, 1), falling=True),
    "surprise": Scale("s", " bits", (2, 4, 7, 10, 13)),
    "entropy": Scale("e", " bits", (0.5, 1.5, 3, 4.5, 6)),
}
WORLD_SCALES: dict[str, Scale] = {
    "evidence": Scale("s", " bits", (0.003, 0.01, 0.03, 0.1, 0.3)),
    "information": Scale("e", " bits", (0.002, 0.005, 0.02, 0.05, 0.15)),
}
LEADING = "w"  # begins the component class of a source: w0 is none of them, w5 any but the first
PREFIXES: dict[str, str] = {
    **{name: scale.prefix for name, scale in (SCALES | WORLD_SCALES).items()},
    "source": LEADING,
}


def steps(span: Span, layer: str) -> Sequence[int]:
    """The step, 0 to 5, of every token; empty for a layer that isn't about probabilities."""
    scale = SCALES.get(layer)
    if scale is None:
        return ()
    return stepped(_values(span, layer), scale)


def stepped(values: Floats, scale: Scale) -> list[int]:
    """The step of every value; UNKNOWN for NaN."""
    sign = -1 if scale.falling else 1
    limits = sign * np.asarray(scale.limits)
    side: Literal["left", "right"] = "left" if scale.falling else "right"
    found = np.searchsorted(limits, sign * values, side=side)
    steps: list[int] = np.where(np.isnan(values), UNKNOWN, found).tolist()
    return steps


def _values(span: Span, layer: str) -> Floats:
    if layer == "probability":
        return np.exp(span.logprob) * 100
    if layer == "surprise":
        return -span.logprob / np.float32(np.log(2))
    return span.entropy / np.float32(np.log(2))
