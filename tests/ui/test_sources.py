"""Sources on the screen: what is believed is told everywhere, goes with the text, and can be acted
on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from backends.echo import Language
from loom.changes import Weighed
from loom.core.node import Place
from loom.instruments import calibration
from loom.instruments.calibration import Calibration
from loom.instruments.sources import sets
from loom.instruments.sources.api import (
    NULL,
    Attribution,
    Cluster,
    Course,
    Pooling,
    Posterior,
    Source,
    SourceSet,
    Standing,
    Tempering,
)
from loom.paths import Paths
from loom.session import Session
from loom.ui import outside
from loom.ui.along import layers, order
from loom.ui.app import LoomApp
from loom.ui.inquiring import Inquiring
from loom.ui.screens import standings
from loom.ui.screens.instruments import Instruments
from loom.ui.screens.probe import Found, Probe, Verdict
from loom.ui.screens.set_editor import Draft, SetEditor
from loom.ui.screens.source_sets import SourceSets
from loom.ui.screens.sources import Sources
from loom.ui.widgets import lens_sources
from loom.ui.widgets.layers import SCALES, STEPS, UNKNOWN, WORLD_SCALES, stepped
from loom.ui.widgets.legend import entries
from loom.ui.worlds import NONE, UNASKED, Trace, leader

MakeApp = Callable[..., LoomApp]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]

WORDS = "The lamp was lit and the sea was calm and nobody came to the light that night"


def lines(app: LoomApp) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def seen(app: LoomApp) -> str:
    return "\n".join(lines(app))


async def read(app: LoomApp, pilot: Pilot[None], wait_for: WaitFor, node: int = 1) -> None:
    """Until the writer's words have tokens, which is when something can be believed of them."""
    await wait_for(pilot, lambda: app.session.tree[node].token_count)
    app.session._emit(Weighed(frozenset({node})))
    await pilot.pause()


async def open_panel(pilot: Pilot[None], wait_for: WaitFor) -> Sources:
    await pilot.press("S")
    await wait_for(pilot, lambda: isinstance(pilot.app.screen, Sources))
    assert isinstance(pilot.app.screen, Sources)
    return pilot.app.screen


# ── told ───────────────────────────────────────────────────────────────────────────────────────


async def test_who_leads_is_told_in_tree_cards_status_line_and_lens(
    make_app: MakeApp, believed: Any, wait_for: WaitFor, settle: Settle
) -> None:
    app = make_app(WORDS)
    async with app.run_test(size=(130, 40)) as pilot:
        await read(app, pilot, wait_for)
        assert "Wells 100 %" in lines(app)[0]
        row = next(line for line in lines(app) if "✎" in line)
        assert "Wells" in row[: app.main.tree_pane.region.right]
        await wait_for(pilot, lambda: "1.0 world" in seen(app))
        assert any("Wells" in line and "100 %" in line for line in lines(app)[1:])
        assert NONE in seen(app)
        trace = app.main.worlds.trace(1)
        assert trace is not None
        turn = int(np.flatnonzero(np.diff(trace.leading))[-1]) + 1
        app.main.set_focus(app.main.text_pane)
        app.main.text_pane.cursor = Place(1, app.session.edges(1)[turn - 1])
        await wait_for(pilot, lambda: "→" in seen(app))
        told = ["".join(text for text, _ in line) for line in app.main.lens.source_panel.lines]
        assert f"moved {trace.moved[turn]:.2f} bits" in told[1]
        assert told[2].startswith("Wells") and told[3].startswith("Austen")
        expected = f"{trace.information[turn]:.2f} bits"
        assert any("expected" in line and expected in line for line in told)
        await pilot.press("escape", "g")
        await settle(pilot)
        await wait_for(pilot, lambda: app.session.tree[3].ended)
        app.session._emit(Weighed(frozenset({3, 5})))
        await wait_for(pilot, lambda: "· Telegraph" in seen(app))
        app.session.set_sources(None)
        await wait_for(pilot, lambda: not app.main.status.source)
        await pilot.pause(0.1)
        assert not app.main.lens.source_panel.lines and "Telegraph" not in seen(app)
        await pilot.press("D")
        await pilot.pause()
        notices = [notice.message for notice in app._notifications]
        assert notices[-1] == "No set of sources is in force; S chooses one."


