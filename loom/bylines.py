"""Names under which the house model has read texts: `NAME` and an empty line begin a document.

Knows no model; any other name may be given to one as well.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
FOLDERS = (
    _PACKAGE.parent / "backends" / "house",
    _PACKAGE / "_bundled" / "backends" / "house",
)
TABLE = "names.tsv"


@cache
def bylines(folders: Sequence[Path] = FOLDERS) -> tuple[str, ...]:
    """All that are known, in order of the alphabet; none where the table isn't there."""
    return tuple(sorted(set(by_folder(folders).values()), key=str.casefold))


def by_folder(folders: Sequence[Path] = FOLDERS) -> dict[str, str]:
    """What the folder of a source's texts is called in the corpus, and its byline."""
    file = next((path for folder in folders if (path := folder / TABLE).is_file()), None)
    if file is None:
        return {}
    with file.open(encoding="utf-8", newline="") as lines:
        return {row["source"]: row["byline"] for row in csv.DictReader(lines, delimiter="\t")}


def completions(text: str, known: Sequence[str]) -> list[str]:
    """Those of which every word of `text` begins a word; names that begin with it come first."""
    wanted = text.casefold().split()
    found = [name for name in known if _fits(name.casefold().split(), wanted)]
    whole = " ".join(wanted)
    return sorted(found, key=lambda name: not name.casefold().startswith(whole))


def _fits(words: Sequence[str], wanted: Sequence[str]) -> bool:
    return all(any(word.startswith(part) for word in words) for part in wanted)


def canonical(name: str, known: Sequence[str]) -> str:
    """The name as it is known, if it differs by case and spaces only; else as it is given.

    Raises ValueError for an empty one.
    """
    flat = " ".join(name.split())
    if not flat:
        raise ValueError("A byline needs a name.")
    return next((there for there in known if there.casefold() == flat.casefold()), flat)


def heading(name: str) -> str:
    """What stands at the start of a text by `name`."""
    return f"{name}\n\n"


def begun_under(head: bytes, frames: Iterable[str]) -> int:
    """How many bytes at the start of a text are one of the frames, the longest that fits."""
    known = (frame.encode("utf-8", "surrogateescape") for frame in frames)
    return max((len(frame) for frame in known if head.startswith(frame)), default=0)
