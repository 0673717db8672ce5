"""A Score at work: what it wants read next, and what it says of what was read.

It knows no other jobs; `Readings` has the model read for several at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.node import Ending
from loom.engine.api import Ended, Event, Following, Grown, Progress, Score
from loom.engine.arithmetic import Arithmetic
from loom.engine.encoding import PAUSE, encoded, span_of
from loom.engine.network import Network, Reading
from loom.engine.passage import Passage
from loom.engine.sequences import CHUNK

CELLS = 1 << 24  # log-probabilities of one forward pass

Tell = Callable[[Any], list[Event]]
"""What is said of the log-probabilities float32[n, V] of a pass."""


class Scoring:
    """A Score: a chunk of its text after the other, then the distribution that follows.

    Where it stands doesn't depend on what the model says, so the next pass can begin before the one
    before has been told of.
    """

    def __init__(self, job: Score, network: Network, arithmetic: Arithmetic) -> None:
        self.over = False
        self.size = len(job.text) // (4 if isinstance(job.text, bytes) else 1)  # tokens, roughly
        self._job = job
        self._arithmetic = arithmetic
        self._language = network.language
        self._encoding = encoded((*job.prefix, job.text), network.language)
        self._passage = Passage(network)
        self._next = 0  # the first token that is not yet scored

    def cancel(self) -> list[Event]:
        self._close()
        return [Ended(self._job.id, 0, Ending.CANCEL)]

    def prepare(self) -> tuple[bool, list[Event]]:
        """(whether a pass is wanted, what can be said without one)."""
        if not self._encode():
            return False, [Progress(self._job.id, 0, self._passage.length)]
        if self._next == self._last():
            self._close()
            return False, [Ended(self._job.id, 0, Ending.LENGTH)]
        if not self._passage.blind(self._next):
            return True, []
        events = self._advance(self._next + 1)(self._arithmetic.even(self._language.size))
        return not self.over, events

    def before(self) -> tuple[NDArray[np.int32], int]:
        """(ids to be read before its next chunk, how many of them it has read already)."""
        return np.array(self._passage.before(self._next), np.int32), self._passage.held

    def reading(self) -> Reading:
        """The pass that is wanted."""
        return self._passage.reading(self._next, self._chunk_end())

    def read(self, reading: Reading) -> Tell:
        """After that pass."""
        if reading.keep:
            return self._advance(self._chunk_end())
        self._passage.remember()
        read = Progress(self._job.id, self._passage.held, len(self._passage.before(self._next)))
        return lambda logprobs: [read]

    def pause(self) -> None:
        """Holds nothing of the model's memory for now."""
        self._passage.pause()

    def _encode(self) -> bool:
        """Whether all of the text is tokens now."""
        shared = self._passage.shared
        for index, ids in self._encoding:
            shared += ids
            if index < len(self._job.prefix):
                self._next = len(shared)
            if len(ids) > PAUSE:
                return False
        return True

    def _last(self) -> int:
        """How many tokens are to be told of in all; what follows counts as one."""
        return self._passage.length + self._job.following

    def _chunk_end(self) -> int:
        """As far as one forward pass goes: the same sight, and not too much at once."""
        count, length = self._next, self._passage.length
        most = min(CHUNK, max(1, CELLS // self._language.size))
        if count == length:
            return count + 1
        return min(count + most, length, self._passage.seen_until(count) + 1)

    def _advance(self, stop: int) -> Tell:
        start, self._next = self._next, stop
        tell = partial(self._told, start, stop)
        if stop == self._last():
            self._close()
        else:
            self._passage.remember()
        return tell

    def _told(self, start: int, stop: int, logprobs: Any) -> list[Event]:
        text = start < self._passage.length
        events = [self._grown(start, stop, logprobs) if text else self._following(logprobs)]
        if stop == self._last():
            events.append(Ended(self._job.id, 0, Ending.LENGTH))
        return events

    def _grown(self, start: int, stop: int, logprobs: Any) -> Event:
        ids = self._passage.shared[start:stop]
        pieces = self._language.spelling.spelled(ids, start=not start)
        columns = self._arithmetic.read(logprobs, ids, min(self._job.top, self._language.size))
        return Grown(self._job.id, 0, b"".join(pieces), span_of(ids, pieces, columns))

    def _following(self, logprobs: Any) -> Event:
        columns = self._arithmetic.read(logprobs, [0], min(self._job.top, self._language.size))
        ids = tuple(columns["top_ids"][0].tolist())
        start = not self._passage.length
        pieces = tuple(self._language.spelling.spelled((i,), start=start)[0] for i in ids)
        return Following(
            self._job.id,
            ids,
            tuple(columns["top_logprobs"][0].tolist()),
            pieces,
            float(columns["entropy"][0]),
            float(columns["varentropy"][0]),
        )

    def _close(self) -> None:
        self._passage.drop([0])
        self.over = True
