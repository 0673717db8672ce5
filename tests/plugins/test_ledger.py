"""The ledger against sums done by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loom.core.node import Author
from loom.instruments.api import Choice
from loom.instruments.folding import Stretch
from loom.testing import check_instrument, human_path, load_plugin, path_of, read_along

LEDGER: Any = load_plugin(Path(__file__).parents[2] / "plugins" / "ledger.py")


def summed(path: list[Stretch]) -> dict[str, Any]:
    return dict(read_along(LEDGER, path).reading.summary)


def test_it_keeps_the_contract() -> None:
    check_instrument(LEDGER)


def test_what_was_written_costs_its_surprise() -> None:
    path = path_of("The sea was", [9, 4, 2], entropy=[8, 4, 3], author=Author.WRITER)
    reading = read_along(LEDGER, path).reading
    assert reading.summary["written"] == pytest.approx(15)
    assert reading.summary["written_excess"] == pytest.approx(0, abs=1e-5)
    assert reading.summary["model"] == 0
    assert reading.values["steering"].tolist() == pytest.approx([9, 4, 2])
    assert reading.summary["so_far"] == "15.0 bits steered, 100% of what the text holds"


def test_choosing_among_four_is_two_bits_and_less_where_chance_decides() -> None:
    path = path_of([" a", " b"], [3, 1], choice=Choice(offered=4))
    reading = read_along(LEDGER, path).reading
    assert reading.summary["chosen"] == 2
    assert reading.summary["chosen_kl"] == pytest.approx(2 - 3 / (4 * math.log(2)))
    assert reading.summary["model"] == pytest.approx(4)
    assert reading.values["steering"].tolist() == [2, 0]
    assert reading.summary["so_far"] == "2.0 bits steered, 33% of what the text holds"


def test_where_two_of_four_were_taken_it_is_one_bit_and_what_the_better_half_is_worth() -> None:
    path = path_of([" a", " b"], [3, 1], choice=Choice(offered=4, taken=2))
    reading = read_along(LEDGER, path).reading
    assert reading.summary["chosen"] == 1
    assert reading.summary["chosen_kl"] == pytest.approx(0.4286, abs=1e-4)
    everything = path_of([" a", " b"], [3, 1], choice=Choice(offered=4, taken=4))
    assert summed(everything)["chosen"] == summed(everything)["chosen_kl"] == 0


def test_beside_what_was_written_nothing_was_chosen() -> None:
    path = path_of([" a"], 9, author=Author.WRITER, choice=Choice(offered=4, backtracks=1))
    assert summed(path)["chosen"] == summed(path)["chosen_kl"] == 0
    assert summed(path)["gone_back"] == 1


@pytest.mark.parametrize(("count", "taken"), [(2, 1), (5, 2), (9, 4), (30, 29), (400, 3)])
def test_the_best_few_are_worth_what_comes_out_by_trying(count: int, taken: int) -> None:
    """The KL of a share's density from a uniform one, over shares of draws that are kept."""
    random = np.random.default_rng(count)
    draws = np.sort(random.random((60_000 // count + 4000, count)), axis=1)[:, -taken:].ravel()
    found, edges = np.histogram(draws, 40 if count < 100 else 400, (0, 1))
    density = found / found.sum() / np.diff(edges)
    rough = float(np.sum(np.diff(edges) * density * np.log2(np.maximum(density, 1e-12))))
    assert LEDGER.best_of(count, taken) == pytest.approx(rough, rel=0.06, abs=0.01)
    assert LEDGER.best_of(count, taken) <= math.log2(count / taken)


def test_hundreds_of_thousands_of_continuations_are_no_trouble() -> None:
    few, many = LEDGER.best_of(300_000, 2), LEDGER.best_of(3000, 2900)
    assert few == pytest.approx(math.log2(150_000) - 1, abs=0.3)
    assert 0 < many < 0.05


@pytest.mark.parametrize(("count", "bits"), [(1, 0), (2, 0.28), (4, 0.92), (8, 1.74), (16, 2.65)])
def test_the_best_of_so_many_is_worth_what_the_literature_says(count: int, bits: float) -> None:
    assert LEDGER.best_of(count) == pytest.approx(bits, abs=0.006)


def test_going_back_is_choosing_among_one_more_each_time() -> None:
    once = summed(path_of([" a"], choice=Choice(offered=3, backtracks=1)))
    assert once["chosen"] + once["gone_back"] == pytest.approx(2)
    alone = summed(path_of([" a"], author=Author.WRITER, choice=Choice(backtracks=3)))
    assert (alone["chosen"], alone["gone_back"]) == (0, 2)


def test_along_a_path_the_nodes_add_up() -> None:
    path = path_of("Once upon", 5, author=Author.WRITER, choice=Choice(seconds=None))
    path = path_of([" a", " time"], 3, choice=Choice(4, 1, 30), after=path)
    path = path_of([" there"], 7, author=Author.WRITER, choice=Choice(1, 0, 30), after=path)
    whole = summed(path)
    nodes = [summed([stretch]) for stretch in path]
    for name, value in whole.items():
        if name != "so_far":
            assert value == pytest.approx(sum(node[name] for node in nodes)), name
    steered = 10 + math.log2(5) + 7
    assert (whole["seconds"], whole["timed"]) == (60, pytest.approx(steered - 10))
    assert whole["so_far"] == (
        f"{steered:.1f} bits steered, {steered / (steered + 6):.0%} of what the text holds, "
        f"{math.log2(5) + 7:.1f} bits a minute"
    )


def test_a_night_between_two_nodes_is_no_time_at_work() -> None:
    path = path_of([" a"], 10, author=Author.WRITER, choice=Choice(seconds=50_000.0))
    assert summed(path)["seconds"] == 300
    assert "2.0 bits a minute" in summed(path)["so_far"]


def test_given_text_is_nobodys_steering() -> None:
    whole = summed(path_of("The sea", 9, author=Author.IMPORT))
    assert (whole["written"], whole["model"]) == (0, 0)
    assert whole["so_far"] == "0.0 bits steered"


def test_writing_what_the_model_expects_exceeds_nothing() -> None:
    path = human_path(4000)
    spans = np.concatenate([stretch.span.entropy for stretch in path])
    error = float(spans.std() * math.sqrt(len(spans)) / math.log(2))
    assert abs(summed(path)["written_excess"]) < 6 * error
    assert summed(path)["written"] > 100 * error
