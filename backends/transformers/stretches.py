"""Keys and values of a stretch of tokens, a pair a layer: taken from a cache, cut, put together.

Copies, never views: what is counted is what is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

Layers = list[tuple[torch.Tensor, torch.Tensor] | None]


def sliced(cache: Any, row: int, start: int, stop: int) -> Layers | None:
    """Tokens start..stop of one row; None if some layer doesn't hold them all.

    Copying what is wanted takes the place of `DynamicCache.crop`, which silently keeps too much
    when it is asked for more than there is.
    """
    layers: Layers = []
    for layer in cache.layers:
        if hasattr(layer, "of_row"):
            layers.append(layer.of_row(row, start, stop))
            continue
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


def cut(layers: Layers, start: int, stop: int) -> Layers:
    return [
        None if layer is None else (_copy(layer[0], start, stop), _copy(layer[1], start, stop))
        for layer in layers
    ]


def joined(parts: Sequence[Layers]) -> Layers:
    """Stretches that follow on one another as one."""
    layers: Layers = []
    for column in zip(*parts, strict=True):
        held = [layer for layer in column if layer is not None]
        if len(held) < 2:
            layers.append(held[0] if held else None)
            continue
        keys, values = (torch.cat(tensors, dim=-2) for tensors in zip(*held, strict=True))
        layers.append((keys, values))
    return layers


def size(layers: Layers) -> int:
    """Bytes."""
    return sum(keys.nbytes + values.nbytes for keys, values in filter(None, layers))


def cache_size(cache: Any) -> int:
    """Bytes of the tensors in a cache of any kind."""
    return sum(
        int(layer.nbytes) if hasattr(layer, "nbytes") else _tensors(vars(layer).values())
        for layer in cache.layers
    )


def _tensors(values: Iterable[Any]) -> int:
    return sum(int(value.nbytes) for value in values if hasattr(value, "nbytes"))


def _copy(tensor: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    whole = start <= 0 and stop >= tensor.shape[-2]
    return tensor if whole else tensor[:, :, start:stop].clone()
