"""The Instrument protocol: a fold along a path of the tree that reads tokens and raises flags.

A plugin is a module: one file that defines NAME, `start` and `step`. It is pure: the same path and
settings give the same readings, bit for bit, wherever the path is cut into spans; so a branch
goes on from its parent's state, nothing is read twice and a restart loses nothing. It knows nothing
of trees, files or engines.

    NAME, VERSION = "surprise", "1"

    def start(settings):
        return None

    def step(state, span, context):
        return state, Reading({"surprise": -span.logprob / LN2})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from loom.core.node import Author
from loom.core.span import Span

Null = Literal["sampler", "reference", "none"]
Level = Literal["info", "flag"]
Scope = Literal["path", "log"]

INFO_BITS = 3.3  # of evidence before anything is said (SCIENCE D)
FLAG_BITS = 6.64  # α = 0.01


@dataclass(frozen=True, slots=True)
class Settings:
    """What an instrument is started with.

    `options` are the plugin's OPTIONS, overlaid with the user's. `model` is the fingerprint of the
    model whose tokens are read. `calibration` is what `loom calibrate` kept for this plugin and
    that model, None where it has not run: then nothing is flagged that needs a threshold, and
    readings are descriptive.
    """

    options: Mapping[str, Any]
    model: str = ""
    calibration: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """How a writer came to this node: `offered` distinct continuations stood side by side there (1:
    nothing was chosen), of which `taken` were gone on from or bookmarked, this one in any case;
    `backtracks` times the writer had come back to the place before, `seconds` passed since the one
    before; None where nobody has recorded it."""

    offered: int = 1
    backtracks: int = 0
    seconds: float | None = None
    taken: int = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """Where the tokens of a span stand in the log: in generation `job`, counted from 0, each in a
    step of it and in a branch. Those of a step were drawn side by side."""

    job: int
    steps: tuple[int, ...]
    branches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What stands around a span. `position` tokens and `offset` bytes of the path are before it, or
    of the log where an instrument reads that.

    `pieces` are the bytes of each token of the span. `temperature` is the sampler's where the span
    was drawn. `choice` speaks of the node; it is None on all its spans but the first, and in the
    log. `drawn` is None on a path.
    """

    position: int
    offset: int
    author: Author
    pieces: tuple[bytes, ...]
    temperature: float | None = None
    choice: Choice | None = None
    drawn: Drawn | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """One alarm.

    `null` is the hypothesis that was tested: "sampler" (these tokens were drawn from the sampler)
    or "reference" (this looks like the reference text); "none" where nothing was tested, as with a
    bracket that was never closed. `at` is the token of the span that raised it, `began` the
    position on the path (or in the log) of the first token it is about. `bits` of evidence against
    the null, `alpha` the chance of any such alarm in `horizon` tokens if the null is true. `reason`
    is one sentence; `perhaps` says what would explain it.
    """

    level: Level
    null: Null
    at: int
    began: int
    bits: float
    reason: str
    alpha: float | None = None
    horizon: int | None = None
    perhaps: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """`values`: float32[T] each, one a token of the span (NaN: none). `summary`: of the span,
    numbers that add up or words. `flags`: those raised in the span."""

    values: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    summary: Mapping[str, float | str] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """Human text that a model has read from the start of a document, as `calibrate` gets it.

    `work` names what it was cut out of: passages of one work are not independent. `genre` is ""
    where it is not known.
    """

    span: Span
    context: Context
    work: str
    genre: str = ""


State = Any
"""Anything JSON keeps exactly: None, numbers, texts, lists, dicts with text keys. Small: it is kept
for every node."""


class Instrument(Protocol):
    """What a plugin's module must define. Optional: `VERSION` (text; change it when readings
    change), `OPTIONS` (name → default; number, text, true/false or a list of them), `SCOPE`
    ("path": the default; "log": one fold over everything a model has drawn in the session, in the
    order job, step, branch; a span holds tokens of one job, see `Context.drawn`),
    `ABOUT` (a sentence), `UNITS` (name of a value → unit), `CHOICE` (False: `context.choice` isn't
    looked at and is None, so that a node isn't read again when more is grown beside it),
    `calibrate(passages: Sequence[Passage], options) → Mapping` (what `Settings.calibration` will
    hold)."""

    NAME: str

    def start(self, settings: Settings) -> State: ...

    def step(self, state: State, span: Span, context: Context) -> tuple[State, Reading]:
        """Must give the same for a span as for its two parts one after the other: values and flags
        joined, the same state. `state` must not be changed in place."""
