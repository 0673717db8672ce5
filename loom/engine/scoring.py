"""A Score at work: a text read chunk by chunk, and what may follow it."""

from __future__ import annotations

from typing import Any

from loom.core.node import Ending
from loom.engine.api import Ended, Event, Following, Grown, Progress, Score
from loom.engine.arithmetic import Arithmetic
from loom.engine.encoding import PAUSE, encoded, span_of
from loom.engine.network import Network
from loom.engine.sequences import CHUNK, Sequences

CELLS = 1 << 24  # log-probabilities held at once while scoring


class Scoring:
    """A Score: a chunk of its text a step, then the distribution that follows."""

    def __init__(self, job: Score, network: Network, arithmetic: Arithmetic) -> None:
        self.over = False
        self._job = job
        self._arithmetic = arithmetic
        self._language = network.language
        self._encoding = encoded((*job.prefix, job.text), network.language)
        self._sequences = Sequences(network, [], 1)
        self._first = self._next = 0  # tokens of the text: the first, the next to be scored

    def cancel(self, branch: int | None) -> list[Event]:
        if branch not in (None, 0):
            return []
        return self._end(Ending.CANCEL)

    def step(self) -> list[Event]:
        if not self._encode():
            return [Progress(self._job.id, 0, self._sequences.length)]
        count = self._next
        more = count < self._sequences.length
        if not more and not self._job.following:
            return self._end(Ending.LENGTH)
        if self._sequences.blind(count):
            logprobs = self._arithmetic.even(self._language.size)
            stop = count + 1
        else:
            progress = self._sequences.ready(count)
            if progress is not None:
                return [Progress(self._job.id, *progress)]
            stop = self._chunk_end(count) if more else count + 1
            logprobs = self._sequences.last(stop - 1)[0]
        if more:
            events = self._grown(stop, logprobs)
            done = stop == self._sequences.length and not self._job.following
            return [*events, *self._end(Ending.LENGTH)] if done else events
        return [self._following(logprobs[0]), *self._end(Ending.LENGTH)]

    def _encode(self) -> bool:
        """Whether all of the text is tokens now."""
        shared = self._sequences.shared
        for index, ids in self._encoding:
            shared += ids
            if index < len(self._job.prefix):
                self._first = self._next = len(shared)
            if len(ids) > PAUSE:
                return False
        return True

    def _chunk_end(self, count: int) -> int:
        """As far as one forward pass goes: the same sight, and not too much at once."""
        most = min(CHUNK, max(1, CELLS // self._language.size))
        seen_alike = self._sequences.seen_until(count) + 1
        return min(count + most, self._sequences.length, seen_alike)

    def _grown(self, stop: int, logprobs: Any) -> list[Event]:
        ids = self._sequences.shared[self._next : stop]
        pieces = self._language.spelling.spelled(ids, start=not self._next)
        columns = self._arithmetic.read(logprobs, ids, min(self._job.top, self._language.size))
        self._next = stop
        return [Grown(self._job.id, 0, b"".join(pieces), span_of(ids, pieces, columns))]

    def _following(self, logprobs: Any) -> Following:
        top = min(self._job.top, self._language.size)
        columns = self._arithmetic.read(logprobs[None], [0], top)
        ids = tuple(columns["top_ids"][0].tolist())
        start = not self._sequences.length
        pieces = tuple(self._language.spelling.spelled((i,), start=start)[0] for i in ids)
        return Following(
            self._job.id,
            ids,
            tuple(columns["top_logprobs"][0].tolist()),
            pieces,
            float(columns["entropy"][0]),
            float(columns["varentropy"][0]),
        )

    def _end(self, ending: Ending) -> list[Event]:
        self._sequences.drop([0])
        self.over = True
        return [Ended(self._job.id, 0, ending)]
