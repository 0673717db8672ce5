"""The one thread that writes: batches in the order they were posted, each in one transaction.

What can't be written now stays at the head of the queue and is tried again, every few seconds and
at each post, flush and close. It knows no tables and no files.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from loom.store.batch import Batch
from loom.store.errors import StoreError
from loom.store.rows import Statement, write

RETRY_SECONDS = 2.0
_FOR_GOOD = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class Posted(NamedTuple):
    """A batch and what writes it."""

    batch: Batch
    statements: list[Statement]


class Writer:
    """Uses `connection` alone until close() has returned.

    `explain` turns an exception into a StoreError; `check` says after a transaction what is wrong
    with the file although it could be written. `on_error` hears of either in the writer's thread,
    once until it changes or passes.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        explain: Callable[[Exception], StoreError],
        check: Callable[[], StoreError | None],
        on_error: Callable[[StoreError], None],
    ) -> None:
        self._connection = connection
        self._explain = explain
        self._check = check
        self._on_error = on_error
        self._queue: deque[Posted] = deque()
        self._changed = threading.Condition()
        self._error: StoreError | None = None
        self._tries = 0
        self._urged = False
        self._closing = False
        self._lost = (
            False  # the head of the queue can never be written, and nothing may overtake it
        )
        self._thread = threading.Thread(target=self._run, name="session writer", daemon=True)
        self._thread.start()

    @property
    def error(self) -> StoreError | None:
        """What is wrong at present."""
        return self._error

    def post(self, posted: Posted) -> None:
        """Returns at once. Raises StoreError after close() and once writing has failed for good."""
        with self._changed:
            if self._closing:
                raise StoreError("The session is closed.", "Open it again to write in it.")
            if self._lost and self._error is not None:
                raise self._error
            self._queue.append(posted)
            self._urge()

    def waiting(self) -> tuple[Posted, ...]:
        """What isn't in the file yet, oldest first; the head may just have got there."""
        with self._changed:
            return tuple(self._queue)

    def flush(self) -> None:
        """Waits until what was posted so far is in the file; raises StoreError if it can't be."""
        with self._changed:
            last, tries = (self._queue[-1] if self._queue else None), self._tries
            self._urge()
            while last is not None and any(posted is last for posted in self._queue):
                if self._error is not None and (self._lost or self._tries > tries):
                    raise self._error
                self._changed.wait()
            if self._error is not None:
                raise self._error

    def close(self) -> int:
        """Writes what can be written and ends the thread; how many batches are left over."""
        with self._changed:
            self._closing = True
            self._urge()
        self._thread.join()
        return len(self._queue)

    def _urge(self) -> None:
        self._urged = True
        self._changed.notify_all()

    def _run(self) -> None:
        while (posted := self._next()) is not None:
            try:
                write(self._connection, posted.statements)
            except Exception as error:  # the thread's border: whatever it was, no text is dropped
                if posted.batch.derived:
                    self._dropped()
                else:
                    self._failed(error)
            else:
                self._written()

    def _next(self) -> Posted | None:
        """Waits for something to try; None when it is over."""
        with self._changed:
            if self._error is not None and self._queue:
                self._changed.wait_for(lambda: self._urged, RETRY_SECONDS)
            ready = (
                (lambda: self._closing) if self._lost else (lambda: self._queue or self._closing)
            )
            self._changed.wait_for(ready)
            self._urged = False
            return None if self._lost or not self._queue else self._queue[0]

    def _written(self) -> None:
        trouble = self._check()
        with self._changed:
            self._queue.popleft()
            news = self._note(trouble)
        self._tell(trouble if news else None)

    def _dropped(self) -> None:
        """What can be computed again holds nothing up; what is wrong, the next batch will find."""
        with self._changed:
            self._queue.popleft()
            self._changed.notify_all()

    def _failed(self, error: Exception) -> None:
        trouble = self._explain(error)
        with self._changed:
            # A last try was made while closing: what is left over is counted by close().
            self._lost = isinstance(error, _FOR_GOOD) or self._closing
            self._tries += 1
            news = self._note(trouble)
        self._tell(trouble if news else None)

    def _note(self, trouble: StoreError | None) -> bool:
        news = str(trouble) != str(self._error)
        self._error = trouble
        self._changed.notify_all()
        return news

    def _tell(self, trouble: StoreError | None) -> None:
        if trouble is None:
            return
        # A listener that is gone already must not end the thread; flush and close say it again.
        with suppress(Exception):
            self._on_error(trouble)
