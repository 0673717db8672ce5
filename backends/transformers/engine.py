"""The Engine protocol over a `TorchNetwork`; knows no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

import transformers
from loom.engine.api import Capabilities, Event, Job
from loom.engine.network import Network
from loom.engine.turns import Turns

from .network import TorchNetwork

_NAME = "transformers"


class TransformersEngine:
    """The engine."""

    def __init__(self, network: TorchNetwork, label: str, mark: str, threads: int) -> None:
        self.network = network
        self._turns = Turns(network, network.arithmetic)
        self._label, self._fingerprint, self._threads = label, mark, threads

    def through(self, change: Callable[[Network], Network]) -> None:
        """From now on jobs run on what `change` makes of the network; `statistics` is "host"."""
        self._turns = Turns(change(self.network))

    def submit(self, job: Job) -> None:
        self._turns.submit(job)

    def cancel(self, job: str, branch: int | None = None) -> None:
        with torch.inference_mode():
            self._turns.cancel(job, branch)

    def interrupt(self) -> None:
        """Breaks off the forward pass under way, if any; what it was for is tried again later. The
        only method that another thread may call."""
        self.network.brake.pull()

    def step(self) -> Sequence[Event]:
        with torch.inference_mode():
            return self._turns.step()

    def encode(self, text: bytes, *, start: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        spelling = self.network.language.spelling
        ids = spelling.encode(text, start=start)
        ends = np.cumsum([len(p) for p in spelling.spelled(ids, start=start)], dtype=np.int64)
        return ids, tuple(ends.tolist())

    def can(self) -> Capabilities:
        network = self.network
        dtype = str(network.dtype).removeprefix("torch.")
        return Capabilities(
            name=_NAME,
            label=self._label,
            fingerprint=self._fingerprint,
            vocabulary=network.language.size,
            context=network.language.context,
            heals=True,
            device=str(network.device),
            dtype=dtype,
            reproducible=network.reproducible,
            runtime={
                "engine": _NAME,
                **network.language.seeing,
                "transformers": transformers.__version__,
                "torch": torch.__version__,
                "device": str(network.device),
                "dtype": dtype,
                "threads": str(self._threads),
                "attention": "packed" if network.packed else "rows",
            },
        )

    def pieces(self, ids: Sequence[int]) -> tuple[bytes, ...]:
        table = self.network.language.spelling.table
        return tuple(table[i] for i in ids)

    def close(self) -> None:
        self._turns.clear()
        self.network.close()
