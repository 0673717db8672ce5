"""Surprise along the path, in bits; it describes and flags nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loom.testing import check_instrument, load_plugin, loop_path, path_of, read_along

SURPRISE: Any = load_plugin(Path(__file__).parents[2] / "plugins" / "surprise.py")


def test_it_keeps_the_contract() -> None:
    check_instrument(SURPRISE, clock=lambda: 0.0)


def test_values_are_bits() -> None:
    reading = read_along(SURPRISE, path_of("The sea was", [9, 4, 2], entropy=[8, 4, 3])).reading
    assert reading.values["surprise"].tolist() == pytest.approx([9, 4, 2])
    assert reading.values["entropy"].tolist() == pytest.approx([8, 4, 3])
    assert reading.values["excess"].tolist() == pytest.approx([1, 0, -1], abs=1e-5)
    assert reading.summary["bits"] == pytest.approx(15)
    assert set(reading.values) == {*SURPRISE.UNITS, "rank"}


def test_varentropy_and_rank_are_the_spans_own() -> None:
    path = path_of("The sea was", [9, 4, 2])
    span, values = path[0].span, read_along(SURPRISE, path).reading.values
    assert values["rank"].tolist() == span.rank.tolist()
    assert (values["varentropy"] * SURPRISE.BIT**2).tolist() == pytest.approx(
        span.varentropy.tolist()
    )


def test_nothing_is_flagged_however_odd() -> None:
    assert read_along(SURPRISE, loop_path(1, 400)).reading.flags == ()
