"""Whether a plugin keeps the Instrument protocol: what each call gives, and calls among themselves.

check_instrument(plugin)                    # a module; raises ContractBroken
for fault in faults_of(plugin, paths): ...  # the same, one by one
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import module_from_spec
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from loom.core.span import joined as joined_spans
from loom.instruments.api import (
    FLAG_BITS,
    INFO_BITS,
    Context,
    Flag,
    Instrument,
    Passage,
    Reading,
    Settings,
)
from loom.instruments.folding import Stretch
from loom.instruments.loading import NotAPlugin, declared, fitted
from loom.testing.paths import human_path, sample_logs, sample_paths
from loom.testing.promises import ContractBroken
from loom.testing.reading import (
    Broken,
    Fault,
    Run,
    read_along,
    read_on,
    settings_for,
    started,
    stepped,
)

SLOWEST = 5e-4  # seconds a token: of a continuation of 48 a moment that nobody sees
NEARLY = 0.05  # bits
WORKS, TOKENS = 24, 128  # human-like texts to calibrate on, and their tokens

Paths = Mapping[str, Sequence[Stretch]]


def check_instrument(
    plugin: Instrument | ModuleType,
    paths: Paths | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    clock: Callable[[], float] = perf_counter,
) -> None:
    """Raises ContractBroken, a line for each broken promise."""
    if faults := list(faults_of(plugin, paths, options, clock=clock)):
        raise ContractBroken("\n".join(map(str, faults)))


def faults_of(
    plugin: Instrument | ModuleType,
    paths: Paths | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    clock: Callable[[], float] = perf_counter,
    before: Callable[[str], None] = lambda name: None,
) -> Iterator[Fault]:
    """Each broken promise once, where it was first seen.

    `paths` are read by name, of which `before` is told; by default made-up ones, or logs for one
    that reads the log. A plugin that calibrates is tried with and without a calibration; one that
    doesn't look at choices sees none, as with Loom.
    """
    try:
        instrument, about = declared(plugin)
    except NotAPlugin as error:
        yield Fault(f"It is no plugin: {error}.")
        return
    try:
        given = fitted(about.options, options or {})
    except ValueError as error:
        yield Fault(f"The option {error}.")
        return
    seen = set()
    on = (sample_logs() if about.scope == "log" else sample_paths()) if paths is None else paths
    if not about.choice:
        on = {name: [part.without_choice() for part in path] for name, path in on.items()}
    for fault in _trials(instrument, on, given, clock, before):
        if fault.what not in seen:
            seen.add(fault.what)
            yield fault


def _trials(
    plugin: Instrument,
    paths: Paths,
    options: Mapping[str, Any],
    clock: Callable[[], float],
    before: Callable[[str], None],
) -> Iterator[Fault]:
    yield from _trial(plugin, paths, settings_for(plugin, options), clock, before)
    calibrate = getattr(plugin, "calibrate", None)
    if calibrate is None:
        return
    try:
        kept = calibrate(_passages(), settings_for(plugin, options).options)
    except Exception as error:
        yield Fault(f"calibrate raised {type(error).__name__}: {error}.")
        return
    yield from _trial(plugin, paths, settings_for(plugin, options, kept), clock, before)


def _passages() -> list[Passage]:
    texts = [human_path(TOKENS, seed) for seed in range(WORKS)]
    return [
        Passage(joined_spans([part.span for part in text]), _whole(text), f"work {number}")
        for number, text in enumerate(texts)
    ]


def _whole(path: Sequence[Stretch]) -> Context:
    pieces = [piece for stretch in path for piece in stretch.context.pieces]
    return replace(path[0].context, pieces=tuple(pieces))


def _trial(
    plugin: Instrument,
    paths: Paths,
    settings: Settings,
    clock: Callable[[], float],
    before: Callable[[str], None],
) -> Iterator[Fault]:
    tokens, seconds = 0, 0.0
    runs: dict[str, Run] = {}
    for name, path in paths.items():
        before(name)
        try:
            runs[name] = _read_in_all_ways(plugin, path, settings, clock)
        except Broken as broken:
            fault = broken.fault
            yield Fault(fault.what, f"{name}, {fault.where}" if fault.where else name)
            continue
        tokens, seconds = tokens + sum(map(len, path)), seconds + runs[name].seconds
    yield from _mixed(plugin, {name: paths[name] for name in runs}, runs, settings)
    if tokens and seconds / tokens > SLOWEST:
        took = f"{seconds / tokens * 1e3:.2g} ms a token; {SLOWEST * 1e3:g} ms is the most"
        yield Fault(f"step takes {took}.")


def _ill_said(flags: Sequence[Flag]) -> None:
    """Raises Broken for a flag that says less, or more, than it may."""
    for flag in flags:
        where, reason = f"token {flag.at}", flag.reason
        if len(reason.split()) < 3 or not reason.endswith((".", "!", "?", "”", ")")):
            raise Broken(f"The reason of a flag must be a sentence, not {reason[:40]!r}.", where)
        if flag.null == "none" and (flag.bits or flag.level == "flag"):
            raise Broken("Where nothing is tested there is no evidence: 0 bits, “info”.", where)
        least = FLAG_BITS if flag.level == "flag" else INFO_BITS
        if flag.null != "none" and flag.bits < least - NEARLY:
            said = f"{flag.bits:.2f} bits are too few for “{flag.level}”; {least} are needed"
            raise Broken(f"{said}.", where)


def _read_in_all_ways(
    plugin: Instrument, path: Sequence[Stretch], settings: Settings, clock: Callable[[], float]
) -> Run:
    """The faster of two readings of the whole. Raises Broken where another way differs."""
    whole = read_along(plugin, path, settings, clock=clock)
    _ill_said(whole.reading.flags)
    again = read_along(plugin, path, settings, clock=clock)
    _same(whole.reading, again.reading, "the second time it reads the same path")
    _same_state(whole.states, again.states, "the second time it reads the same path")
    cut = read_along(plugin, cut_at_random(path), settings)
    _same(whole.reading, cut.reading, "when the same tokens come in other spans")
    _same_state(whole.state, cut.state, "when the same tokens come in other spans")
    _restart(plugin, path, settings, whole)
    return min(whole, again, key=lambda run: run.seconds)


def _restart(plugin: Instrument, path: Sequence[Stretch], settings: Settings, whole: Run) -> None:
    """From the middle on in a module that is new."""
    fresh, half = loaded_again(plugin), len(path) // 2
    if fresh is None or not half:
        return
    started(fresh, settings)
    rest = read_on(fresh, path[half:], whole.states[half - 1])
    first = path[half].context.position
    end = Reading(
        {name: column[first:] for name, column in whole.reading.values.items()},
        rest.reading.summary,
        tuple(flag for flag in whole.reading.flags if flag.at >= first),
    )
    _same(end, _later(rest.reading, first), "after a restart in the middle", first)
    _same_state(whole.state, rest.state, "after a restart in the middle")


def _later(reading: Reading, first: int) -> Reading:
    """With its flags counted from the path's start."""
    flags = tuple(replace(flag, at=flag.at + first) for flag in reading.flags)
    return Reading(reading.values, reading.summary, flags)


