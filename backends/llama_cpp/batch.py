"""Tokens as llama_decode takes them: arrays in memory that it points to. Knows no model."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Batch:
    """Room for `size` tokens, each of one sequence."""

    def __init__(self, bindings: Any, size: int) -> None:
        self.size = size
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._sequences = np.zeros(size, np.int32)
        self._wanted = np.zeros(size, np.int8)
        self._ones = np.ones(size, np.int32)
        self._pointers = self._sequences.ctypes.data + 4 * np.arange(size, dtype=np.uint64)
        pointer = ctypes.POINTER(ctypes.c_int32)
        self._struct = bindings.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(pointer),
            embd=None,
            pos=self._positions.ctypes.data_as(pointer),
            n_seq_id=self._ones.ctypes.data_as(pointer),
            seq_id=self._pointers.ctypes.data_as(ctypes.POINTER(pointer)),
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def filled(
        self,
        tokens: NDArray[np.int32],
        positions: NDArray[np.int32],
        sequences: NDArray[np.int32],
        wanted: NDArray[np.bool_],
    ) -> Any:
        """The structure with these tokens in it, until it is filled again."""
        count = len(tokens)
        self._tokens[:count] = tokens
        self._positions[:count] = positions
        self._sequences[:count] = sequences
        self._wanted[:count] = wanted
        self._struct.n_tokens = count
        return self._struct
