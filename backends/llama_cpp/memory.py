"""The sequences of a llama.cpp context: which are in use, which hold a text that was read before.

The least used text goes first. Cells of a common beginning are shared by the library. It knows
token ids and numbers of sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from threading import RLock
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from loom.engine.api import JobFailed
from loom.engine.prefixes import common_length

P = ParamSpec("P")
T = TypeVar("T")


def _locked(method: Callable[Concatenate[Memory, P], T]) -> Callable[Concatenate[Memory, P], T]:
    """Nothing of it happens while another thread computes."""

    @wraps(method)
    def waiting(self: Memory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.lock:
            return method(self, *args, **kwargs)

    return waiting


@dataclass(slots=True)
class _Kept:
    ids: NDArray[np.int32]
    used: int


class Memory:
    """`partial`: whether a text can be gone on from any beginning of what was read. Who computes
    holds the `lock`; what else is asked meanwhile waits."""

    def __init__(self, bindings: Any, context: Any) -> None:
        self.partial = False
        self.lock = RLock()
        self._bindings = bindings
        self._memory: Any = bindings.llama_get_memory(context)
        self._count = int(bindings.llama_n_seq_max(context))
        self._free = list(range(self._count))[::-1]
        self._kept: dict[int, _Kept] = {}
        self._clock = 0

    @_locked
    def take(self, count: int) -> list[int]:
        """Empty sequences. Raises JobFailed where there aren't so many."""
        while len(self._free) < count:
            if not self.forget():
                raise JobFailed(
                    f"This model can grow at most {self._count} continuations at once here.",
                    "Grow fewer, or wait until others have ended.",
                )
        taken = self._free[len(self._free) - count :]
        del self._free[len(self._free) - count :]
        return taken

    @_locked
    def release(self, sequences: Sequence[int]) -> None:
        if self._memory is None:
            return
        for sequence in sequences:
            self._bindings.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        self._free += sequences

    @_locked
    def copy(self, source: int, target: int, length: int | None = None) -> None:
        """`target`, which is empty, has read what `source` has, or the first `length` of it."""
        stop = -1 if length is None else length
        self._bindings.llama_memory_seq_cp(self._memory, source, target, -1, stop)

    @_locked
    def cut(self, sequence: int, length: int) -> bool:
        """Takes back what was read after the first `length`; False where that can't be."""
        return bool(self._bindings.llama_memory_seq_rm(self._memory, sequence, length, -1))

    @_locked
    def read(self, sequence: int) -> int:
        """How many tokens it has read."""
        return int(self._bindings.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    @_locked
    def begin(self, target: int, ids: Sequence[int]) -> int:
        """`target`, which is empty, has read as much of `ids` as is known: so many tokens."""
        source, length = self._longest(np.asarray(ids, np.int32))
        if source is None:
            return 0
        self._touch(source)
        self.copy(source, target, None if length == len(self._kept[source].ids) else length)
        return length

    @_locked
    def keep(self, sequence: int, ids: Sequence[int]) -> None:
        """Remembers what `sequence` has read: `ids`, all of it."""
        row = np.array(ids, np.int32)
        for kept, entry in list(self._kept.items()):
            length = common_length(entry.ids, row)
            if length == len(row) and (self.partial or length == len(entry.ids)):
                self._touch(kept)
                return
            if length == len(entry.ids) and self.partial:
                self._drop(kept)
        if not self._free and not self.forget():
            return
        target = self._free.pop()
        self.copy(sequence, target)
        self._kept[target] = _Kept(row, 0)
        self._touch(target)

    @_locked
    def forget(self) -> bool:
        """Lets the least used text go; False if none is kept."""
        if not self._kept:
            return False
        self._drop(min(self._kept, key=lambda sequence: self._kept[sequence].used))
        return True

    def clear(self) -> None:
        while self.forget():
            pass

    def close(self) -> None:
        """The context is about to go."""
        self._kept.clear()
        self._memory = None

    def _longest(self, ids: NDArray[np.int32]) -> tuple[int | None, int]:
        best, length = None, 0
        for sequence, entry in self._kept.items():
            common = common_length(entry.ids, ids)
            if common < len(entry.ids) and not self._can_be_cut(sequence):
                continue
            if common > length:
                best, length = sequence, common
        return best, length

    def _can_be_cut(self, sequence: int) -> bool:
        """Whether all that it has read is still held: a sliding window lets the oldest go."""
        oldest = self._bindings.llama_memory_seq_pos_min(self._memory, sequence)
        return self.partial and oldest == 0

    def _touch(self, sequence: int) -> None:
        self._clock += 1
        self._kept[sequence].used = self._clock

    def _drop(self, sequence: int) -> None:
        del self._kept[sequence]
        self.release([sequence])
