"""Copies of a session from earlier days, kept apart from it and made while it is in use.

At most one a day, and none where nothing has changed since the last; the newest few stay.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from loom.store.errors import StoreError, explained
from loom.store.file import copy, identify
from loom.store.opening import for_reading

KEPT = 5
PAGES = 512  # copied at a time, between two looks at whether the session is being closed
PATIENCE = 2.0  # seconds that closing waits for a copy


class Backups:
    """Those of the session at `path` in `folder`, which is made when it is first written to."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._folder, self._path = folder, path
        place = hashlib.blake2b(str(path.parent).encode("utf-8", "replace"), digest_size=4)
        self._stem = f"{path.stem}.{place.hexdigest()}"

    def there(self) -> list[Path]:
        """The newest first."""
        try:
            found = [p for p in self._folder.iterdir() if p.name.startswith(f"{self._stem}.")]
        except OSError:
            return []
        return sorted((p for p in found if p.suffix == ".loom"), reverse=True)

    def named(self, what: str) -> Path:
        """Where a copy called `what` goes: of dates, the later one is the greater."""
        return self._folder / f"{self._stem}.{what}.loom"

    def due(self, now: datetime) -> bool:
        """Whether none was made today, and something has changed since the last."""
        dated = [path for path in self.there() if _is_dated(path)]
        if not dated:
            return True
        if dated[0] >= self.named(f"{now:%Y-%m-%d}"):
            return False
        return _extent(dated[0]) != _extent(self._path)

    def make(self, now: datetime, stop: Callable[[], bool] = lambda: False) -> Path | None:
        """A copy of today, the oldest beyond KEPT removed; None where `stop` said so.

        Raises StoreError.
        """
        target = self.named(f"{now:%Y-%m-%d}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with closing(for_reading(self._path)) as connection:
                connection.execute("BEGIN")  # one state, however long it takes
                copy(connection, target, pages=PAGES, stop=stop)
            for old in [path for path in self.there() if _is_dated(path)][KEPT:]:
                old.unlink(missing_ok=True)
        except InterruptedError:
            return None
        except FileExistsError:
            return target
        except sqlite3.Error as error:
            raise explained(error, self._path, "copied") from error
        except OSError as error:
            why = f"No backup of {self._path.name} can be made in {self._folder}: {error.strerror}."
            raise StoreError(why, "Make room and allow writing there.") from error
        return target


class Keeper:
    """Makes a copy in a thread of its own where one is due; `close` it before the session."""

    def __init__(
        self, backups: Backups, now: datetime, on_error: Callable[[StoreError], None]
    ) -> None:
        self._backups, self._now, self._on_error = backups, now, on_error
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="session backup", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits a little for a copy under way, then gives it up."""
        self._thread.join(PATIENCE)
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            if self._backups.due(self._now):
                self._backups.make(self._now, self._stopped.is_set)
        except StoreError as error:
            self._on_error(error)


def _is_dated(path: Path) -> bool:
    return path.stem.rpartition(".")[2][:4].isdigit()


def _extent(path: Path) -> tuple[int, int] | None:
    """How far a session has come; None for what can't be read."""
    try:
        identify(path)
        with closing(for_reading(path)) as connection:
            sql = "SELECT (SELECT max(id) FROM event), (SELECT max(id) FROM node)"
            events, nodes = connection.execute(sql).fetchone()
    except (sqlite3.Error, StoreError, OSError, ValueError):
        return None
    return events or 0, nodes or 0