@pytest.mark.parametrize("width", (80, 100, 120))
async def test_who_leads_is_told_on_narrow_cards_too(
    make_app: MakeApp, believed: Any, wait_for: WaitFor, settle: Settle, width: int
) -> None:
    app = make_app(WORDS)
    async with app.run_test(size=(width, 40)) as pilot:
        await read(app, pilot, wait_for)
        await pilot.press("escape", "g")
        await settle(pilot)
        await wait_for(pilot, lambda: all(app.session.tree[n].ended for n in (2, 3, 4, 5)))
        app.session._emit(Weighed(frozenset({2, 3, 4, 5})))
        await wait_for(pilot, lambda: "· Tele" in seen(app))
        facts = [line for line in lines(app) if " bits · " in line and "· Tele" in line]
        assert facts and all(len(line) <= width for line in facts)


async def test_without_a_calibration_nothing_is_told_in_shares(
    make_app: MakeApp, believed: Any, wait_for: WaitFor
) -> None:
    believed.calibrated = False
    app = make_app(WORDS)
    async with app.run_test(size=(130, 40)) as pilot:
        await read(app, pilot, wait_for)
        assert "Wells, uncalibrated" in lines(app)[0]
        await wait_for(pilot, lambda: app.main.lens.source_panel.lines)
        told = ["".join(text for text, _ in line) for line in app.main.lens.source_panel.lines]
        assert any("Wells" in line and "+" in line for line in told)
        assert lens_sources.BADGE in told
        await pilot.press("tab", "left")
        await wait_for(
            pilot, lambda: any("rank" in t for t, _ in app.main.lens.source_panel.lines[2])
        )
        told += ["".join(text for text, _ in line) for line in app.main.lens.source_panel.lines]
        panel = await open_panel(pilot, wait_for)
        told += [str(panel.options.get_option_at_index(n).prompt) for n in range(7)]
        told.append(str(panel.query_one("#weighed", Static).render()))
        assert "uncalibrated" in told[-1] and "belief" not in told[-1]
        assert not [line for line in told if "%" in line]
        await pilot.press("escape", "I")
        await wait_for(pilot, lambda: isinstance(app.screen, Instruments) and app.screen.course)
        await pilot.pause()
        assert isinstance(app.screen, Instruments)
        values = [row.value for row in app.screen.strips._rows if row.looks]
        assert len(values) == 5 and all(value.startswith("rank") for value in values)


# ── in colours ─────────────────────────────────────────────────────────────────────────────────


async def test_layers_about_sources_have_a_legend_and_d_goes_to_where_most_is_expected(
    make_app: MakeApp, believed: Any, wait_for: WaitFor
) -> None:
    app = make_app(WORDS)
    async with app.run_test(size=(120, 30)) as pilot:
        await read(app, pilot, wait_for)
        text, found = app.main.text_pane, []
        for _ in range(8):
            await pilot.press("c")
            found.append(text.colour_layer)
        assert found[4:] == ["source", "evidence", "information", "plain"]
        assert not app.main.legend.display
        await pilot.press(*"ccccc")
        await wait_for(pilot, lambda: app.main.worlds.slots)
        assert [entry.text for entry in app.main.legend.entries][:2] == ["Austen", "Wells"]
        await pilot.pause()
        assert any("Austen" in line and "other" in line for line in lines(app))
        steps = app.main.worlds.steps("source", 1)
        assert {steps[3], steps[-1]} == {1, 2}
        style = {t: s for t, s, _ in text.render_line(0) if s is not None}
        kinds = {(s.bgcolor, bool(s.italic)) for t, s in style.items() if t.strip()}
        assert {italic for _, italic in kinds} == {False, True}, "told apart by more than a hue"
        trace, visited = app.main.worlds.trace(1), list[int]()
        assert trace is not None
        along = await app.main.along()
        for _ in range(len(along.peaks) + 2):
            await pilot.press("D")
            await pilot.pause()
            visited.append(app.main.cursor.at)
        starts = [0, *app.session.edges(1)]
        told = [trace.information[starts.index(at)] if at < len(WORDS) else 0.25 for at in visited]
        assert told[:-1] == sorted(told[:-1], reverse=True) and visited[-1] == visited[0]
        assert len(WORDS) in visited, "the end of the path is a place too"
        assert told[0] == trace.information.max()


