"""The contract checker passes what keeps the contract and names what doesn't."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from loom.core.node import Ending
from loom.engine.api import Ended, Engine, Event, Following, Generate, Grown, Job
from loom.extensions import load_backend
from loom.testing import ContractBroken, check_engine, drive

Change = Callable[[Event], list[Event]]


class Spoilt:
    """Echo with one promise broken."""

    def __init__(self, spoil: Change = lambda event: [event]) -> None:
        self.inner = load_backend("echo", name="echo").load("echo", {}, lambda done, total: None)
        self.spoil = spoil

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def step(self) -> Sequence[Event]:
        return [spoilt for event in self.inner.step() for spoilt in self.spoil(event)]


def changed(event: Event, **columns: Any) -> list[Event]:
    """The event with columns of its span made anew by functions of the old ones."""
    if not isinstance(event, Grown):
        return [event]
    new = {name: make(getattr(event.span, name)) for name, make in columns.items()}
    return [replace(event, span=replace(event.span, **new))]


def without(kind: type[Any]) -> Change:
    return lambda event: [] if isinstance(event, kind) else [event]


def twice(event: Event) -> list[Event]:
    return [event, event] if isinstance(event, Ended) else [event]


def late(event: Event) -> list[Event]:
    if isinstance(event, Following):
        return [Ended(event.job, 0, Ending.LENGTH), event]
    return [event]


@pytest.mark.parametrize(
    ("promise", "spoil"),
    [
        ("carry their tokens' bytes", lambda e: changed(e, ids=lambda ids: ids + 1)),
        ("finite", lambda e: changed(e, entropy=lambda x: x * np.nan)),
        ("no logprob is above 0", lambda e: changed(e, logprob=lambda x: -x)),
        ("alternatives fall", lambda e: changed(e, top_logprobs=lambda x: x[:, ::-1])),
        ("last end", lambda e: changed(e, ends=lambda x: x + 1)),
        ("rank", lambda e: changed(e, rank=lambda x: x - 1000)),
        ("mass_above", lambda e: changed(e, mass_above=lambda x: None)),
        ("renyi", lambda e: changed(e, renyi=lambda x: None)),
        ("sampler's columns", lambda e: changed(e, sampled_logprob=lambda x: None)),
        ("not over", without(Ended)),
        ("is over", twice),
        ("is over", late),
    ],
)
def test_a_broken_promise_is_named(promise: str, spoil: Change) -> None:
    with pytest.raises(ContractBroken, match=promise):
        check_engine(Spoilt(spoil), steps=2000)


def test_randomness_of_its_own_is_found() -> None:
    class Restless(Spoilt):
        count = 0

        def submit(self, job: Job) -> None:
            self.count += 1
            if isinstance(job, Generate):
                job = replace(job, seeds=tuple(seed + self.count for seed in job.seeds))
            self.inner.submit(job)

    with pytest.raises(ContractBroken, match="same seed"):
        check_engine(Restless())


def test_lost_bytes_are_found() -> None:
    class Forgetful(Spoilt):
        def pieces(self, ids: Sequence[int]) -> tuple[bytes, ...]:
            return tuple(piece.strip() for piece in self.inner.pieces(ids))

    with pytest.raises(ContractBroken, match="bytes"):
        check_engine(Forgetful())


def test_an_engine_that_ignores_cancel_is_found() -> None:
    class Stubborn(Spoilt):
        def cancel(self, job: str, branch: int | None = None) -> None:
            pass

    with pytest.raises(ContractBroken, match="cancelled branch ends"):
        check_engine(Stubborn())


def test_an_engine_that_keeps_its_promises_passes() -> None:
    engine: Engine = Spoilt()
    check_engine(engine)
    assert drive(engine) == []
