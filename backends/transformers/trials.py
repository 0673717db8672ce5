"""What is tried when a model is loaded: what can be done with what it has read, and how exactly.

Tried, not told by name: the library has hundreds of kinds of models.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any

import torch

from loom.engine.api import ModelUnsupported

from .packed import PackedLayer, attend, pack
from .stretches import Layers, cut, held, joined, sliced

if TYPE_CHECKING:
    from .network import TorchNetwork

PADDING = 4  # see TorchNetwork
NEAR = 1e-3  # logits in float32 may differ so much, from one way to compute them to another
NEAR_HALF = 0.25  # in half precision
FEW = 5  # tokens read by each row at once
LONG = 12  # times what the probe's first half left is the trunk on which rows are compared
TRUNK, BRANCHES = 512, 8  # what packing is timed at


class Memory(Enum):
    """What can be done with what a model has read."""

    SLICED = "any beginning of it can be gone on from"
    WHOLE = "only all of it can be gone on from"
    NONE = "it can't be kept"


class Trial:
    """A few ids that every vocabulary has, read in one pass, against which the rest is held."""

    def __init__(self, network: TorchNetwork) -> None:
        self._network = network
        size = int(network.module.get_input_embeddings().weight.shape[0])
        self._probe = (torch.arange(24) * 7 + 3) % size
        self._other = (torch.arange(24) * 5 + 2) % size
        self._near = NEAR if network.dtype == torch.float32 else NEAR_HALF
        self._expected = _all_finite(network.forward(self._probe[None], None, 24)[0])
        self._layers: Layers | None = None
        self.vocabulary = int(self._expected.shape[-1])

    def memory(self) -> Memory:
        """Tries going on from a cache, from a fork, from part of one."""
        network, probe = self._network, self._probe
        middle, part = len(probe) // 2, len(probe) // 4
        memory = Memory.NONE
        with suppress(Exception):  # what a kind of cache can't do, it raises in its own way
            cache = network.cache()
            network.forward(probe[None, :middle], cache, 1)
            self._layers = sliced(cache, 0, 0, middle)
            cache.reorder_cache(network.index([0, 0]))
            after = network.forward(probe[None, middle:].repeat(2, 1), cache, len(probe) - middle)
            if not self._close(after, self._expected[middle:]):
                return memory
            memory = Memory.WHOLE
            if self._layers is None:
                return memory
            cache = network.assembled(cut(self._layers, 0, part))
            after = network.forward(probe[None, part:], cache, len(probe) - part)
            if self._close(after, self._expected[part:]):
                memory = Memory.SLICED
        return memory

    def packs(self) -> bool:
        """Whether branches on a trunk say what forked rows say, with a trunk and a copy of it."""
        if self._layers is None:
            return False
        with suppress(Exception):
            forked = self._network.assembled(self._layers)
            forked.reorder_cache(self._network.index([0, 0]))
            expected = self._branches(forked)
            packed = [pack(self._layers, 2, common=common) for common in (True, False)]
            return all(self._close(self._branches(cache), expected) for cache in packed)
        return False

    def reads_together(self) -> bool:
        """Whether texts of different length, read on in one row, say what each says by itself."""
        network, probe, middle = self._network, self._probe.tolist(), len(self._probe) // 2
        with suppress(Exception):
            fresh = held(network.cache(), 0)
            if self._layers is None or fresh is None:
                return False
            texts = [self._layers, fresh, cut(self._layers, 0, FEW)]
            tokens = [probe[middle:], probe, probe[FEW:]]
            counts = [len(own) for own in tokens]
            cache, wait = network.side_by_side(texts, [middle, 0, FEW], tokens, counts)
            expected = torch.cat([self._expected[middle:], self._expected, self._expected[FEW:]])
            if not self._close(wait()[0], expected):
                return False
            whole = network.cache()
            network.forward(self._probe[None], whole, 1)
            caches = [whole, network.assembled(cache.texts()[2])]
            plain, after = (network.forward(self._other[None], c, len(probe)) for c in caches)
            return self._close(after, plain)
        return False

    def packing_pays(self) -> bool:
        """Whether to attend to a long trunk together is faster than each branch by itself."""
        if not self._layers or self._layers[0] is None:
            return False
        with suppress(Exception):
            return _seconds(self._packed_attention()) < _seconds(self._plain_attention())
        return False

    def rows_independent(self, packed: bool) -> bool:
        """Whether padded rows come out the same bit for bit among few and many."""
        results = [self._row_among(count, packed) for count in (PADDING, 2 * PADDING, 8 * PADDING)]
        return all(bool((result == results[0]).all()) for result in results)

    def _row_among(self, count: int, packed: bool) -> torch.Tensor:
        """The logits of the first of so many rows, after a long trunk if they are packed."""
        network, probe = self._network, self._probe
        cache: Any = None
        if packed and self._layers is not None:
            times = max(1, min(LONG, network.language.context // len(probe) - 1))
            cache = pack(joined([self._layers] * times), count, common=True)
        elif network.memory is not Memory.NONE:
            cache = network.cache()
        read = network.forward(probe[None, :FEW].repeat(count, 1), cache, 1)
        if cache is not None:
            read = network.forward(probe[None, FEW : FEW + 1].repeat(count, 1), cache, 1)
        return read[0]

    def _branches(self, cache: Any) -> torch.Tensor:
        """The logits of two branches that differ, of which the second one goes first halfway."""
        network, middle = self._network, len(self._probe) // 2
        texts = torch.stack([self._probe[middle:], self._other[middle:]])
        first = network.forward(texts[:, :FEW], cache, FEW)
        cache.reorder_cache(network.index([1, 0]))
        rest = [network.forward(texts[[1, 0], i : i + 1], cache, 1) for i in (FEW, FEW + 1)]
        return torch.cat([first[[1, 0]], *rest], dim=1)

    def _timed(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys, values of one layer, as many as there are in a long text."""
        config = self._network.module.config.get_text_config(decoder=True)
        assert self._layers and self._layers[0] is not None
        keys, values = (t[:, :, :1].repeat(1, 1, TRUNK, 1) for t in self._layers[0])
        query = keys.new_ones((BRANCHES, config.num_attention_heads, 1, keys.shape[-1]))
        return query, keys, values

    def _packed_attention(self) -> Callable[[], object]:
        query, keys, values = self._timed()
        layer = PackedLayer(keys, values, BRANCHES, True)
        new = [t[:, :, :1].repeat(BRANCHES, 1, 1, 1) for t in (keys, values)]
        module = self._network.module
        return lambda: attend(module, query, *layer.update(new[0], new[1]), None)

    def _plain_attention(self) -> Callable[[], object]:
        query, keys, values = self._timed()
        all_keys, all_values = (t.repeat(BRANCHES, 1, 1, 1) for t in (keys, values))
        plain = torch.nn.functional.scaled_dot_product_attention

        def step() -> object:
            longer_keys = torch.cat([all_keys, all_keys[:, :, :1]], dim=-2)
            longer_values = torch.cat([all_values, all_values[:, :, :1]], dim=-2)
            return plain(query, longer_keys, longer_values, enable_gqa=True)

        return step

    def _close(self, found: torch.Tensor, expected: torch.Tensor) -> bool:
        return bool(((found.float() - expected.float()).abs().amax() <= self._near).item())


def _seconds(step: Callable[[], object]) -> float:
    """The shortest of a few, after one to warm up."""
    taken = []
    for _ in range(6):
        begun = time.perf_counter()
        result = step()
        del result
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
    return min(taken[1:])


def _all_finite(logits: torch.Tensor) -> torch.Tensor:
    if not bool(logits.isfinite().all()):
        raise ModelUnsupported(
            "The model gives no numbers: its weights are damaged or overflow.",
            'Copy or download the model again, or set the engine option dtype = "float32".',
        )
    return logits
