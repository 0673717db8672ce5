"""The Engine protocol over a `LlamaNetwork`; knows no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np

from loom.engine.api import Capabilities, Event, Job
from loom.engine.network import Network
from loom.engine.turns import Turns

from .loading import file_type, placed
from .network import LlamaNetwork

_NAME = "llama_cpp"


class LlamaEngine:
    """The engine. It promises no repeats to the last bit: sums depend on what else is held."""

    def __init__(self, network: LlamaNetwork, label: str, mark: str) -> None:
        self._network = network
        self._turns = Turns(network)
        self._label, self._fingerprint = label, mark

    def through(self, change: Callable[[Network], Network]) -> None:
        """Jobs run on what `change` makes of the network, from now on."""
        self._turns = Turns(change(self._network))

    def submit(self, job: Job) -> None:
        self._turns.submit(job)

    def cancel(self, job: str, branch: int | None = None) -> None:
        self._turns.cancel(job, branch)

    def interrupt(self) -> None:
        """Breaks off the forward pass under way, if any; what it was for is tried again later. The
        only method that another thread may call."""
        self._network.brake.pull()

    def step(self) -> Sequence[Event]:
        return self._turns.step()

    def encode(self, text: bytes, *, start: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        spelling = self._network.language.spelling
        ids = spelling.encode(text, start=start)
        ends = np.cumsum([len(p) for p in spelling.spelled(ids, start=start)], dtype=np.int64)
        return ids, tuple(ends.tolist())

    def can(self) -> Capabilities:
        network = self._network
        dtype = file_type(network.model)
        device = placed(network.model, network.settings)
        return Capabilities(
            name=_NAME,
            label=self._label,
            fingerprint=self._fingerprint,
            vocabulary=network.language.size,
            context=network.language.context,
            heals=True,
            device=device,
            dtype=dtype,
            reproducible=False,
            runtime={
                "engine": _NAME,
                **network.language.seeing,
                "llama-cpp-python": version("llama-cpp-python"),
                "device": device,
                "dtype": dtype,
                "threads": str(network.settings.threads),
                "reuse": "any prefix" if network.memory.partial else "whole texts",
            },
        )

    def pieces(self, ids: Sequence[int]) -> tuple[bytes, ...]:
        table = self._network.language.spelling.table
        return tuple(table[i] for i in ids)

    def close(self) -> None:
        self._turns.clear()
        self._network.close()
