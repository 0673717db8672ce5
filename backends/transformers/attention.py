"""A model's attention turned over to another and back. Knows no tokens and no jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from transformers import PreTrainedModel

OTHERS = ("attention_mask", "softcap", "s_aux", "position_bias", "sliding_window")


class Switch:
    """`layer`: the layer of a cache of ours that has just been given keys and values; what stands
    in for attention is called with these right after."""

    layer: ClassVar[Any] = None

    def __init__(self, module: Any) -> None:
        models = [part for part in module.modules() if isinstance(part, PreTrainedModel)]
        self._configs = list({id(model.config): model.config for model in models}.values())

    @contextmanager
    def to(self, name: str) -> Iterator[None]:
        before = [config._attn_implementation for config in self._configs]
        try:
            for config in self._configs:
                config._attn_implementation = name
            yield
        finally:
            Switch.layer = None
            for config, own in zip(self._configs, before, strict=True):
                config._attn_implementation = own


def plain(others: Mapping[str, Any]) -> None:
    """Raises RuntimeError where attention is given more than queries, keys and values."""
    if any(others.get(name) is not None for name in OTHERS):
        raise RuntimeError("this model's attention has more to it than queries, keys and values")
