"""A plugin read along a path in this process, as its host would, and what it broke on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

from loom.discovery import Found, module_of, read
from loom.instruments.api import Instrument, Reading, Settings, State
from loom.instruments.folding import Stretch, advance, begin, joined
from loom.instruments.promises import BrokenPromise, state_text
from loom.testing.promises import ContractBroken


@dataclass(frozen=True, slots=True)
class Fault:
    """A promise that wasn't kept, in a sentence, and where that was seen first."""

    what: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.where})" if self.where else self.what


class Broken(ContractBroken):
    """A fault on its way to whoever collects them."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(str(Fault(what, where)))
        self.fault = Fault(what, where)


@dataclass(frozen=True, slots=True)
class Run:
    """What was read along a path: one reading of it all (`at` of its flags counted from the path's
    start), the state after each stretch, and the seconds that `step` took in all."""

    reading: Reading = field(default_factory=Reading)
    states: tuple[State, ...] = ()
    seconds: float = 0.0

    @property
    def state(self) -> State:
        """At the end."""
        return self.states[-1] if self.states else None


def load_plugin(path: str | Path) -> ModuleType:
    """Runs a plugin's file. Raises ContractBroken where that can't be."""
    return run_found(read(Path(path).expanduser().absolute(), "plugin", "command line"))


def run_found(found: Found) -> ModuleType:
    """The same for one that was found."""
    if found.error:
        raise Broken(f"{found.error}.")
    try:
        return module_of(found)
    except Exception as error:
        raise Broken(f"{found.path} can't be run: it raised {_said(error)}.") from error


def settings_for(
    plugin: Instrument,
    options: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
) -> Settings:
    """The plugin's own options, with these over them."""
    return Settings({**getattr(plugin, "OPTIONS", {}), **(options or {})}, "made-up", calibration)


def read_along(
    plugin: Instrument,
    path: Sequence[Stretch],
    settings: Settings | None = None,
    *,
    clock: Callable[[], float] = perf_counter,
) -> Run:
    """The whole path, stretch by stretch. Raises ContractBroken at the first wrong answer."""
    state = started(plugin, settings or settings_for(plugin))
    return read_on(plugin, path, state, clock=clock)


def read_on(
    plugin: Instrument,
    path: Sequence[Stretch],
    state: State,
    *,
    clock: Callable[[], float] = perf_counter,
) -> Run:
    """The rest of a path, from a state."""
    parts, states, seconds = [], [], 0.0
    for stretch in path:
        before = clock()
        state, reading = stepped(plugin, state, stretch)
        seconds += clock() - before
        parts.append((len(stretch), reading))
        states.append(state)
    return Run(joined(parts), tuple(states), seconds)


def started(plugin: Instrument, settings: Settings) -> State:
    try:
        return begin(plugin, settings)
    except BrokenPromise as error:
        raise Broken(f"start: {error}.") from error
    except Exception as error:
        raise Broken(f"start raised {_said(error)}.") from error


def stepped(plugin: Instrument, state: State, stretch: Stretch) -> tuple[State, Reading]:
    """One step, and whether its answer is one."""
    where, before = f"token {stretch.context.position}", state_text(state)
    try:
        answer = advance(plugin, state, stretch)
    except BrokenPromise as error:
        raise Broken(f"{str(error)[:1].upper()}{str(error)[1:]}.", where) from error
    except Exception as error:
        raise Broken(f"step raised {_said(error)}.", where) from error
    if state_text(state) != before:
        raise Broken("step changed the state it was given; it must make a new one.", where)
    return answer


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
