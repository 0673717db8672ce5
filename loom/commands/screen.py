"""`open`: a first look at the session at once, then the screen itself, which takes longer."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from loom.console import CommandError, Console
from loom.paths import Paths
from loom.ui.glimpse import Glimpse


def open_screen(args: Namespace, console: Console) -> int:
    """Returns when the screen is closed."""
    need_terminal()
    paths = Paths.default()
    session = paths.last_session() if args.file is None else Path(args.file)
    with Glimpse.of(session, paths.state) as first:
        from loom.commands import opening  # deferred: nearly all of the time is for its imports

        return opening.open_screen(args, console, first)


def need_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError(
            "The screen needs a terminal for both input and output.",
            "Without one, use commands such as `loom new` and `loom generate`; `loom --help`.",
        )