def cut_at_random(path: Sequence[Stretch], seed: int = 0) -> list[Stretch]:
    """The same tokens in spans of 1 to 7."""
    chance, found = random.Random(seed), []
    for stretch in path:
        start = 0
        while start < len(stretch):
            stop = min(start + chance.randint(1, 7), len(stretch))
            found.append(stretch.cut(start, stop))
            start = stop
    return found


def loaded_again(plugin: Any) -> Instrument | None:
    """The plugin's module run anew, as after a restart; None for what isn't one."""
    spec = plugin.__spec__ if isinstance(plugin, ModuleType) else None
    if spec is None or spec.loader is None:
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return declared(module)[0]


def _mixed(
    plugin: Instrument, paths: Paths, runs: Mapping[str, Run], settings: Settings
) -> Iterator[Fault]:
    """All paths at once, a span of each in turn: what is kept outside the state shows."""
    states = {name: started(plugin, settings) for name in paths}
    for number in range(max((len(path) for path in paths.values()), default=0)):
        for name, path in paths.items():
            if number >= len(path):
                continue
            where = f"{name}, token {path[number].context.position}"
            try:
                states[name], _ = stepped(plugin, states[name], path[number])
                _same_state(
                    runs[name].states[number], states[name], "when it reads others in between"
                )
            except Broken as broken:
                yield Fault(broken.fault.what, where)
                return


def _same(one: Reading, other: Reading, when: str, first: int = 0) -> None:
    """Raises Broken unless both say the same, bit for bit."""
    if one.values.keys() != other.values.keys():
        raise Broken(f"It gives values of other names {when}.")
    for name, column in one.values.items():
        theirs = other.values[name]
        same = column.view(np.int32) == theirs.view(np.int32)
        differ = ~(same | (np.isnan(column) & np.isnan(theirs)))
        if differ.any():
            where = f"token {first + int(differ.argmax())}"
            raise Broken(f"The values {name!r} are others {when}.", where)
    if one.flags != other.flags:
        odd = [
            f.at for f in (*one.flags, *other.flags) if f not in one.flags or f not in other.flags
        ]
        where = f"token {min(odd)}" if odd else ""
        raise Broken(f"It raises other flags {when}.", where)
    for name in one.summary.keys() | other.summary.keys():
        if not _agree(one.summary.get(name), other.summary.get(name)):
            raise Broken(f"The summary {name!r} doesn't come to the same {when}.")


def _same_state(one: Any, other: Any, when: str) -> None:
    if one != other:
        raise Broken(f"It comes to another state {when}.")


def _agree(one: float | str | None, other: float | str | None) -> bool:
    """Sums of numbers are the same but for rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=1e-6, atol=1e-6))
    return one == other
