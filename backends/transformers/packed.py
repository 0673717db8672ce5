"""Attention of branches that share a trunk, whose keys and values are held and read once.

A branch is a row; its own tokens lie apart from the trunk, so it sees the same numbers in the same
order however many others there are. Knows no tokens and no jobs.
"""

from __future__ import annotations

from typing import Any

import torch

from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin

from .attention import Switch, plain
from .stretches import Layers

NAME = "loom_packed"
SHORT = 64  # tokens; to copy a trunk no longer than this to every branch is as fast
ROOM = 64  # tokens of its own that a branch has room for at first


class PackedLayer(CacheLayerMixin):
    """One layer of a trunk and of the branches on it: `keys` and `values` are the branches' own,
    [rows, heads, tokens, width]; the trunk's have one row."""

    is_sliding = False
    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, rows: int, common: bool) -> None:
        self.is_initialized = True
        self.trunk = (keys, values) if common else None
        self._length = 0
        self._room = tuple(
            t.new_empty((rows, t.shape[1], ROOM, t.shape[3])) for t in (keys, values)
        )
        self.keys, self.values = self._own()
        if not common:
            self._append(keys, values)

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """There is nothing to be done later."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        Switch.layer = self
        self._append(key_states, value_states)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return self.shared + self._length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        self._room = tuple(t.index_select(0, beam_idx) for t in self._room)
        self.keys, self.values = self._own()

    def take_back(self, length: int) -> None:
        """Lets go of what was read after the first `length` tokens."""
        self._length = min(self._length, length - self.shared)
        self.keys, self.values = self._own()

    @property
    def shared(self) -> int:
        """Tokens of the trunk."""
        return 0 if self.trunk is None else int(self.trunk[0].shape[-2])

    @property
    def nbytes(self) -> int:
        return sum(int(t.nbytes) for t in (*self._room, *(self.trunk or ())))

    def of_row(self, row: int, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Copies of the keys and values of tokens start..stop as one branch sees them."""
        shared, parts = self.shared, []
        if start < shared and self.trunk is not None:
            parts.append([t[:, :, start:stop] for t in self.trunk])
        if stop > shared:
            own = slice(max(start - shared, 0), stop - shared)
            parts.append([t[row : row + 1, :, own] for t in (self.keys, self.values)])
        keys, values = (torch.cat(column, dim=-2) for column in zip(*parts, strict=True))
        return keys, values

    def _own(self) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = (t[:, :, : self._length] for t in self._room)
        return keys, values

    def _append(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        stop = self._length + keys.shape[-2]
        if stop > self._room[0].shape[-2]:
            self._room = tuple(_wider(t, self._length, 2 * stop) for t in self._room)
        for room, new in zip(self._room, (keys, values), strict=True):
            room[:, :, self._length : stop] = new
        self._length = stop
        self.keys, self.values = self._own()


def pack(layers: Layers, rows: int, *, common: bool) -> Cache | None:
    """A cache of `rows` branches on what one row has read; with `common` that is their trunk, else
    each has a copy. None if it can't be."""
    held = [layer for layer in layers if layer is not None]
    if not held or len(held) < len(layers):
        return None
    return Cache(layers=[PackedLayer(keys, values, rows, common) for keys, values in held])


def is_packed(cache: Any) -> bool:
    return isinstance(cache, Cache) and isinstance(cache.layers[0], PackedLayer)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, None]:
    """What the transformers library calls in place of its own attention, float[rows, n, H, width].

    `query` is [rows, H, n, width]; `key` and `value` are what the layer has just given.
    """
    layer = Switch.layer
    if not isinstance(layer, PackedLayer) or key is not layer.keys or value is not layer.values:
        raise RuntimeError("this model's attention changes what is held in the cache")
    plain({**rest, "attention_mask": attention_mask})
    rows, heads, count, width = query.shape
    scaled = query * (width**-0.5 if scaling is None else scaling)
    scaled = scaled.reshape(rows, key.shape[1], -1, width)  # heads that share keys lie together
    scores = scaled @ key.mT
    if layer.trunk is not None:
        scores = torch.cat([_over_rows(scaled, layer.trunk[0].mT), scores], dim=-1)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if count > 1:
        scores[..., -count:] += _unseen(count, scores)
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    seen = weights[..., layer.shared :] @ value
    if layer.trunk is not None:
        seen += _over_rows(weights[..., : layer.shared], layer.trunk[1])
    return seen.reshape(rows, heads, count, -1).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, attend)


def _over_rows(left: torch.Tensor, trunk: torch.Tensor) -> torch.Tensor:
    """left[rows, heads, n, a] @ trunk[1, heads, a, b], each head's rows in one product."""
    rows, heads, count, width = left.shape
    flat = left.transpose(0, 1).reshape(heads, rows * count, width)
    return torch.bmm(flat, trunk[0]).view(heads, rows, count, -1).transpose(0, 1)


def _unseen(count: int, scores: torch.Tensor) -> torch.Tensor:
    """−inf where one of the `count` newest tokens would see a later one."""
    square = scores.new_full((count, count), -torch.inf).triu(1)
    return square.repeat(scores.shape[-2] // count, 1)


def _wider(tensor: torch.Tensor, length: int, room: int) -> torch.Tensor:
    wider = tensor.new_empty((*tensor.shape[:2], room, tensor.shape[3]))
    wider[:, :, :length] = tensor[:, :, :length]
    return wider
