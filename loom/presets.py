"""Adds a preset to loom.toml without touching anything else that is in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from loom.amending import amend, table
from loom.config import Config, ConfigError
from loom.core.recipe import PRESETS, Sampling

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def save_preset(file: Path, name: str, sampling: Sampling) -> Config:
    """Append a table [presets.NAME]; the settings with it.

    Every byte that was there stays. Raises ConfigError where the name is taken or the file can't be
    read, appended to or written, and has then changed nothing.
    """
    name = name.strip()
    _check_name(name)

    def edit(before: bytes, known: Config) -> bytes:
        if name in known.presets:
            raise ConfigError(
                f"{file} has a preset {name} already.",
                "Choose another name, or change it in the file.",
            )
        key = name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
        return before + table(f"presets.{key}", list(_values(sampling)), before)

    refusal = (
        f"A table can't be appended to {file}.",
        "Write each preset there as a table of its own, such as [presets.mine].",
    )
    return amend(
        file,
        edit,
        lambda known: replace(known, presets={**known.presets, name: sampling}),
        refusal,
    )


def _check_name(name: str) -> None:
    if not name or not name.isprintable():
        raise ConfigError("A preset needs a name.", "Letters, digits and spaces will do.")
    if name in PRESETS:
        raise ConfigError(f"The preset {name} is one of Loom's own.", "Choose another name.")


def _values(sampling: Sampling) -> Iterator[str]:
    """Only what differs from doing nothing."""
    neutral = Sampling()
    for one in fields(Sampling):
        value = getattr(sampling, one.name)
        if value != getattr(neutral, one.name):
            yield f"{one.name} = {json.dumps(value)}"
