"""The sessions in a folder: listed, begun, renamed, duplicated, saved as text.

Looks at files from outside; what happens inside a session is the Session's.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from loom.config import Config
from loom.core.text import decode, visible
from loom.history import SET, Operation
from loom.session import SESSION_SUFFIX, Session
from loom.store.atomic import write_atomically
from loom.store.batch import Batch, EventRow
from loom.store.errors import SessionLocked, StoreError
from loom.store.glance import glance
from loom.store.store import Store

BESIDE = ("-wal", "-shm", "-journal")  # what SQLite leaves beside a file that was not closed
SQLITE_HEADER = b"SQLite format 3\0"
MARKDOWN = {".md", ".markdown"}


@dataclass(frozen=True, slots=True)
class Shelved:
    """A session as a list shows it. `size` in bytes, `changed` in Unix time; `problem` is a
    sentence where the file can't be read."""

    path: Path
    title: str
    size: int
    changed: float
    nodes: int = 0
    words: str = ""
    problem: str = ""


def listed(folder: Path, also: Iterable[Path] = ()) -> list[Shelved]:
    """The sessions in `folder` and those of `also` that are there, the newest first."""
    try:
        inside = [path for path in folder.iterdir() if path.suffix == SESSION_SUFFIX]
    except OSError:
        inside = []
    paths = dict.fromkeys(path.resolve() for path in (*also, *inside))
    found = [shelved for path in paths if (shelved := look_at(path)) is not None]
    return sorted(found, key=lambda shelved: (-shelved.changed, shelved.title))


def look_at(path: Path) -> Shelved | None:
    """None where there is no file; a file that can't be read is shown with its problem."""
    try:
        sizes = [path.stat(), *(s for s in map(_stat, beside(path)) if s is not None)]
    except OSError:
        return None
    size, changed = sum(s.st_size for s in sizes), max(s.st_mtime for s in sizes)
    return _looked_at(path, size, changed, tuple((s.st_ino, s.st_ctime_ns) for s in sizes))


@lru_cache(maxsize=1024)
def _looked_at(
    path: Path, size: int, changed: float, files: tuple[tuple[int, int], ...]
) -> Shelved:
    """Remembered as long as its files are the same, which (inode, time of any change) tells."""
    try:
        seen = glance(path)
    except StoreError as error:
        return Shelved(path, path.stem, size, changed, problem=f"{error} {error.hint}".strip())
    words = " ".join(visible(decode(seen.opening)).split())
    return Shelved(path, seen.title or path.stem, size, changed, seen.nodes, words)


def opened(path: Path) -> Session:
    """To look at only, where another Loom has it open. Raises StoreError."""
    try:
        return Session.open(path)
    except SessionLocked:
        return Session.open(path, read_only=True)


def begun(path: Path, config: Config) -> Session:
    """A new session with the sampling of the settings. Raises StoreError."""
    session = Session.create(path)
    session.set_sampling(recipe=config.recipe, branches=config.branches)
    return session


def begun_today(folder: Path, config: Config, today: date) -> Session:
    """A new, empty session named after the day. Raises StoreError."""
    return begun(unused(folder, f"{today}"), config)


def begun_with(text: Path, folder: Path, config: Config) -> Session:
    """A new session in `folder` that begins with what is in a text file. Raises StoreError."""
    content = text_in(text)
    session = begun(unused(folder, text.stem), config)
    if content:
        session.write(content)
    return session


def is_session(path: Path) -> bool:
    """Whether there is a file that begins as sessions do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE_HEADER)) == SQLITE_HEADER


def text_in(path: Path) -> bytes:
    """Raises StoreError where there is no text to be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"{path} can't be read: {error.strerror}.", "Check the name and the rights of the file."
        ) from error
    if content.startswith(SQLITE_HEADER):
        raise StoreError(
            f"{path.name} is a session or another database, not a text.",
            "`loom show` prints what is in a session.",
        )
    return content


def unused(folder: Path, stem: str) -> Path:
    """`stem`.loom in `folder`, with a number if that is taken. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {folder} can't be made: {error.strerror}.", "Allow writing there."
        ) from error
    names = (stem if n == 1 else f"{stem}-{n}" for n in itertools.count(1))
    paths = (folder / (name + SESSION_SUFFIX) for name in names)
    return next(path for path in paths if not os.path.lexists(path))


def renamed(path: Path, title: str) -> None:
    """Give a session that nobody has open another title; its file keeps its name.

    Raises StoreError, or ValueError for no title.
    """
    store = Store.open(path)
    try:
        new, loaded = checked_title(title), store.load()
        change = Operation(SET, settings=(("title", loaded.meta.get("title"), new),))
        number = loaded.events[-1].id + 1 if loaded.events else 1
        event = EventRow(number, time.time(), SET, change.to_json())
        store.post(Batch(meta={"title": new}, event=event))
    finally:
        store.close()


def checked_title(title: str) -> str:
    """On one line, without what a terminal would take for orders. Raises ValueError for none."""
    flat = " ".join(visible(title).split())
    if not flat:
        raise ValueError("A title needs at least one letter.")
    return flat


def duplicated(path: Path, copy: Callable[[Path], None] | None = None) -> Path:
    """A copy beside the session, also while someone has it open; its path. Raises StoreError.

    `copy` makes it where this process has the session open and knows more than the file.
    """
    target = unused(path.parent, path.stem)
    if copy is not None:
        copy(target)
    else:
        copied(path, target)
    title = glance(target).title
    if title is not None:
        renamed(target, f"{title} (copy)")
    return target


def copied(path: Path, target: Path) -> None:
    """Copy a session as it is, also while someone has it open. Raises StoreError."""
    store = Store.open(path, read_only=True)
    try:
        store.copy_to(target)
    finally:
        store.close()


def text_of(path: Path) -> bytes:
    """The text up to where the writer is in a session. Raises StoreError."""
    session = Session.open(path, read_only=True)
    try:
        return session.tree.path_bytes(session.place)
    finally:
        asyncio.run(session.close())


def save_text(text: bytes, title: str, path: Path) -> None:
    """Write a path's text: as Markdown where the name says so, else byte for byte.

    Raises StoreError.
    """
    content = as_markdown(decode(text), title) if path.suffix.lower() in MARKDOWN else text
    try:
        write_atomically(path, content)
    except OSError as error:
        raise StoreError(
            f"{path} can't be written: {error.strerror}.", "Choose a folder that is there."
        ) from error


def as_markdown(text: str, title: str) -> bytes:
    """The title as a heading; line ends within a paragraph stay line ends."""
    lines = text.strip("\n").split("\n")
    followed = zip(lines, [*lines[1:], ""], strict=True)
    hard = [f"{line}  " if line.strip() and on.strip() else line for line, on in followed]
    return f"# {title}\n\n{chr(10).join(hard)}\n".encode("utf-8", "replace")


def beside(path: Path) -> list[Path]:
    """The files that SQLite may have left beside a session."""
    return [path.with_name(path.name + suffix) for suffix in BESIDE]


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
