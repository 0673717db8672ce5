"""A model in one llama.cpp context, a sequence a text, and its memory of what it has read.

Knows no jobs.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.engine.api import JobFailed, ModelUnsupported
from loom.engine.network import Interrupted

from .batch import Batch
from .brake import Brake
from .library import log
from .loading import BATCH, Model, Settings, open_context, outputs_at_once
from .memory import Memory
from .vocabulary import language_of

_FULL, _ABORTED = 1, 2  # what llama_decode answers
_NEAR = 0.1  # nats; a wrong memory is further off, quantised sums are not


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
        self._test_memory()

    def rows(self, ids: Sequence[int]) -> LlamaRows:
        sequences = self.memory.take(1)
        length = self.memory.begin(sequences[0], ids)
        return LlamaRows(self, sequences, length)

    def decode(
        self, sequences: Sequence[int], start: int, tokens: Sequence[Sequence[int]], keep: int
    ) -> NDArray[np.float32]:
        """float32[rows, keep, V]: natural log-probabilities after the last `keep` of the tokens
        that each sequence reads on from its `start`th. Raises JobFailed or Interrupted."""
        count = len(tokens[0])
        flat = np.array(tokens, np.int32).reshape(-1)
        wanted = (np.arange(count) >= count - keep)[None].repeat(len(tokens), 0).reshape(-1)
        positions = np.arange(start, start + count, dtype=np.int32)[None].repeat(len(tokens), 0)
        positions = positions.reshape(-1)
        owners = np.array(sequences, np.int32).repeat(count)
        logits = np.empty((len(tokens) * keep, self.language.size), np.float32)
        done = 0
        for part in self._parts(wanted):
            filled = self.batch.filled(flat[part], positions[part], owners[part], wanted[part])
            self._decode(filled)
            kept = int(np.count_nonzero(wanted[part]))
            self._copy_logits(logits[done : done + kept])
            done += kept
        return _log_softmax(logits).reshape(len(tokens), keep, self.language.size)

    def close(self) -> None:
        if self.context is None:
            return
        self.memory.close()
        self.model.bindings.llama_free(self.context)
        self.context = None
        self.model.close()

    def _parts(self, wanted: NDArray[np.bool_]) -> list[slice]:
        """Stretches with no more tokens and outputs than go through at once."""
        if len(wanted) <= self.batch.size and np.count_nonzero(wanted) <= self._outputs:
            return [slice(0, len(wanted))]
        parts, start, outputs = [], 0, 0
        for index, output in enumerate(wanted.tolist()):
            if index - start == self.batch.size or outputs + output > self._outputs:
                parts.append(slice(start, index))
                start, outputs = index, 0
            outputs += output
        return [*parts, slice(start, len(wanted))]

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

    def _copy_logits(self, target: NDArray[np.float32]) -> None:
        if not len(target):
            return
        address = self.model.bindings.llama_get_logits(self.context)
        source = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
        target[:] = np.ctypeslib.as_array(source, target.shape)

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
            self.decode(sequences[:1], 0, [probe], 0)
            self.memory.copy(sequences[0], sequences[1], cut)
            if self.memory.read(sequences[1]) != cut:
                return False
            found = self.decode(sequences[1:], cut, [probe[cut:]], len(probe) - cut)[0]
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

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> NDArray[np.float32]:
        try:
            read = self._network.decode(self._sequences, self.length, tokens, keep)
        except (JobFailed, Interrupted):
            self._take_back()
            raise
        self.length += len(tokens[0])
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

    def _take_back(self) -> None:
        """What part of a failed pass has left behind."""
        memory = self._network.memory
        cut = [memory.cut(sequence, self.length) for sequence in self._sequences]
        if all(cut):
            return
        for sequence in self._sequences:
            memory.cut(sequence, 0)
        self.length = 0


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """In place, over the last axis."""
    if logits.size:
        logits -= logits.max(axis=-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return logits


def _apart(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference of what is likely at all."""
    likely = expected > -10
    return float(np.abs(found - expected)[likely].max())


def _probe(banned: NDArray[np.bool_]) -> list[int]:
    """A few ids of text."""
    usable = np.flatnonzero(~banned)
    return [int(usable[(7 * i + 3) % len(usable)]) for i in range(24)]