async def test_strips_stack_the_shares_and_set_off_the_tokens_that_moved_them(
    make_app: MakeApp, believed: Any, wait_for: WaitFor
) -> None:
    app = make_app(WORDS)
    async with app.run_test(size=(120, 30)) as pilot:
        await read(app, pilot, wait_for)
        text = app.main.text_pane
        await pilot.press("I")
        await wait_for(pilot, lambda: text._ink.moved)
        trace = app.main.worlds.trace(1)
        assert trace is not None
        most = int(np.nanargmax(trace.moved))
        edges = [0, *app.session.edges(1)]
        assert text._ink.moved == ((edges[most], edges[most + 1]),)
        assert "▴" in seen(app)
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, Instruments)
        cells = [row.strip for row in screen.strips._rows if row.looks]
        assert len(cells) == 6 and len({len(row) for row in cells}) == 1
        first, last = ({row[x] for row in cells} for x in (3, -1))
        assert "1" in first and last == {"2"}
        assert any("2 Wells" in line and "100 %" in line for line in lines(app))
        await pilot.press("escape")
        await wait_for(pilot, lambda: not text._ink.moved)


# ── the panel ──────────────────────────────────────────────────────────────────────────────────


async def test_the_panel_lists_all_narrows_and_marks(
    make_app: MakeApp, believed: Any, wait_for: WaitFor
) -> None:
    app = make_app(WORDS)
    async with app.run_test(size=(80, 24)) as pilot:
        await read(app, pilot, wait_for)
        panel = await open_panel(pilot, wait_for)
        assert believed.weighed == [Place(1, len(WORDS))]
        names = [row.name for row in panel.rows]
        assert names[0] == "H. G. Wells" and NULL in names and len(names) == 7
        told = seen(app)
        assert "shelf, 6 sources" in told and "1.0 world" in told and "entropy" in told
        header = next(line for line in lines(app) if "evidence" in line)
        row = next(line for line in lines(app) if "H. G. Wells" in line)
        assert header.index("prior") + len("prior") == row.rindex("2.7") + 3
        assert header.index("belief") + len("belief") == row.index("%") + 1
        assert lens_sources.STALE in next(line for line in lines(app) if "Daily" in line)
        await pilot.press("slash", *"he")
        assert (
            [row.name for row in panel.rows] == ["O. Henry"]
            or {row.name for row in panel.rows} == {"O. Henry", "The Daily Telegraph"}
            or len(panel.rows) < 7
        )
        await pilot.press("escape")
        assert len(panel.rows) == 7
        await pilot.press("S")
        await pilot.pause()
        assert app.screen is app.main


