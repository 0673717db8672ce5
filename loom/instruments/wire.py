"""What is folded and what was read, as records (see loom.processes.records).

`read_x(x_record(value)) == value` for all, arrays compared bit by bit.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import asdict, astuple
from typing import Any

import numpy as np

from loom.core.node import Author
from loom.instruments.api import Choice, Context, Flag, Reading, Settings
from loom.instruments.folding import Stretch
from loom.processes.records import (
    Record,
    bytes_text,
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
    }


def read_stretch(record: Record) -> Stretch:
    choice = record["choice"]
    context = Context(
        record["position"],
        record["offset"],
        Author(record["author"]),
        tuple(read_strings(record["pieces"])),
        record["temperature"],
        None if choice is None else Choice(*choice),
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
