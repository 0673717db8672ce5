"""All that models have drawn in a session, job by job, for the instruments that read the log.

What was hidden stays in it, what a writer typed or chose never was. Knows a record and what has
happened in it; reads nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from loom.core.node import Author
from loom.history import GROW
from loom.instruments.dealing import side_by_side
from loom.instruments.folding import Stretch
from loom.record import Record
from loom.store.batch import COMPACTED, EventRow


class Job(NamedTuple):
    """The event with which it began, and the node of each branch."""

    event: int
    nodes: tuple[int, ...]


class Spot(NamedTuple):
    """What of the log is before: jobs, their tokens and bytes."""

    jobs: int = 0
    tokens: int = 0
    bytes: int = 0


BEGINNING = Spot()


class Logbook:
    """Told what happens, in order. `jobs` are those that are complete, by model."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._waiting: deque[Job] = deque()  # one of these still grows, or those before it do
        self._jobs: dict[str, list[Job]] = {}
        self._last = 0  # event

    def happened(self, event: EventRow) -> None:
        data = event.data if isinstance(event.data, dict) else {}
        if event.kind == GROW:
            self.began(event.id, data.get("added") or ())
        elif event.kind == COMPACTED:
            self._forget(set(data.get("removed") or ()))

    def began(self, event: int, nodes: Sequence[int]) -> None:
        """One that was heard of before is left as it is."""
        if event > self._last and nodes:
            self._last = event
            self._waiting.append(Job(event, tuple(nodes)))

    def added(self, nodes: Iterable[int], event: int) -> None:
        """The nodes that have just come into the tree or changed, with the last event."""
        tree = self._record.tree
        known = {node for job in self._waiting for node in job.nodes}
        fresh = sorted(n for n in nodes if n in tree and tree[n].growing and n not in known)
        self.began(event, [n for n in fresh if tree[n].author is Author.MODEL])

    def _forget(self, removed: Collection[int]) -> None:
        """Earlier versions gave their numbers again; those jobs keep their branches' places."""
        jobs = [(job, tuple(-1 if n in removed else n for n in job.nodes)) for job in self._waiting]
        self._waiting = deque(job._replace(nodes=nodes) for job, nodes in jobs)

    def jobs(self) -> Mapping[str, Sequence[Job]]:
        """By the fingerprint of the model, in order; those that have drawn anything."""
        while self._waiting and not self._grows(self._waiting[0]):
            job = self._waiting.popleft()
            drawn = next(self._drawn(job), None)
            if drawn is not None:
                self._jobs.setdefault(self._model_of(drawn[1]), []).append(job)
        return self._jobs

    def _grows(self, job: Job) -> bool:
        tree = self._record.tree
        return any(tree[node].growing for node in job.nodes if node in tree)

    def _drawn(self, job: Job) -> Iterator[tuple[int, int]]:
        """(branch, node) of those with tokens."""
        tree = self._record.tree
        for branch, node in enumerate(job.nodes):
            if node in tree and tree[node].token_count:
                yield branch, node

    def _model_of(self, node: int) -> str:
        row = self._record.model_of(node)
        return "" if row is None else row.fingerprint

    def along(
        self, jobs: Iterable[Job], spot: Spot = BEGINNING
    ) -> Iterator[tuple[Job, Stretch | None]]:
        """Each job with what was drawn in it, the first after `spot`; None for nothing left."""
        for job in jobs:
            stretch = self._stretch(job, spot)
            spot = after(spot, stretch)
            yield job, stretch

    def _stretch(self, job: Job, spot: Spot) -> Stretch | None:
        found = {}
        for branch, node in self._drawn(job):
            span = self._record.span(node)
            if span is not None:
                found[branch] = span, span.pieces(self._record.tree[node].text)
        if not found:
            return None
        recipe = self._record.recipe_of(job.nodes[next(iter(found))])
        return side_by_side(
            spot.jobs,
            found,
            position=spot.tokens,
            offset=spot.bytes,
            temperature=None if recipe is None else recipe.sampling.temperature,
        )


def after(spot: Spot, stretch: Stretch | None) -> Spot:
    """A job of which nothing is left has never been one."""
    if stretch is None:
        return spot
    bytes_ = sum(map(len, stretch.context.pieces))
    return Spot(spot.jobs + 1, spot.tokens + len(stretch), spot.bytes + bytes_)
