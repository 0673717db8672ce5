"""What takes a while is said while one waits."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from loom.session import Session
from loom.ui import switching
from loom.ui.app import LoomApp
from loom.ui.screens.sessions import Opening

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


async def test_a_session_that_opens_slowly_says_so(
    make_app: MakeApp, wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Session.create(tmp_path / "big.loom", seed=1)._store.close()
    monkeypatch.setattr(switching, "PATIENCE", 0.01)
    app, gate = make_app("Once."), threading.Event()
    opened = app._opened

    def slowly(opening: Opening) -> Session:
        gate.wait(20)
        return opened(opening)

    monkeypatch.setattr(app, "_opened", slowly)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        before = app.main
        app.choose_session(Opening(tmp_path / "big.loom"))
        await wait_for(pilot, lambda: "opening big" in str(before.status.render()))
        await pilot.press("b")
        assert app.session.marks.of(1), "and one can go on meanwhile"
        gate.set()
        await wait_for(pilot, lambda: app.main is not before and app.main.is_mounted)
        assert app.session.path.stem == "big"
        assert before.status.awaited == ""
