"""Jobs on a `Network`: they take turns, one forward pass a step.

Every token is predicted from the `Sight` of the text before it and drawn with its own uniform, so
what a branch says doesn't depend on its siblings, on other jobs, or on what was read before.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np

from loom.engine.api import EngineError, Event, Failed, Generate, Job
from loom.engine.arithmetic import Arithmetic, HostArithmetic
from loom.engine.growing import Growing
from loom.engine.network import Interrupted, Network
from loom.engine.scoring import Scoring
from loom.engine.seam import Beginnings


class Work(Protocol):
    """A job that has been submitted."""

    over: bool

    def cancel(self, branch: int | None) -> list[Event]:
        """Answers for what is stopped."""
        ...

    def step(self) -> list[Event]: ...


class Turns:
    """The queue. A job that goes wrong answers Failed and the others go on.

    `arithmetic` takes what the network's rows give; numpy's, where none is given."""

    def __init__(self, network: Network, arithmetic: Arithmetic | None = None) -> None:
        self._network = network
        self._arithmetic = arithmetic or HostArithmetic(network.language.banned)
        self._works: dict[str, Work] = {}
        self._answers: list[Event] = []

    @cached_property
    def _beginnings(self) -> Beginnings:
        """Of all tokens that may be drawn; made when first asked for, as that takes a while."""
        language = self._network.language
        return Beginnings(language.spelling.table, set(np.flatnonzero(language.banned).tolist()))

    def submit(self, job: Job) -> None:
        work: Work
        if isinstance(job, Generate):
            work = Growing(job, self._network, self._arithmetic, lambda: self._beginnings)
        else:
            work = Scoring(job, self._network, self._arithmetic)
        if not work.over:
            self._works[job.id] = work

    def cancel(self, job: str, branch: int | None) -> None:
        work = self._works.get(job)
        if work is None:
            return
        self._answers += work.cancel(branch)
        if work.over:
            del self._works[job]

    def step(self) -> list[Event]:
        if self._answers or not self._works:
            answers, self._answers = self._answers, []
            return answers
        job, work = next(iter(self._works.items()))
        del self._works[job]
        try:
            events = work.step()
        except Interrupted:
            events = []  # it is tried again when its turn comes
        except (EngineError, RuntimeError, ValueError, MemoryError) as error:
            return [_failure(job, error)]
        if not work.over:
            self._works[job] = work  # to the end of the line
        return events

    def clear(self) -> None:
        self._works.clear()
        self._answers.clear()


def _failure(job: str, error: Exception) -> Failed:
    if isinstance(error, EngineError):
        return Failed(job, str(error), error.hint)
    reason = " ".join(str(error).split())[:200].rstrip(".")
    if isinstance(error, MemoryError) or "out of memory" in reason.lower():
        return Failed(
            job,
            "There was not enough memory for this job.",
            "Grow fewer continuations at once, close other programs, or use a smaller model.",
        )
    return Failed(job, f"The model failed in this job: {reason}.", "Try again.")
