"""What a plugin must return, and a sentence for each way in which it doesn't.

Answers come out in plain types: float32 columns, ints, floats, texts that show no control
characters. Knows one answer at a time; whether a plugin is pure is for loom.testing to find out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from loom.core.text import visible
from loom.instruments.api import Flag, Level, Null, Reading, State

STATE_LIMIT = 1 << 16  # characters of JSON: it is kept for every node
VALUES_LIMIT = 32  # columns of a reading
SUMMARY_LIMIT = 64
FLAGS_LIMIT = 64  # of a span, and 4 more for each of its tokens


class BrokenPromise(ValueError):
    """What a plugin returned that the contract forbids."""


def state_text(state: State) -> str:
    """The state as JSON. Raises BrokenPromise for what JSON would not give back as it was."""
    try:
        text = json.dumps(state, allow_nan=False, separators=(",", ":"))
        same = bool(json.loads(text) == state)
    except (TypeError, ValueError, RecursionError) as error:
        _broken(f"its state can't be kept as JSON: {error}")
    if not same:
        _broken("its state changes when it is kept as JSON: use lists and dicts with text keys")
    if len(text) > STATE_LIMIT:
        _broken(f"its state takes {len(text):,} characters, and {STATE_LIMIT:,} are allowed")
    return text


def text_state(text: str) -> State:
    return json.loads(text)


def checked_reading(answer: object, tokens: int, position: int) -> Reading:
    """The reading in the answer of `step` for a span of so many tokens. Raises BrokenPromise."""
    if not isinstance(answer, tuple) or len(answer) != 2:
        _broken(f"step returned {_kind(answer)} and not a state and a Reading")
    reading = answer[1]
    if not isinstance(reading, Reading):
        _broken(f"step returned {_kind(reading)} where a Reading belongs")
    return Reading(
        _values(reading.values, tokens),
        _summary(reading.summary),
        _flags(reading.flags, tokens, position),
    )


def _values(values: object, tokens: int) -> dict[str, NDArray[np.float32]]:
    named = _named(values, "values", VALUES_LIMIT)
    return {name: _column(name, column, tokens) for name, column in named.items()}


def _column(name: str, value: object, tokens: int) -> NDArray[np.float32]:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        _broken(f"the values of {name!r} are not an array of numbers")
    if value.shape != (tokens,):
        _broken(f"the values of {name!r} have the shape {value.shape} for {tokens} tokens")
    with np.errstate(over="ignore"):
        column = np.ascontiguousarray(value, np.float32)
    if np.isinf(column).any():
        _broken(f"a value of {name!r} is infinite; NaN stands for none")
    return column


def _summary(summary: object) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for name, value in _named(summary, "summary", SUMMARY_LIMIT).items():
        text = isinstance(value, str)
        found[name] = _line(value, name) if text else _number(value, f"{name!r} in the summary")
    return found


def _flags(flags: object, tokens: int, position: int) -> tuple[Flag, ...]:
    if not isinstance(flags, tuple | list):
        _broken(f"flags are {_kind(flags)} and not a tuple")
    most = FLAGS_LIMIT + 4 * tokens
    if len(flags) > most:
        _broken(f"{len(flags)} flags were raised in a span, and {most} are allowed")
    return tuple(_flag(flag, tokens, position) for flag in flags)


def _flag(flag: object, tokens: int, position: int) -> Flag:
    if not isinstance(flag, Flag):
        _broken(f"{_kind(flag)} stands where a Flag belongs")
    at = _whole(flag.at, "at of a flag", 0, tokens - 1)
    return Flag(
        _one_of(flag.level, "level", get_args(Level)),
        _one_of(flag.null, "null", get_args(Null)),
        at,
        _whole(flag.began, "began of a flag", 0, position + at),
        _number(flag.bits, "bits of a flag"),
        _line(flag.reason, "reason of a flag") or _broken("a flag gives no reason"),
        None if flag.alpha is None else _share(flag.alpha),
        None if flag.horizon is None else _whole(flag.horizon, "horizon of a flag", 1, 2**31),
        _line(flag.perhaps, "perhaps of a flag"),
    )


def _named(found: object, what: str, limit: int) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        _broken(f"{what} is {_kind(found)} and not a dict")
    if len(found) > limit:
        _broken(f"{what} holds {len(found)} names, and {limit} are allowed")
    for name in found:
        if not isinstance(name, str) or not name or not name.isprintable():
            _broken(f"{what} has {ascii(name)[:40]} as a name")
    return found


def _one_of(value: Any, what: str, allowed: Sequence[str]) -> Any:
    if value not in allowed:
        _broken(f"{what} of a flag is {ascii(value)[:40]} and not one of {', '.join(allowed)}")
    return value


def _whole(value: object, what: str, least: int, most: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool):
        _broken(f"{what} is {ascii(value)[:40]} and not a whole number")
    if not least <= int(value) <= most:
        _broken(f"{what} is {int(value)}, outside {least} to {most}")
    return int(value)


def _number(value: object, what: str) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        _broken(f"{what} is {ascii(value)[:40]} and not a number")
    if not math.isfinite(value):
        _broken(f"{what} is {float(value)}")
    return float(value)


def _share(value: object) -> float:
    number = _number(value, "alpha of a flag")
    return number if 0 < number <= 1 else _broken(f"alpha of a flag is {number}, outside 0 to 1")


def _line(value: object, what: str) -> str:
    if not isinstance(value, str):
        _broken(f"{what} is {ascii(value)[:40]} and not a text")
    return " ".join(visible(value).split())


def _kind(value: object) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _broken(what: str) -> NoReturn:
    raise BrokenPromise(what)
