"""A model on its device, and its memory of what it has read as key-value caches; knows no jobs."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from loom.engine.api import ModelUnsupported, options_of
from loom.engine.prefixes import Prefixes
from transformers import DynamicCache

from .language import language_of

CACHE_MB = 1024  # of read text that is remembered
PADDING = 4  # see TorchNetwork

Layers = list[tuple[torch.Tensor, torch.Tensor] | None]


class Memory(Enum):
    """What can be done with what a model has read; found out at load."""

    SLICED = "any beginning of it can be gone on from"
    WHOLE = "only all of it can be gone on from"
    NONE = "it can't be kept"


class TorchNetwork:
    """A model on its device. Rows are filled up to a multiple of `padding`, which makes the result
    of each the same bit for bit however many there are (float32 on a CPU; 1 elsewhere)."""

    def __init__(self, module: Any, tokenizer: Any, options: Mapping[str, Any]) -> None:
        self.module = module
        self.device: torch.device = module.device
        self.dtype: torch.dtype = module.dtype
        exact = self.device.type == "cpu" and self.dtype == torch.float32
        self.padding = PADDING if exact else 1
        self._keeps = "logits_to_keep" in inspect.signature(module.forward).parameters
        probe = _probe(module)
        expected = _all_finite(self.forward(probe[None], None, len(probe))[0])
        self.language = language_of(tokenizer, module.config, expected.shape[-1], options)
        self.memory = self._tested_memory(probe, expected)
        self.reproducible = exact and self._rows_independent(probe)
        limit = options_of(options, "cache_mb", int, CACHE_MB) * 2**20
        self.prefixes: Prefixes[Any] = Prefixes(limit, whole=self.memory is Memory.WHOLE)

    def cache(self) -> Any:
        return DynamicCache(config=self.module.config)

    def forward(self, tokens: torch.Tensor, cache: Any, keep: int) -> torch.Tensor:
        """logits float[rows, max(1, keep), V] of tokens[rows, n] after what is in `cache`."""
        keep = max(1, keep)
        keywords = {"logits_to_keep": keep} if self._keeps else {}
        if cache is not None:
            keywords["past_key_values"] = cache
        output = self.module(
            input_ids=tokens.to(self.device), use_cache=cache is not None, **keywords
        )
        logits: torch.Tensor = output.logits[:, -keep:]
        return logits

    def rows(self, ids: Sequence[int]) -> TorchRows:
        if self.memory is Memory.NONE:
            return TorchRows(self, None, 0)
        found = self.prefixes.longest(ids)
        if not found:
            return TorchRows(self, self.cache(), 0)
        if self.memory is Memory.WHOLE:
            return TorchRows(self, copy.deepcopy(found[-1].value), found[-1].stop)
        parts = [_cut(s.value, 0, s.stop - s.start) for s in found]
        return TorchRows(self, self.assembled(parts), found[-1].stop)

    def assembled(self, parts: Sequence[Layers]) -> Any:
        """A cache of these stretches, one after the other."""
        cache = self.cache()
        for index, layers in enumerate(zip(*parts, strict=True)):
            held = [layer for layer in layers if layer is not None]
            if held:
                keys, values = (torch.cat(column, dim=-2) for column in zip(*held, strict=True))
                cache.update(keys, values, index)
        return cache

    def _tested_memory(self, probe: torch.Tensor, expected: torch.Tensor) -> Memory:
        """Tries what is to be relied on: going on from a cache, from a fork, from part of one."""
        middle, cut = len(probe) // 2, len(probe) // 4
        near = 1e-3 if self.dtype == torch.float32 else 0.25
        memory = Memory.NONE
        with suppress(Exception):  # what a kind of cache can't do, it raises in its own way
            cache = self.cache()
            self.forward(probe[None, :middle], cache, 1)
            layers = sliced(cache, 0, 0, middle)
            cache.reorder_cache(torch.zeros(2, dtype=torch.long, device=self.device))
            after = self.forward(probe[None, middle:].repeat(2, 1), cache, len(probe) - middle)
            if not _close(after, expected[middle:], near):
                return memory
            memory = Memory.WHOLE
            if layers is None:
                return memory
            cache = self.assembled([_cut(layers, 0, cut)])
            after = self.forward(probe[None, cut:], cache, len(probe) - cut)
            if _close(after, expected[cut:], near):
                memory = Memory.SLICED
        return memory

    def _rows_independent(self, probe: torch.Tensor) -> bool:
        """Whether padded rows come out the same bit for bit among few and many."""
        results = []
        for count in (PADDING, 2 * PADDING):
            cache = None if self.memory is Memory.NONE else self.cache()
            read = self.forward(probe[None, :-1].repeat(count, 1), cache, 1)
            if cache is not None:
                read = self.forward(probe[None, -1:].repeat(count, 1), cache, 1)
            results.append(read[0])
        return bool((results[0] == results[1]).all())


class TorchRows:
    """Equal-length texts in one cache. Once forked, rows that fill up repeat the first one."""

    def __init__(self, network: TorchNetwork, cache: Any, length: int) -> None:
        self.length = length
        self._network = network
        self._cache = cache
        self._forked = False
        self._texts: list[list[int]] = [[]]

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> NDArray[np.float32]:
        rows = [list(row) for row in (*tokens, *[tokens[0]] * self._filling(len(tokens)))]
        if self._cache is None:
            rows = self._texts = [[*t, *new] for t, new in zip(self._texts, rows, strict=True)]
        self.length += len(tokens[0])
        logits = self._network.forward(torch.tensor(rows), self._cache, keep)
        if not keep:
            return np.empty((len(tokens), 0, self._network.language.size), np.float32)
        logs = torch.log_softmax(logits[: len(tokens)].float(), dim=-1)
        return np.asarray(logs.cpu().numpy(), dtype=np.float32)

    def fork(self, count: int) -> None:
        self._forked = True
        self._arrange([0] * count)

    def select(self, rows: Sequence[int]) -> None:
        self._arrange(list(rows))

    def save(self, row: int, ids: Sequence[int]) -> None:
        network = self._network
        if self._cache is None:
            return
        start = network.prefixes.known(ids)
        if start == len(ids):
            network.prefixes.longest(ids)
            return
        if network.memory is Memory.WHOLE:
            value = copy.deepcopy(self._cache)
            value.reorder_cache(self._index([row]))
            network.prefixes.put(ids, 0, value, _size(value))
            return
        layers = sliced(self._cache, row, start, self.length)
        if layers is not None:
            size = sum(k.nbytes + v.nbytes for k, v in filter(None, layers))
            network.prefixes.put(ids, start, layers, size)

    def _arrange(self, rows: list[int]) -> None:
        rows = rows + rows[:1] * self._filling(len(rows))
        if self._cache is None:
            self._texts = [list(self._texts[row]) for row in rows]
        else:
            self._cache.reorder_cache(self._index(rows))

    def _filling(self, count: int) -> int:
        """Rows to be added; a single text that is not yet forked stays single."""
        return -count % self._network.padding if self._forked else 0

    def _index(self, rows: list[int]) -> torch.Tensor:
        return torch.tensor(rows, dtype=torch.long, device=self._network.device)


def sliced(cache: Any, row: int, start: int, stop: int) -> Layers | None:
    """Copies of tokens start..stop of one row; None if some layer doesn't hold them all.

    Copying what is wanted takes the place of `DynamicCache.crop`, which silently keeps too much
    when it is asked for more than there is.
    """
    layers: Layers = []
    for layer in cache.layers:
        if getattr(layer, "is_sliding", False) or not hasattr(layer, "keys"):
            return None
        if layer.keys is None:
            layers.append(None)
            continue
        if layer.keys.ndim != 4 or layer.keys.shape[-2] != stop:
            return None
        keys, values = (t[row : row + 1, :, start:stop].clone() for t in (layer.keys, layer.values))
        layers.append((keys, values))
    return layers


def _cut(layers: Layers, start: int, stop: int) -> Layers:
    return [
        None if layer is None else (layer[0][:, :, start:stop], layer[1][:, :, start:stop])
        for layer in layers
    ]


def _size(cache: Any) -> int:
    """Bytes of the tensors in a cache of any kind."""
    return sum(
        int(value.nbytes)
        for layer in cache.layers
        for value in vars(layer).values()
        if hasattr(value, "nbytes")
    )


def _probe(module: Any) -> torch.Tensor:
    """A few ids that every vocabulary has."""
    size = int(module.get_input_embeddings().weight.shape[0])
    return (torch.arange(24) * 7 + 3) % size


def _close(found: torch.Tensor, expected: torch.Tensor, near: float) -> bool:
    return bool(((found.float() - expected.float()).abs().amax() <= near).item())


def _all_finite(logits: torch.Tensor) -> torch.Tensor:
    if not bool(logits.isfinite().all()):
        raise ModelUnsupported(
            "The model gives no numbers: its weights are damaged or overflow.",
            'Copy or download the model again, or set the engine option dtype = "float32".',
        )
    return logits