async def test_a_source_is_gone_on_under_once_or_from_now_on(
    make_app: MakeApp, believed: Any, wait_for: WaitFor, settle: Settle
) -> None:
    app = make_app(WORDS)
    async with app.run_test(size=(100, 30)) as pilot:
        await read(app, pilot, wait_for)
        await open_panel(pilot, wait_for)
        await pilot.press("enter", "enter")
        await wait_for(pilot, lambda: app.screen is app.main)
        await settle(pilot)
        recipe = app.session.recipe_of(2)
        assert recipe is not None and recipe.frame == "H. G. Wells\n\n"
        assert app.session.recipe.frame == ""
        await open_panel(pilot, wait_for)
        await pilot.press("enter")
        await wait_for(pilot, lambda: not isinstance(app.screen, Sources))
        await pilot.press("b")
        await wait_for(pilot, lambda: app.session.recipe.frame)
        assert app.session.recipe.frame == "H. G. Wells\n\n"
        panel = await open_panel(pilot, wait_for)
        assert "H. G. Wells" in str(panel.query_one("#said", Static).render())
        await pilot.press("0")
        await wait_for(pilot, lambda: not app.session.recipe.frame)
        await pilot.press("u", "u")
        await pilot.pause()
        assert app.session.recipe.frame == ""


async def test_esc_stops_the_weighing_where_nothing_else_is_to_be_closed(
    make_app: MakeApp, believed: Any, wait_for: WaitFor
) -> None:
    app = make_app(WORDS)
    async with app.run_test(size=(100, 30)) as pilot:
        await read(app, pilot, wait_for)
        believed.weighing = (30, 60)
        await wait_for(pilot, lambda: "weighing 50%" in lines(app)[0])
        await pilot.press("tab", "escape")
        assert believed.weighing == (30, 60) and not app.main.in_text
        await pilot.press("escape")
        assert believed.weighing is None


# ── sets ───────────────────────────────────────────────────────────────────────────────────────

BROKEN = 'about = "x"\n[[source]]\nname = "A"\nframe = "a\\n"\nprior = -1\n'


async def open_sets(app: LoomApp, pilot: Pilot[None], wait_for: WaitFor) -> SourceSets:
    await open_panel(pilot, wait_for)
    await pilot.press("s")
    await wait_for(pilot, lambda: isinstance(app.screen, SourceSets) and app.screen.listed)
    await pilot.pause()
    assert isinstance(app.screen, SourceSets)
    return app.screen


async def test_a_set_is_taken_and_one_with_a_mistake_says_where_it_is(
    make_app: MakeApp, believed: Any, wait_for: WaitFor
) -> None:
    folder = Paths.default().sources
    folder.mkdir(parents=True)
    (folder / "aa.toml").write_text(BROKEN)
    (folder / "ab.toml").write_text(sets.to_toml(believed.known))
    app = make_app(WORDS)
    async with app.run_test(size=(100, 40)) as pilot:
        await read(app, pilot, wait_for)
        screen = await open_sets(app, pilot, wait_for)
        row = str(screen.options.get_option_at_index(0).prompt)
        assert "line 5" in row and "prior" in row
        await pilot.press("home", "enter")
        await pilot.pause()
        assert "mistake" in str(screen.query_one("#said", Static).render())
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, Sources))
        assert believed.known.name == "shelf"
        await pilot.press("s")
        await wait_for(pilot, lambda: isinstance(app.screen, SourceSets) and app.screen.listed)
        await pilot.press("end", "enter")
        await wait_for(pilot, lambda: believed.known is None)


