"""What can't be in a source set, wherever it is from: the first thing that is wrong, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from loom.instruments.sources.api import NULL_PRIOR, Source, SourceSet
from loom.tables import Key, shown

MOST_FRAMES = 400
MOST_NULL = 0.99

Flaw = tuple[Key, str, str]
"""Where, what is wrong there, and what to do."""


def flaw_in(wanted: SourceSet) -> Flaw | None:
    """The first thing in a set that can't be; keys as in a file that lists every source."""
    if not wanted.name:
        return ("name",), "must not be empty", ""
    if not NULL_PRIOR <= wanted.null_prior <= MOST_NULL:
        what = f"must be between {NULL_PRIOR} and {MOST_NULL}, not {wanted.null_prior}"
        return ("null_prior",), what, 'It is the share of "none of these".'
    if not wanted.sources:
        return ("source",), "must be there at least once", "Begin one with [[source]]."
    if len(wanted.frames) > MOST_FRAMES:
        return ("source",), f"are too many: {MOST_FRAMES} frames are the most", ""
    return _first(_flaws_of_sources(wanted.sources)) or _first(_flaws_of_pairs(wanted))


def _flaws_of_sources(sources: Sequence[Source]) -> Iterable[Flaw]:
    named: set[str] = set()
    framed: dict[str, str] = {}
    for place, source in enumerate(sources):
        key = ("source", place)
        if not source.name.strip() or not source.name.isprintable():
            yield (*key, "name"), "must be a name on one line", ""
        if source.name in named:
            yield (*key, "name"), f"is {shown(source.name)}, and so is another's", "Rename one."
        if not 0 < source.prior < float("inf"):
            yield (*key, "prior"), f"must be more than 0, not {source.prior}", ""
        if not source.frames or not all(map(_is_text, source.frames)):
            hint = "Nothing before the passage is the null, which is always there."
            yield (*key, "frames"), "must be there and not empty", hint
        for frame in source.frames:
            if frame in framed:
                what = f"has a frame that {shown(framed[frame])} has too"
                yield (*key, "frames"), what, "Change one; with two names for a frame neither wins."
            framed[frame] = source.name
        named.add(source.name)


def _flaws_of_pairs(wanted: SourceSet) -> Iterable[Flaw]:
    named = {source.name for source in wanted.sources}
    names = Counter(pair.name for pair in wanted.pairs)
    for place, pair in enumerate(wanted.pairs):
        for field, name in (("first", pair.first), ("second", pair.second)):
            if name not in named:
                yield ("pair", place, field), f"must be a source, not {shown(name)}", ""
        if pair.first == pair.second:
            yield ("pair", place, "second"), "must be another source than the first", ""
        if not pair.name or names[pair.name] > 1:
            yield ("pair", place, "name"), "must be there, and no other pair's", ""


def _is_text(frame: str) -> bool:
    """Something, and nothing that can't be put into bytes."""
    return bool(frame) and not any("\ud800" <= letter <= "\udfff" for letter in frame)


def _first(flaws: Iterable[Flaw]) -> Flaw | None:
    return next(iter(flaws), None)
