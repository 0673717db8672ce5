"""What goes into a session file at once, and what comes out of it when it is opened.

Values only: a Batch doesn't know how it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loom.core.marks import Mark
from loom.core.node import Node
from loom.core.nodes import Unmade
from loom.core.span import Span

COMPACTED, REPAIRED = "compacted", "repaired"  # kinds of events that are written here


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that wrote or read here: `spec` is what one asked for, `runtime` what it ran on."""

    id: int
    fingerprint: str
    label: str
    spec: str
    runtime: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One thing that happened; `time` is Unix time in seconds, `data` plain JSON values."""

    id: int
    time: float
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """What an instrument read in a node. `settings` names what it was read with; `state` and `data`
    are the instruments' own business, and vouch for themselves."""

    node: int
    instrument: str
    settings: str
    state: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction. A row that is there already is replaced.

    A node without a span keeps the span it has. A mark or a meta value of None is removed. `pieces`
    are (model id, token id, bytes). A reading takes the place of what the same instrument has read
    in the node before.
    """

    nodes: tuple[tuple[Node, Span | None], ...] = ()
    marks: tuple[tuple[Mark, str | None], ...] = ()
    recipes: tuple[tuple[int, dict[str, Any]], ...] = ()
    models: tuple[ModelRow, ...] = ()
    pieces: tuple[tuple[int, int, bytes], ...] = ()
    meta: Mapping[str, str | None] = field(default_factory=dict)
    event: EventRow | None = None
    readings: tuple[ReadingRow, ...] = ()

    @property
    def derived(self) -> bool:
        """Whether all of it can be computed again: it may be dropped where it can't be written."""
        kept = (self.nodes, self.marks, self.recipes, self.models, self.pieces, self.event)
        return bool(self.readings) and not any(kept)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything but spans and pieces, each in the order of its id."""

    nodes: Unmade = field(default_factory=Unmade.none)
    marks: tuple[tuple[Mark, str], ...] = ()
    recipes: tuple[tuple[int, dict[str, Any]], ...] = ()
    models: tuple[ModelRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    meta: dict[str, str] = field(default_factory=dict)
