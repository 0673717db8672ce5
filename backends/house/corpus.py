"""A folder of `<source>/*.txt` as token arrays, and the windows a training run draws from it.

Knows files, tokens and bylines; knows nothing of models. A window is `<|endoftext|>` and then, by
lot, byline + passage, passage alone, or passage + attribution (half of these under the byline as
well); a `Mix` says how often. Sources are drawn by the square root of their size, works by theirs.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

END_OF_TEXT = "<|endoftext|>"
SMALLEST_CUT = 32  # tokens of passage before an early attribution


class Mix(NamedTuple):
    """Shares of documents under a byline and of passages alone; the rest carry an attribution."""

    bylined: float
    bare: float


EVEN, LINED = Mix(0.4, 0.4), Mix(0.75, 0.1)


@dataclass(frozen=True, slots=True)
class Work:
    """One file: `ids` uint16[T], `paragraphs` and `sentences` positions in it where one begins."""

    source: str
    path: Path
    ids: NDArray[np.uint16]
    paragraphs: NDArray[np.int64]
    sentences: NDArray[np.int64]


@dataclass(slots=True)
class Corpus:
    """Works by source; byline ids before a passage (`name\\n\\n`) and after (`\\n\\n— name\\n`)."""

    works: list[Work]
    bylines: dict[str, list[int]]
    attributions: dict[str, list[int]]
    end_of_text: int
    vocabulary: int
    unspaced: dict[int, list[int]]
    _shares: dict[str, float] = field(default_factory=dict)
    _by_source: dict[str, list[Work]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for work in self.works:
            self._by_source.setdefault(work.source, []).append(work)
        roots = {s: sum(len(w.ids) for w in ws) ** 0.5 for s, ws in self._by_source.items()}
        self._shares = {s: root / sum(roots.values()) for s, root in roots.items()}

    def draw_window(self, rng: np.random.Generator, length: int, mix: Mix = EVEN) -> list[int]:
        """`length` token ids, the first of them `<|endoftext|>`."""
        window: list[int] = []
        while len(window) < length:
            window += self._draw_document(rng, length - len(window), mix)
        return window[:length]

    def draw_passage(self, rng: np.random.Generator, length: int) -> tuple[str, list[int]]:
        """A source and `length` tokens out of one of its works, which must have a longer one."""
        while True:
            source, work = self._draw_work(rng)
            passage = self._draw_passage(rng, work, length, whole=False)
            if len(passage) == length:
                return source, passage

    def _draw_work(self, rng: np.random.Generator) -> tuple[str, Work]:
        source = str(rng.choice(list(self._shares), p=list(self._shares.values())))
        works = self._by_source[source]
        sizes = np.array([len(w.ids) for w in works], float)
        return source, works[int(rng.choice(len(works), p=sizes / sizes.sum()))]

    def _draw_document(self, rng: np.random.Generator, room: int, mix: Mix) -> list[int]:
        source, work = self._draw_work(rng)
        lot = rng.random()
        attributed = lot >= mix.bylined + mix.bare
        bylined = lot < mix.bylined or (attributed and rng.random() < 0.5)
        head = [self.end_of_text] + (self.bylines[source] if bylined else [])
        tail = self.attributions[source] if attributed else []
        space = room - len(head) - len(tail)
        if attributed and space > 2 * SMALLEST_CUT and rng.random() < 0.5:
            space = int(rng.integers(SMALLEST_CUT, space + 1))
        if space <= 0:
            return (head + [self.end_of_text] * room)[:room]
        return head + self._draw_passage(rng, work, space, whole=attributed) + tail

    def _draw_passage(
        self, rng: np.random.Generator, work: Work, length: int, *, whole: bool
    ) -> list[int]:
        """Up to `length` tokens; `whole` ends half of the passages where a sentence ends."""
        last = max(1, len(work.ids) - length)
        lot = rng.random()
        edges = work.paragraphs if lot < 0.25 else work.sentences
        edges = edges[: int(np.searchsorted(edges, last))]
        if lot < 0.5 and len(edges):
            start = int(edges[rng.integers(len(edges))])
        else:
            start = int(rng.integers(last))
        stop = min(start + length, len(work.ids))
        if whole and rng.random() < 0.5:
            ends = work.sentences[np.searchsorted(work.sentences, start + SMALLEST_CUT) :]
            ends = ends[: int(np.searchsorted(ends, stop))]
            stop = int(ends[-1]) if len(ends) else stop
        first, rest = int(work.ids[start]), work.ids[start + 1 : stop].tolist()
        opening = self.unspaced.get(first, [first]) if lot < 0.5 else [first]
        return [*opening, *rest][:length]


def read_names(table: Path) -> dict[str, str]:
    """source → byline, from a tab-separated table with those two columns."""
    with table.open(encoding="utf-8", newline="") as lines:
        return {row["source"]: row["byline"] for row in csv.DictReader(lines, delimiter="\t")}


def kept_apart(folder: Path) -> list[Path]:
    """Per source the smallest work, where it is at most a third of the source's bytes."""
    kept = []
    for source in sorted(p for p in folder.iterdir() if p.is_dir()):
        works = sorted(source.glob("*.txt"), key=lambda p: (p.stat().st_size, p.name))
        if works and 3 * works[0].stat().st_size <= sum(w.stat().st_size for w in works):
            kept.append(works[0])
    return kept


