"""Switches plugins off and on in loom.toml and sets their options; comments and order stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli

from loom.amending import amend, line_end, table
from loom.config import Config, PluginConfig

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r""""(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^\s#,"'\[\]]+""")  # a value that is no list
_NEXT_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[\[\],]""")


def switch(file: Path, name: str, on: bool) -> Config:
    """Take `name` out of the list `disabled` under [plugins], or put it there; the settings then.

    Raises ConfigError where the file can't be read or written, or its list is written in a way that
    can't be edited here; nothing has then changed.
    """

    def edit(before: bytes, known: Config) -> bytes:
        text = before.decode("utf-8")
        if on:
            return _without(text, "disabled", name).encode()
        return _with(_without(text, "enabled", name), name).encode()

    def meant(known: Config) -> Config:
        now = replace(known.plugin(name), enabled=on)
        others = {key: value for key, value in known.plugins.items() if key != name}
        mentioned = now != PluginConfig() or name in _named_otherwise(known, name)
        return replace(known, plugins={**others, name: now} if mentioned else others)

    lists = "disabled = [] under [plugins]"
    refusal = (f"{file} can't be edited here.", f"Write the name into the list {lists} yourself.")
    return amend(file, edit, meant, refusal)


def set_option(file: Path, name: str, option: str, value: Any) -> Config:
    """Write an option of a plugin, a number, a text, true, false or a list of them, into its table
    [plugins.NAME], which is made where there is none; the settings then.

    Raises ConfigError like `switch`.
    """

    def edit(before: bytes, known: Config) -> bytes:
        text, line = before.decode("utf-8"), f"{_key(option)} = {_toml(value)}"
        header = _header_of(text, f"plugins.{_key(name)}")
        if header is None:
            return before + table(f"plugins.{_key(name)}", [line], before)
        found = _value_of(text, header, _key(option))
        if found is None:
            end = line_end(before)
            gap = "" if header.group().endswith("\n") else end
            return f"{text[: header.end()]}{gap}{line}{end}{text[header.end() :]}".encode()
        return f"{text[: found[0]]}{_toml(value)}{text[found[1] :]}".encode()

    def meant(known: Config) -> Config:
        before = known.plugin(name)
        after = replace(before, options={**before.options, option: value})
        return replace(known, plugins={**known.plugins, name: after})

    hint = f"Write {option} = {_toml(value)} under [plugins.{name}] yourself."
    return amend(file, edit, meant, (f"{file} can't be edited here.", hint))


def _named_otherwise(config: Config, name: str) -> set[str]:
    """The name itself where the file goes on naming it when it is switched on: in the list
    `enabled` or as a table."""
    section = tomli.loads(config.source.removeprefix("\ufeff")).get("plugins", {})
    enabled = section.get("enabled", [])
    return {name} & {*section, *([enabled] if isinstance(enabled, str) else enabled)}


def _with(text: str, name: str) -> str:
    """With the name in the list, which is made where there is none."""
    quoted, end = json.dumps(name, ensure_ascii=False), line_end(text.encode())
    found = _list(text, "disabled")
    if found is None:
        header = _header_of(text, "plugins")
        line = f"disabled = [{quoted}]"
        if header is None:
            return text + table("plugins", [line], text.encode()).decode()
        gap = "" if header.group().endswith("\n") else end
        return text[: header.end()] + f"{gap}{line}{end}" + text[header.end() :]
    start, stop = found
    if any(_value(token) == name for token in _strings(text, start, stop)):
        return text
    if text[start] != "[":
        return text[:start] + f"[{text[start:stop]}, {quoted}]" + text[stop:]
    return _appended(text, start, stop, quoted)


def _appended(text: str, start: int, stop: int, quoted: str) -> str:
    """After the last thing in the list that is no comment."""
    last = [t for t in _TOKEN.finditer(text, start + 1, stop - 1) if t.group()[0] != "#"]
    if not last:
        return text[: start + 1] + quoted + text[start + 1 :]
    place = last[-1].end()
    if last[-1].group() == ",":
        return f"{text[:place]} {quoted},{text[place:]}"
    return f"{text[:place]}, {quoted}{text[place:]}"


def _without(text: str, key: str, name: str) -> str:
    """Without the name in that list, wherever it stands in it."""
    found = _list(text, key)
    if found is None:
        return text
    start, stop = found
    for token in _strings(text, start, stop):
        if _value(token) != name:
            continue
        if text[start] != "[":
            return text[:start] + "[]" + text[stop:]
        first, last = _with_its_comma(text, token.start(), token.end(), start, stop)
        return text[:first] + text[last:]
    return text


def _with_its_comma(text: str, first: int, last: int, start: int, stop: int) -> tuple[int, int]:
    """The element and the comma that goes with it, the one after it or else the one before."""
    after = re.compile(r"[ \t]*,[ \t]*").match(text, last, stop)
    if after is not None:
        line, rest = (
            text.rfind("\n", start, first) + 1,
            re.compile(r"\r?\n").match(text, after.end()),
        )
        alone = line and rest and not text[line:first].strip()
        return (line, rest.end()) if alone and rest else (first, after.end())
    before = re.compile(r",\s*\Z").search(text[start:first])
    return (start + before.start(), last) if before else (first, last)


def _list(text: str, key: str) -> tuple[int, int] | None:
    """Where the value of a key under [plugins] stands."""
    header = _header_of(text, "plugins")
    return None if header is None else _value_of(text, header, key)


def _header_of(text: str, name: str) -> re.Match[str] | None:
    """The line [name]."""
    return re.compile(rf"^[ \t]*\[[ \t]*{re.escape(name)}[ \t]*\][^\n]*\n?", re.MULTILINE).search(
        text
    )


def _value_of(text: str, header: re.Match[str], key: str) -> tuple[int, int] | None:
    """Where the value of a key below a header stands."""
    following = _NEXT_HEADER.search(text, header.end())
    end = following.start() if following else len(text)
    found = re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*=[ \t]*", re.MULTILINE).search(
        text, header.end(), end
    )
    if found is None:
        return None
    if text[found.end() : found.end() + 1] != "[":
        plain = _PLAIN.match(text, found.end())
        return (plain.start(), plain.end()) if plain else None
    closing = (t.end() for t in _TOKEN.finditer(text, found.end()) if t.group() == "]")
    stop = next(closing, None)
    return None if stop is None else (found.end(), stop)


def _strings(text: str, start: int, stop: int) -> Iterator[re.Match[str]]:
    return (t for t in _TOKEN.finditer(text, start, stop) if t.group()[0] in "\"'")


def _value(token: re.Match[str]) -> str:
    return str(tomli.loads(f"value = {token.group()}")["value"])


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _toml(value: Any) -> str:
    """Numbers, texts and lists of them are written as JSON writes them."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
