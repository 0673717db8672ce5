"""`open`, `demo`: find or make the session that was asked for and hand it to the screen."""

from __future__ import annotations

import gc
import sys
from argparse import Namespace
from datetime import date
from pathlib import Path

from loom import recordings, shelf
from loom.commands import access
from loom.commands.screen import need_terminal
from loom.config import Config, Paths
from loom.console import CommandError, Console
from loom.session import SESSION_SUFFIX, Session
from loom.ui.glimpse import Glimpse

TURN = 0.001  # seconds after which the thread that reads keys gets its turn


def open_screen(args: Namespace, console: Console, first: Glimpse) -> int:
    """Returns when the screen is closed; `first` stands on the terminal meanwhile, or nothing."""
    gc.disable()  # until the first frame: a tree of 100,000 nodes would be searched for garbage
    config, paths = access.config_of(args), Paths.default()
    with (first if first.stands else console).waiting("opening the session"):
        session = session_for(args.file, config, paths, date.today())
    return _shown(session, args, console, first)


def open_demo(args: Namespace, console: Console) -> int:
    """A copy of a recorded session, to look about in and to go on with."""
    need_terminal()
    recorded = recordings.recording(args.recording)
    path = recordings.taken_out(recorded.path, Paths.default().sessions)
    with console.waiting("opening the session"):
        session = shelf.opened(path)
    with Glimpse.of(None, path) as first:
        return _shown(session, args, console, first)


def _shown(session: Session, args: Namespace, console: Console, first: Glimpse) -> int:
    """Until the screen is closed."""
    from loom.ui import pasting  # deferred: the commands don't wait for Textual
    from loom.ui.app import LoomApp
    from loom.ui.driver import taking_over

    sys.setswitchinterval(TURN)
    trouble = _remembered(session)
    pasting.install()
    app = LoomApp(session, access.config_of(args), args.model)
    app.driver_class = taking_over(first) or app.driver_class
    app.run()
    if trouble:
        console.note(f"Loom can't remember this session for next time: {trouble}.")
    return app.return_code or 0


def _remembered(session: Session) -> str:
    """Why it couldn't be; "" if it could."""
    try:
        Paths.default().remember_session(session.path)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def session_for(name: str | None, config: Config, paths: Paths, today: date) -> Session:
    """The last session or a new one; that session, old or new; a new one with that text.

    Raises StoreError or CommandError.
    """
    if name is None:
        last = paths.last_session()
        if last is None:
            return shelf.begun_today(paths.sessions, config, today)
        return shelf.opened(last)
    path = Path(name)
    if path.suffix == SESSION_SUFFIX or shelf.is_session(path):
        return shelf.opened(path) if path.exists() else shelf.begun(path, config)
    if not path.exists():
        raise CommandError(
            f"There is no file {name}.", f"`loom {name}{SESSION_SUFFIX}` begins a session."
        )
    return shelf.begun_with(path, path.parent, config)
