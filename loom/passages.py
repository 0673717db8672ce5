"""Human text cut into passages and read by a model.

What has been read is kept in a folder, so a pass that was interrupted goes on where it stopped.
Knows files and an engine; doesn't know what the readings are for.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loom.arrays import DAMAGED, ArrayFiles
from loom.asking.process import Asking
from loom.core.node import Author
from loom.core.span import NAMES, Span
from loom.instruments.api import Context, Passage

HORIZONS = 2  # a passage begins a text and goes on, so that both kinds of window are met
SPARE = 8  # tokens of the context left free: a full one would be read again for the last of them
TOKEN_BYTES = 5  # of English, about; only to guess how many passages a text holds
MOST_TOKEN_BYTES = 12  # so much text surely holds as many tokens as are wanted of it
SUFFIXES = (".txt", ".md")
MANIFEST = "manifest.tsv"  # tab-separated: file, genre or genre_coarse


@dataclass(frozen=True, slots=True)
class Work:
    path: Path
    name: str
    genre: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """Bytes of a work, more than enough for one passage."""

    work: Work
    text: bytes


def works_in(places: Iterable[Path]) -> list[Work]:
    """Every text file named, or below a folder named; a manifest beside or above says the genre.

    Files of one name below folders of one name are one work.
    """
    found: dict[Path, Work] = {}
    genres: dict[Path, Mapping[Path, str]] = {}
    for place in places:
        for path in sorted(_text_files(place)):
            manifest = _manifest_of(path)
            if manifest is not None and manifest not in genres:
                genres[manifest] = _genres(manifest)
            genre = genres[manifest].get(path.resolve(), "") if manifest else ""
            found[path.resolve()] = Work(path, f"{path.parent.name}/{path.stem}", genre)
    return list(found.values())


def cuts_of(works: Sequence[Work], tokens: int, length: int) -> list[Cut]:
    """About `tokens` tokens in passages of `length`, as evenly from all works as they allow.

    Passages of a work are spread over it and begin where a paragraph does.
    """
    texts = [work.path.read_bytes() for work in works]
    room = [max(1, len(text) // (length * TOKEN_BYTES)) for text in texts]
    share = _shares(room, max(1, tokens // length))
    cuts = []
    for work, text, count in zip(works, texts, share, strict=True):
        for index in range(count):
            start = _paragraph(text, len(text) * index // count)
            cuts.append(Cut(work, text[start : start + length * MOST_TOKEN_BYTES]))
    return cuts


def window_length(context: int, horizon: int) -> tuple[int, int]:
    """(tokens of a window, of a passage) for a model that sees `context` tokens."""
    most = context - SPARE
    return min(horizon, most), min(HORIZONS * horizon, most)


class Readings:
    """Passages that a model has read, one file each in a folder."""

    def __init__(self, folder: Path, fingerprint: str, length: int) -> None:
        self.files = ArrayFiles(folder, f"{fingerprint} {length} ".encode())

    def read(self, cut: Cut) -> Passage | None:
        """What was kept of it, None if nothing was or the file is damaged."""
        try:
            columns = self.files.read(cut.text)
            span = Span(**{name: columns[name] for name in NAMES if name in columns})
            return _passage(cut.work, span, columns["text"].tobytes())
        except DAMAGED:
            return None

    def keep(self, cut: Cut, span: Span, text: bytes) -> Passage:
        columns = {name: column for name, column in span.columns() if column is not None}
        self.files.keep(cut.text, {"text": np.frombuffer(text, np.uint8)} | columns)
        return _passage(cut.work, span, text)


async def passages(
    engine: Asking,
    readings: Readings,
    cuts: Sequence[Cut],
    window: int,
    length: int,
    advanced: Callable[[int], None] = lambda done: None,
) -> list[Passage]:
    """Each cut read, or taken from what was kept; those of fewer than `window` tokens are left out.

    `advanced` is told how many are done.
    """
    found = []
    for done, cut in enumerate(cuts):
        advanced(done)
        passage = readings.read(cut)
        if passage is None:
            passage = await _read(engine, readings, cut, window, length)
        if passage is not None:
            found.append(passage)
    return found


async def _read(
    engine: Asking, readings: Readings, cut: Cut, window: int, length: int
) -> Passage | None:
    ids, _ = await engine.encode(cut.text, start=True)
    if len(ids) < window:
        return None
    answer = await engine.score((), ids[:length])
    span = answer.span
    return None if span is None else readings.keep(cut, span, bytes(answer.text))


def _passage(work: Work, span: Span, text: bytes) -> Passage:
    return Passage(span, context_of(span, text), work.name, work.genre)


def context_of(span: Span, text: bytes) -> Context:
    """Of a span that opens a document."""
    return Context(0, 0, Author.IMPORT, span.pieces(text))


def _text_files(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from (path for path in place.rglob("*") if path.suffix in SUFFIXES)
    else:
        yield place


def _manifest_of(path: Path) -> Path | None:
    folders = list(path.resolve().parents)[:3]
    return next((f / MANIFEST for f in folders if (f / MANIFEST).is_file()), None)


def _genres(manifest: Path) -> dict[Path, str]:
    with manifest.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    folder = manifest.parent.resolve()
    return {
        folder / row["file"]: row.get("genre_coarse") or row.get("genre") or ""
        for row in rows
        if row.get("file")
    }


def _shares(room: Sequence[int], wanted: int) -> list[int]:
    """How many from each, as equal as `room` allows, `wanted` in all where there is room."""
    level = 0
    while level < max(room, default=0) and sum(min(r, level + 1) for r in room) <= wanted:
        level += 1
    shares = [min(r, level) for r in room]
    left = wanted - sum(shares)
    spread: NDArray[np.int64] = np.argsort([-r for r in room], kind="stable")
    for index in spread.tolist():
        if left > 0 and room[index] > shares[index]:
            shares[index] += 1
            left -= 1
    return shares


def _paragraph(text: bytes, start: int) -> int:
    """Where the first paragraph after `start` begins, or `start` moved off half a character."""
    if not start:
        return 0
    found = text.find(b"\n\n", start, start + 4096)
    if found >= 0:
        return found + 2
    while start < len(text) and text[start] & 0xC0 == 0x80:
        start += 1
    return start