async def test_a_set_is_edited_and_is_in_force_at_once(
    make_app: MakeApp, believed: Any, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Paths.default().sources
    folder.mkdir(parents=True)
    (folder / "aa.toml").write_text(sets.to_toml(believed.known))
    app = make_app(WORDS)
    async with app.run_test(size=(100, 40)) as pilot:
        await read(app, pilot, wait_for)
        await open_sets(app, pilot, wait_for)
        await pilot.press("home", "e")
        await wait_for(pilot, lambda: isinstance(app.screen, SetEditor))
        screen = app.screen
        assert isinstance(screen, SetEditor)
        area = screen.query_one(TextArea)
        before = area.text
        area.text = before.replace("null_prior = 0.1", "null_prior = 0", 1)
        await pilot.press("ctrl+s")
        said = str(screen.query_one("#set-said", Static).render())
        line = before[: before.index("null_prior")].count("\n") + 1
        assert f"line {line}" in said and "null_prior" in said
        assert area.cursor_location[0] == line - 1
        await pilot.press("escape")
        assert app.screen is screen, "what isn't saved isn't thrown away at once"
        area.text = before.replace("[[source]]\n", "[[source]]\nprior = 7\n", 1)
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: isinstance(app.screen, SourceSets))
        await wait_for(pilot, lambda: believed.known.sources[0].prior == 7)
        assert sets.read(folder / "aa.toml") == believed.known
        monkeypatch.setattr(outside, "edit", lambda app, text: f"nulls = 3\n{text}")
        await pilot.press("E")
        await wait_for(pilot, lambda: isinstance(app.screen, SetEditor))
        await wait_for(pilot, lambda: "line 1: nulls is unknown" in seen(app))
        await pilot.press("escape")
        assert isinstance(app.screen, SetEditor), "nor what comes from another editor"


def test_a_new_set_is_saved_under_its_name(tmp_path: Path, believed: Any) -> None:
    draft = Draft("", tmp_path / "sets")
    file = draft.saved(sets.to_toml(replace(believed.known, name="Who/else?")))
    assert file == tmp_path / "sets" / "Who-else.toml"
    with pytest.raises(sets.SetError):
        draft.saved("nonsense")


# ── asking ─────────────────────────────────────────────────────────────────────────────────────


