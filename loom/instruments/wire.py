"""What is folded and what was read, as records (see loom.processes.records).

`read_x(x_record(value)) == value` for all, arrays compared bit by bit.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import asdict, astuple
from typing import Any

import numpy as np

from loom.core.node import Author
from loom.instruments.api import Choice, Context, Drawn, Flag, Reading, Settings
from loom.instruments.folding import Stretch
from loom.processes.records import (
    Record,
    bytes_text,
    ints_text,
    read_ints,
    read_span,
    read_strings,
    span_record,
    strings_record,
)


def settings_record(settings: Settings) -> Record:
    calibration = settings.calibration
    return {
        "options": dict(settings.options),
        "model": settings.model,
        "calibration": None if calibration is None else dict(calibration),
    }


def read_settings(record: Record) -> Settings:
    return Settings(**record)


def stretch_record(stretch: Stretch) -> Record:
    context = stretch.context
    return {
        "span": span_record(stretch.span),
        "position": context.position,
        "offset": context.offset,
        "author": str(context.author),
        "pieces": strings_record(context.pieces),
        "temperature": context.temperature,
        "choice": None if context.choice is None else list(astuple(context.choice)),
        "drawn": None if context.drawn is None else _drawn_record(context.drawn),
    }


def _drawn_record(drawn: Drawn) -> Record:
    steps, branches = ints_text(drawn.steps), ints_text(drawn.branches)
    return {"job": drawn.job, "steps": steps, "branches": branches}


def _read_drawn(record: Record) -> Drawn:
    return Drawn(record["job"], read_ints(record["steps"]), read_ints(record["branches"]))


def read_stretch(record: Record) -> Stretch:
    choice, drawn = record["choice"], record["drawn"]
    context = Context(
        record["position"],
        record["offset"],
        Author(record["author"]),
        tuple(read_strings(record["pieces"])),
        record["temperature"],
        None if choice is None else Choice(*choice),
        None if drawn is None else _read_drawn(drawn),
    )
    return Stretch(read_span(record["span"]), context)


def reading_record(reading: Reading) -> Record:
    return {
        "values": {
            name: bytes_text(column.astype("<f4", copy=False).tobytes())
            for name, column in reading.values.items()
        },
        "summary": dict(reading.summary),
        "flags": [asdict(flag) for flag in reading.flags],
    }


def read_reading(record: dict[str, Any]) -> Reading:
    values = {
        name: np.frombuffer(b64decode(text), "<f4").astype(np.float32, copy=False)
        for name, text in record["values"].items()
    }
    return Reading(values, record["summary"], tuple(Flag(**flag) for flag in record["flags"]))
