"""What engines are measured against: the same model without Loom, each driven as it is meant to be.

Each is a step at a time (seconds of every step), so that it can be measured in turns with ours.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np


class RawLoop:
    """llama.cpp with nothing but `llama_decode`: tokens that were chosen before go in, logits are
    computed and nobody looks at them. `settings` are those of a `LlamaNetwork`."""

    def __init__(self, backend: Any, path: Path, settings: dict[str, Any], ending: ExitStack):
        engine = backend.load(str(path), settings, lambda done, total: None)
        ending.callback(engine.close)
        self._network = engine._network
        self._part: Any = sys.modules[type(self._network).__module__].Part
        self._decode = self._network.model.bindings.llama_decode
        self._chance = np.random.default_rng(1)

    def steps(self, prefix: Sequence[int], branches: int) -> Generator[float, None, None]:
        """Seconds of each step, `branches` tokens at once, after `prefix` in one memory."""
        network, memory, size = self._network, self._network.memory, self._network.language.size
        rows = memory.take(branches)
        try:
            for start in range(0, len(prefix), 256):
                part = self._part(rows[0], start, prefix[start : start + 256], 0)
                network.begin([part])()
            for row in rows[1:]:
                memory.copy(rows[0], row)
            owners, wanted = np.array(rows, np.int32), np.ones(branches, np.bool_)
            position = len(prefix)
            while True:
                tokens = self._chance.integers(5, size - 5, branches, dtype=np.int32)
                begun = time.perf_counter()
                places = np.full(branches, position, np.int32)
                batch = network.batch.filled(tokens, places, owners, wanted)
                if self._decode(network.context, batch):
                    raise RuntimeError("llama_decode failed")
                network.model.bindings.llama_synchronize(network.context)
                yield time.perf_counter() - begun
                position += 1
        finally:
            memory.release(rows)


class Completion:
    """llama-cpp-python's own `create_completion` with ten log-probabilities a token."""

    def __init__(self, path: Path, threads: int, context: int, ending: ExitStack) -> None:
        from llama_cpp import Llama

        self._llama: Any = Llama(
            str(path), n_ctx=context, n_threads=threads, n_threads_batch=threads,
            logits_all=True, flash_attn=True, verbose=False,
        )  # fmt: skip
        ending.callback(self._llama.close)

    def tokens(self, prefix: Sequence[int], count: int, seed: int) -> tuple[int, float]:
        """(tokens, seconds) of one continuation; the prefix is still there from the one before."""
        begun = time.perf_counter()
        answer = self._llama.create_completion(
            list(prefix), max_tokens=count, logprobs=10, temperature=0.9, seed=seed
        )
        return answer["usage"]["completion_tokens"], time.perf_counter() - begun


class Generation:
    """transformers' `model.generate`, sampling `branches` sequences and recording nothing."""

    def __init__(self, network: Any) -> None:
        self._module = network.module

    def steps(self, prefix: Sequence[int], branches: int, count: int) -> list[float]:
        """Seconds of each step but the first, which reads the prefix."""
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList

        ends: list[float] = []

        class Clock(StoppingCriteria):
            def __call__(self, input_ids: Any, scores: Any, **rest: Any) -> Any:
                ends.append(time.perf_counter())
                return torch.zeros(len(input_ids), dtype=torch.bool)

        text = torch.tensor([list(prefix)], device=self._module.device)
        with torch.inference_mode():
            self._module.generate(
                text, attention_mask=torch.ones_like(text), do_sample=True, temperature=0.9,
                min_p=0.02, top_k=0, num_return_sequences=branches, max_new_tokens=count,
                min_new_tokens=count, stopping_criteria=StoppingCriteriaList([Clock()]),
                pad_token_id=0,
            )  # fmt: skip
        return [after - before for before, after in zip(ends, ends[1:], strict=False)]
