"""What can go wrong with a session file, each in one sentence with a hint.

StoreError
├── SessionMissing   nothing is there
├── SessionForeign   something else is there
├── SessionLocked    another Loom has it open
├── SessionNewer     written by a later version of Loom, and not readable by this one
└── SessionDamaged   it is a session, but part of it can't be read
"""

from __future__ import annotations

import sqlite3
from pathlib import Path


class StoreError(Exception):
    """What failed and why (the message), and what to do (`hint`); both are shown to the user."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SessionMissing(StoreError): ...


class SessionForeign(StoreError): ...


class SessionNewer(StoreError): ...


class SessionDamaged(StoreError): ...


class SessionLocked(StoreError):
    """`pid` and `host` of the holder as it wrote them down; 0 and "" where it hasn't yet."""

    def __init__(self, message: str, hint: str = "", pid: int = 0, host: str = "") -> None:
        super().__init__(message, hint)
        self.pid = pid
        self.host = host


_SAID = {
    "SQLITE_FULL": ("the disk is full", "Make room; Loom tries again by itself."),
    "SQLITE_READONLY": (
        "it is read-only",
        "Allow writing to the file and its folder; Loom tries again by itself.",
    ),
    "SQLITE_BUSY": (
        "another program is using it",
        "Close the other program; Loom tries again by itself.",
    ),
    "SQLITE_CANTOPEN": (
        "it can't be opened",
        "Check that the folder is there and that you may write in it.",
    ),
    "SQLITE_PERM": ("you may not use it", "Allow yourself to read and write the file."),
    "SQLITE_IOERR": (
        "the disk reported an error",
        "Check the disk and the room on it; Loom tries again by itself.",
    ),
    "SQLITE_NOMEM": ("memory ran out", "Close other programs; Loom tries again by itself."),
}
_DAMAGE = {"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_MISMATCH"}


NONSENSE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading the values of a file may raise whose version had no checksums."""


def damaged(path: Path, detail: object) -> SessionDamaged:
    """The error for a session of which `detail` says what can't be read."""
    return SessionDamaged(
        f"{path.name} is damaged: {str(detail).rstrip('.')}.",
        f"Nothing in it was changed; `loom doctor {path} --repair` saves what can be read "
        "into a new file.",
    )


def explained(error: sqlite3.Error, path: Path, doing: str) -> StoreError:
    """The StoreError for what SQLite raised; `doing` completes "could not be …" ("written")."""
    name = getattr(error, "sqlite_errorname", "") or ""
    family = "_".join(name.split("_")[:2])
    if family in _DAMAGE or "decode to UTF-8" in str(error):
        return damaged(path, error)
    why, hint = _SAID.get(family, (str(error), f"`loom doctor {path}` checks the file."))
    return StoreError(f"{path.name} could not be {doing}: {why}.", hint)
