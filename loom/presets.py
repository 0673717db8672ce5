"""Adds a preset to loom.toml without touching anything else that is in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from loom.config import Config, ConfigError, parse_config
from loom.core.recipe import PRESETS, Sampling
from loom.store.atomic import write_atomically

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def save_preset(file: Path, name: str, sampling: Sampling) -> Config:
    """Append a table [presets.NAME]; the settings with it.

    Every byte that was there stays. Raises ConfigError where the name is taken or the file can't be
    read, appended to or written, and has then changed nothing.
    """
    name = name.strip()
    _check_name(name)
    before = _bytes_of(file)
    known = parse_config(before, file)
    if name in known.presets:
        raise ConfigError(
            f"{file} has a preset {name} already.",
            "Choose another name, or change it in the file.",
        )
    after = before + _table(name, sampling, before)
    config = _with_it(after, file, known, name, sampling)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, after)
    except OSError as error:
        raise ConfigError(
            f"{file} can't be written: {error.strerror}.", "Allow writing it and its folder."
        ) from error
    return config


def _check_name(name: str) -> None:
    if not name or not name.isprintable():
        raise ConfigError("A preset needs a name.", "Letters, digits and spaces will do.")
    if name in PRESETS:
        raise ConfigError(f"The preset {name} is one of Loom's own.", "Choose another name.")


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}.", "") from error


def _with_it(content: bytes, file: Path, known: Config, name: str, sampling: Sampling) -> Config:
    """What the file would say; raises ConfigError unless that is as before and the preset."""
    try:
        config = parse_config(content, file)
    except ConfigError:
        config = known
    if config != replace(known, presets={**known.presets, name: sampling}):
        raise ConfigError(
            f"A table can't be appended to {file}.",
            "Write each preset there as a table of its own, such as [presets.mine].",
        )
    return config


def _table(name: str, sampling: Sampling, before: bytes) -> bytes:
    end = "\r\n" if b"\r\n" in before else "\n"
    gap = [] if not before else [""] if before.endswith(b"\n") else ["", ""]
    key = name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    return end.join([*gap, f"[presets.{key}]", *_values(sampling), ""]).encode()


def _values(sampling: Sampling) -> Iterator[str]:
    """Only what differs from doing nothing."""
    neutral = Sampling()
    for one in fields(Sampling):
        value = getattr(sampling, one.name)
        if value != getattr(neutral, one.name):
            yield f"{one.name} = {json.dumps(value)}"
