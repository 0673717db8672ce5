"""`backups` and `compact`: the copies of a session, and room for more."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from loom.compaction import Compacted, compacted
from loom.console import Console
from loom.core.text import visible
from loom.facts import Facts
from loom.paths import Paths
from loom.store.backup import Backups


def backups(args: Namespace, console: Console) -> None:
    """Of a session that may be gone, too."""
    path, folder = args.session.resolve(), Paths.default().backups
    found = [_facts(copy) for copy in Backups(folder, path).there()]
    facts = {"session": str(path), "folder": str(folder), "backups": found}
    console.answer(lambda: facts, lambda: _lines(path, folder, found))


def _facts(copy: Path) -> Facts:
    known = copy.stat()
    return {"path": str(copy), "size": known.st_size, "made": known.st_mtime}


def _lines(path: Path, folder: Path, found: list[Facts]) -> Iterator[str]:
    for fact in found:
        made = datetime.fromtimestamp(fact["made"]).isoformat(" ", "minutes")
        yield visible(f"{made}  {fact['size']:>12,} bytes  {fact['path']}")
    if found:
        yield "Each is a session: open it, or copy it over the other one."
    else:
        yield visible(f"There are no backups of {path} in {folder}.")


def compact(args: Namespace, console: Console) -> None:
    done = compacted(args.session)
    facts = {
        "session": str(args.session.absolute()),
        "removed": list(done.removed),
        "before": done.before,
        "after": done.after,
        "backup": None if done.backup is None else str(done.backup),
    }
    console.answer(lambda: facts, lambda: _told(done))


def _told(done: Compacted) -> Iterator[str]:
    if done.backup is None:
        yield "Nothing is hidden, so there is nothing to remove."
        return
    count = len(done.removed)
    yield (
        f"Removed {count:,} hidden node{'' if count == 1 else 's'} for good: "
        f"{done.before:,} bytes are {done.after:,} now."
    )
    yield visible(f"The session as it was is {done.backup}.")
