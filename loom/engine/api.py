"""The Engine protocol: jobs in, events out, at most one forward pass a step.

An engine is synchronous and single-threaded; a test drives it with a `while` loop. It knows nothing
of trees, sessions or processes. `backends/echo.py` is the public fake.

    EngineError
    ├── ModelNotFound      nothing usable under that name
    ├── ModelUnsupported   it is there but can't be loaded as it is (why, and what to do)
    └── JobFailed          this job went wrong; the engine goes on
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from loom.core.node import Ending
from loom.core.recipe import Recipe
from loom.core.span import TOP, Span

Piece = tuple[int, ...] | bytes
"""Part of a prefix: token ids of this model's own, or text for the engine to encode."""


class EngineError(Exception):
    """What failed and why (the message), and what to do (`hint`); both are shown to the user."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ModelNotFound(EngineError): ...


class ModelUnsupported(EngineError): ...


class JobFailed(EngineError): ...


@dataclass(frozen=True, slots=True)
class Generate:
    """Draw one continuation a seed after `prefix`, all on one shared prefix.

    Token t of the branch with seed s is drawn with `core.seeds.uniform(s, t)` by inverse CDF in
    token order, so a branch doesn't depend on its siblings. An empty prefix is the start of a
    document. Where the recipe `begins` with bytes, every branch repeats them first; see
    `engine.seam` for how the tokens that do so are drawn, which don't count for `recipe.tokens`
    unless they go beyond them.
    """

    id: str
    prefix: tuple[Piece, ...]
    recipe: Recipe
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Read `text` after `prefix`: its tokens and their probabilities, in chunks of ≤ 256 tokens.

    With `following` one more row is asked for: the distribution of the token after the last.
    """

    id: str
    prefix: tuple[Piece, ...]
    text: Piece
    top: int = TOP
    following: bool = False


Job = Generate | Score


@dataclass(frozen=True, slots=True)
class Grown:
    """`span` continues branch `branch` of a Generate (or the text of a Score, branch 0).

    `text` are the bytes of these tokens; `span.ends` count from the start of this event's text.
    """

    job: str
    branch: int
    text: bytes
    span: Span


@dataclass(frozen=True, slots=True)
class Ended:
    """Branch `branch` is complete. A Score ends with `Ending.LENGTH`."""

    job: str
    branch: int
    reason: Ending


@dataclass(frozen=True, slots=True)
class Following:
    """The distribution after the scored text: `ids` and `logprobs`, falling; `pieces` their bytes.

    Comes before the job's Ended. `entropy` in nats, `varentropy` in nats².
    """

    job: str
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    pieces: tuple[bytes, ...]
    entropy: float
    varentropy: float

    def span(self, rank: int) -> Span:
        """The token at `rank` as a span of one, as if it had been read."""
        return Span(
            ids=np.array([self.ids[rank]], np.int32),
            ends=np.array([len(self.pieces[rank])], np.int32),
            logprob=np.array([self.logprobs[rank]], np.float32),
            entropy=np.array([self.entropy], np.float32),
            varentropy=np.array([self.varentropy], np.float32),
            rank=np.array([rank], np.int32),
            top_ids=np.array([self.ids], np.int32),
            top_logprobs=np.array([self.logprobs], np.float32),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` prefix or text tokens read; sent when it takes a while."""

    job: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The whole job is over; what has grown so far stays."""

    job: str
    error: str
    hint: str = ""


Event = Grown | Ended | Following | Progress | Failed


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; what it can't is greyed out and said. `heals`: it heeds what a recipe
    `begins` with."""

    name: str
    label: str
    fingerprint: str
    vocabulary: int
    context: int
    device: str = "cpu"
    dtype: str = "float32"
    scores: bool = True
    alternatives: int = 100
    reproducible: bool = True
    heals: bool = False
    runtime: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class About:
    """What a backend is, before any model is loaded: `models` are those it runs, `can` what it can
    do with them, a phrase each; `lack` is what keeps it from running any, and what to do."""

    models: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    devices: Sequence[str] = ()
    can: Sequence[str] = ()
    lack: str = ""


class Engine(Protocol):
    """Seven methods; see the module's docstring.

    A backend is one file with `NAME: str`, `accepts(model: str) -> bool` (cheap: looks at the name
    and the folder, imports nothing heavy) and `load(model: str, options: Mapping[str, Any],
    progress: Callable[[int, int], None]) -> Engine`. It may define `about() -> About`, too, which
    may import the library that runs the models.
    """

    def submit(self, job: Job) -> None:
        """Queue a job; raises nothing (one that can't run answers with Failed at a step)."""

    def cancel(self, job: str, branch: int | None = None) -> None:
        """Stop a job or one of its branches; it answers Ended(CANCEL) at the next step."""

    def step(self) -> Sequence[Event]:
        """At most one forward pass; an empty list when there is nothing to do."""

    def encode(self, text: bytes, *, start: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(ids, ends) of `text`; `start` when it opens the document. Ends are bytes in `text`."""

    def can(self) -> Capabilities: ...

    def pieces(self, ids: Sequence[int]) -> tuple[bytes, ...]:
        """The bytes of each token on its own."""

    def close(self) -> None: ...


def options_of(engine_options: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """`engine_options[name]` as `kind` (int, float, bool or str), or `default`; raises EngineError
    naming the option and what it may be."""
    value = engine_options.get(name, default)
    if value is default:
        return value
    try:
        return _as_kind(value, kind)
    except (TypeError, ValueError, OverflowError) as error:
        raise EngineError(
            f"The engine option {name} is {value!r}; it must be {_KINDS.get(kind, kind.__name__)}.",
            f"Correct it in loom.toml under [engine], or with --engine {name}=….",
        ) from error


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _as_kind(value: Any, kind: type) -> Any:
    """Raises ValueError or another where it isn't one."""
    if kind is str:
        return str(value)
    if isinstance(value, bool) is not (kind is bool):
        raise ValueError(value)
    if kind is int and float(value) != int(value):
        raise ValueError(value)
    return kind(value)
