"""Characters, dates and bylines become sources by a rule."""

from __future__ import annotations

from datetime import date

import pytest

from loom.bylines import bylines
from loom.instruments.sources.families import by_bylines, characters, dates


def test_a_character_is_a_name_and_a_colon() -> None:
    assert [s.frames for s in characters({"names": ["HAMLET", "A ghost"]})] == [
        ("HAMLET:\n",),
        ("A ghost:\n",),
    ]
    (one,) = characters({"names": ["Ann"], "form": "<{name}> {x}"})
    assert (one.name, one.frames) == ("Ann", ("<Ann> {x}",))


def test_a_grid_of_years() -> None:
    found = dates({"from": 1800, "to": 1850, "step": 20})
    assert [s.name for s in found] == ["1800", "1820", "1840"]
    assert found[0].frames == ("June 15, 1800\n\n",)


def test_a_grid_of_months_keeps_to_the_end_of_short_ones() -> None:
    given = {"from": date(2011, 10, 31), "to": date(2012, 3, 1), "step": "2 months"}
    found = dates({**given, "format": "{weekday}, {day} {month} {year}\n"})
    assert [s.name for s in found] == ["October 2011", "December 2011", "February 2012"]
    assert found[-1].frames == ("Wednesday, 29 February 2012\n",)


def test_a_grid_of_weeks_names_days() -> None:
    found = dates({"from": date(1999, 12, 20), "to": date(2000, 1, 10), "step": "1 week"})
    assert [s.name for s in found][-2:] == ["3 January 2000", "10 January 2000"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"to": 1900, "step": 1}, "from must be a year or a date"),
        ({"from": True, "to": 1900, "step": 1}, "from must be"),
        ({"from": 1800, "to": "later", "step": 1}, "to must be"),
        ({"from": 1800, "to": 1900}, "step must be a number of years"),
        ({"from": 1800, "to": 1900, "step": 0}, "step must be between 1"),
        ({"from": 1800, "to": 1900, "step": "1 day"}, "step must be longer"),
        ({"from": 1800, "to": 1900, "step": 1, "format": "{century}"}, "format must be a text"),
        ({"from": 1800, "to": 1900, "step": 1, "format": "{year.real.x}"}, "format must be a text"),
        ({"from": 1800, "to": 1900, "step": 1, "format": "{month}"}, "format must tell one date"),
    ],
)
def test_dates_that_are_none_begin_with_the_key(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        dates(given)


def test_the_calendar_has_an_end() -> None:
    assert [s.name for s in dates({"from": 9000, "to": 9999, "step": 600})] == ["9000", "9600"]


def test_the_bundled_model_s_bylines_are_sources_with_short_names() -> None:
    found = by_bylines({"of": "house", "short": {"The Atlantic Monthly": "Atlantic"}})
    assert [s.name for s in found] == list(bylines())
    of = {s.name: s for s in found}
    assert of["The Atlantic Monthly"].short == "Atlantic"
    assert of["Arthur Conan Doyle"].short == "Doyle"
    assert of["M. R. James"].short == "M.R. James" and of["Henry James"].short == "H. James"
    assert of["Saki"].frames == ("Saki\n\n",) and of["Saki"].byline == "Saki"


def test_short_names_are_of_bylines() -> None:
    with pytest.raises(ValueError, match="^short names 'Nobody', which is no byline"):
        by_bylines({"of": "house", "short": {"Nobody": "N."}})
    with pytest.raises(ValueError, match="^short must be a table"):
        by_bylines({"of": "house", "short": ["N."]})
