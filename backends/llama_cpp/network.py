"""A model in one llama.cpp context, a sequence a text, and its memory of what it has read.

Knows no jobs.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from loom.engine.api import JobFailed, ModelUnsupported
from loom.engine.network import Interrupted, Reading

from .batch import Batch
from .brake import Brake
from .library import log
from .loading import BATCH, Model, Settings, open_context, outputs_at_once
from .memory import Memory
from .vocabulary import language_of

ROOM = 256  # tokens of several texts in one forward pass
_FULL, _ABORTED = 1, 2  # what llama_decode answers
_NEAR = 0.1  # nats; a wrong memory is further off, quantised sums are not


@dataclass(frozen=True, slots=True)
class Part:
    """`tokens` that a sequence, which has read `start`, reads on; what follows the last `keep` of
    them is asked for."""

    sequence: int
    start: int
    tokens: Sequence[int]
    keep: int


class LlamaNetwork:
    """A loaded model. What it can do with what it has read is tried at load, not told by name."""

    def __init__(self, model: Model, settings: Settings, options: Mapping[str, Any]) -> None:
        self.model = model
        self.settings = settings
        self.context, sight = open_context(model, settings)
        self.language = language_of(model, sight, options)
        self.memory = Memory(model.bindings, self.context)
        self.batch = Batch(model.bindings, BATCH)
        self.brake = Brake(model.bindings, self.context)
        self._outputs = outputs_at_once(model)
        self._thread = ThreadPoolExecutor(
            1
        )  # all that is computed, so that it has one set of cores
        self._test_memory()
        self.room = ROOM if self.memory.partial else 0

    def rows(self, ids: Sequence[int]) -> LlamaRows:
        sequences = self.memory.take(1)
        length = self.memory.begin(sequences[0], ids)
        return LlamaRows(self, sequences, length)

    def together(self, readings: Sequence[Reading]) -> Callable[[], list[NDArray[np.float32]]]:
        """One forward pass for several texts, a sequence each."""
        rows = [cast(LlamaRows, reading.rows) for reading in readings]
        pairs = zip(rows, readings, strict=True)
        wait = self.begin([part for row, r in pairs for part in row.parts([r.tokens], r.keep)])

        def read() -> list[NDArray[np.float32]]:
            logs = _waited(wait, rows)
            for row, reading in zip(rows, readings, strict=True):
                row.length += len(reading.tokens)
            edges = np.cumsum([reading.keep for reading in readings])[:-1]
            return np.split(logs, edges)

        return read

    def begin(self, parts: Sequence[Part]) -> Callable[[], NDArray[np.float32]]:
        """`decode` in a thread beside this one; the call, which can be made once, waits for it."""
        under_way = [self._thread.submit(self.decode, parts)]
        return lambda: under_way.pop().result()  # an error kept there would keep rows in use

    def decode(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        """float32[sum of keep, V]: natural log-probabilities after the last `keep` tokens of each
        part. Raises JobFailed or Interrupted."""
        counts = np.array([len(part.tokens) for part in parts], np.int32)
        within = np.arange(counts.sum(), dtype=np.int32) - (counts.cumsum() - counts).repeat(counts)
        flat = np.fromiter(
            chain.from_iterable(part.tokens for part in parts), np.int32, len(within)
        )
        positions = within + _each(counts, [part.start for part in parts])
        owners = _each(counts, [part.sequence for part in parts])
        wanted = within >= _each(counts, [len(part.tokens) - part.keep for part in parts])
        logs = np.empty((int(np.count_nonzero(wanted)), self.language.size), np.float32)
        done = 0
        with self.memory.lock:
            for piece in self._pieces(wanted):
                filled = self.batch.filled(
                    flat[piece], positions[piece], owners[piece], wanted[piece]
                )
                self._decode(filled)
                kept = int(np.count_nonzero(wanted[piece]))
                self._take_logprobs(logs[done : done + kept])
                done += kept
        return logs

    def close(self) -> None:
        if self.context is None:
            return
        self.brake.pull()
        self._thread.shutdown()
        self.memory.close()
        self.model.bindings.llama_free(self.context)
        self.context = None
        self.model.close()

    def _pieces(self, wanted: NDArray[np.bool_]) -> list[slice]:
        """Stretches with no more tokens and outputs than go through at once."""
        if len(wanted) <= self.batch.size and np.count_nonzero(wanted) <= self._outputs:
            return [slice(0, len(wanted))]
        pieces, start, outputs = [], 0, 0
        for index, output in enumerate(wanted.tolist()):
            if index - start == self.batch.size or outputs + output > self._outputs:
                pieces.append(slice(start, index))
                start, outputs = index, 0
            outputs += output
        return [*pieces, slice(start, len(wanted))]

    def _decode(self, batch: Any) -> None:
        """One forward pass; texts that are only remembered make room for it."""
        self.brake.release()
        while (answer := self.model.bindings.llama_decode(self.context, batch)) == _FULL:
            if not self.memory.forget():
                raise JobFailed(
                    "The model's memory is full of texts that are being written.",
                    "Grow fewer continuations at once, or set the engine option cache_mb higher.",
                )
        if answer == _ABORTED:
            raise Interrupted
        if answer:
            raise JobFailed(
                f"llama.cpp failed in this job: {log.reason() or f'it answers {answer}'}.",
                "Try again.",
            )

    def _take_logprobs(self, target: NDArray[np.float32]) -> None:
        """What the pass has left, normalised; row by row, which then stays in the cache."""
        if not len(target):
            return
        address = self.model.bindings.llama_get_logits(self.context)
        source = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
        logits = np.ctypeslib.as_array(source, target.shape)
        weights = np.empty(target.shape[1], np.float32)
        for given, logs in zip(logits, target, strict=True):
            np.subtract(given, given.max(), out=logs)
            logs -= np.log(np.exp(logs, out=weights).sum())

    def _test_memory(self) -> None:
        """Tries what is to be relied on: going on from a fork, and from part of what was read."""
        probe = _probe(self.language.banned)
        middle, cut = len(probe) // 2, len(probe) // 4
        whole = self.rows(())
        first = whole.read([probe[:middle]], middle)[0]
        whole.fork(2)
        second = whole.read([probe[middle:]] * 2, len(probe) - middle)
        if not np.isfinite(first[:, ~self.language.banned]).all():
            raise ModelUnsupported(
                "The model gives no numbers: its weights are damaged or overflow.",
                "Copy or download the model again.",
            )
        if _apart(second[0], second[1]) > _NEAR:
            raise ModelUnsupported(
                "llama.cpp can't continue a text of this model in two ways.", "Choose another."
            )
        del whole
        self.memory.partial = self._can_cut(probe, cut, np.concatenate([first, second[0]]))

    def _can_cut(self, probe: list[int], cut: int, expected: NDArray[np.float32]) -> bool:
        sequences = self.memory.take(2)
        try:
            self.begin([Part(sequences[0], 0, probe, 0)])()
            self.memory.copy(sequences[0], sequences[1], cut)
            if self.memory.read(sequences[1]) != cut:
                return False
            found = self.begin([Part(sequences[1], cut, probe[cut:], len(probe) - cut)])()
            return _apart(found, expected[cut:]) <= _NEAR
        except JobFailed:
            return False
        finally:
            self.memory.release(sequences)


class LlamaRows:
    """Texts of equal length, a sequence each, that go free when the rows do."""

    def __init__(self, network: LlamaNetwork, sequences: list[int], length: int) -> None:
        self.length = length
        self._network = network
        self._sequences = sequences
        weakref.finalize(self, network.memory.release, sequences).atexit = False

    def parts(self, tokens: Sequence[Sequence[int]], keep: int) -> list[Part]:
        """So many tokens more in every row."""
        rows = zip(self._sequences, tokens, strict=True)
        return [Part(sequence, self.length, row, keep) for sequence, row in rows]

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> NDArray[np.float32]:
        return self.begin(tokens, keep)()

    def begin(
        self, tokens: Sequence[Sequence[int]], keep: int
    ) -> Callable[[], NDArray[np.float32]]:
        wait = self._network.begin(self.parts(tokens, keep))

        def read() -> NDArray[np.float32]:
            logs = _waited(wait, [self])
            self.length += len(tokens[0])
            return logs.reshape(len(tokens), keep, logs.shape[1])

        return read

    def fork(self, count: int) -> None:
        memory = self._network.memory
        for sequence in memory.take(count - 1):
            self._sequences.append(sequence)
            memory.copy(self._sequences[0], sequence)

    def select(self, rows: Sequence[int]) -> None:
        kept = [self._sequences[row] for row in rows]
        self._network.memory.release([s for s in self._sequences if s not in kept])
        self._sequences[:] = kept

    def save(self, row: int, ids: Sequence[int]) -> None:
        self._network.memory.keep(self._sequences[row], ids)

    def take_back(self) -> None:
        """What part of a failed pass has left behind."""
        memory = self._network.memory
        cut = [memory.cut(sequence, self.length) for sequence in self._sequences]
        if all(cut):
            return
        for sequence in self._sequences:
            memory.cut(sequence, 0)
        self.length = 0


def _waited(
    wait: Callable[[], NDArray[np.float32]], rows: Sequence[LlamaRows]
) -> NDArray[np.float32]:
    """What the pass gives, or these as they were before it."""
    try:
        return wait()
    except (JobFailed, Interrupted):
        for row in rows:
            row.take_back()
        raise


def _each(counts: NDArray[np.int32], values: Sequence[int]) -> NDArray[np.int32]:
    """A value for each part as one for each of its tokens."""
    return np.array(values, np.int32).repeat(counts)


def _apart(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference of what is likely at all."""
    likely = expected > -10
    return float(np.abs(found - expected)[likely].max())


def _probe(banned: NDArray[np.bool_]) -> list[int]:
    """A few ids of text."""
    usable = np.flatnonzero(~banned)
    return [int(usable[(7 * i + 3) % len(usable)]) for i in range(24)]
