"""Claims found in texts, and whether they are judged as a careful person would."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.instruments.claims import check_digits, dates, sums


def judged(check: object, text: str) -> list[bool]:
    return [claim.holds for claim in check(text)]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("12 + 30 = 42.", [True]),
        ("12 + 30 = 43, he said", [False]),
        ("7 x 8 = 54 and 3 × 4 = 12 ", [False, True]),
        ("2 + 3 * 4 = 14 ", [True]),
        ("2 + 3 * 4 = 20 ", [False]),
        ("2 plus 3 times 4 is 20 ", [True]),
        ("100 - 58 = 42  ", [True]),
        ("10 / 3 = 3.33 ", [True]),
        ("10 / 3 = 3.34 ", [False]),
        ("1,250 + 1,750 = 3,000 people", [True]),
        ("$5 + $3 = $9 in all", [False]),
        ("20% of 50 is 10 ", [True]),
        ("15 percent of 200 is 35 ", [False]),
        ("1/2 = 0.5 ", [True]),
        ("0.1 + 0.2 = 0.3 ", [True]),
        ("In box 12 + 30 = 43 lie", [False]),
        ("1 +  2 + 3 = 7 ", [False]),
        # what is no claim, or none that can be judged
        ("x + 2 + 3 = 6 ", []),
        ("2 + 2 = 4 + 1 ", []),
        ("2 + 2 = 4x ", []),
        ("2 + 2 = 1,0", []),
        ("9/11 is 20 years ago ", []),
        ("1990-2000 = 10 years ", []),
        ("5 / 0 = 3 ", []),
        ("2 + 2 = 4 hundred ", []),
        ("twelve and thirty is 5 ", []),
    ],
)
def test_sums(text: str, holds: list[bool]) -> None:
    assert judged(sums, text) == holds


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(-3, 3))
def test_any_sum_is_judged_by_its_result(one: int, other: int, off: int) -> None:
    result = one + other + off
    if result >= 0:
        assert judged(sums, f"so {one} + {other} = {result}; and") == [off == 0]


def test_long_expressions_are_read_once() -> None:
    """From each of their numbers they would take a thousand times as long."""
    ones = " + ".join(["1"] * 20_000)
    assert judged(sums, f"{ones} = 20000 ") == [True]
    assert judged(sums, f"= {ones}") == []


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Monday, January 5, 2015, he", [True]),
        ("on Tuesday, 5 January 2015 the", [False]),
        ("Friday the 13th of May 1983 was", [True]),
        ("January 5, 2015, was a Tuesday. ", [False]),
        ("2015-01-05 (a Monday) ", [True]),
        ("Tues. 1 May 1888 ", [True]),
        ("on February 30, 2015 he", [False]),
        ("the 29th of February, 2023 ", [False]),
        ("29 February 2024 ", []),
        ("5 May 2001 ", []),
        ("call 555-2015-01-05 ", []),
        # Shakespeare died on a Tuesday, by the calendar he had
        ("Tuesday, 23 April 1616 ", [True]),
        ("Thursday, July 4, 1776 ", [True]),
        ("Tuesday, July 4, 1776 ", [False]),
    ],
)
def test_dates(text: str, holds: list[bool]) -> None:
    assert judged(dates, text) == holds


@given(st.dates(date(1800, 1, 1), date(2999, 12, 31)), st.integers(0, 6))
def test_any_date_has_one_weekday(day: date, named: int) -> None:
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    text = f"It was {names[named]}, {day.day} {day:%B} {day.year}, and"
    assert judged(dates, text) == [day.weekday() == named]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("ISBN 0-306-40615-2 ", [True]),
        ("ISBN 0-306-40615-3 ", [False]),
        ("ISBN: 978-0-306-40615-7. ", [True]),
        ("ISBN-10: 0-8044-2957-X. ", [True]),
        ("4539 1488 0343 6467 ", [True]),
        ("4539 1488 0343 6468 ", [False]),
        ("IBAN GB82 WEST 1234 5698 7654 32. ", [True]),
        ("IBAN DE89370400440532013001 ", [False]),
        ("0-306-40615-3 ", []),
        ("1234 5678 ", []),
    ],
)
def test_check_digits(text: str, holds: list[bool]) -> None:
    assert judged(check_digits, text) == holds


def test_a_claim_says_what_is_so_and_where_it_stands() -> None:
    (claim,) = sums("He paid 12 + 30 = 43 pounds")
    assert (claim.start, claim.stop) == (8, 20)
    assert claim.said == "12 + 30 is 42, not 43."
    (claim,) = dates("Tuesday, 5 January 2015.")
    assert claim.said == "5 January 2015 was a Monday, not a Tuesday."
    (claim,) = dates("Monday, 23 April 1616.")
    assert claim.said == (
        "23 April 1616 was a Tuesday by the old calendar, a Saturday by ours, not a Monday."
    )
