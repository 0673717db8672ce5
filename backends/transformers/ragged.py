"""Several texts read on in one row, one after the other, each seeing only itself.

Whatever a model does to a token by itself is done for all at once, and nothing is filled up; only
attention is computed text by text. Knows no tokens and no jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin

from .attention import Switch, plain
from .stretches import Layers

NAME = "loom_ragged"


class RaggedLayer(CacheLayerMixin):
    """One layer of what each text has read: `held` are its keys and values, [1, heads, tokens,
    width], None at the start of a text. `counts` are the tokens that each reads on."""

    is_sliding = False

    def __init__(
        self, held: list[tuple[torch.Tensor, torch.Tensor] | None], counts: Sequence[int]
    ) -> None:
        self.is_initialized = True
        self.held = held
        self.counts = list(counts)
        self.keys = self.values = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """There is nothing to be done later."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        Switch.layer = self
        parts = zip(
            *(t.split(self.counts, dim=-2) for t in (key_states, value_states)), strict=True
        )
        self.held = [
            new if old is None else (_joined(old[0], new[0]), _joined(old[1], new[1]))
            for old, new in zip(self.held, parts, strict=True)
        ]
        self.keys, self.values = key_states, value_states
        return key_states, value_states

    def get_seq_length(self) -> int:
        return 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return query_length, 0

    def get_max_length(self) -> int:
        return -1


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
    """What the transformers library calls in place of its own attention, float[1, n, H, width]."""
    layer = Switch.layer
    if not isinstance(layer, RaggedLayer) or key is not layer.keys or value is not layer.values:
        raise RuntimeError("this model's attention changes what is held in the cache")
    plain({**rest, "attention_mask": attention_mask, "softcap": softcap})
    seen = [
        _attended(own, held, scaling)
        for own, held in zip(query.split(layer.counts, dim=-2), layer.held, strict=True)
        if held is not None
    ]
    return torch.cat(seen, dim=-2).transpose(1, 2), None


AttentionInterface.register(NAME, attend)


class RaggedCache(Cache):
    """What several texts have read, of each of which as many tokens more are to be."""

    def __init__(self, texts: Sequence[Layers], counts: Sequence[int]) -> None:
        self._own = [RaggedLayer(list(held), counts) for held in zip(*texts, strict=True)]
        super().__init__(layers=list(self._own))

    def texts(self) -> list[Layers]:
        """What each has read by now."""
        return [list(text) for text in zip(*(layer.held for layer in self._own), strict=True)]


def _attended(
    query: torch.Tensor, held: tuple[torch.Tensor, torch.Tensor], scaling: float | None
) -> torch.Tensor:
    """[1, H, n, width]: the last n tokens of a text see those before them and themselves."""
    keys, values = held
    count, length = query.shape[-2], keys.shape[-2]
    mask = None
    if 1 < count < length:
        ones = torch.ones((count, length), dtype=torch.bool, device=query.device)
        mask = ones.tril(length - count)
    return torch.nn.functional.scaled_dot_product_attention(
        query, keys, values, attn_mask=mask, is_causal=count == length, scale=scaling,
        enable_gqa=query.shape[1] != keys.shape[1],
    )  # fmt: skip


def _joined(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    return torch.cat([before, after], dim=-2)
