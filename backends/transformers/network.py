"""A model on its device, and its memory of what it has read as key-value caches; knows no jobs."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from loom.engine.api import EngineError, ModelUnsupported, options_of
from loom.engine.arithmetic import Arithmetic, HostArithmetic
from loom.engine.network import Interrupted
from loom.engine.prefixes import Prefixes, Values, Wholes
from transformers import DynamicCache

from . import trials
from .brake import Brake
from .columns import DeviceArithmetic
from .language import language_of
from .packed import SHORT, Switch, is_packed, pack
from .stretches import Layers, cache_size, cut, filled, held, joined, size, sliced, take_back
from .trials import PADDING, Memory

CACHE_MB = 1024  # of read text that is remembered
ATTENTION = ("auto", "packed", "rows")
STATISTICS = ("auto", "device", "host")


class TorchNetwork:
    """A model on its device. Rows are filled up to a multiple of `padding`, which makes the result
    of each the same bit for bit however many there are (float32 on a CPU; 1 elsewhere).

    `packed`: branches share a trunk (full attention only). What can be relied on is tried at load.
    """

    def __init__(self, module: Any, tokenizer: Any, options: Mapping[str, Any]) -> None:
        self.module = module
        self.device: torch.device = module.device
        self.dtype: torch.dtype = module.dtype
        exact = self.device.type == "cpu" and self.dtype == torch.float32
        self.padding = PADDING if exact else 1
        self._keeps = "logits_to_keep" in inspect.signature(module.forward).parameters
        self._switch = Switch(module)
        self.brake = Brake(module)
        wanted = _choice(options, "attention", ATTENTION)
        statistics = _choice(options, "statistics", STATISTICS)
        trial = trials.Trial(self)
        self.language = language_of(tokenizer, module.config, trial.vocabulary, options)
        self.arithmetic = self._arithmetic(statistics)
        self.memory = trial.memory()
        self.brake.works = self.memory is not Memory.WHOLE
        self.packed = wanted != "rows" and self.memory is Memory.SLICED and trial.packs()
        if wanted == "packed" and not self.packed:
            raise ModelUnsupported(
                "The branches of this model can't share what they have in common.",
                'Set the engine option attention to "auto", or leave it out.',
            )
        if wanted == "auto" and self.packed and not exact:  # a promise bears no stopwatch
            self.packed = trial.packing_pays()
        self.reproducible = exact and trial.rows_independent(self.packed)
        limit = options_of(options, "cache_mb", int, CACHE_MB) * 2**20
        self.prefixes: Prefixes[Layers] = Prefixes(limit, Values(size, cut))
        self.wholes: Wholes[Any] = Wholes(limit, cache_size)

    def cache(self) -> Any:
        return DynamicCache(config=self.module.config)

    def forward(self, tokens: torch.Tensor, cache: Any, keep: int) -> torch.Tensor:
        """logits float[rows, max(1, keep), V] of tokens[rows, n] after what is in `cache`. Raises
        Interrupted, with part of the pass done."""
        self.brake.release()
        keep = max(1, keep)
        keywords = {"logits_to_keep": keep} if self._keeps else {}
        if cache is not None:
            keywords["past_key_values"] = cache
        with self._switch.packed() if is_packed(cache) else nullcontext():
            output = self.module(
                input_ids=tokens.to(self.device), use_cache=cache is not None, **keywords
            )
        logits: torch.Tensor = output.logits[:, -keep:]
        return logits

    def rows(self, ids: Sequence[int]) -> TorchRows:
        if self.memory is Memory.NONE:
            return TorchRows(self, None, 0)
        if self.memory is Memory.WHOLE:
            whole = self.wholes.longest(ids)
            if whole is None:
                return TorchRows(self, self.cache(), 0)
            return TorchRows(self, copy.deepcopy(whole[0]), whole[1])
        found = self.prefixes.longest(ids)
        if not found:
            return TorchRows(self, self.cache(), 0)
        parts = [cut(s.value, 0, s.stop - s.start) for s in found]
        return TorchRows(self, self.assembled(joined(parts)), found[-1].stop)

    def assembled(self, layers: Layers) -> Any:
        """A cache that holds these."""
        return filled(self.cache(), layers)

    def index(self, rows: Sequence[int]) -> Any:
        return torch.tensor(rows, dtype=torch.long, device=self.device)

    def _arithmetic(self, where: str) -> Arithmetic:
        """On a GPU where its logits are, in float64, which only CUDA has; else numpy is faster."""
        banned = self.language.banned
        if where == "device" or (where == "auto" and self.device.type == "cuda"):
            return DeviceArithmetic(banned, self.device)
        return HostArithmetic(banned)

    def close(self) -> None:
        self.prefixes.clear()
        self.wholes.clear()


class TorchRows:
    """Equal-length texts in one cache. Once forked, rows that fill up repeat the first one."""

    def __init__(self, network: TorchNetwork, cache: Any, length: int) -> None:
        self.length = length
        self._network = network
        self._cache = cache
        self._forked = False
        self._texts: list[list[int]] = [[]]

    @property
    def nbytes(self) -> int:
        """Of keys and values."""
        return 0 if self._cache is None else cache_size(self._cache)

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> Any:
        rows = [list(row) for row in (*tokens, *[tokens[0]] * self._filling(len(tokens)))]
        if self._cache is None:
            rows = [[*t, *new] for t, new in zip(self._texts, rows, strict=True)]
        try:
            logits = self._network.forward(torch.tensor(rows), self._cache, keep)
        except Interrupted:
            if self._cache is not None:
                take_back(self._cache, self.length)
            raise
        if self._cache is None:
            self._texts = rows
        self.length += len(tokens[0])
        logs = torch.log_softmax(logits[: len(tokens), :keep].float(), dim=-1)
        if isinstance(self._network.arithmetic, HostArithmetic):
            return np.asarray(logs.cpu().numpy(), dtype=np.float32)
        return logs

    def fork(self, count: int) -> None:
        self._forked = True
        if self._network.packed and self.length:
            layers = held(self._cache, self.length)
            rows = count + self._filling(count)
            cache = None if layers is None else pack(layers, rows, common=self.length > SHORT)
            if cache is not None:
                self._cache = cache
                return
        self._arrange([0] * count)

    def select(self, rows: Sequence[int]) -> None:
        self._arrange(list(rows))

    def save(self, row: int, ids: Sequence[int]) -> None:
        network = self._network
        if network.memory is Memory.WHOLE:
            self._save_whole(row, ids)
        if network.memory is not Memory.SLICED:
            return
        start = network.prefixes.known(ids)
        if start == len(ids):
            network.prefixes.longest(ids)
            return
        layers = sliced(self._cache, row, start, self.length)
        if layers is not None:
            network.prefixes.put(ids, start, layers)

    def _save_whole(self, row: int, ids: Sequence[int]) -> None:
        wholes = self._network.wholes
        if ids in wholes:
            wholes.longest(ids)
            return
        value = copy.deepcopy(self._cache)
        value.reorder_cache(self._network.index([row]))
        wholes.put(ids, value)

    def _arrange(self, rows: list[int]) -> None:
        rows = rows + rows[:1] * self._filling(len(rows))
        if self._cache is None:
            self._texts = [list(self._texts[row]) for row in rows]
        else:
            self._cache.reorder_cache(self._network.index(rows))

    def _filling(self, count: int) -> int:
        """Rows to be added; a single text that is not yet forked stays single."""
        return -count % self._network.padding if self._forked else 0


def _choice(options: Mapping[str, Any], name: str, among: Sequence[str]) -> str:
    value: str = options_of(options, name, str, among[0])
    if value not in among:
        raise EngineError(
            f"The engine option {name} is {value!r}.",
            f"Choose one of {', '.join(among[:-1])} or {among[-1]}.",
        )
    return value
