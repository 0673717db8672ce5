"""Models that go wrong in a known way: another model's distribution with a flaw put into it.

`absorbing`: at every token there is one chance in a hundred of a token of its own, and once that is
out it is always predicted. `hash`: of every sixty tokens the first thirty decide the other thirty,
by a function that no model computes: all that can be predicted of them is that each is one of
VOCABULARY. The engine option `of` names the model underneath (the bundled one by default).
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from loom.engine.api import About, Capabilities, Engine, EngineError, Event, Job, options_of
from loom.engine.network import Language, Network, Reading, Rows
from loom.extensions import load_backend, resolve_model

NAME = "toys"
SIGN = " ■".encode()
"""The text of the absorbing token."""

ENTRY = 0.01  # chance of the absorbing token at each token
DOUBT = 1e-6  # what is left for the tokens that can't come, so that any text can be scored
HALF = 30  # tokens that decide as many others
VOCABULARY = 256  # tokens among which a decided one is

Logs = NDArray[np.float32]


def accepts(model: str) -> bool:
    return model in _FLAWS


def about() -> About:
    return About(models="absorbing, hash: another model with a known flaw", devices=("CPU",))


def load(model: str, options: Mapping[str, Any], progress: Callable[[int, int], None]) -> Engine:
    """Options: `of` and those of the engine underneath. Raises EngineError where that can't carry a
    flaw."""
    name = options_of(options, "of", str, "")
    if accepts(name):
        raise EngineError("A toy can't be made of a toy.", "Name a real model with --engine of=….")
    underneath = resolve_model(name or None)
    rest = {key: value for key, value in options.items() if key != "of"} | {"statistics": "host"}
    engine = load_backend(underneath).load(underneath, rest, progress)
    if not hasattr(engine, "through"):
        engine.close()
        raise EngineError(
            f"No flaw can be put into {name or underneath}.",
            "Name a model for transformers or llama.cpp with --engine of=….",
        )
    return Toy(cast(Changeable, engine), model)


def answer(ids: Sequence[int], among: Sequence[int]) -> tuple[int, ...]:
    """What HALF tokens decide: as many of `among` (token ids), by blake2b of the ids."""
    found: list[int] = []
    while len(found) < HALF:
        digest = hashlib.blake2b(repr((tuple(ids), len(found))).encode()).digest()
        found += [among[byte % len(among)] for byte in digest]
    return tuple(found[:HALF])


class Changeable(Engine, Protocol):
    """An engine whose network can be exchanged."""

    def through(self, change: Callable[[Network], Network]) -> None: ...

    def interrupt(self) -> None: ...


class Toy:
    """The engine underneath, run on a network with a flaw."""

    def __init__(self, engine: Changeable, flaw: str) -> None:
        self._engine, self._flaw = engine, flaw
        self._language: Language | None = None
        engine.through(self._flawed)

    def _flawed(self, network: Network) -> Network:
        made = _FLAWS[self._flaw](network)
        self._language = made.language
        return made

    @property
    def language(self) -> Language:
        assert self._language is not None
        return self._language

    def submit(self, job: Job) -> None:
        self._engine.submit(job)

    def cancel(self, job: str, branch: int | None = None) -> None:
        self._engine.cancel(job, branch)

    def interrupt(self) -> None:
        self._engine.interrupt()

    def step(self) -> Sequence[Event]:
        return self._engine.step()

    def encode(self, text: bytes, *, start: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self._engine.encode(text, start=start)

    def can(self) -> Capabilities:
        found = self._engine.can()
        return replace(
            found,
            name=NAME,
            label=f"{self._flaw} (a toy made of {found.label})",
            fingerprint=f"{self._flaw}-{found.fingerprint}",
            vocabulary=self.language.size,
        )

    def pieces(self, ids: Sequence[int]) -> tuple[bytes, ...]:
        return tuple(self.language.spelling.table[i] for i in ids)

    def close(self) -> None:
        self._engine.close()


def _one_by_one(readings: Sequence[Reading]) -> Callable[[], list[Logs]]:
    waits = [reading.rows.begin([reading.tokens], reading.keep) for reading in readings]
    return lambda: [wait()[0] for wait in waits]


class Absorbing:
    """A network with one token more, the last, that ends all surprise."""

    room = 0

    def __init__(self, network: Network) -> None:
        self._network = network
        inner = network.language
        spelling = copy.copy(inner.spelling)
        spelling.table = (*inner.spelling.table, SIGN)
        self.token = inner.size
        self.language = replace(inner, spelling=spelling, banned=np.append(inner.banned, False))

    def together(self, readings: Sequence[Reading]) -> Callable[[], list[Logs]]:
        return _one_by_one(readings)

    def rows(self, ids: Sequence[int]) -> Rows:
        inner = self._network.rows(self.known(ids))
        return AbsorbingRows(self, inner, [self.token in ids[: inner.length]])

    def known(self, ids: Sequence[int]) -> list[int]:
        """The ids as the model underneath can read them; after the token it plays no part."""
        return [min(token, self.token - 1) for token in ids]


class AbsorbingRows:
    """Rows underneath, and for each whether the token is out."""

    def __init__(self, network: Absorbing, rows: Rows, absorbed: list[bool]) -> None:
        self._network, self._rows, self._absorbed = network, rows, absorbed

    @property
    def length(self) -> int:
        return self._rows.length

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> Logs:
        return self.begin(tokens, keep)()

    def begin(self, tokens: Sequence[Sequence[int]], keep: int) -> Callable[[], Logs]:
        if not self.length:  # what was read of them may have been given up
            self._absorbed = [False] * len(tokens)
        logs = self._rows.begin([self._network.known(row) for row in tokens], keep)
        return lambda: self._made(logs(), tokens, keep)

    def _made(self, logs: Logs, tokens: Sequence[Sequence[int]], keep: int) -> Logs:
        token = self._network.token
        made = np.empty((len(tokens), keep, token + 1), np.float32)
        for row, ids in enumerate(tokens):
            states = np.array([self._absorbed[row], *(i == token for i in ids)])
            out = np.logical_or.accumulate(states)
            self._absorbed[row] = bool(out[-1])
            after: NDArray[np.bool_] = out[len(out) - keep :]
            if keep:
                made[row, :, :token] = logs[row] + np.log1p(-ENTRY)
            made[row, after, :token] += np.log(DOUBT) - np.log1p(-ENTRY)
            made[row, :, token] = np.log(ENTRY)
            made[row, after, token] = np.log1p(-DOUBT)
        return made

    def fork(self, count: int) -> None:
        self._rows.fork(count)
        self._absorbed *= count

    def select(self, rows: Sequence[int]) -> None:
        self._rows.select(rows)
        self._absorbed = [self._absorbed[row] for row in rows]

    def save(self, row: int, ids: Sequence[int]) -> None:
        self._rows.save(row, self._network.known(ids))


class Hash:
    """A network that knows of every other HALF tokens only that they are among VOCABULARY."""

    room = 0

    def __init__(self, network: Network) -> None:
        self._network, self.language = network, network.language
        usable = np.flatnonzero(~self.language.banned)
        plain = [int(i) for i in usable if i not in self.language.ends]
        self.among = tuple(plain[-VOCABULARY:])
        self.unknown = np.full(self.language.size, np.log(DOUBT / self.language.size), np.float32)
        self.unknown[list(self.among)] = np.log1p(-DOUBT) - np.log(len(self.among))

    def together(self, readings: Sequence[Reading]) -> Callable[[], list[Logs]]:
        return _one_by_one(readings)

    def rows(self, ids: Sequence[int]) -> Rows:
        return HashRows(self, self._network.rows(ids))

    def decided(self, length: int) -> bool:
        """Whether the token after `length` ids, what opens the document among them, is decided."""
        place = length - (self.language.first is not None)
        return place % (2 * HALF) >= HALF


class HashRows:
    """Rows underneath; where a token is decided, all that can be known of it instead. The count
    begins where the model's sight does."""

    def __init__(self, network: Hash, rows: Rows) -> None:
        self._network, self._rows = network, rows

    @property
    def length(self) -> int:
        return self._rows.length

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> Logs:
        return self.begin(tokens, keep)()

    def begin(self, tokens: Sequence[Sequence[int]], keep: int) -> Callable[[], Logs]:
        logs = self._rows.begin(tokens, keep)
        return lambda: self._made(logs(), len(tokens), keep)

    def _made(self, logs: Logs, count: int, keep: int) -> Logs:
        if not keep:
            return np.empty((count, 0, self._network.language.size), np.float32)
        made = np.array(logs, np.float32)
        for place in range(keep):
            if self._network.decided(self.length - keep + place + 1):
                made[:, place] = self._network.unknown
        return made

    def fork(self, count: int) -> None:
        self._rows.fork(count)

    def select(self, rows: Sequence[int]) -> None:
        self._rows.select(rows)

    def save(self, row: int, ids: Sequence[int]) -> None:
        self._rows.save(row, ids)


_FLAWS: dict[str, Callable[[Network], Network]] = {"absorbing": Absorbing, "hash": Hash}
