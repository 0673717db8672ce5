"""What each frame of a set gave the tokens of nodes: in memory over rows in the session's file.

Ratios are rounded to float16 as they come, so that after a restart they are the same. Asks no
engine, and draws no conclusions.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from loom.holdings import Holdings
from loom.instruments.api import Reading
from loom.instruments.keeping import Kept, pack
from loom.instruments.sources.api import Scores, SourceSet
from loom.instruments.sources.sets import digest
from loom.record import SOURCES, Record
from loom.sources.spellings import Spelling
from loom.store.batch import ReadingRow

IN_MEMORY = 1 << 25  # bytes of scores
ROWS_KEPT = 256  # nodes, as they are in the file
LARGEST = 60_000.0  # nats; more is no float16
QUICK = 1 << 11  # numbers that are dealt with at once

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values used last, as many as have room."""

    def __init__(self, room: int) -> None:
        self._room, self._taken = room, 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, size: int = 1) -> None:
        self.drop(key)
        self._values[key] = value, size
        self._taken += size
        while self._taken > self._room and len(self._values) > 1:
            self._taken -= self._values.popitem(last=False)[1][1]

    def drop(self, key: K) -> None:
        self._taken -= self._values.pop(key, (None, 0))[1]

    def __iter__(self) -> Iterator[K]:
        return iter(list(self._values))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Scores of a node's tokens from the passage's first one on; of a node not weighed to its end,
    of as many as there are. `scored` bool[F]: under which frames, the null first. `following` is
    the expected information of the next token, in bits."""

    scores: Scores
    scored: NDArray[np.bool_]
    following: float | None = None

    @property
    def whole(self) -> bool:
        """Whether there is nothing more to be known of these tokens."""
        return bool(self.scored.all())

    @property
    def size(self) -> int:
        return self.scores.ratio.nbytes + 8 * len(self.scores)


def key_of(spelled: Mapping[str, Any]) -> str:
    """What names in the file what rows were made with."""
    return hashlib.blake2b(json.dumps(spelled, sort_keys=True).encode(), digest_size=8).hexdigest()


class Shelf:
    """`key` names frames and model in the file, `spelled` what it stands for; `frames` counts them,
    the null included."""

    def __init__(self, record: Record, key: str, spelled: Mapping[str, Any], frames: int) -> None:
        self._holdings = Holdings(record, SOURCES, ROWS_KEPT)
        self._holdings.know_settings(key, spelled)
        self._key, self._frames = key, frames
        self._recent: Recent[int, tuple[bytes, Evidence]] = Recent(IN_MEMORY)
        self._begun: Recent[int, tuple[bytes, Evidence]] = Recent(IN_MEMORY)

    @classmethod
    def of_set(cls, record: Record, wanted: SourceSet, model: str, block: int) -> Shelf:
        """For the frames of a set; others were scored in blocks of other sizes."""
        spelled = {
            "instrument": SOURCES,
            "frames": digest(wanted),
            "model": model,
            "block": block,
        }
        return cls(record, key_of(spelled), spelled, len(wanted.frames))

    async def of(self, spelling: Spelling) -> Evidence | None:
        """None for what wasn't weighed as it is spelled now, or is damaged."""
        found = self._recent.get(spelling.node)
        if found is None or found[0] != spelling.basis:
            found = await self._read(spelling)
        return None if found is None else found[1]

    async def _read(self, spelling: Spelling) -> tuple[bytes, Evidence] | None:
        seen = self._holdings.glance(spelling.node, SOURCES, self._key)
        if seen is None or seen.basis != spelling.basis:
            return None
        read = partial(self._holdings.kept, spelling.node, SOURCES, self._key)
        kept = await in_time(len(spelling) * self._frames, read)
        evidence = None if kept is None else _unpacked(kept, self._frames)
        if evidence is None or len(evidence.scores) > len(spelling) - spelling.skipped:
            return None
        self._recent.put(spelling.node, (spelling.basis, evidence), evidence.size)
        return spelling.basis, evidence

    def begun(self, spelling: Spelling) -> Evidence | None:
        """What was broken off, as far as it had come."""
        found = self._begun.get(spelling.node)
        return None if found is None or found[0] != spelling.basis else found[1]

    def break_off(self, spelling: Spelling, evidence: Evidence) -> None:
        """To be gone on from, while there is room in memory; what is kept of the node stays."""
        self._begun.put(spelling.node, (spelling.basis, evidence), evidence.size)

    async def keep(self, spelling: Spelling, evidence: Evidence) -> None:
        """For good, in place of what was kept of the node."""
        self._begun.drop(spelling.node)
        self._recent.put(spelling.node, (spelling.basis, evidence), evidence.size)
        kept = Kept(spelling.basis, "", _packed(evidence), len(evidence.scores))
        blobs = await in_time(evidence.scores.ratio.size, partial(pack, kept))
        self._holdings.keep_row(ReadingRow(spelling.node, SOURCES, self._key, *blobs))

    @property
    def unsaved(self) -> int:
        return self._holdings.unsaved

    def take_unsaved(self) -> tuple[tuple[ReadingRow, ...], dict[str, str]]:
        """Rows, and the settings that are new to the file."""
        return self._holdings.take_unsaved()


async def in_time(size: int, work: Callable[[], V]) -> V:
    """In a thread, where so many numbers would hold up the keys."""
    return await asyncio.to_thread(work) if size > QUICK else work()


def rounded(scores: Scores) -> Scores:
    """As they are kept."""
    ratio = np.clip(scores.ratio, -LARGEST, LARGEST).astype(np.float16).astype(np.float32)
    return replace(scores, ratio=ratio)


def _packed(evidence: Evidence) -> Reading:
    scores = evidence.scores
    columns = {"0": scores.logprob, "information": scores.information}
    scored = np.flatnonzero(evidence.scored[1:]).tolist()
    by_frame = np.ascontiguousarray(scores.ratio.T)
    columns |= {str(place + 1): by_frame[place] for place in scored}
    following = evidence.following
    return Reading(columns, {} if following is None else {"following": following})


def _unpacked(kept: Kept, frames: int) -> Evidence | None:
    """None for columns that are none of ours."""
    values, count = kept.reading.values, kept.tokens
    ratio = np.full((count, frames - 1), np.nan, np.float32)
    scored = np.zeros(frames, bool)
    try:
        for name in values.keys() - {"information"}:
            place = int(name)
            scored[place] = True
            if place:
                ratio[:, place - 1] = values[name]
        scores = Scores(values["0"], ratio, values["information"])
        following = kept.reading.summary.get("following")
        return Evidence(scores, scored, None if following is None else float(following))
    except (ValueError, KeyError, IndexError, TypeError):
        return None
