"""Jobs on a `Network`: they take turns, one forward pass a step.

Every token is predicted from the `Sight` of the text before it and drawn with its own uniform, so
what a branch says doesn't depend on its siblings, on other jobs, or on what was read before.
"""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import Protocol

import numpy as np

from loom.engine.api import Event, Generate, Job
from loom.engine.arithmetic import Arithmetic, HostArithmetic
from loom.engine.growing import Growing
from loom.engine.network import Network
from loom.engine.readings import Readings
from loom.engine.seam import Beginnings


class Work(Protocol):
    """What takes its turn: a Generate, or all Scores."""

    @property
    def over(self) -> bool: ...

    def cancel(self, job: str, branch: int | None) -> list[Event]:
        """Answers for what is stopped, if that job is here."""
        ...

    def step(self, *, alone: bool) -> list[Event]:
        """`alone`: nobody else waits for the model, which may begin what comes next."""
        ...


class Turns:
    """The queue. A job that goes wrong answers Failed and the others go on.

    `arithmetic` takes what the network's rows give; numpy's, where none is given."""

    def __init__(self, network: Network, arithmetic: Arithmetic | None = None) -> None:
        self._network = network
        self._arithmetic = arithmetic or HostArithmetic(network.language.banned)
        self._readings = Readings(network, self._arithmetic)
        self._line: deque[Work] = deque()
        self._answers: list[Event] = []

    @cached_property
    def _beginnings(self) -> Beginnings:
        """Of all tokens that may be drawn; made when first asked for, as that takes a while."""
        language = self._network.language
        return Beginnings(language.spelling.table, set(np.flatnonzero(language.banned).tolist()))

    def submit(self, job: Job) -> None:
        if isinstance(job, Generate):
            growing = Growing(job, self._network, self._arithmetic, lambda: self._beginnings)
            if not growing.over:
                self._line.append(growing)
            return
        self._readings.add(job)
        if self._readings not in self._line:
            self._line.append(self._readings)

    def cancel(self, job: str, branch: int | None) -> None:
        for work in list(self._line):
            self._answers += work.cancel(job, branch)
            if work.over:
                self._line.remove(work)

    def step(self) -> list[Event]:
        if self._answers or not self._line:
            answers, self._answers = self._answers, []
            return answers
        work = self._line.popleft()
        events = work.step(alone=not self._line)
        if not work.over:
            self._line.append(work)
        return events

    def clear(self) -> None:
        self._line.clear()
        self._answers.clear()
