"""Source sets as files (TOML), as what a session keeps (JSON), and what names their frames.

Every mistake names file, line and key. Doesn't know where sets lie; see `finding`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loom.instruments.sources import families, voices
from loom.instruments.sources.api import Pair, Source, SourceSet
from loom.instruments.sources.flaws import flaw_in
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

_TOP = ("name", "about", "null_prior", "probes", "probe_ends", "models", "source", "pair")
_FAMILIES: dict[str, tuple[str, ...]] = {
    "bylines": ("of", "short"),
    "characters": ("names", "form"),
    "dates": ("from", "to", "step", "format"),
    "voices": ("folder",),
}
_SOURCE = ("name", "frame", "frames", "prior", "short", "byline")
_PAIR = ("name", "first", "second")


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


def questions(wanted: SourceSet) -> str:
    """What a pooling is of, beside the frames: the names, and how the model is asked for them."""
    asked = [[source.name for source in wanted.sources], wanted.probes, wanted.probe_ends]
    return hashlib.blake2b(json.dumps(asked).encode(), digest_size=16).hexdigest()


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
