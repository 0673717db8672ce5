"""Keys and values of a stretch of tokens, a pair a layer: taken from a cache, cut, put together.

What is cut is copied, never a view: what is counted is what is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from transformers.cache_utils import DynamicLayer

Layers = list[tuple[torch.Tensor, torch.Tensor] | None]


def held(cache: Any, stop: int) -> Layers | None:
    """All that a plain cache holds, itself; None if some layer doesn't hold `stop` tokens."""
    layers: Layers = []
    for layer in cache.layers:
        if getattr(layer, "is_sliding", False) or not hasattr(layer, "keys"):
            return None
        if layer.keys is None:
            layers.append(None)
            continue
        if layer.keys.ndim != 4 or layer.keys.shape[-2] != stop:
            return None
        layers.append((layer.keys, layer.values))
    return layers


def sliced(cache: Any, row: int, start: int, stop: int) -> Layers | None:
    """Copies of tokens start..stop of one row, where `stop` is all; None if they aren't held.

    Copying what is wanted takes the place of `DynamicCache.crop`, which silently keeps too much
    when it is asked for more than there is.
    """
    if all(hasattr(layer, "of_row") for layer in cache.layers):
        return [layer.of_row(row, start, stop) for layer in cache.layers]
    layers = held(cache, stop)
    if layers is None:
        return None
    return [
        layer
        and (layer[0][row : row + 1, :, start:].clone(), layer[1][row : row + 1, :, start:].clone())
        for layer in layers
    ]


def filled(cache: Any, layers: Layers) -> Any:
    """The cache, which is empty, with `layers` in it; they are not copied where that is safe."""
    for index, layer in enumerate(layers):
        if layer is None:
            continue
        place = cache.layers[index] if index < len(cache.layers) else None
        if type(place) is DynamicLayer:  # it never writes into what it holds
            place.lazy_initialization(*layer)
            place.keys, place.values = layer
        else:
            cache.update(*layer, index)
    return cache


def take_back(cache: Any, length: int) -> None:
    """Lets go of what is held after the first `length` tokens, be it in some layers only."""
    for layer in cache.layers:
        if hasattr(layer, "take_back"):
            layer.take_back(length)
        elif layer.keys is not None:
            layer.keys, layer.values = (t[:, :, :length] for t in (layer.keys, layer.values))


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
