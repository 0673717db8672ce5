"""What a session tells those who watch it; frozen values, delivered in the event loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loom.core.node import Ending, Place

Level = Literal["info", "warning", "error"]
EngineState = Literal["none", "loading", "ready", "dead"]


@dataclass(frozen=True, slots=True)
class TreeChanged:
    """Nodes were added, hidden, restored or marked."""

    nodes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Grew:
    """Text of growing nodes got longer; at most 30 times a second."""

    nodes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A node is complete."""

    node: int
    ended: Ending


@dataclass(frozen=True, slots=True)
class Scored:
    """A model has read a written node: it has tokens and probabilities now."""

    node: int


@dataclass(frozen=True, slots=True)
class Read:
    """Instruments have read these nodes, or found what they had read; `flagged` are those with
    flags. Several at once, and an old one may come again."""

    nodes: frozenset[int]
    flagged: frozenset[int]


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is believed of the source of these nodes is known, is better known, or (none: the set of
    sources has changed) is not known any more."""

    nodes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Weighing:
    """How far it is, in tokens times frames; at most ten times a second."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Moved:
    place: Place


@dataclass(frozen=True, slots=True)
class SamplingChanged:
    """Recipe, preset or number of branches."""


@dataclass(frozen=True, slots=True)
class EngineChanged:
    """`detail` is for the status line; `fraction` of the loading done, if known; `lines` are the
    last of the log of an engine that died."""

    state: EngineState
    detail: str = ""
    fraction: float | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the writer, and what to do about it."""

    text: str
    hint: str = ""
    level: Level = "info"


Change = (
    TreeChanged
    | Grew
    | Sealed
    | Scored
    | Read
    | Weighed
    | Weighing
    | Moved
    | SamplingChanged
    | EngineChanged
    | Notice
)
