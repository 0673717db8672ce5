"""Lets another thread break off a forward pass, between two layers of the model."""

from __future__ import annotations

from typing import Any

import torch

from loom.engine.network import Interrupted


class Brake:
    """Off unless `works`: what part of a pass leaves behind has to be taken back."""

    def __init__(self, module: Any) -> None:
        self.works = False
        self._pulled = False
        lists = [part for part in module.modules() if isinstance(part, torch.nn.ModuleList)]
        for layer in max(lists, key=len, default=()):
            layer.register_forward_pre_hook(self._ask)

    def pull(self) -> None:
        self._pulled = True

    def release(self) -> None:
        self._pulled = False

    def _ask(self, layer: torch.nn.Module, inputs: Any) -> None:
        if self._pulled and self.works:
            raise Interrupted
