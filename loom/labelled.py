"""Passages whose source is known, read under every frame of a source set and asked about.

What has been read is kept in a folder, so a pass that was interrupted goes on where it stopped.
Knows files and an engine; doesn't know what the scores are for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.arrays import DAMAGED, ArrayFiles
from loom.asking.coherence import Suffixes
from loom.asking.framing import Frames, frames_of, score_frames
from loom.asking.questions import Scorer
from loom.instruments.sources.api import Scores, SourceSet
from loom.instruments.sources.sets import questions
from loom.passages import Cut, Work, cuts_of, works_in

LENGTH = 256  # tokens of a passage
ASKED_AFTER = (16, 64, LENGTH)  # of its tokens: for how both count along a text


@dataclass(frozen=True, slots=True)
class Labelled:
    """More than enough text for one passage by `source`."""

    source: str
    cut: Cut


@dataclass(frozen=True, slots=True)
class Read:
    """A passage: its tokens and bytes, and what the model made of it under every frame."""

    source: str
    work: str
    ids: tuple[int, ...]
    text: bytes
    scores: Scores


def labelled(
    places: Iterable[Path], sources: Mapping[str, str]
) -> tuple[dict[str, list[Work]], list[str]]:
    """Works by source, and the names of folders that are none: what a file's folder is called is
    looked up in `sources` (see `keys`)."""
    found: dict[str, list[Work]] = {}
    strange = set()
    for work in works_in(places):
        folder = work.path.parent.name
        source = sources.get(plain(folder))
        if source is None:
            strange.add(folder)
        else:
            found.setdefault(source, []).append(work)
    return found, sorted(strange)


def keys(wanted: SourceSet, named: Mapping[str, str]) -> dict[str, str]:
    """What a folder of a source's text may be called, and the source: its name, its short name,
    what `named` calls it (key: name)."""
    names = {source.name for source in wanted.sources}
    found = {plain(key): name for key, name in named.items() if name in names}
    found |= {plain(source.short): source.name for source in wanted.sources if source.short}
    return found | {plain(name): name for name in names}


def plain(name: str) -> str:
    """Without case, and with one mark between words."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def evenly(works: Mapping[str, Sequence[Work]], each: int, length: int = LENGTH) -> list[Labelled]:
    """About `each` passages of every source, spread over its works; none begins a work, for a
    title page says whose it is."""
    found = []
    for source, its in works.items():
        cuts = cuts_of(its, (each + len(its)) * length, length)
        begun = {cut.work.path: cut for cut in reversed(cuts)}
        found += [Labelled(source, cut) for cut in cuts if cut is not begun[cut.work.path]]
    return found


class Kept:
    """What a model has read under the frames of a set, one file each in a folder."""

    def __init__(self, folder: Path, fingerprint: str, wanted: SourceSet) -> None:
        mark = "\0".join((fingerprint, *wanted.frames, "")).encode("utf-8", "surrogateescape")
        self.wanted, self.files = wanted, ArrayFiles(folder, mark)
        self._frames: Frames | None = None

    async def scored(self, scorer: Scorer, ids: Sequence[int]) -> Scores:
        """The whole passage, read or taken from what was kept. Raises EngineError."""
        what = repr(tuple(ids)).encode()
        found = self.read(what)
        if found is not None:
            return found[1]
        if self._frames is None:
            self._frames = await frames_of(scorer, self.wanted)
        scores = await score_frames(scorer, self.wanted, ids, frames=self._frames, wide=True)
        return self.keep(what, ids, scores)

    def read(self, what: bytes) -> tuple[tuple[int, ...], Scores] | None:
        """Tokens and scores kept under a name; None where there are none or the file is damaged."""
        try:
            columns = self.files.read(what)
            logprob, ratio = columns["logprob"], columns["ratio"].astype(np.float32)
            unknown = np.full(len(logprob), np.nan, np.float32)
            return tuple(columns["ids"].tolist()), Scores(logprob, ratio, unknown)
        except DAMAGED:
            return None

    def keep(self, what: bytes, ids: Sequence[int], scores: Scores) -> Scores:
        """As they will be read again."""
        ratio = scores.ratio.astype(np.float16)
        columns: dict[str, NDArray[Any]] = {
            "ids": np.array(ids, np.int32),
            "logprob": scores.logprob,
            "ratio": ratio,
        }
        self.files.keep(what, columns, squeezed=True)
        return replace(scores, ratio=ratio.astype(np.float32))


async def read_all(
    scorer: Scorer,
    kept: Kept,
    passages: Sequence[Labelled],
    length: int = LENGTH,
    advanced: Callable[[int], None] = lambda done: None,
) -> list[Read]:
    """The first `length` tokens of each; those that have fewer are left out.

    `advanced` is told how many are done. Raises EngineError.
    """
    found = []
    for done, passage in enumerate(passages):
        advanced(done)
        cut = passage.cut
        ids, ends = await scorer.encode(cut.text, start=True)
        if len(ids) >= length:
            scores = await kept.scored(scorer, ids[:length])
            text = cut.text[: ends[length - 1]]
            found.append(Read(passage.source, cut.work.name, ids[:length], text, scores))
    return found


async def ask_all(
    scorer: Scorer,
    wanted: SourceSet,
    files: ArrayFiles,
    passages: Sequence[Sequence[int]],
    advanced: Callable[[int], None] = lambda done: None,
) -> NDArray[np.float64]:
    """float64[N, S, phrasings], nats: how likely each source's name is as the answer after each
    passage (token ids); what was asked is kept in `files` (see `answer_files`).

    `advanced` is told how many are done. Raises EngineError.
    """
    suffixes = Suffixes(scorer, wanted)
    names = [source.name for source in wanted.sources]
    found = []
    for done, ids in enumerate(passages):
        advanced(done)
        what = repr(tuple(ids)).encode()
        try:
            found.append(files.read(what)["logprob"])
        except DAMAGED:
            found.append(await suffixes.logprobs(ids, names))
            files.keep(what, {"logprob": found[-1]})
    return np.stack(found)


def answer_files(folder: Path, fingerprint: str, wanted: SourceSet) -> ArrayFiles:
    """For what a model says when asked for the sources of a set."""
    return ArrayFiles(folder, f"asked {fingerprint} {questions(wanted)}".encode())
