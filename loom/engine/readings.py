"""All Scores at work: several texts are read in one forward pass.

The oldest is in every pass; what room there is left goes to short texts first. While the next pass
is under way the columns of the one before are computed, if no other job needs the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.engine.api import Event, Score
from loom.engine.arithmetic import Arithmetic
from loom.engine.failures import FAULTS, failure
from loom.engine.network import Interrupted, Network, Reading
from loom.engine.prefixes import common_length
from loom.engine.scoring import CELLS, Scoring, Tell

SHARED = 32  # tokens that two texts begin with, for which the second waits until the first has read


class Readings:
    """Several Scores as one job that takes its turn."""

    def __init__(self, network: Network, arithmetic: Arithmetic) -> None:
        self._network = network
        self._arithmetic = arithmetic
        self._scorings: dict[str, Scoring] = {}
        self._pass: _Pass | None = None
        self._turn = False
        self._singly = 0  # passes to come that are of one text only

    @property
    def over(self) -> bool:
        return not self._scorings

    def add(self, job: Score) -> None:
        self._scorings[job.id] = Scoring(job, self._network, self._arithmetic)

    def cancel(self, job: str, branch: int | None) -> list[Event]:
        if branch not in (None, 0) or job not in self._scorings:
            return []
        if self._pass is not None and not self._pass.ended():
            self._pass = None
        return self._scorings.pop(job).cancel()

    def step(self, *, alone: bool) -> list[Event]:
        """One forward pass. `alone`: nobody else waits for the model."""
        events: list[Event] = []
        under_way, self._pass = self._pass, None
        if under_way is None:
            under_way = self._begun(events)
        if under_way is None:
            return events
        try:
            found = under_way.result()
        except Interrupted:
            return events
        except FAULTS as error:
            return events + self._apart(under_way, error)
        told = self._told(under_way, found)
        if alone and not self._singly:
            self._pass = self._begun(events)
        for job, tell, logprobs in told:
            try:
                events += tell(logprobs)
            except FAULTS as error:
                events.append(self._failed(job, error))
        return events

    def _begun(self, events: list[Event]) -> _Pass | None:
        """The next pass, under way, if one is wanted."""
        wanted = _Wanted(self._network.room, max(1, CELLS // self._network.language.size))
        for job, scoring in self._in_order():
            try:
                wants, said = scoring.prepare()
                events += said
                full = wants and not wanted.add(job, scoring)
            except FAULTS as error:
                events.append(self._failed(job, error))
                continue
            if scoring.over:
                del self._scorings[job]
            if full or (wanted.readings and (self._singly or not self._network.room)):
                break
        if not wanted.readings:
            return None
        return _Pass(wanted.jobs, self._network.together(wanted.readings))

    def _in_order(self) -> list[tuple[str, Scoring]]:
        """The oldest first, or by turns with the shortest where a pass is of one text only."""
        waiting = list(self._scorings.items())
        self._turn = not self._turn
        first = 1 if self._turn or self._network.room else 0
        return waiting[:first] + sorted(waiting[first:], key=lambda item: item[1].size)

    def _told(self, under_way: _Pass, found: list[Any]) -> list[tuple[str, Tell, Any]]:
        """Those that were read go on; what they will have to say."""
        told: list[tuple[str, Tell, Any]] = []
        for (job, reading), logprobs in zip(under_way.jobs, found, strict=True):
            scoring = self._scorings.get(job)
            if scoring is None:
                continue
            told.append((job, scoring.read(reading), logprobs))
            if scoring.over:
                del self._scorings[job]
            elif self._singly:
                scoring.pause()
        self._singly = max(0, self._singly - 1)
        return told

    def _apart(self, under_way: _Pass, error: Exception) -> list[Event]:
        """Whose fault it was is seen when each is read by itself, with nothing held for others."""
        jobs = [job for job, _ in under_way.jobs if job in self._scorings]
        if len(under_way.jobs) == 1:
            return [self._failed(job, error) for job in jobs]
        self._singly = len(jobs)
        for scoring in self._scorings.values():
            scoring.pause()
        return self.step(alone=False)

    def _failed(self, job: str, error: Exception) -> Event:
        self._scorings.pop(job, None)
        return failure(job, error)


class _Wanted:
    """What goes into one pass: at most so many tokens and outputs, except of the first."""

    def __init__(self, tokens: int, outputs: int) -> None:
        self.jobs: list[tuple[str, Reading]] = []
        self._tokens, self._outputs = tokens, outputs
        self._read: list[tuple[NDArray[np.int32], int]] = []

    @property
    def readings(self) -> list[Reading]:
        return [reading for _, reading in self.jobs]

    def add(self, job: str, scoring: Scoring) -> bool:
        """False if it is full."""
        before, held = scoring.before()
        if any(common_length(before, ids) > max(start, held) + SHARED for ids, start in self._read):
            scoring.pause()
            return True  # what both begin with is remembered next time
        reading = scoring.reading()
        tokens, outputs = len(reading.tokens), reading.keep
        if self.jobs and (tokens > self._tokens or outputs > self._outputs):
            return False
        self.jobs.append((job, reading))
        self._tokens -= tokens
        self._outputs -= outputs
        start = reading.rows.length
        self._read.append((np.append(before[:start], np.array(reading.tokens, np.int32)), start))
        return True


class _Pass:
    """A pass under way: whose it is, and what it gives."""

    def __init__(self, jobs: list[tuple[str, Reading]], wait: Callable[[], list[Any]]) -> None:
        self.jobs = jobs
        self._wait = wait

    def result(self) -> list[Any]:
        """float32[keep, V] of each. Raises what a pass may."""
        return self._wait()

    def ended(self) -> bool:
        """Waits; False if it was broken off or went wrong, and has to be made again."""
        try:
            found = self._wait()
        except (Interrupted, *FAULTS):
            return False
        self._wait = lambda: found
        return True
