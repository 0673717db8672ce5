"""One's own texts as sources: each file or folder a voice, its beginning a frame; and, at no cost,
how likely text is in each by counting letters, without any model.

Knows files and letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.instruments.sources.api import Scores, Source, SourceSet
from loom.instruments.sources.letters import Letters
from loom.tables import shown

SUFFIXES = (".txt", ".md")
EXEMPLAR = 2048  # bytes: 512 tokens of English, about
SEPARATOR = "\n\n* * *\n\n"
_ENDS = re.compile(r"\n\n|[.!?…][\"'”’)]*(?=\s)")


def sources_in(given: Mapping[str, Any], home: Path) -> tuple[Source, ...]:
    """The voices of the table's `folder`, which is looked for in `home` where it is relative.
    A ValueError begins with the key that is wrong."""
    folder = given.get("folder")
    if not isinstance(folder, str) or not folder:
        raise ValueError(f"folder must be the name of a folder, not {shown(folder)}")
    place = home / Path(folder).expanduser()
    voices = texts_in(place)
    if not voices:
        raise ValueError(f"folder has no texts yet: put one file or folder per voice into {place}")
    return tuple(Source(name, (exemplar(texts),)) for name, texts in voices.items())


def texts_in(folder: Path) -> dict[str, tuple[str, ...]]:
    """Voice → its texts: of a file its own, of a folder those of all files below it. Files that
    can't be read as text, and empty ones, are passed over."""
    found = {}
    for entry in _entries(folder):
        files = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        texts = tuple(text for file in files if (text := _text(file)))
        if texts:
            name = entry.name if entry.is_dir() else entry.stem
            found[name if name not in found else entry.name] = texts
    return found


def exemplar(texts: Sequence[str]) -> str:
    """The beginnings of a voice's texts, whole sentences where there are any, and a break."""
    joined = SEPARATOR.join(texts)
    cut = joined.encode()[:EXEMPLAR].decode(errors="ignore")
    if len(cut) < len(joined):
        ends = [found.end() for found in _ENDS.finditer(cut)]
        cut = cut[: ends[-1]] if ends and ends[-1] > len(cut) // 2 else cut
    return cut.rstrip() + SEPARATOR


@dataclass(frozen=True, slots=True)
class Counted:
    """A set's voices and, as the null, all of them together, counted."""

    wanted: SourceSet
    letters: Mapping[str, Letters]
    null: Letters

    @classmethod
    def of(cls, wanted: SourceSet, texts: Mapping[str, Sequence[str]]) -> Counted:
        """`texts` by the names of the set's sources. Raises KeyError for one without."""
        counted = {
            source.name: [text.encode(errors="replace") for text in texts[source.name]]
            for source in wanted.sources
        }
        every = [text for voice in counted.values() for text in voice]
        return cls(wanted, {name: Letters(some) for name, some in counted.items()}, Letters(every))

    def scores(self, text: bytes, ends: Sequence[int] | NDArray[np.integer[Any]]) -> Scores:
        """Of the stretches of `text` that end there (tokens, say): as from a model under the frames
        of the set. What the next one would tell is not known."""
        stops = np.asarray(ends, np.int64)
        null = _per_stretch(self.null.logprobs(text), stops)
        ratio = np.full((len(stops), len(self.wanted.frames) - 1), np.nan, np.float32)
        column = {frame: place for place, frame in enumerate(self.wanted.frames[1:])}
        for source in self.wanted.sources:
            own = _per_stretch(self.letters[source.name].logprobs(text), stops) - null
            for frame in source.frames:
                ratio[:, column[frame]] = own
        unknown = np.full(len(stops), np.nan, np.float32)
        return Scores(null.astype(np.float32), ratio, unknown)


def _per_stretch(logprobs: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    whole = np.concatenate([[0.0], np.cumsum(logprobs)])
    return np.diff(whole[np.concatenate([[0], ends])])


def _entries(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(".") and (entry.is_dir() or entry.suffix in SUFFIXES):
            yield entry


def _text(file: Path) -> str:
    if file.suffix not in SUFFIXES or file.name.startswith(".") or not file.is_file():
        return ""
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        return ""
