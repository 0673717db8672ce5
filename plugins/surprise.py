"""What each token cost the model and how unsure it was; describes, never flags.

`excess`, surprise less entropy, averages 0 in text drawn from the model itself, whatever it says.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from loom.core.span import Span
from loom.instruments.api import Context, Reading, Settings

NAME = "surprise"
VERSION = "1"
ABOUT = (
    "What each token cost the model, how unsure it was, and by how much the one beats the other."
)
UNITS = dict.fromkeys(("surprise", "entropy", "excess"), "bits") | {"varentropy": "bits²"}
CHOICE = False
BIT = np.float32(math.log(2))  # in nats


def start(settings: Settings) -> Any:
    return None


def step(state: Any, span: Span, context: Context) -> tuple[Any, Reading]:
    surprise, entropy = -span.logprob / BIT, span.entropy / BIT
    values = {
        "surprise": surprise,
        "entropy": entropy,
        "varentropy": span.varentropy / BIT**2,
        "rank": span.rank.astype(np.float32),
        "excess": surprise - entropy,
    }
    return state, Reading(values, {"bits": float(surprise.sum(dtype=np.float64))})
