"""Text that is being grown or read: the token columns that have come so far, node by node.

Knows events and spans; knows nothing of the tree, the file or the engine's process.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from loom.core.gathering import Gathering
from loom.core.span import Span
from loom.engine.api import Grown
from loom.seams import Cut, Repeats


@dataclass(slots=True)
class Buffer:
    """What came for one node. `fresh` since the last `take`, `saved` when it was last written,
    `spelled` tokens whose bytes were asked for; `repeats` until it is clear how the text begins."""

    node: int
    job: str
    branch: int
    began: float
    text: bytearray = field(default_factory=bytearray)
    saved: float = 0.0
    spelled: int = 0
    fresh: bool = False
    repeats: Repeats | None = None
    _tokens: Gathering = field(default_factory=Gathering)

    def add(self, event: Grown) -> Cut | None:
        """What the text has turned out to begin by repeating, if it has just then."""
        cut = None
        if self.repeats is not None:
            found = self.repeats.take(event)
            if found is None:
                return None
            self.repeats, (cut, event) = None, found
        if len(event.span):
            self._take(event)
        return cut

    def _take(self, event: Grown) -> None:
        self.text += event.text
        self._tokens.add(event.span)
        self.fresh = True

    def __len__(self) -> int:
        """Tokens so far."""
        return len(self._tokens)

    def span(self) -> Span | None:
        """All columns so far, or None before the first token."""
        return self._tokens.span()


class Growth:
    """Buffers by node, found by (job, branch) when events come in."""

    def __init__(self) -> None:
        self._by_node: dict[int, Buffer] = {}
        self._by_job: dict[tuple[str, int], int] = {}

    def __contains__(self, node: int) -> bool:
        return node in self._by_node

    def __len__(self) -> int:
        return len(self._by_node)

    def start(self, node: int, job: str, branch: int, now: float) -> None:
        self._by_node[node] = Buffer(node, job, branch, now)
        self._by_job[job, branch] = node

    def of(self, node: int) -> Buffer | None:
        return self._by_node.get(node)

    def find(self, job: str, branch: int) -> Buffer | None:
        """None for a node that was sealed meanwhile: what comes late is dropped."""
        node = self._by_job.get((job, branch))
        return None if node is None else self._by_node[node]

    def of_job(self, job: str) -> list[Buffer]:
        return [buffer for buffer in self._by_node.values() if buffer.job == job]

    def stop(self, node: int) -> Buffer:
        """Forget the node; raises KeyError for one that isn't growing."""
        buffer = self._by_node.pop(node)
        del self._by_job[buffer.job, buffer.branch]
        return buffer

    def fresh(self) -> list[Buffer]:
        return [buffer for buffer in self._by_node.values() if buffer.fresh]

    def nodes(self) -> tuple[int, ...]:
        return tuple(self._by_node)
