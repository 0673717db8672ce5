"""Who has a session open: flock on a hidden file beside it.

The lock belongs to the open file, so it goes away with the process, however that ends. Process and
host written into it are only for the message.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from loom.store.errors import SessionLocked, StoreError


class Lock:
    """Taken when made; raises SessionLocked, or StoreError where no lock can be had."""

    def __init__(self, session: Path) -> None:
        self.path = lock_path(session)
        self._descriptor = _taken(session, self.path)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Removes the file while still holding it, so that nobody can have locked it meanwhile."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            if _same(self._descriptor, self.path):
                self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1


def lock_path(session: Path) -> Path:
    return session.with_name(f".{session.name}.lock")


def _taken(session: Path, path: Path) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(
                f"{session.name} can't be locked: {error.strerror}.",
                "Allow writing in its folder, or open the session read-only.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _refused(session, descriptor, error) from error
        if _same(descriptor, path):
            return descriptor
        # The holder removed the file between our opening and locking it: this lock guards nothing.
        os.close(descriptor)


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _refused(session: Path, descriptor: int, error: OSError) -> StoreError:
    written = os.pread(descriptor, 300, 0).decode(errors="replace").split()
    os.close(descriptor)
    if not isinstance(error, BlockingIOError):
        return StoreError(
            f"{session.name} can't be locked: {error.strerror}.",
            "Its file system has no locks; move the session to a local disk.",
        )
    pid, host = (int(written[0]), written[1]) if _holder(written) else (0, "")
    who = f" (process {pid} on {host})" if pid else ""
    return SessionLocked(
        f"{session.name} is open in another Loom{who}.",
        "Close it there, or open the session read-only.",
        pid,
        host,
    )


def _holder(written: list[str]) -> bool:
    return len(written) == 2 and written[0].isascii() and written[0].isdigit()
