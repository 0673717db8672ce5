"""A file in TOML whose mistakes are told with file, line and key, and what is allowed there.

Doesn't know what the keys mean.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tomli

T = TypeVar("T")

MOST = 2**31 - 1

Key = tuple[str | int, ...]
"""The names from the top of the file down to a value; numbers count the entries of a list."""

Mistake = Callable[[str, str], Exception]
"""What is wrong where, and what to do."""


class Table:
    """The values of a file. Everything wrong with it raises what `mistake` makes of it."""

    def __init__(self, text: str, file: Path, mistake: Mistake, example: str) -> None:
        """`example` is shown to somebody whose file is no TOML."""
        self.text, self.file, self._mistake = text, file, mistake
        try:
            self.data = tomli.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._syntax(error, example) from error

    def table(self, name: str) -> dict[str, Any]:
        """The one of that name at the top; empty where there is none."""
        table = self.data.get(name, {})
        if not isinstance(table, dict):
            raise self.wrong((name,), "must be a table", f"Write [{name}].")
        return table

    def known(self, key: Key, names: Iterable[str]) -> None:
        """Nothing but `names` may stand there."""
        for name in self.at(key):
            if name not in names:
                raise self.wrong((*key, name), "is unknown", among(name, names))

    def at(self, key: Key) -> Any:
        value: Any = self.data
        for name in key:
            value = value[name]
        return value

    def value(self, key: Key, check: Callable[[Any], T]) -> T:
        """What `check` makes of the value; its ValueErrors say what it must be."""
        try:
            return check(self.at(key))
        except ValueError as error:
            raise self.wrong(key, f"must be {error}", "") from error

    def made(self, make: Callable[[], T], table: Key) -> T:
        """`make`, whose ValueErrors begin with the name of the field."""
        try:
            return make()
        except ValueError as error:
            name, _, rule = str(error).partition(" ")
            raise self.wrong((*table, name), rule, "") from error

    def wrong(self, key: Key, what: str, hint: str) -> Exception:
        return self._mistake(
            f"{self.file}, line {line_of(self.text, key)}: {spelled(key)} {what}.", hint
        )

    def _syntax(self, error: Exception, example: str) -> Exception:
        found = re.search(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        what = found[1] if found else "it can't be read as TOML"
        line = int(found[2]) if found and found[2] else self.text.rstrip().count("\n") + 1
        return self._mistake(
            f"{self.file}, line {line}: {what[:1].lower()}{what[1:]}.",
            f"Lines look like {example}.",
        )


def decoded(data: bytes, file: Path, mistake: Mistake) -> str:
    """The text of a file that should be UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise mistake(
            f"{file}, line {line}: this is not UTF-8 text.", "Save the file as UTF-8."
        ) from error


def line_of(text: str, key: Key) -> int:
    """The line on which the value of `key` begins, in a text that is TOML as a whole: the one after
    the longest beginning of whole lines that is TOML and doesn't have it (else 1)."""
    lines = text.replace("\r\n", "\n").split("\n")
    without, having = 0, len(lines)
    if not _is_in(_begun(lines, having), key):
        return 1
    while having - without > 1:
        middle = (without + having) // 2
        tried = [*range(middle, having), *range(middle - 1, without, -1)]
        stop = next((count for count in tried if _begun(lines, count) is not None), None)
        if stop is None:
            break
        if _is_in(_begun(lines, stop), key):
            having = stop
        else:
            without = stop
    return without + 1


def _begun(lines: Sequence[str], count: int) -> dict[str, Any] | None:
    """What the first lines say; None where something is cut off."""
    try:
        return tomli.loads("\n".join(lines[:count]))
    except ValueError:
        return None


def _is_in(value: Any, key: Key) -> bool:
    for name in key:
        listed = isinstance(value, list) and isinstance(name, int) and name < len(value)
        if not listed and not (isinstance(value, dict) and name in value):
            return False
        value = value[name]
    return True


def spelled(key: Key) -> str:
    """As it is shown: entries of a list count from 1."""
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{plain(part)}" for part in key]
    return "".join(parts).removeprefix(".")


def plain(name: str) -> str:
    return name if name.isprintable() else ascii(name)


def among(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    return f"Did you mean {close[0]}?" if close else f"Allowed are {', '.join(names)}."


def shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def text_of(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"a text in quotes, not {shown(value)}")
    return value


def whole_of(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"a whole number, not {shown(value)}")
    if abs(value) > MOST:
        raise ValueError(f"at most {MOST}")
    return value


def number_of(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"a number, not {shown(value)}")
    return float(value)


def flag_of(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false, not {shown(value)}")
    return value


def texts_of(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and one for one in values):
        raise ValueError(f"a text or a list of texts, not {shown(value)}")
    return tuple(values)


def table_of(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a table, not {shown(value)}")
    return value
