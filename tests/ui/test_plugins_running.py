"""Plugins read along while one writes: begun behind the engine, ended with the program."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.screens.sessions import Opening

WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


def process_of(session: Session) -> int | None:
    client = session._readings.client
    return None if client is None else client.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("plugins_run")
async def test_what_grows_is_read_and_another_session_goes_on_with_the_plugins(
    make_app: Callable[..., LoomApp], wait_for: WaitFor, settle: Callable[..., Awaitable[None]]
) -> None:
    app = make_app("The lamp was")
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(pilot, lambda: process_of(app.session) is not None)
        first, pid = app.session, process_of(app.session)
        assert pid is not None
        await pilot.press("g")
        await settle(pilot)
        node = first.tree.next_id - 1
        await wait_for(pilot, lambda: "surprise" in first.readings(node))
        other = first.path.with_name("other.loom")
        await Session.create(other).close()
        app.choose_session(Opening(other))
        await wait_for(pilot, lambda: app.session is not first and process_of(app.session) == pid)
        assert is_alive(pid)
        await pilot.press("q")
    assert not is_alive(pid)
