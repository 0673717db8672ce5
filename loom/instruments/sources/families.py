"""Sources that are alike but for a name: characters, dates, bylines of the bundled model.

Each takes a table of a set's file; what is wrong with it is a ValueError that begins with the key.
"""

from __future__ import annotations

import calendar
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from loom.bylines import bylines, heading
from loom.instruments.sources.api import Source
from loom.tables import shown

CHARACTER = "{name}:\n"
DATE = "{month} {day}, {year}\n\n"
MOST_DATES = 400

# In English, whatever the locale is.
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MIDDLE = (6, 15)  # the day meant by a year, away from what is special about its ends
_STEP = re.compile(r"(\d+) (day|week|month|year)s?")
_DAYS = {"day": 1, "week": 7}


def characters(given: Mapping[str, Any]) -> tuple[Source, ...]:
    """Who speaks, one source a name; `form` is the frame, with {name} in it."""
    names, form = given.get("names"), given.get("form", CHARACTER)
    if not isinstance(names, list) or not names or not all(_is_line(name) for name in names):
        raise ValueError(f"names must be a list of names, not {shown(names)}")
    if not isinstance(form, str) or "{name}" not in form:
        raise ValueError(f"form must be a text with {{name}} in it, not {shown(form)}")
    return tuple(Source(name, (form.replace("{name}", name),)) for name in names)


def dates(given: Mapping[str, Any]) -> tuple[Source, ...]:
    """When it was written: one source for each `step` ("20 years", or a number of years) from
    `from` on until `to`; `format` is the frame."""
    first, last = _day(given, "from"), _day(given, "to")
    if last < first:
        raise ValueError("to must not be before from")
    number, unit = _step(given.get("step"))
    form = given.get("format", DATE)
    found = []
    for day in _grid(first, last, number, unit):
        found.append(Source(_named(day, unit), (_written(day, form),)))
        if len(found) > MOST_DATES:
            raise ValueError(f"step must be longer: it makes more than {MOST_DATES} dates")
    if len({source.frames for source in found}) < len(found):
        raise ValueError("format must tell one date from the next")
    return tuple(found)


def by_bylines(given: Mapping[str, Any]) -> tuple[Source, ...]:
    """The names under which the bundled model `of` has read texts; `short` has those in short that
    aren't their last word."""
    if given.get("of") != "house":
        raise ValueError(f"of must be the bundled model house, not {shown(given.get('of'))}")
    known, short = bylines(), given.get("short", {})
    if not known:
        raise ValueError("of names a model that is not in this copy of Loom")
    if not isinstance(short, dict) or not all(_is_line(one) for one in short.values()):
        raise ValueError("short must be a table of names and what is short for them")
    for name in short:
        if name not in known:
            raise ValueError(f"short names {shown(name)}, which is no byline")
    shorts = _shortened(known, short)
    return tuple(Source(name, (heading(name),), short=shorts[name], byline=name) for name in known)


MADE: Mapping[str, Callable[[Mapping[str, Any]], tuple[Source, ...]]] = {
    "bylines": by_bylines,
    "characters": characters,
    "dates": dates,
}


def _shortened(known: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """The last word, after initials where several end alike."""
    last = {name: name.split()[-1] for name in known}
    often = Counter(last[name] for name in known if name not in given)
    return {
        name: given.get(name)
        or (last[name] if often[last[name]] == 1 else f"{_initials(name)} {last[name]}")
        for name in known
    }


def _initials(name: str) -> str:
    return "".join(f"{word[0]}." for word in name.split()[:-1])


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _day(given: Mapping[str, Any], key: str) -> date:
    value = given.get(key)
    if type(value) is date:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 9999:
        return date(value, *_MIDDLE)
    raise ValueError(f"{key} must be a year or a date, not {shown(value)}")


def _step(value: Any) -> tuple[int, str]:
    found = _STEP.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool):
        number, unit = value, "year"
    elif found:
        number, unit = int(found[1]), found[2]
    else:
        raise ValueError(f'step must be a number of years or like "6 months", not {shown(value)}')
    if not 1 <= number <= 9999:
        raise ValueError(f"step must be between 1 and 9999, not {number}")
    return number, unit


def _grid(first: date, last: date, number: int, unit: str) -> Iterator[date]:
    count = 0
    while (day := _later(first, count * number, unit)) is not None and day <= last:
        yield day
        count += 1


def _later(first: date, number: int, unit: str) -> date | None:
    """None after the end of the calendar. A month without such a day gives its last."""
    try:
        if unit in _DAYS:
            return first + timedelta(days=number * _DAYS[unit])
        months = first.month - 1 + number * (12 if unit == "year" else 1)
        year, month = first.year + months // 12, months % 12 + 1
        return date(year, month, min(first.day, calendar.monthrange(year, month)[1]))
    except (OverflowError, ValueError):
        return None


def _written(day: date, form: Any) -> str:
    parts = {"year": day.year, "month": _MONTHS[day.month - 1], "day": day.day}
    try:
        return str(form).format(**parts, weekday=_WEEKDAYS[day.weekday()])
    except (LookupError, ValueError, AttributeError) as error:
        allowed = "{year}, {month}, {day}, {weekday}"
        raise ValueError(f"format must be a text with {allowed}, not {shown(form)}") from error


def _named(day: date, unit: str) -> str:
    if unit == "year":
        return str(day.year)
    month = f"{_MONTHS[day.month - 1]} {day.year}"
    return month if unit == "month" else f"{day.day} {month}"
