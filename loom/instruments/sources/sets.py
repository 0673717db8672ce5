"""Source sets as files (TOML), as what a session keeps (JSON), and what names their frames.

Every mistake names file, line and key. Doesn't know where sets lie; see `finding`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loom.instruments.sources import families, voices
from loom.instruments.sources.api import NULL_PRIOR, Pair, Source, SourceSet
from loom.tables import (
    Key,
    Table,
    decoded,
    number_of,
    plain,
    shown,
    spelled,
    table_of,
    text_of,
    texts_of,
)

MOST_FRAMES = 400
MOST_NULL = 0.99

_TOP = ("name", "about", "null_prior", "probes", "probe_ends", "models", "source", "pair")
_FAMILIES: dict[str, tuple[str, ...]] = {
    "bylines": ("of", "short"),
    "characters": ("names", "form"),
    "dates": ("from", "to", "step", "format"),
    "voices": ("folder",),
}
_SOURCE = ("name", "frame", "frames", "prior", "short", "byline")
_PAIR = ("name", "first", "second")

Flaw = tuple[Key, str, str]
"""Where, what is wrong there, and what to do."""


class SetError(ValueError):
    """What is wrong where (the message), and what to do (`hint`); both are shown to the user."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def read(file: Path, home: Path | None = None) -> SourceSet:
    """The set in a file. Raises SetError."""
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise SetError(f"There is no {file}.", "Check the name.") from error
    except OSError as error:
        raise SetError(f"{file} can't be read: {error.strerror}.") from error
    return parse(decoded(data, file, SetError), file, home)


def parse(text: str, where: Path | str, home: Path | None = None) -> SourceSet:
    """The set that `text`, the contents of the file `where`, describes. Raises SetError.

    `home` is where relative folders are looked for, by default beside the file.
    """
    file = Path(where)
    reader = _Reader(text, file, file.absolute().parent if home is None else home)
    return reader.whole()


