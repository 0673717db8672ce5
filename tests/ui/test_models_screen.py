"""The list of models: what there is, what it lacks, and another one under the same tree."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from loom import offers
from loom.paths import Paths
from loom.ui.app import LoomApp
from loom.ui.screens.model_card import ModelCard
from loom.ui.screens.models import Models

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]
OPENING = "The lighthouse keeper had not spoken"


@pytest.fixture
def folder(_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's models: a GGUF file and a folder without weights; no llama.cpp, no house."""
    monkeypatch.setenv("HF_HUB_CACHE", str(_home / "hub"))
    monkeypatch.setattr("loom.extensions.models", dict)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: None if name == "llama_cpp" else find(name, *a),
    )
    folder = _home / "models"
    (folder / "half").mkdir(parents=True)
    (folder / "half" / "config.json").touch()
    (folder / "tiny.gguf").touch()
    return folder


def said(app: LoomApp) -> str:
    return str(app.screen.query_one("#said", Static).render())


def seen(app: LoomApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def open_list(app: LoomApp, pilot: Pilot[None], wait_for: WaitFor) -> Models:
    await wait_for(pilot, lambda: app.session.engine and app.session.engine.state != "loading")
    await pilot.press("m")
    await wait_for(pilot, lambda: isinstance(app.screen, Models) and app.screen.offers)
    assert isinstance(app.screen, Models)
    return app.screen


async def test_every_model_is_listed_with_what_it_lacks(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    offers.remember(Paths.default(), "owner/name")
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await open_list(app, pilot, wait_for)
        rows = [str(o.prompt) for o in screen.options.options]
        assert rows[0].startswith("● echo ")
        assert [row.split()[0] for row in rows[1:]] == [
            "tiny.gguf", "owner/name", "absorbing", "hash", "house", "half", "Another:",
        ]  # fmt: skip
        assert "pip install 'cyborg-loom[llama]'" in rows[1]
        assert "not in this copy" in rows[5]
        assert "download the weights" in rows[6]
        for step, words in ((1, "needs llama.cpp"), (4, "house is not in this copy")):
            await pilot.press(*["down"] * step, "enter")
            assert words in said(app)
            assert app.screen is screen


async def test_a_model_s_card_is_read(make_app: MakeApp, wait_for: WaitFor, folder: Path) -> None:
    card = "---\nlicense: mit\n---\n# Half a model\n\nMade of [/b] nothing.\n" + "\n- more" * 60
    (folder / "half" / "README.md").write_text(card)
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await open_list(app, pilot, wait_for)
        await pilot.press("c")
        assert "echo has no card" in said(app)
        await pilot.press(*["down"] * 5, "c")
        await wait_for(pilot, lambda: isinstance(app.screen, ModelCard))
        await wait_for(pilot, lambda: "Made of [/b] nothing." in seen(app))
        assert "The card of half" in seen(app)
        assert "license" not in seen(app)
        await pilot.press("pagedown", "j")
        await wait_for(pilot, lambda: "Made of" not in seen(app))
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is screen
        (folder / "half" / "README.md").unlink()
        (folder / "half" / "README.md").symlink_to(folder / "half" / "config.json")
        (folder / "half" / "config.json").write_bytes(b"\xff not UTF-8")
        await pilot.press("c")
        await wait_for(pilot, lambda: "not UTF-8" in seen(app))
        await pilot.press("q", "end", "c")
        assert app.screen is screen


async def test_another_model_is_loaded_and_the_tree_stays(
    make_app: MakeApp, wait_for: WaitFor, folder: Path, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await open_list(app, pilot, wait_for)
        first = app.session.engine
        await pilot.press("o")
        for answer, words in (
            ("", "no name"),
            (str(tmp_path / "gone"), "There is no file or folder"),
            (str(folder / "half"), "download the weights"),
        ):
            screen.line.value = answer
            await pilot.press("enter")
            assert words in said(app)
        screen.line.value = "nobody/nothing"
        await pilot.press("enter")
        await wait_for(pilot, lambda: app.session.engine is not first)
        assert app.screen is app.main
        assert app.session.engine is not None
        assert app.session.engine.model == "nobody/nothing"
        await wait_for(pilot, lambda: app.main.banner.display)
        assert "not on this computer" in str(app.main.banner.render())
        assert app.session.path_text() == OPENING
        assert "nobody/nothing" not in offers.recent(Paths.default())

        screen = await open_list(app, pilot, wait_for)
        assert "● nobody/nothing" in str(screen.options.highlighted_option.prompt)  # type: ignore[union-attr]
        failed = app.session.engine
        await pilot.press("home", "enter")
        await wait_for(pilot, lambda: app.session.engine is not failed)
        assert app.session.engine.model == "echo"
        await app.session.engine_ready()
        await wait_for(pilot, lambda: not app.main.banner.display)
        await pilot.press("g")
        await wait_for(pilot, lambda: len(app.session.tree) > 2 and not app.session.growing())
        assert len(app.session.continuations()) == 4
        assert offers.recent(Paths.default()) == ["echo"]


async def test_choosing_the_model_that_is_loaded_changes_nothing(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for)
        engine = app.session.engine
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is app.main
        assert app.session.engine is engine
