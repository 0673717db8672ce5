"""A mistake in a file is told with its line and its key."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from loom.tables import Table, decoded, line_of, number_of, spelled


class Mistake(Exception):
    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


def table(text: str) -> Table:
    return Table(text, Path("a.toml"), Mistake, "a = 1")


@given(st.integers(0, 5), st.integers(0, 5))
def test_the_line_of_a_key_is_the_one_it_stands_on(before: int, between: int) -> None:
    text = "\n" * before + "[a]\n" + "# b = 1\n" * between + "b = [\n1,\n2\n]\nc = 3"
    assert line_of(text, ("a", "b")) == before + between + 2
    assert line_of(text, ("a", "c")) == before + between + 6


@given(st.integers(0, 3), st.integers(0, 3))
def test_the_line_of_an_entry_of_a_list_of_tables(before: int, between: int) -> None:
    text = "\n" * before + "[[a]]\nb = 1\n" + "\n" * between + "[[a]]\nb = 2"
    assert line_of(text, ("a", 0)) == before + 1
    assert line_of(text, ("a", 1)) == before + between + 3
    assert line_of(text, ("a", 1, "b")) == before + between + 4


@given(st.lists(st.sampled_from(["", "# [a]", "A = [", "1,", "]", 'B = """', '"""']), max_size=9))
def test_the_line_is_the_one_that_reading_line_by_line_finds(drawn: list[str]) -> None:
    text = "\n".join([*(line.lower() for line in drawn), "[z]", "y = 1", "[[x]]", "w = [", "2]"])
    with suppress(tomli.TOMLDecodeError):
        tomli.loads(text)
        agrees_with_reading_line_by_line(text)


def agrees_with_reading_line_by_line(text: str) -> None:
    for key in (("z",), ("z", "y"), ("x", 0), ("x", 0, "w"), ("x", 0, "w", 0), ("a",), ("no",)):
        assert line_of(text, key) == slowly(text, key)


def slowly(text: str, key: tuple[str | int, ...]) -> int:
    lines, complete = text.split("\n"), 0
    for count in range(1, len(lines) + 1):
        try:
            value: Any = tomli.loads("\n".join(lines[:count]))
            for name in key:
                value = value[name]
        except tomli.TOMLDecodeError:
            continue
        except LookupError:
            complete = count
            continue
        return complete + 1
    return 1


def test_entries_of_a_list_count_from_one_and_names_are_shown_plainly() -> None:
    assert spelled(("source", 0, "frame")) == "source[1].frame"
    assert spelled(("a", "b\x1b")) == "a.'b\\x1b'"


def test_what_is_wrong_with_a_value_names_where_it_stands() -> None:
    with pytest.raises(Mistake, match=r"^a.toml, line 3: x.y must be a number, not 'no'.$"):
        table("[x]\n\ny = 'no'").value(("x", "y"), number_of)


@pytest.mark.parametrize(("text", "line"), [("a", 1), ("a = 1\n\nb = ", 3), ("[a]\n[a]", 2)])
def test_no_toml_names_the_line_and_shows_an_example(text: str, line: int) -> None:
    with pytest.raises(Mistake, match=f"^a.toml, line {line}: ") as error:
        table(text)
    assert error.value.hint == "Lines look like a = 1."


def test_an_unknown_key_hears_of_the_one_that_is_meant() -> None:
    with pytest.raises(Mistake, match=r"line 2: colour is unknown") as error:
        table("a = 1\ncolour = 2").known((), ["color", "a"])
    assert error.value.hint == "Did you mean color?"


def test_no_text_names_its_line() -> None:
    with pytest.raises(Mistake, match="line 3: this is not UTF-8"):
        decoded(b"a\nb\n\xff", Path("a.toml"), Mistake)
    assert decoded(b"\xef\xbb\xbfa", Path("a.toml"), Mistake) == "a"
