"""Statements that are easier to check than to make: sums, dates, numbers with a check digit.

Each check reads a text and yields what is claimed in it, true or false. A claim is found where it
is whole: what may still go on, such as a number at the very end of the text, is for the caller to
wait for (`SETTLED` more characters).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

SETTLED = 2  # characters after a claim that must be known before it can't go on
ENDS = re.compile(r"[\dA-Z](?!\d)|(?:day|Mon|Tues?|Wed|Thurs?|Fri|Sat|Sun)\b")  # as claims do
GREGORIAN = 1753  # before this year English dates may follow the Julian calendar


@dataclass(frozen=True, slots=True)
class Claim:
    """Characters start..stop of the text, whether what they say is so, and a sentence about it."""

    start: int
    stop: int
    holds: bool
    said: str


Check = Callable[[str], Iterator[Claim]]


# ── sums ───────────────────────────────────────────────────────────────────────────────────

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,10})?(?![.,]?\d)"
_MONEY = rf"[$£€]?{_NUMBER}"
_SIGNS = r"\s*[+×*÷·]\s*|\s+[-−–x/]\s+|[x/](?=\d)"
_WORDS = r"\s+(?:plus|minus|times|multiplied by|divided by)\s+"
_IS = r"\s+(?:is|are|equals|makes?|gives)\s+"
_ALONE = (  # not inside an expression: what begins there was tried from its start
    r"(?<![\d.,$£€])(?<![-+×*÷·/=−–])(?<![-+×*÷·/=−–] )(?<![-+×*÷·/=−–]  )(?<!\dx)(?<!\d x )"
)
_SUM = re.compile(
    rf"{_ALONE}(?:(?P<sum>{_MONEY}(?:(?:{_SIGNS}){_MONEY})++)\s*=\s*(?P<result>{_MONEY})(?!\w)"
    rf"|(?P<said>{_MONEY}(?:(?:{_WORDS}|\s*[+×*]\s*){_MONEY})++){_IS}(?P<total>{_MONEY})(?!\w))"
)
_SHARE = re.compile(
    rf"(?P<share>{_NUMBER})\s*(?:%|percent|per cent) of (?P<whole>{_MONEY})"
    rf"(?:\s*=\s*|{_IS})(?P<part>{_MONEY})(?!\w)"
)
_OPERATION = re.compile(r"[=+×*]|plus|minus|times|multiplied|divided")  # cheaper than to look
_PER_CENT = re.compile(r"(?:%|cent) of")
_PART = re.compile(rf"({_SIGNS}|{_WORDS})")
_OPERATORS = {
    "+": "+", "plus": "+", "-": "-", "−": "-", "–": "-", "minus": "-", "×": "*", "*": "*",
    "·": "*", "x": "*", "times": "*", "multiplied by": "*", "÷": "/", "/": "/", "divided by": "/",
}  # fmt: skip
_GOES_BEFORE = re.compile(r"(?:[-+×*÷·/=^−–.,:%\w]|\b(?:plus|minus|times|by)\s|[-+×*÷/=^−–]\s)\Z")
_GOES_ON = re.compile(
    r"\s*(?:[-+×*÷/^=−–·%]|(?:plus|minus|times|hundred|thousand|million|billion|percent|per)\b)"
)


def sums(text: str) -> Iterator[Claim]:
    """12 + 30 = 42, “twelve” not; 20% of 50 is 10. A rounded result is right."""
    for found in _SUM.finditer(text) if _OPERATION.search(text) else ():
        if _is_part(text, found.start(), found.end()):
            continue
        expression = found["sum"] or found["said"]
        values = _values(expression, by_words=found["said"] is not None)
        yield from _judged(found, expression, values, found["result"] or found["total"])
    for found in _SHARE.finditer(text) if _PER_CENT.search(text) else ():
        if not _is_part(text, found.start(), found.end()):
            value = _amount(found["share"]) / 100 * _amount(found["whole"])
            yield from _judged(
                found, f"{found['share']}% of {found['whole']}", [value], found["part"]
            )


def _is_part(text: str, start: int, stop: int) -> bool:
    """Of a longer expression, which may say something else."""
    before = text[max(0, start - 8) : start]
    return bool(_GOES_BEFORE.search(before) or _GOES_ON.match(text, stop))


def _judged(
    found: re.Match[str], expression: str, values: list[Fraction], result: str
) -> Iterator[Claim]:
    if not values:
        return
    stated = _amount(result)
    decimals = len(result.partition(".")[2])
    holds = any(abs(value - stated) <= Fraction(1, 2 * 10**decimals) for value in values)
    told = " ".join(expression.split())
    is_so = f"{told} is {_shown(values[0])}"
    yield Claim(*found.span(), holds, f"{is_so}." if holds else f"{is_so}, not {result}.")


def _values(expression: str, *, by_words: bool) -> list[Fraction]:
    """What it may come to: in words one may mean it from left to right. Nothing by zero."""
    parts = _PART.split(expression)
    numbers = [_amount(part) for part in parts[::2]]
    operators = [_OPERATORS[" ".join(part.split())] for part in parts[1::2]]
    try:
        value = _added(numbers, operators)
        return [value, _in_order(numbers, operators)] if by_words else [value]
    except ZeroDivisionError:
        return []


def _added(numbers: list[Fraction], operators: list[str]) -> Fraction:
    terms = [numbers[0]]
    for operator, number in zip(operators, numbers[1:], strict=True):
        if operator in "*/":
            terms[-1] = terms[-1] * number if operator == "*" else terms[-1] / number
        else:
            terms.append(number if operator == "+" else -number)
    return sum(terms, Fraction())


def _in_order(numbers: list[Fraction], operators: list[str]) -> Fraction:
    value = numbers[0]
    for operator, number in zip(operators, numbers[1:], strict=True):
        value = _added([value, number], [operator])
    return value


def _amount(text: str) -> Fraction:
    return Fraction(text.lstrip("$£€").replace(",", ""))


def _shown(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


# ── dates ──────────────────────────────────────────────────────────────────────────────────

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAY = r"\b(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?\b"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_NTH = r"\d{1,2}(?:st|nd|rd|th)?\b"
_DATE = (
    rf"(?:(?P<m1>{_MONTH})\s+(?:the\s+)?(?P<d1>{_NTH}),?\s+(?P<y1>[12]\d{{3}})"
    rf"|(?:the\s+)?(?P<d2>{_NTH})(?:\s+of)?\s+(?P<m2>{_MONTH}),?\s+(?P<y2>[12]\d{{3}})"
    r"|(?P<y3>[12]\d{3})-(?P<m3>\d\d)-(?P<d3>\d\d))(?![-\d])"
)
_DATE_LIKE = re.compile(r"\d-\d|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec")
_DATED = re.compile(
    rf"(?:(?P<before>{_DAY})\.?,?\s+)?(?<!\d)(?<!\d[-/]){_DATE}"
    rf"(?:,?\s*(?:\(\s*(?:a\s+)?|,?\s+(?:was|is|fell on|falls on)\s+(?:a\s+)?)(?P<after>{_DAY}))?"
)


def dates(text: str) -> Iterator[Claim]:
    """Whether there was such a day, and whether it was the day of the week that is named."""
    for found in _DATED.finditer(text) if _DATE_LIKE.search(text) else ():
        told = " ".join(text[found.start() : found.end()].split())
        year, month, day = _numbers(found)
        try:
            there = date(year, month, day)
        except ValueError:
            if not (year < GREGORIAN and (month, day) == (2, 29) and year % 4 == 0):
                yield Claim(*found.span(), False, f"There is no such day as {told}.")
            continue
        named = found["before"] or found["after"]
        if named is None:
            continue
        right = [_DAYS[there.weekday()]]
        if year < GREGORIAN:
            right.insert(0, _DAYS[_julian(there).weekday()])
        holds = any(day_name[:3] == named[:3] for day_name in right)
        said = f"{there.day} {_MONTHS[month - 1]} {year} was a {right[0]}"
        if len(right) > 1:
            said += f" by the old calendar, a {right[1]} by ours"
        yield Claim(
            *found.span(), holds, f"{said}." if holds else f"{said}, not a {_whole(named)}."
        )


def _numbers(found: re.Match[str]) -> tuple[int, int, int]:
    if found["y3"]:
        return int(found["y3"]), int(found["m3"]), int(found["d3"])
    named = (found["m1"] or found["m2"])[:3]
    month = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(named))
    day = re.match(r"\d+", found["d1"] or found["d2"])
    assert day is not None
    return int(found["y1"] or found["y2"]), month, int(day.group())


def _julian(there: date) -> date:
    """The Gregorian date of the day that the Julian calendar calls so."""
    century = there.year // 100 - (1 if there.month <= 2 and there.year % 100 == 0 else 0)
    return there + timedelta(days=century - century // 4 - 2)


def _whole(day: str) -> str:
    return next(name for name in _DAYS if name.startswith(day[:3]))


# ── check digits ───────────────────────────────────────────────────────────────────────────

_ISBN = re.compile(r"\bISBN(?:-1[03])?:?\s*(?P<number>\d(?:[- ]?\d){8,11}[- ]?[\dX])(?![- ]?[\dX])")
_CARD = re.compile(r"(?<![\d-])[3-6]\d{3}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{4}(?![ -]?\d)")
_IBAN = re.compile(
    r"\bIBAN:?\s*(?P<number>[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?)(?! ?[A-Z\d])"
)


def check_digits(text: str) -> Iterator[Claim]:
    """ISBN and IBAN where they are called so, and numbers of cards in four groups of four."""
    for found in _ISBN.finditer(text) if "ISBN" in text else ():
        digits = re.sub(r"[- ]", "", found["number"])
        if len(digits) in (10, 13) and "X" not in digits[:-1]:
            yield _numbered(found, "ISBN", found["number"], _isbn(digits))
    for found in _CARD.finditer(text):
        yield _numbered(
            found, "card number", found.group(), _luhn(re.sub(r"\D", "", found.group()))
        )
    for found in _IBAN.finditer(text) if "IBAN" in text else ():
        compact = found["number"].replace(" ", "")
        number = "".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])
        yield _numbered(found, "IBAN", found["number"], int(number) % 97 == 1)


def _numbered(found: re.Match[str], kind: str, number: str, holds: bool) -> Claim:
    said = "fits its check digits" if holds else "doesn't fit its check digits"
    return Claim(*found.span(), holds, f"The {kind} {number} {said}.")


def _isbn(digits: str) -> bool:
    if len(digits) == 13:
        weighted = sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(digits))
        return weighted % 10 == 0
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum(value * (10 - place) for place, value in enumerate(values)) % 11 == 0


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


CHECKS: dict[str, Check] = {"sums": sums, "dates": dates, "digits": check_digits}
