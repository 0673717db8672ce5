"""One path read by all plugins from its start, and what they say of it as a whole.

Nothing is kept. Knows stretches and the plugins' process; where the path came from is the caller's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loom.config import Config
from loom.core.node import Place
from loom.core.text import char_offset
from loom.discovery import listed
from loom.instruments.api import Flag, Reading
from loom.instruments.client import InstrumentClient, Reader, SwitchedOff
from loom.instruments.dealing import dealt
from loom.instruments.folding import Stretch, joined
from loom.instruments.loading import Declared
from loom.reading.logbook import Logbook
from loom.reading.roster import Roster
from loom.reading.stretches import Link, Stretches
from loom.record import Record

PIECE = 256  # tokens read at a time


@dataclass(frozen=True, slots=True)
class Share:
    """What of a job lies on a path: the first `tokens` of `branch`, after `position` of its own."""

    branch: int
    tokens: int
    position: int


@dataclass(frozen=True, slots=True)
class Raised:
    """A flag where it stands on the path: tokens `start`..`stop` and characters `first`..`last`."""

    plugin: str
    flag: Flag
    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Drift:
    """`readings` are of the whole path, `at` of their flags counted from its start; a token of
    another model has no value. `off` are plugins that could not go on."""

    readings: Mapping[str, Reading]
    plugins: Mapping[str, Declared]
    flags: tuple[Raised, ...]
    off: tuple[SwitchedOff, ...]
    tokens: int
    calibrated: bool


def model_of_path(record: Record, stretches: Stretches, place: Place) -> str | None:
    """The fingerprint of the model that has most of the path's tokens; None where it has none."""
    tokens: Counter[str] = Counter()
    for node, at in record.tree.stretches(place):
        model = stretches.model_of(node)
        if model is not None and at:
            tokens[model] += record.tree[node].token_count or 0
    return max(tokens, key=lambda model: tokens[model]) if tokens else None


def path_to(record: Record, stretches: Stretches, place: Place, model: str) -> Iterator[Stretch]:
    """What that model has read or drawn on the way."""
    for node, at in record.tree.stretches(place):
        whole = stretches.stretch(Link(node)) if at and stretches.model_of(node) == model else None
        count = 0 if whole is None else whole.span.count_until(at)
        if whole is not None and count:
            yield whole.cut(0, count)


def drawn_by(
    record: Record, stretches: Stretches, place: Place, model: str
) -> list[tuple[Stretch, Share | None]]:
    """All that the model has drawn in the session, job by job, and what of it is on the way."""
    on_path = {node: at for node, at in record.tree.stretches(place) if at}
    logbook = Logbook(record)
    for event in record.events():
        logbook.happened(event)
    found = []
    for job, drawn in logbook.along(logbook.jobs().get(model, ())):
        node = next((node for node in job.nodes if node in on_path), None)
        whole = None if node is None else stretches.stretch(Link(node))
        share = None
        if node is not None and whole is not None:
            tokens = whole.span.count_until(on_path[node])
            share = Share(job.nodes.index(node), tokens, whole.context.position)
        if drawn is not None:
            found.append((drawn, share))
    return found


async def drift_of(
    path: Sequence[Stretch],
    text: bytes,
    model: str,
    config: Config,
    log: Path,
    on_progress: Callable[[float], None] = lambda fraction: None,
    drawn: Sequence[tuple[Stretch, Share | None]] = (),
) -> Drift:
    """`text` is that of the whole path, `model` the fingerprint of the one whose tokens it has,
    `drawn` what plugins read that read the log: without it there is nothing for them."""
    off: list[SwitchedOff] = []
    wanted = [
        one for one in listed("plugin") if not one.shadowed_by and config.plugin(one.name).enabled
    ]
    client, roster = InstrumentClient(wanted, off.append, log), Roster(config)
    try:
        await client.start()
        plugins = dict(client.plugins)
        off += [SwitchedOff(name, why) for name, why in roster.enlist(plugins).items()]
        readings = await _read(client, path, _readers(roster, roster.names, model), on_progress)
        if drawn:
            on_log = _readers(roster, roster.log_names, model)
            readings |= await _read_log(client, drawn, on_log, _end(path))
    finally:
        await client.close()
    places = _Places(path, text)
    flags = [places.raised(name, flag) for name, whole in readings.items() for flag in whole.flags]
    flags.sort(key=lambda raised: (raised.start, raised.flag.at))
    known = roster.is_calibrated(model)
    return Drift(readings, plugins, tuple(flags), tuple(off), places.tokens, known)


