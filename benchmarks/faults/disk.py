"""A full disk, a folder that is read-only or gone, a clock put back, two Looms on a file."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks.faults.outcome import Outcome
from benchmarks.faults.story import Story, write_story
from benchmarks.faults.witness import Lie, Witness
from loom.session import Session
from loom.store.examine import examine
from loom.store.store import SessionLocked, Store, StoreError

DISK = 1 << 20  # bytes of the small disk
NOBODY = 65534


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of its own in memory, where one may be mounted; None elsewhere."""
    place = folder / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield place if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=False)
        place.rmdir()


def full(folder: Path, source: random.Random, count: int) -> Outcome:
    """Room runs out while one writes, and comes back: on a small disk, else by a quota of size."""
    with small_disk(folder) as disk:
        if disk is None:
            outcome = Outcome("disk full (by RLIMIT_FSIZE)")
            for index in range(count):
                outcome.attempt(f"case {index}", partial(_quota, folder, source))
            return outcome
        outcome = Outcome("disk full (a tmpfs of 1 MiB)")
        for index in range(count):
            outcome.attempt(f"case {index}", partial(_filled, disk, source))
    return outcome


def _filled(disk: Path, source: random.Random) -> tuple[str, float]:
    filler, path = disk / "filler", disk / "story.loom"
    filler.write_bytes(bytes(source.randrange(DISK // 4, DISK * 3 // 4)))
    try:
        return _through_need(path, source, filler.unlink)
    finally:
        for left in disk.iterdir():
            left.unlink()


def _quota(folder: Path, source: random.Random) -> tuple[str, float]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = folder / "story.loom"
    try:
        limit = source.randrange(DISK // 8, DISK // 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        lift = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
        return _through_need(path, source, lift)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
        path.unlink(missing_ok=True)


def _through_need(path: Path, source: random.Random, make_room: object) -> tuple[str, float]:
    """Write until it fails; then half of the time there is room again, half of the time a kill."""
    assert callable(make_room)
    seed = source.randrange(1000)
    try:
        store = Store.create(path)
    except StoreError:
        make_room()
        return "said at once", 1.0
    story, said = Story(store, seed), 0
    for number in range(1, 400):
        story.grow(1)
        try:
            store.flush()
            said = number
        except StoreError as error:
            if "full" not in str(error) and "disk" not in str(error):
                raise Lie(f"a full disk was called: {error}") from error
            break
    else:
        return "never full", 1.0
    if source.random() < 0.5:
        make_room()
        store.flush()
        store.close()
        said, what = number, "went on when there was room"
    else:
        with suppress(StoreError):
            store.close()
        make_room()
        what = "whole up to then"
    now = Witness.of(path, read_only=False).loaded
    if len(now.nodes) < said or [node.id for node in now.nodes] != [*range(1, len(now.nodes) + 1)]:
        raise Lie(f"{said} nodes were said to be saved, {len(now.nodes)} are there")
    if not examine(path).whole:
        raise Lie("; ".join(examine(path).damage))
    return what, 1.0


def folders(folder: Path, source: random.Random, count: int) -> Outcome:
    """The folder becomes read-only, or goes away and comes back, while one writes."""
    outcome = Outcome("the folder read-only, or moved away")
    for index in range(count):
        place = folder / f"place-{index}"
        kind = _gone if index % 2 else _read_only
        outcome.attempt(f"case {index}", partial(kind, place, source))
        shutil.rmtree(place, ignore_errors=True)
    return outcome


def _gone(place: Path, source: random.Random) -> tuple[str, float]:
    """What is moved away is said; what is open goes on, and a copy can be saved."""
    place.mkdir()
    store = Store.create(place / "story.loom")
    story = Story(store, source.randrange(1000))
    story.grow(source.randint(1, 30))
    store.flush()
    place.rename(place.with_name(f"{place.name}-moved"))
    try:
        try:
            story.grow(5)
            store.flush()
        except StoreError as error:
            if "moved or removed" not in str(error):
                raise Lie(f"a folder that is gone was called: {error}") from error
        else:
            raise Lie("nobody was told that the folder is gone")
        saved = place.with_name(f"{place.name}.loom")
        store.copy_to(saved)
        count = len(Witness.of(saved).loaded.nodes)
        saved.unlink()
    finally:
        place.with_name(f"{place.name}-moved").rename(place)
    with suppress(StoreError):
        store.close()
    if len(Witness.of(place / "story.loom", read_only=False).loaded.nodes) < count:
        raise Lie("what was saved elsewhere isn't in the file when it is back")
    return "said, saved elsewhere, whole when back", 1.0


def _read_only(place: Path, source: random.Random) -> tuple[str, float]:
    """In a child that is nobody: the mighty may write anywhere."""
    place.mkdir()
    path = write_story(place / "story.loom", source.randint(1, 30), source.randrange(1000))
    before = path.read_bytes()
    place.chmod(0o555)
    path.chmod(0o444)
    try:
        if (status := _as_nobody(path)) != 0:
            raise Lie(f"reading in a read-only folder went wrong ({status})")
        if path.read_bytes() != before or [p.name for p in place.iterdir()] != [path.name]:
            raise Lie("something was written in a read-only folder")
    finally:
        place.chmod(0o755)
    return "opened read-only", 1.0


def _as_nobody(path: Path) -> int:
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            store = Store.open(path)
            os._exit(0 if store.read_only and store.load().nodes else 2)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]


def clocks(folder: Path, source: random.Random, count: int) -> Outcome:
    """A clock that jumps about, by years, while one writes, undoes and goes back."""
    outcome = Outcome("the clock put back and forth")
    for index in range(count):
        path = folder / "clock.loom"
        outcome.attempt(f"case {index}", partial(_clock, path, source))
        path.unlink(missing_ok=True)
    return outcome


def _clock(path: Path, source: random.Random) -> tuple[str, float]:
    session = Session.create(path, now=lambda: source.uniform(1e6, 4e9))
    node = session.write("one")
    number = session.checkpoint("here")
    other = session.write(" two")
    session.return_to(number)
    session.undo()
    asyncio.run(session.close())
    session = Session.open(path, now=lambda: source.uniform(1e6, 4e9))
    try:
        if session.path_text() != "one two" or session.place != session.tree[other].end:
            raise Lie(f"the text is {session.path_text()!r}")
        session.return_to(number)
        if session.place != session.tree[node].end:
            raise Lie("the clock has changed what a moment is")
    finally:
        asyncio.run(session.close())
    return "whole", 1.0


def two_looms(folder: Path, source: random.Random, count: int) -> Outcome:
    """A second one on the same file: refused to write, free to read, and free to write after."""
    outcome = Outcome("two Looms on one file")
    for index in range(count):
        path = folder / "two.loom"
        outcome.attempt(f"case {index}", partial(_two, path, source))
        path.unlink(missing_ok=True)
    return outcome


def _two(path: Path, source: random.Random) -> tuple[str, float]:
    store = Store.create(path)
    story = Story(store, source.randrange(1000))
    story.grow(source.randint(1, 20))
    store.flush()
    refused = _elsewhere(path)
    story.grow(3)
    store.close()
    if refused != 0:
        raise Lie(f"the second Loom: {refused}")
    if not examine(path).whole:
        raise Lie("the session is damaged")
    Store.open(path).close()
    return "refused, read, then free", 1.0


def _elsewhere(path: Path) -> int:
    child = os.fork()
    if child == 0:
        code = 3
        try:
            Store.open(path)
        except SessionLocked:
            code = 0 if Witness.of(path).loaded.nodes else 2
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] >> 8


def in_a_row(folder: Path, source: random.Random, count: int) -> Outcome:
    """One session after another in one process: nothing open is left behind."""
    outcome = Outcome("sessions in a row")
    open_before = _open_files()
    for index in range(count):
        path = write_story(folder / f"{index}.loom", source.randint(1, 20), index)
        outcome.attempt(f"session {index}", partial(_reopened, path))
    if _open_files() > open_before:
        outcome.lies.append("files are still open after all sessions were closed")
    for path in folder.glob("*.loom"):
        path.unlink()
    return outcome


def _open_files() -> int:
    """0 where the system doesn't tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def _reopened(path: Path) -> tuple[str, float]:
    before = Witness.of(path)
    session = Session.open(path)
    session.write(" and on")
    session.undo()
    asyncio.run(session.close())
    after = Witness.of(path).loaded.nodes
    if after[: len(before.loaded.nodes)] != before.loaded.nodes or not examine(path).whole:
        raise Lie("opening, writing and undoing has changed what was there")
    return "whole", 1.0
