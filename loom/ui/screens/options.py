"""Options of plugins as lines of text: shown, read back, checked. Knows no widgets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from loom.instruments.loading import Option
from loom.ui.screens.fields import number, whole

Entry = bool | int | float | str

_ENTRY = re.compile(r"""\s*("(?:\\.|[^"\\])*"|[^,]*?)\s*(?:,|$)""")


def shown(value: Option) -> str:
    """Entries of a list between commas; a text that reads as something else in quotes."""
    if isinstance(value, list):
        return ", ".join(_entry_shown(entry) for entry in value)
    return value if isinstance(value, str) else json.dumps(value)


def read(name: str, text: str, default: Option) -> Option:
    """What was typed, as what the option is. Raises ValueError, one sentence."""
    try:
        return _READERS[type(default)](text)
    except ValueError as error:
        raise ValueError(f"{name} must be {error}.") from None


def _switch(text: str) -> bool:
    typed = text.strip().lower()
    if typed not in ("true", "false"):
        raise ValueError("true or false")
    return typed == "true"


def _list(text: str) -> list[Entry]:
    if not text.strip():
        return []
    found = []
    at = 0
    while at <= len(text):
        match = _ENTRY.match(text, at)
        if match is None:
            raise ValueError("values between commas, texts with commas in quotes")
        found.append(_entry(match[1]))
        if match.end() >= len(text) and not match[0].endswith(","):
            return found
        at = match.end()
    return found


def _entry(typed: str) -> Entry:
    try:
        value = json.loads(typed)
    except ValueError:
        return typed
    return value if isinstance(value, bool | int | float | str) and value == value else typed


def _entry_shown(entry: Any) -> str:
    if not isinstance(entry, str):
        return json.dumps(entry)
    plain = entry and entry.strip() == entry and "," not in entry and not entry.startswith('"')
    return entry if plain and _entry(entry) == entry else json.dumps(entry, ensure_ascii=False)


_READERS: dict[type, Callable[[str], Option]] = {
    bool: _switch,
    int: whole,
    float: number,
    str: lambda text: text,
    list: _list,
}