def to_json(wanted: SourceSet) -> str:
    return json.dumps(asdict(wanted), ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def from_json(text: str) -> SourceSet:
    """What `to_json` made a text of. Raises SetError."""
    try:
        whole = json.loads(text)
        sources = tuple(
            Source(**{**source, "frames": tuple(source["frames"])}) for source in whole["sources"]
        )
        pairs = tuple(Pair(**pair) for pair in whole["pairs"])
        lists = {name: tuple(whole[name]) for name in ("probes", "models")}
        return checked(SourceSet(**{**whole, **lists, "sources": sources, "pairs": pairs}))
    except SetError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SetError("This is no source set.", "Choose one again.") from error


def checked(wanted: SourceSet) -> SourceSet:
    """Itself. Raises SetError where it can't be."""
    flaw = flaw_in(wanted)
    if flaw is not None:
        key, what, hint = flaw
        raise SetError(f"{plain(wanted.name)}: {spelled(key)} {what}.", hint)
    return wanted


def to_toml(wanted: SourceSet) -> str:
    """A file that `parse` makes the same set of, to be edited."""
    top = {name: getattr(wanted, name) for name in _TOP[:6]}
    parts = [_lines("", top)]
    parts += [_lines("[[source]]", _told(source)) for source in wanted.sources]
    parts += [_lines("[[pair]]", asdict(pair)) for pair in wanted.pairs]
    return "\n".join(parts)


def digest(wanted: SourceSet) -> str:
    """What scores and a tempering are of: the frames, source by source; not their names."""
    frames = json.dumps([source.frames for source in wanted.sources]).encode()
    return hashlib.blake2b(frames, digest_size=16).hexdigest()


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


class _Reader(Table):
    """Takes a set out of one file."""

    def __init__(self, text: str, file: Path, home: Path) -> None:
        super().__init__(text, file, SetError, 'frame = "The Times, London\\n\\n"')
        self._home = home

    def whole(self) -> SourceSet:
        self.known((), (*_TOP, *_FAMILIES))
        listed = [self._source(place) for place in range(len(self._list("source")))]
        grown = {name: self._family(name) for name in _FAMILIES if name in self.data}
        given = {
            name: self.value((name,), check) for name, check in _CHECKS.items() if name in self.data
        }
        found = SourceSet(
            **{"name": self.file.stem, "about": "", **given},
            sources=(*listed, *(source for family in grown.values() for source in family)),
            pairs=tuple(self._pair(place) for place in range(len(self._list("pair")))),
        )
        flaw = flaw_in(found)
        if flaw is not None:
            raise self.wrong(self._place(flaw[0], listed, grown), *flaw[1:])
        return found

    def _place(
        self, key: Key, listed: Sequence[Source], grown: dict[str, tuple[Source, ...]]
    ) -> Key:
        """Where in the file a source is that may be one of a family."""
        if key[0] != "source" or len(key) < 2 or not isinstance(key[1], int):
            return key
        place = key[1] - len(listed)
        if place < 0:
            return (*key[:2], "frame") if key[2:] == ("frames",) and self._one(key[:2]) else key
        for name, family in grown.items():
            if place < len(family):
                return (name,)
            place -= len(family)
        return key

    def _one(self, key: Key) -> bool:
        return "frame" in self.at(key)

    def _list(self, name: str) -> Sequence[Any]:
        value = self.data.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.wrong((name,), "must be a list of tables", f"Write [[{name}]].")
        return value

    def _source(self, place: int) -> Source:
        key = ("source", place)
        self.known(key, _SOURCE)
        there = self.at(key)
        if ("frame" in there) == ("frames" in there):
            raise self.wrong(key, "needs a frame or several frames, not both", "")
        frames = self.value((*key, "frame" if "frame" in there else "frames"), texts_of)
        given = {
            name: self.value((*key, name), check) for name, check in _OPTIONAL if name in there
        }
        return Source(self._needed(key, "name", _line_of), frames, **given)

    def _pair(self, place: int) -> Pair:
        key = ("pair", place)
        self.known(key, _PAIR)
        return Pair(*(self._needed(key, name, text_of) for name in _PAIR))

    def _needed(self, key: Key, name: str, check: Callable[[Any], str]) -> str:
        if name not in self.at(key):
            raise self.wrong(key, f"needs a {name}", "")
        return self.value((*key, name), check)

    def _family(self, name: str) -> tuple[Source, ...]:
        """Those that a rule makes; its ValueErrors begin with the key that is wrong."""
        self.value((name,), table_of)
        self.known((name,), _FAMILIES[name])
        given = self.data[name]
        if name == "voices":
            return self.made(lambda: voices.sources_in(given, self._home), (name,))
        return self.made(lambda: families.MADE[name](given), (name,))


def _line_of(value: Any) -> str:
    line = text_of(value).strip()
    if not line or not line.isprintable():
        raise ValueError(f"a text on one line, not {shown(value)}")
    return line


_OPTIONAL: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("short", _line_of),
    ("byline", _line_of),
    ("prior", number_of),
)
_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _line_of,
    "about": text_of,
    "null_prior": number_of,
    "probes": texts_of,
    "probe_ends": text_of,
    "models": texts_of,
}


def _told(source: Source) -> dict[str, Any]:
    frames = source.frames
    framed = {"frame": frames[0]} if len(frames) == 1 else {"frames": list(frames)}
    given = {"prior": source.prior, "short": source.short, "byline": source.byline}
    usual = {"prior": 1.0, "short": "", "byline": ""}
    return {"name": source.name, **framed, **{k: v for k, v in given.items() if v != usual[k]}}


def _lines(head: str, values: dict[str, Any]) -> str:
    lines = [head] if head else []
    lines += [
        f"{name} = {_spelled(value)}" for name, value in values.items() if value not in ("", ())
    ]
    return "\n".join(lines) + "\n"


def _spelled(value: Any) -> str:
    """In TOML, whose texts in quotes are those of JSON but for one character."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_spelled(one) for one in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
