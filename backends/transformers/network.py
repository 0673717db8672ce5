"""A model on its device, and its memory of what it has read as key-value caches; knows no jobs."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import accumulate, chain
from typing import Any, cast

import numpy as np
import torch

from loom.engine.api import EngineError, ModelUnsupported, options_of
from loom.engine.arithmetic import Arithmetic, HostArithmetic
from loom.engine.network import Interrupted, Reading
from loom.engine.prefixes import Prefixes, Values, Wholes
from transformers import DynamicCache

from . import trials
from .attention import Switch
from .brake import Brake
from .columns import DeviceArithmetic
from .language import language_of
from .packed import NAME, SHORT, is_packed, pack
from .ragged import NAME as RAGGED
from .ragged import RaggedCache
from .stretches import Layers, cache_size, cut, filled, held, joined, size, sliced, take_back
from .trials import PADDING, Memory

ROOM, ROOM_ON_DEVICE = 256, 4096  # tokens of several texts in one forward pass
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
        self._thread = ThreadPoolExecutor(1)
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
        sliced_well = self.memory is Memory.SLICED
        self.room = self._room() if sliced_well and self._keeps and trial.reads_together() else 0
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

    def forward(
        self, tokens: torch.Tensor, cache: Any, keep: int | torch.Tensor, **more: Any
    ) -> torch.Tensor:
        """logits float[rows, n, V] of tokens[rows, …] after what is in `cache`: of the last `keep`,
        at least of one, or of those at these places. Raises Interrupted, with part of the pass
        done."""
        return self.begin(tokens, cache, keep, **more)()

    def begin(
        self, tokens: torch.Tensor, cache: Any, keep: int | torch.Tensor, **more: Any
    ) -> Callable[[], torch.Tensor]:
        """The same in a thread beside this one; the call, which can be made once, waits for it."""
        self.brake.release()
        keep = max(1, keep) if isinstance(keep, int) else keep
        under_way = [self._thread.submit(self._forward, tokens, cache, keep, more)]
        return lambda: under_way.pop().result()  # an error kept there would keep what it held

    def together(self, readings: Sequence[Reading]) -> Callable[[], list[Any]]:
        """One forward pass for several texts, one after the other in one row."""
        rows = [cast(TorchRows, reading.rows) for reading in readings]
        if len(rows) == 1:
            alone = rows[0].begin([readings[0].tokens], readings[0].keep)
            return lambda: [alone()[0]]
        texts = [held(row.cache, row.length) for row in rows]
        cache, wait = self.side_by_side(
            [text for text in texts if text is not None],
            [row.length for row in rows],
            [reading.tokens for reading in readings],
            [reading.keep for reading in readings],
        )

        def read() -> list[Any]:
            logits = wait()
            for row, reading, layers in zip(rows, readings, cache.texts(), strict=True):
                row.cache = self.assembled(layers)
                row.length += len(reading.tokens)
            parts = logits[0].split([reading.keep for reading in readings])
            return [self.logprobs(part) for part in parts]

        return read

    def side_by_side(
        self,
        texts: Sequence[Layers],
        lengths: Sequence[int],
        tokens: Sequence[Sequence[int]],
        keeps: Sequence[int],
    ) -> tuple[RaggedCache, Callable[[], torch.Tensor]]:
        """(their cache, what waits for logits float[1, n, V]) of a pass over texts of so many
        tokens, of which as many more are read; of each the last few are asked about."""
        counts = [len(own) for own in tokens]
        cache = RaggedCache(texts, counts)
        spans = [
            range(stop - count, stop)
            for count, stop in zip(counts, accumulate(counts), strict=True)
        ]
        kept = [
            i for span, keep in zip(spans, keeps, strict=True) for i in span[len(span) - keep :]
        ]
        places = [range(length, length + n) for length, n in zip(lengths, counts, strict=True)]
        wait = self.begin(
            torch.tensor([[*chain.from_iterable(tokens)]]),
            cache,
            self.index(kept or [0]),
            position_ids=self.index([*chain.from_iterable(places)])[None],
        )
        return cache, (lambda: wait()[:, : len(kept)])

    def logprobs(self, logits: torch.Tensor) -> Any:
        """As its arithmetic takes them."""
        logs = torch.log_softmax(logits.float(), dim=-1)
        if isinstance(self.arithmetic, HostArithmetic):
            return np.asarray(logs.cpu().numpy(), dtype=np.float32)
        return logs

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

    def _forward(
        self, tokens: torch.Tensor, cache: Any, keep: int | torch.Tensor, more: Mapping[str, Any]
    ) -> torch.Tensor:
        keywords = {"logits_to_keep": keep} if self._keeps else {}
        if cache is not None:
            keywords["past_key_values"] = cache
        way = NAME if is_packed(cache) else RAGGED if isinstance(cache, RaggedCache) else None
        with torch.inference_mode(), self._switch.to(way) if way else nullcontext():
            output = self.module(
                input_ids=tokens.to(self.device), use_cache=cache is not None, **keywords, **more
            )
        logits: torch.Tensor = output.logits
        return logits if self._keeps or not isinstance(keep, int) else logits[:, -keep:]

    def _room(self) -> int:
        return ROOM if self.device.type == "cpu" else ROOM_ON_DEVICE

    def close(self) -> None:
        self.brake.pull()
        self._thread.shutdown()
        self.prefixes.clear()
        self.wholes.clear()


class TorchRows:
    """Equal-length texts in one cache. Once forked, rows that fill up repeat the first one."""

    def __init__(self, network: TorchNetwork, cache: Any, length: int) -> None:
        self.length = length
        self._network = network
        self.cache = cache
        self._forked = False
        self._texts: list[list[int]] = [[]]

    @property
    def nbytes(self) -> int:
        """Of keys and values."""
        return 0 if self.cache is None else cache_size(self.cache)

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> Any:
        return self.begin(tokens, keep)()

    def begin(self, tokens: Sequence[Sequence[int]], keep: int) -> Callable[[], Any]:
        rows = [list(row) for row in (*tokens, *[tokens[0]] * self._filling(len(tokens)))]
        if self.cache is None:
            rows = [[*t, *new] for t, new in zip(self._texts, rows, strict=True)]
        wait = self._network.begin(torch.tensor(rows), self.cache, keep)

        def read() -> Any:
            try:
                logits = wait()
            except Interrupted:
                if self.cache is not None:
                    take_back(self.cache, self.length)
                raise
            if self.cache is None:
                self._texts = rows
            self.length += len(tokens[0])
            return self._network.logprobs(logits[: len(tokens), -keep:][:, :keep])

        return read

    def fork(self, count: int) -> None:
        self._forked = True
        if self._network.packed and self.length:
            layers = held(self.cache, self.length)
            rows = count + self._filling(count)
            cache = None if layers is None else pack(layers, rows, common=self.length > SHORT)
            if cache is not None:
                self.cache = cache
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
        layers = sliced(self.cache, row, start, self.length)
        if layers is not None:
            network.prefixes.put(ids, start, layers)

    def _save_whole(self, row: int, ids: Sequence[int]) -> None:
        wholes = self._network.wholes
        if ids in wholes:
            wholes.longest(ids)
            return
        value = copy.deepcopy(self.cache)
        value.reorder_cache(self._network.index([row]))
        wholes.put(ids, value)

    def _arrange(self, rows: list[int]) -> None:
        rows = rows + rows[:1] * self._filling(len(rows))
        if self.cache is None:
            self._texts = [list(self._texts[row]) for row in rows]
        else:
            self.cache.reorder_cache(self._network.index(rows))

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