def texts(folder: Path, apart: list[Path]) -> Iterator[tuple[str, Path]]:
    """(source, file) for every text of the folder that is not kept apart."""
    for path in sorted(folder.glob("*/*.txt")):
        if path not in apart:
            yield path.parent.name, path


def read_corpus(folder: Path, names: Path, tokenizer: Tokenizer, cache: Path) -> Corpus:
    """Every work encoded once; the ids are kept under `cache`, keyed by tokenizer and text."""
    cache.mkdir(parents=True, exist_ok=True)
    pieces = _pieces(tokenizer)
    sources = [
        _read_work(source, path, tokenizer, pieces, cache)
        for source, path in texts(folder, kept_apart(folder))
    ]
    bylines = {
        source: name
        for source, name in read_names(names).items()
        if source in {work.source for work in sources}
    }
    return Corpus(
        works=sources,
        bylines={s: tokenizer.encode(f"{n}\n\n").ids for s, n in bylines.items()},
        attributions={s: tokenizer.encode(f"\n\n— {n}\n").ids for s, n in bylines.items()},
        end_of_text=tokenizer.encode(END_OF_TEXT).ids[0],
        vocabulary=len(pieces),
        unspaced={
            i: tokenizer.encode(piece[1:]).ids
            for i, piece in enumerate(pieces)
            if len(piece) > 1 and piece[0] == " "
        },
    )


def _read_work(
    source: str, path: Path, tokenizer: Tokenizer, pieces: list[str], cache: Path
) -> Work:
    text = path.read_text(encoding="utf-8")
    key = hashlib.blake2b(text.encode() + tokenizer.to_str().encode(), digest_size=12).hexdigest()
    file = cache / f"{key}.npy"
    if not file.exists():
        np.save(file, np.array(tokenizer.encode(text).ids, np.uint16))
    ids = np.load(file)
    newline = np.array(["\n" in p for p in pieces])[ids]
    stop = np.array([p.rstrip("\"'”’)").endswith((".", "!", "?")) for p in pieces])[ids]
    opens = np.array([p[:1] == " " and p[1:2].isupper() for p in pieces])[ids]
    paragraphs = np.flatnonzero(newline[:-1] & ~newline[1:]) + 1
    sentences = np.flatnonzero(stop[:-1] & (opens | newline)[1:]) + 1
    sentences = np.union1d(sentences[~newline[sentences]], paragraphs)
    return Work(source, path, ids, paragraphs, sentences)


def _pieces(tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.decode([i]) for i in range(tokenizer.get_vocab_size())]
