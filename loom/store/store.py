"""One session file: created, opened, loaded, written batch by batch, closed.

One thread writes (see writer.py); spans and pieces are read where they are asked for, through a
second connection that can't write. It knows rows, not what they mean.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from loom.core.span import Span
from loom.store.batch import Batch, EventRow, Loaded, ModelRow, ReadingRow
from loom.store.errors import (
    SessionDamaged,
    SessionForeign,
    SessionLocked,
    SessionMissing,
    SessionNewer,
    StoreError,
    damaged,
    explained,
)
from loom.store.file import copy, has_log, identify, settle
from loom.store.loading import read_all, read_events, read_ordinal
from loom.store.lock import Lock
from loom.store.opening import for_reading, for_writing, make, seen_whole, unwritable
from loom.store.rows import read_pieces, read_readings, read_span, statements, write
from loom.store.schema import VERSION
from loom.store.writer import Posted, Writer

__all__ = [
    "Batch",
    "EventRow",
    "Loaded",
    "ModelRow",
    "SessionDamaged",
    "SessionForeign",
    "SessionLocked",
    "SessionMissing",
    "SessionNewer",
    "Store",
    "StoreError",
]

T = TypeVar("T")


class _Overtaken(Exception): ...


class Store:
    """Made by `create` or `open`; `close` it. Any thread may call any method.

    `read_only_because` is a sentence for the user where `read_only` is true. `on_error` is called
    with a StoreError in the writer's thread; nothing that was posted is dropped then, and `error`
    is None again once it got through.
    """

    def __init__(
        self,
        path: Path,
        version: int,
        writing: tuple[Lock, sqlite3.Connection] | None,
        read_only_because: str = "",
    ) -> None:
        self.path = path
        self.version = version
        self.read_only_because = read_only_because
        self.on_error: Callable[[StoreError], None] = lambda error: None
        self._writing = writing
        self._writer: Writer | None = None
        self._reading = threading.RLock()
        # Opened now, so that everything can still be read if the file is moved away.
        self._reader = for_reading(path)
        self._closed = False
        self._loaded: Loaded | None = None  # as it was looked through before it was opened
        self._inode = path.stat().st_ino
        if writing is not None:
            self._writer = Writer(
                writing[1], self._explained, self._moved, lambda error: self.on_error(error)
            )
            atexit.register(self._close_at_exit)

    @classmethod
    def create(cls, path: Path) -> Store:
        """A new session; raises StoreError where something is already or nothing can be made."""
        path = Path(path).absolute()
        try:
            if os.path.lexists(path):
                raise FileExistsError
            if has_log(path):
                raise StoreError(
                    f"{path.name}-wal is left over from an earlier session of that name.",
                    "Put that session back beside it, or move the log away.",
                )
            make(path)
        except FileExistsError as error:
            raise StoreError(
                f"{path.name} is there already.", "Open it, or choose another name."
            ) from error
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{path} can't be made: {_reason(error)}.",
                "Choose a folder that is there and that you may write in.",
            ) from error
        except sqlite3.Error as error:
            raise explained(error, path, "made") from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Store:
        """The session at `path`, brought to the present version after a copy of it was kept.

        Raises SessionLocked where another Loom writes in it, which `read_only` doesn't ask. It
        opens read-only by itself where the file is newer than this Loom or may not be written.
        """
        try:
            path = Path(path).resolve()
            version = identify(path)
            reason = "It was opened read-only." if read_only else unwritable(path, version)
        except (OSError, ValueError, RuntimeError) as error:
            raise StoreError(f"{path} can't be opened: {_reason(error)}.", "") from error
        try:
            return cls(path, version, None, reason) if reason else cls._locked(path)
        except sqlite3.Error as error:
            raise explained(error, path, "opened") from error
        except UnicodeDecodeError as error:  # SQLite quoting what it found in place of a table
            raise damaged(path, "its tables can't be read") from error
        except (TypeError, ValueError) as error:
            raise damaged(path, error) from error
        except OSError as error:
            why = f"{path.name} can't be brought up to date: {_reason(error)}."
            raise StoreError(why, "Make room and allow writing in its folder.") from error

    @classmethod
    def _locked(cls, path: Path) -> Store:
        lock = Lock(path)
        try:
            loaded = seen_whole(path)
            connection = for_writing(path)
        except SessionNewer:
            lock.release()
            return cls(path, VERSION + 1, None, unwritable(path, VERSION + 1))
        except BaseException:
            lock.release()
            raise
        try:
            store = cls(path, VERSION, (lock, connection))
            store._loaded = loaded
            return store
        except BaseException:
            settle(connection)
            lock.release()
            raise

    @property
    def read_only(self) -> bool:
        return self._writer is None

    @property
    def error(self) -> StoreError | None:
        """What keeps posted batches from the file at present."""
        return None if self._writer is None else self._writer.error

    def load(self, recent: int | None = None) -> Loaded:
        """Everything but spans and pieces, after what is posted was written; of events all, or
        about as many of the last as are `recent`."""
        if self._writer is not None:
            self._writer.flush()
        loaded, self._loaded = self._loaded, None
        if loaded is None or recent is None:
            return self._read(lambda connection: read_all(connection, recent))
        return loaded

    def events(self) -> tuple[EventRow, ...]:
        """All that has happened, in order, after what is posted was written."""
        if self._writer is not None:
            self._writer.flush()
        return self._read(read_events)

    def ordinal(self, place: str) -> int:
        """How many generations there were at the place of that hash when it was opened."""
        return self._read(lambda connection: read_ordinal(connection, place))

    def span(self, node: int) -> Span | None:
        """Of the node as posted last; None where no model has read it."""
        for batch, _ in reversed(self._waiting()):
            for written, span in reversed(batch.nodes):
                if written.id == node and span is not None:
                    return span
        return self._read(lambda connection: read_span(connection, node))

    def readings(self, node: int) -> tuple[ReadingRow, ...]:
        """What instruments have read in the node; where that is damaged, nothing."""
        waiting = self._waiting()  # before the file is asked: some of it may get there meanwhile
        try:
            found = {row.instrument: row for row in self._read(lambda c: read_readings(c, node))}
        except SessionDamaged:
            found = {}
        for batch, _ in waiting:
            found |= {row.instrument: row for row in batch.readings if row.node == node}
        return tuple(found.values())

    def pieces(self, model: int, ids: Iterable[int]) -> dict[int, bytes]:
        """The bytes of those tokens of `model` that are known."""
        wanted = set(ids)
        found: dict[int, bytes] = {}
        for batch, _ in reversed(self._waiting()):
            for owner, token, piece in batch.pieces:
                if owner == model and token in wanted:
                    found.setdefault(token, piece)
        rest = wanted - found.keys()
        return self._read(lambda connection: read_pieces(connection, model, rest)) | found

    def post(self, batch: Batch) -> None:
        """Queues one transaction and returns; it is kept until it is in the file.

        Raises ValueError or TypeError for values no file can hold and StoreError where writing is
        over (closed, read-only).
        """
        self._loaded = None
        if self._writer is None:
            raise StoreError(
                f"{self.path.name} can't be changed. {self.read_only_because}",
                "Save a copy and go on in that.",
            )
        self._writer.post(Posted(batch, statements(batch)))

    def flush(self) -> None:
        """Waits until what was posted is on the disk; raises StoreError if it can't be."""
        if self._writer is not None:
            self._writer.flush()

    def copy_to(self, path: Path) -> None:
        """The session with all that was posted, written or not, in a new file.

        Raises StoreError, also where there is a file already.
        """
        path = Path(path).absolute()
        try:
            while not self._copied_to(path):
                pass
        except OSError as error:
            raise StoreError(
                f"{path} can't be made: {_reason(error)}.", "Choose another name or folder."
            ) from error

    def _copied_to(self, path: Path) -> bool:
        """False where the writer got on meanwhile, so that old batches would undo newer ones."""
        waiting = self._waiting()

        def finish(copied: sqlite3.Connection) -> None:
            if self._waiting()[:1] != waiting[:1]:
                raise _Overtaken
            for posted in waiting:
                write(copied, posted.statements)

        try:
            self._read(lambda connection: copy(connection, path, finish))
        except _Overtaken:
            return False
        return True

    def close(self) -> None:
        """Leaves a single file; raises StoreError if something posted could not be written.

        Everything is closed and unlocked then all the same. A second call does nothing.
        """
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._close_at_exit)
        left, error = 0, None
        if self._writer is not None:
            left, error = self._writer.close(), self._writer.error
        with self._reading:
            self._reader.close()
        if self._writing is not None:
            lock, connection = self._writing
            settle(connection)
            lock.release()
        if left:
            why = str(error).rstrip(".") if error else "writing failed"
            lost = "The last change is" if left == 1 else f"The last {left} changes are"
            raise StoreError(f"{lost} not saved: {why}.", error.hint if error else "")

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except StoreError as error:
            print(error, file=sys.stderr)

    def _waiting(self) -> tuple[Posted, ...]:
        return () if self._writer is None else self._writer.waiting()

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with self._reading:
            if self._closed:
                raise StoreError("The session is closed.", "Open it again to read it.")
            try:
                return read(self._reader)
            except (sqlite3.Error, ValueError, TypeError) as error:
                raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> StoreError:
        if self.version > VERSION:
            return SessionNewer(
                f"{self.path.name} was written by a later Loom and can't be read by this one.",
                "Update Loom.",
            )
        if isinstance(error, sqlite3.Error):
            return explained(error, self.path, "read")
        return damaged(self.path, error)

    def _explained(self, error: Exception) -> StoreError:
        if isinstance(error, sqlite3.Error):
            return explained(error, self.path, "written")
        return StoreError(f"{self.path.name} could not be written: {error}.", "")

    def _moved(self) -> StoreError | None:
        try:
            if self.path.stat().st_ino == self._inode:
                return None
        except OSError:
            pass
        return StoreError(
            f"{self.path.name} was moved or removed while it is open.",
            "Put it back, or save a copy under another name; this window still holds everything.",
        )


def _reason(error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return "it is there already"
    return getattr(error, "strerror", None) or str(error)
