"""Answers that mean the same are one; how sure their shares are is said as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.instruments.sources.api import Source, SourceSet
from loom.instruments.sources.attribution import cluster, normalised, wilson

NAMES = (
    "Jane Austen",
    "Henry James",
    "William James",
    "Alfred, Lord Tennyson",
    "The New York Times",
    "New York",
    "The Onion",
    "G. K. Chesterton",
    "Blackwood's Edinburgh Magazine",
    "Charlotte Brontë",
)
WANTED = SourceSet("names", "", tuple(Source(name, (f"{name}\n",)) for name in NAMES))


def sources(*answers: str) -> list[str | None]:
    return [cluster([answer], WANTED).clusters[0].source for answer in answers]


@pytest.mark.parametrize(
    "answer",
    [
        "The Onion",
        "  the onion.",
        "ONION",
        "“The Onion”",
        "from The Onion",
        "(Originally published in The Onion)",
        "The Onion, America's Finest News Source",
        "The Onion | Area Man",
        "The Onion — July 4",
        "\nThe Onion\nArea man writes on",
    ],
)
def test_an_answer_names_a_source_however_it_is_written(answer: str) -> None:
    assert sources(answer) == ["The Onion"]


def test_surnames_and_the_ends_of_names_count_where_they_are_one_sources_only() -> None:
    assert sources("Austen", "Miss Jane Austen", "Jane Austen, Emma") == ["Jane Austen"] * 3
    assert sources("James", "Lord Tennyson") == [None, "Alfred, Lord Tennyson"]
    assert sources("chesterton", "G.K. Chesterton") == ["G. K. Chesterton"] * 2
    assert sources("CHARLOTTE BRONTE", "Brontë", "Bronte\u0308") == ["Charlotte Brontë"] * 3
    assert sources("Blackwood's Edinburgh", "Magazine") == ["Blackwood's Edinburgh Magazine", None]


def test_a_name_is_not_absorbed_by_another_that_it_begins() -> None:
    assert sources("New York", "The New York Times", "New York Times, 1921") == [
        "New York",
        "The New York Times",
        "The New York Times",
    ]
    assert sources("New York Times Magazine", "The Onion News Network") == [None, None]
    found = cluster(["The New York", "The New York Times"])
    assert [one.count for one in found.clusters] == [1, 1]


def test_answers_that_name_no_source_are_grouped_by_themselves() -> None:
    found = cluster(["The Daily Bugle", "daily bugle", "Daily Bugle, p. 3", "The Planet"], WANTED)
    assert [(one.name, one.count, one.source) for one in found.clusters] == [
        ("The Daily Bugle", 3, None),
        ("The Planet", 1, None),
    ]
    assert found.clusters[0].spellings == ("The Daily Bugle", "daily bugle", "Daily Bugle, p. 3")


def test_a_surname_goes_to_the_longer_answer_with_it_if_there_is_one_only() -> None:
    found = cluster(["Mary Shelley", "Shelley", "Shelley"])
    assert [(one.name, one.count) for one in found.clusters] == [("Shelley", 3)]
    apart = cluster(["Mary Shelley", "Percy Shelley", "Shelley"])
    assert [one.count for one in apart.clusters] == [1, 1, 1]
    assert cluster(["The Daily News", "news"]).clusters[0].count == 1


def test_what_was_seen_once_says_how_much_was_never_seen() -> None:
    found = cluster(["The Onion"] * 7 + ["a gazette", "another paper", ""], WANTED, [("\n— ", 10)])
    assert found.asked == 10
    assert found.other == pytest.approx(0.3)
    assert found.by_probe == (("\n— ", 10),)
    assert [one.count for one in found.clusters] == [7, 1, 1]


def test_before_anything_was_asked_everything_is_something_else() -> None:
    found = cluster([], WANTED)
    assert (found.asked, found.clusters, found.other) == (0, (), 1.0)
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_interval_is_wilsons() -> None:
    assert wilson(29, 32) == pytest.approx((0.76, 0.97), abs=0.005)
    assert wilson(90, 100) == pytest.approx((0.83, 0.95), abs=0.006)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_in_its_interval(drawn: tuple[int, int]) -> None:
    count, of = drawn
    low, high = wilson(count, of)
    assert 0.0 <= low <= count / of <= high <= 1.0


@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_answers_are_counted_once_each_and_all(answers: list[str]) -> None:
    found = cluster(answers, WANTED)
    counted = sum(one.count for one in found.clusters)
    assert counted <= found.asked == len(answers)
    assert 0.0 <= found.other <= 1.0 or not answers
    assert all(one.name for one in found.clusters)
    names = [one.source for one in found.clusters if one.source]
    assert len(names) == len(set(names))


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing_more_but_words_in_front(text: str) -> None:
    once = normalised(text)
    assert once == once.casefold() and "  " not in once