class Answers:
    """Ten at a time."""

    asked = 0

    async def answers(self, count: int) -> AsyncGenerator[Attribution]:
        for asked in range(10, count + 1, 10):
            self.asked = asked
            await asyncio.sleep(0.001)
            known = Cluster("Homer", asked * 7 // 10, 0.4, 0.9, ("Homer",), "Homer")
            other = Cluster("A Stranger", asked * 3 // 10, 0.1, 0.6, ("a stranger",))
            yield Attribution(asked, (known, other), 0.25)

    def sources(self, found: Attribution) -> Mapping[str, Source]:
        return {one.name: Source(one.name, (f"{one.name}\n\n",)) for one in found.clusters}

    async def verdicts(self, found: Attribution) -> Mapping[str, Verdict]:
        return {one.name: Verdict(12.5, -3.25) for one in found.clusters}


async def test_answers_come_with_intervals_are_held_against_the_reading_and_can_be_stopped(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app, found = make_app(WORDS), list[Found | None]()
    async with app.run_test(size=(80, 24)) as pilot:
        probe = Probe(Answers(), count=40)
        await app.push_screen(probe, found.append)
        await wait_for(pilot, lambda: probe.verdicts)
        await wait_for(pilot, lambda: "Δ" in seen(app) and "−3.2" in seen(app))
        row = next(line for line in lines(app) if ".40–.90" in line)
        assert "28" in row and "Homer" in row and "+12.5 bits" in row
        assert "40 of 40 answers" in seen(app) and "25 in 100" in seen(app)
        await pilot.press("a")
        await wait_for(pilot, lambda: found)
        answers = Answers()
        probe = Probe(answers, count=1_000_000)
        await app.push_screen(probe, found.append)
        await wait_for(pilot, lambda: answers.asked)
        await pilot.press("x")
        await wait_for(pilot, lambda: probe.verdicts)
        assert answers.asked < 1_000_000
        await pilot.press("enter", "enter")
        await wait_for(pilot, lambda: len(found) == 2)
    added, chosen = found
    assert added is not None and [source.name for source in added.added] == ["A Stranger"]
    assert chosen is not None and chosen.choice == ("grow", "Homer\n\n")


# ── with a model ───────────────────────────────────────────────────────────────────────────────


async def test_what_a_model_makes_of_it_is_told_once_it_is_weighed(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    known = SourceSet("two", "", (Source("A", ("The sea\n\n",)), Source("B", ("No light\n\n",))))
    app = make_app(WORDS)
    app.session.set_sources(known)
    async with app.run_test(size=(130, 40)) as pilot:
        await wait_for(pilot, lambda: "uncalibrated" in lines(app)[0])
        assert app.main.worlds.trace(1) is not None or app.session.course(1) is None
        panel = await open_panel(pilot, wait_for)
        assert {row.name for row in panel.rows} == {"A", "B", NULL}
        assert [row.rank for row in panel.rows] == [1, 2, 3]


async def test_answers_are_drawn_without_a_node_and_read_under_their_frames(
    tmp_path: Path,
) -> None:
    known = SourceSet("two", "", (Source("A", ("A\n\n",)),), probes=("\n\n— ",))
    async with Session.create(tmp_path / "asked.loom", seed=7) as session:
        await session.attach("echo")
        await session.engine_ready()
        session.write(WORDS)
        asked = Inquiring(session, known, session.place)
        every = [found async for found in asked.answers(24)]
        assert [found.asked for found in every] == [12, 24]
        assert len(session.tree) == 2, "they are no nodes"
        again = [found async for found in Inquiring(session, known, session.place).answers(24)]
        assert again == every, "the same seed draws the same answers"
        verdicts = await asked.verdicts(every[-1])
        assert verdicts.keys() == asked.sources(every[-1]).keys() and verdicts
        assert all(np.isfinite([one.by_frame, one.delta]).all() for one in verdicts.values())


async def test_where_the_writer_is_the_model_is_asked_too(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    sources = (Source("The lamp", ("A\n\n",)), Source("[/b]", ("No light\n\n",)))
    known = SourceSet("two", "", sources, probes=("\n\n— ",))
    weights = Pooling(1.0, 0.5, 0.0, sets.questions(known), {"The lamp": (-20.0,), "[/b]": (-5.0,)})
    its = Tempering(1.0, 0.0, pooling=weights)
    model = Language().fingerprint
    calibration.save(Calibration(model, "echo").tempered(sets.digest(known), "two", its))
    app = make_app(WORDS)
    app.session.set_sources(known)
    async with app.run_test(size=(130, 40)) as pilot:
        await wait_for(pilot, lambda: app.main.lens.source_panel.lines)
        await wait_for(pilot, lambda: lens_sources.ASKED in seen(app))
        found = app.session.posterior(1)
        assert found is not None and found.read is not None
        (words,) = {leader(found), app.main.worlds.short(app.session.display.segments(1)[0])}
        assert not words.startswith(UNASKED) and words in lines(app)[0]
        await pilot.press("tab", "left")
        await wait_for(
            pilot, lambda: f" {lens_sources.BY_READING} " in seen(app).replace("\n", " ")
        )
        await pilot.press("tab")
        panel = await open_panel(pilot, wait_for)
        by_reading = found.read.leading
        assert by_reading is not None
        told = f"read and asked; by reading alone {by_reading.name}"
        await wait_for(pilot, lambda: told in seen(app))
        shares = {row.name: row.share for row in panel.rows}
        assert shares[found.standings[0].name] == found.standings[0].probability


# ── without a screen ───────────────────────────────────────────────────────────────────────────

shares = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=7).filter(sum)


@given(shares, st.integers(1, 12))
def test_cells_are_as_many_as_come_closest_to_a_share(parts: list[float], height: int) -> None:
    parts = [part / sum(parts) for part in parts]
    cells = layers(parts, height)
    assert len(cells) == height and cells == sorted(cells)
    for number, part in enumerate(parts):
        assert abs(cells.count(number) - part * height) <= 1 + 1e-6
    assert sorted(order(parts)) == list(range(len(parts)))


def test_a_byline_that_a_passage_leaves_out_is_at_the_start_of_its_node() -> None:
    three = np.array([0.1, 0.2, 0.3], np.float32)
    table = np.array([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8]], np.float32)
    course = Course((NULL, "A"), table, three, three, three)
    trace = Trace.of(course, np.arange(1, 6, dtype=np.int32))
    assert trace.leading.tolist() == [-1, -1, 1, 0, 1] and trace.known == 2
    assert np.isnan(trace.moved[:2]).all() and trace.moved[2:].tolist() == three.tolist()
    assert len(Trace.of(course, np.arange(1, 3, dtype=np.int32))) == 2


def test_rows_rank_none_of_these_among_the_sources(believed: Any) -> None:
    known: SourceSet = believed.known
    names = [source.name for source in known.sources]
    shares = [0.4, 0.05, 0.05, 0.05, 0.05, 0.05]
    listed = tuple(Standing(n, n, s, 1.0) for n, s in zip(names, shares, strict=True))
    found = standings.rows(known, Posterior(listed, 0.35, 2.0, 9, True))
    assert [row.name for row in found][:2] == [names[0], NULL]
    assert [row.rank for row in found] == list(range(1, 8))
    priors = standings.priors_of(known)
    assert sum(2.0**-bits for bits in priors.values()) == pytest.approx(1)
    assert [row.rank for row in standings.rows(known, None)] == [None] * 7
    assert {row.name for row in standings.rows(known, None, "aus")} == {"Jane Austen"}


def test_the_lens_ranks_none_of_these_among_the_sources(believed: Any) -> None:
    names = [source.name for source in believed.known.sources]
    shares = [0.4, 0.3, 0.05, 0.01, 0.01, 0.01]
    listed = tuple(Standing(n, n, s, 1.0) for n, s in zip(names, shares, strict=True))
    found = Posterior(listed, 0.22, 2.0, 9, True)
    told = ["".join(text for text, _ in line) for line in lens_sources.at_place(found, 34)]
    assert [line.split()[0] for line in told] == ["Sources", "1", "2", "3", "4", "5"]
    assert NONE in told[3] and all(len(line) == 34 for line in told)


def test_who_leads_by_reading_alone_is_marked_where_asking_is_to_come() -> None:
    first = (Standing("Ann [/b]", "Ann", 0.6, 1.0), Standing("Bee", "Bee", 0.1, 0.0))
    alone = Posterior(first, 0.3, 1.5, 9, True, unasked=True)
    both = replace(alone, unasked=False, read=alone, standings=first[::-1])
    told = [
        "".join(text for text, _ in line)
        for posterior in (alone, both, replace(alone, unasked=False))
        for line in list(lens_sources.at_place(posterior, 40))[-1:]
    ]
    assert told[:2] == [lens_sources.NOT_ASKED, lens_sources.ASKED] and "Bee" in told[2]
    assert leader(alone) == "~Ann" and leader(replace(alone, null=0.9)) == ""
    assert leader(replace(alone, unasked=False)) == "Ann"
    assert standings.beside(alone) == lens_sources.NOT_ASKED
    assert standings.beside(both) == "read and asked; by reading alone Ann 60 %"


@pytest.mark.parametrize("layer", (SCALES | WORLD_SCALES))
def test_a_legend_is_short_and_tells_every_step(layer: str) -> None:
    found = [entry.text for entry in entries(layer)]
    assert len(set(found)) == len(found) == STEPS
    assert sum(len(text) + 3 for text in found) <= 50
    scale = (SCALES | WORLD_SCALES)[layer]
    assert found[-1].endswith(scale.unit) and ("<" in found[0]) is not scale.falling


def test_what_is_not_known_has_no_step() -> None:
    values = np.array([np.nan, 0.0, 0.02, 9.0], np.float32)
    assert stepped(values, WORLD_SCALES["evidence"]) == [UNKNOWN, 0, 2, STEPS - 1]
