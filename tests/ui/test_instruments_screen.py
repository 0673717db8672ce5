"""Readings along a path: columns, strips, and moving along them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Static

from loom.config import Config, PluginConfig
from loom.core.node import Place
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.screens.instruments import Instruments
from loom.ui.series import Name, binned, series_on
from loom.ui.widgets.strips import bars, measured

WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]

SIZES = """
import numpy as np
from loom.instruments.api import Flag, Reading

NAME, VERSION, UNITS = "sizes", "1", {"letters": "bytes"}

def start(settings):
    return None

def step(state, span, context):
    sizes = np.array([len(piece) for piece in context.pieces], np.float32)
    flags = [Flag("flag", "none", i, context.position + i, 0.0, "It is loud.")
             for i, piece in enumerate(context.pieces) if piece == b"!"]
    return state, Reading({"letters": sizes}, {"said": "words"}, tuple(flags))
"""
OTHERS = {name: PluginConfig(enabled=False) for name in ("surprise", "traps", "ledger", "verify")}
TEXT = "The lamp! was lit and the sea! was calm"


def app_on(tmp_path: Path, home: Path) -> LoomApp:
    (home / "plugins").mkdir()
    (home / "plugins" / "sizes.py").write_text(SIZES)
    session = Session.create(tmp_path / "sizes.loom", seed=7)
    session.write(TEXT)
    return LoomApp(session, Config(plugins=OTHERS), "echo")


def seen(app: LoomApp) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def told(app: LoomApp) -> str:
    return str(app.screen.query_one("#reading-of", Static).render())


async def test_one_moves_along_the_strips_and_the_token_cursor_moves(
    tmp_path: Path, _home: Path, wait_for: WaitFor, plugins_run: None
) -> None:
    app = app_on(tmp_path, _home)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: app.session.flagged)
        await pilot.press("I")
        await wait_for(pilot, lambda: isinstance(app.screen, Instruments) and app.screen.course)
        screen = app.screen
        assert isinstance(screen, Instruments) and screen.course is not None
        count = len(screen.course.series)
        shown = seen(app)
        assert "letters" in shown and "1 bytes" in shown and "▼" in shown
        assert shown.count("⚑") == 4  # the status line, the margin, and both
        assert screen.query_one("#instruments").region.bottom <= 24
        await pilot.press("F")
        await pilot.pause()
        assert app.main.text_pane.cursor == Place(1, TEXT.rindex("!"))
        assert told(app).splitlines()[1] == "⚑ sizes: It is loud."
        await pilot.press("F", "right")
        await pilot.pause()
        assert app.main.text_pane.cursor == Place(1, TEXT.index("!") + 1)
        assert "It is loud" not in told(app)
        await pilot.press("home", "left")
        assert screen.strips.cursor == 0
        await pilot.press("end")
        assert screen.strips.cursor == count - 1
        await pilot.press("pageup")
        assert screen.strips.cursor == max(0, count - 11)
        await pilot.click("#strips", offset=(32, 2))
        await pilot.pause()
        assert screen.strips.cursor == 2
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.main
        assert app.focused is app.main.text_pane


async def test_the_strips_go_on_as_the_path_does(
    tmp_path: Path, _home: Path, wait_for: WaitFor, plugins_run: None
) -> None:
    app = app_on(tmp_path, _home)
    session = app.session
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: session.flagged)
        await pilot.press("I")
        await wait_for(pilot, lambda: isinstance(app.screen, Instruments) and app.screen.course)
        screen = app.screen
        assert isinstance(screen, Instruments) and screen.course is not None
        count = len(screen.course.series)
        await pilot.press("home", "right")
        more = session.write(" and then! it rose")
        await wait_for(pilot, lambda: screen.course and len(screen.course.series) > count)
        await wait_for(pilot, lambda: screen.course and len(screen.course.flags) == 3)
        assert screen.strips.cursor == 1
        assert f"of {len(screen.course.series)}" in seen(app)
        await pilot.press("end")
        await pilot.pause()
        assert app.main.text_pane.cursor.node == more


async def test_columns_go_on_over_the_nodes_of_a_path(
    tmp_path: Path, _home: Path, wait_for: WaitFor, plugins_run: None
) -> None:
    app = app_on(tmp_path, _home)
    session = app.session
    inside = session.write(" high", Place(1, TEXT.index(" lit")))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: session.readings(inside) and session.readings(1))
        series = await series_on(session, session.tree[inside].end)
        column = series.columns[Name("sizes", "letters")]
        text = session.tree.path_bytes(session.tree[inside].end)
        edges = [*series.begins.tolist(), len(text)]
        assert column.tolist() == np.diff(edges).tolist()
        assert series.begins[series.nodes[1]] == TEXT.index(" lit")
        assert series.token_at(len(text)) == len(series) - 1
        assert series.said == {"sizes": "words"}


numbers = st.lists(st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan"))), min_size=1)


@given(numbers, st.integers(1, 40))
def test_bars_are_one_a_column_and_empty_where_nothing_is_known(
    values: list[float], most: int
) -> None:
    column = np.array(values, np.float32)
    count = min(most, len(column))
    edges = [round(i * len(column) / count) for i in range(count + 1)]
    means = binned(column, edges)
    for mean, first, last in zip(means, edges, edges[1:], strict=False):
        known = column[first:last][~np.isnan(column[first:last])]
        assert (
            np.isnan(mean) if not len(known) else np.isclose(mean, known.mean(), rtol=1e-3, atol=1)
        )
    drawn = bars(means)
    assert [bar == " " for bar in drawn] == np.isnan(means).tolist()


def test_numbers_are_told_briefly() -> None:
    values = [(3.0, "tokens"), (0.126, "bits"), (12.34, ""), (1234.5, "σ"), (-0.001, "bits")]
    said = [measured(value, unit) for value, unit in values]
    assert said == ["3 tokens", "0.13 bits", "12.3", "1234 σ", "0 bits"]
    assert measured(float("nan"), "bits") == "–"
