"""Sessions thrown away: a folder beside the others, to come back from until it is emptied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loom.session import SESSION_SUFFIX
from loom.shelf import BESIDE, Shelved, beside, listed, unused
from loom.store.atomic import sync_folder
from loom.store.errors import StoreError
from loom.store.file import identify
from loom.store.lock import Lock

TRASH = "trash"


def trashed(path: Path) -> Path:
    """Move a session into the folder `trash` beside it; where it is now.

    A damaged one, too, but nothing else: raises StoreError for what is no session or can't be
    moved, SessionLocked where someone has it open.
    """
    path = path.absolute()
    _check_session(path)
    return _moved(path, path.parent / TRASH, "moved to the trash")


def thrown(folder: Path) -> list[Shelved]:
    """What lies in the trash of a folder of sessions, the newest first."""
    return listed(folder / TRASH)


def restored(path: Path) -> Path:
    """Move a session out of the trash, back to the others; where it is now.

    Raises StoreError as `trashed` does, and for what lies in no trash.
    """
    path = path.absolute()
    _check_session(path)
    if path.parent.name != TRASH:
        raise StoreError(
            f"{path.name} is not in a trash folder.", "`loom sessions --trashed` lists what is."
        )
    return _moved(path, path.parent.parent, "moved out of the trash")


def emptied(folder: Path) -> int:
    """Delete for good every session in the trash of `folder`; how many there were.

    Raises StoreError at the first that can't be deleted, or that someone has open.
    """
    found = thrown(folder)
    for shelved in found:
        with _held(shelved.path, "deleted"):
            for file in (shelved.path, *beside(shelved.path)):
                file.unlink(missing_ok=True)
            sync_folder(folder / TRASH)
    return len(found)


def _check_session(path: Path) -> None:
    """A damaged session has at least the name of one. Raises StoreError."""
    if path.suffix != SESSION_SUFFIX or not path.is_file():
        identify(path)


def _moved(path: Path, folder: Path, what: str) -> Path:
    with _held(path, what):
        target = unused(folder, path.stem)
        path.rename(target)
        for left, suffix in zip(beside(path), BESIDE, strict=True):
            if left.exists():
                left.rename(target.with_name(target.name + suffix))
        sync_folder(folder)
        sync_folder(path.parent)
    return target


@contextmanager
def _held(path: Path, what: str) -> Iterator[None]:
    """Nobody else has it open meanwhile; a file system that refuses is a StoreError."""
    lock = Lock(path)
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path.name} can't be {what}: {error.strerror}.", "Allow writing in its folder."
        ) from error
    finally:
        lock.release()