def _readers(roster: Roster, names: Iterable[str], model: str) -> dict[str, Reader]:
    return {name: Reader(*roster.settings_for(name, model)[:2]) for name in names}


async def _read(
    client: InstrumentClient,
    path: Sequence[Stretch],
    readers: Mapping[str, Reader],
    on_progress: Callable[[float], None],
) -> dict[str, Reading]:
    """Of the whole path, by those that came to its end."""
    parts: dict[str, list[tuple[int, Reading]]] = {name: [] for name in readers}
    done = 0
    for piece in _pieces(path):
        answers = await client.fold([piece], readers)
        parts = {name: parts[name] for name in parts if name in answers}
        readers = {n: replace(readers[n], state=answers[n][-1].state) for n in parts}
        gap = piece.context.position - done
        for name, so_far in parts.items():
            if gap > 0:
                so_far.append((gap, Reading()))
            so_far.append((len(piece), answers[name][-1].reading))
        done = piece.context.position + len(piece)
        on_progress(done / max(_end(path), 1))
    return {name: joined(so_far) for name, so_far in parts.items()}


async def _read_log(
    client: InstrumentClient,
    drawn: Sequence[tuple[Stretch, Share | None]],
    readers: Mapping[str, Reader],
    tokens: int,
) -> dict[str, Reading]:
    """Of the path what was dealt out to it, with what the whole log sums up to."""
    sums: dict[str, list[tuple[int, Reading]]] = {name: [] for name in readers}
    shares: dict[str, list[tuple[Share, Reading]]] = {name: [] for name in readers}
    for stretch, share in drawn:
        pieces = list(_pieces([stretch]))
        answers = await client.fold(pieces, readers) if readers else {}
        readers = {n: replace(readers[n], state=answers[n][-1].state) for n in answers}
        for name, answer in answers.items():
            whole = joined([(len(p), s.reading) for p, s in zip(pieces, answer, strict=True)])
            sums[name].append((1, Reading(summary=whole.summary)))
            if share is not None:
                shares[name].append((share, dealt(whole, stretch)[share.branch]))
    return {name: _on_path(shares[name], joined(sums[name]), tokens) for name in readers}


def _on_path(shares: Sequence[tuple[Share, Reading]], total: Reading, tokens: int) -> Reading:
    """Counted from the path's start; the path has so many tokens."""
    parts: list[tuple[int, Reading]] = []
    done = 0
    for share, reading in sorted(shares, key=lambda one: one[0].position):
        values = {name: column[: share.tokens] for name, column in reading.values.items()}
        flags = tuple(
            replace(flag, began=flag.began + share.position)
            for flag in reading.flags
            if flag.at < share.tokens
        )
        parts.append((share.position - done, Reading()))
        parts.append((share.tokens, Reading(values, {}, flags)))
        done = share.position + share.tokens
    found = joined([*parts, (tokens - done, Reading())])
    return replace(found, summary=total.summary)


def _pieces(path: Sequence[Stretch]) -> Iterator[Stretch]:
    for stretch in path:
        for start in range(0, len(stretch), PIECE):
            yield stretch.cut(start, min(start + PIECE, len(stretch)))


def _end(path: Sequence[Stretch]) -> int:
    return path[-1].context.position + len(path[-1]) if path else 0


class _Places:
    """Where the tokens of a path stand in its text."""

    def __init__(self, path: Sequence[Stretch], text: bytes) -> None:
        self.tokens = _end(path)
        self._text = text
        self._starts: NDArray[np.int64] = np.full(self.tokens + 1, -1, np.int64)
        for stretch in path:
            context, first = stretch.context, stretch.context.position
            sizes = [0, *(len(piece) for piece in context.pieces)]
            self._starts[first : first + len(sizes)] = context.offset + np.cumsum(sizes)

    def raised(self, plugin: str, flag: Flag) -> Raised:
        start, stop = flag.began, flag.at + 1
        return Raised(plugin, flag, start, stop, self._character(start), self._character(stop))

    def _character(self, token: int) -> int:
        """At which a token begins; where it isn't of this model, the next one that is."""
        known = self._starts[token:]
        byte = int(known[int((known >= 0).argmax())])
        return char_offset(self._text, min(byte, len(self._text)))
