from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from loom.store import lock as module
from loom.store.errors import SessionLocked, StoreError
from loom.store.lock import Lock, lock_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


HOLD = """
import sys, pathlib, subprocess
from loom.store.lock import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
if len(sys.argv) > 2:
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=0, stdout=2)
print("held", flush=True)
sys.stdin.read()
"""


def holder(session: Path, *more: str) -> subprocess.Popen[str]:
    """Another process that has the lock when this returns, until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(session), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(module.__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_has_it(tmp_path: Path) -> None:
    session = tmp_path / "story.loom"
    with holder(session) as process:
        with pytest.raises(SessionLocked) as refused:
            Lock(session)
        assert (refused.value.pid, refused.value.host) == (process.pid, socket.gethostname())
        assert str(process.pid) in str(refused.value)
        assert "story.loom" in str(refused.value)
        assert refused.value.hint
        process.kill()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    session = tmp_path / "story.loom"
    with holder(session) as process:
        process.send_signal(signal.SIGKILL)
    assert lock_path(session).exists()
    Lock(session).release()


def test_children_of_a_killed_holder_do_not_keep_the_lock(tmp_path: Path) -> None:
    session = tmp_path / "story.loom"
    process = holder(session, "with a child")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    Lock(session).release()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdout.close()


def test_release_removes_the_file_and_may_be_repeated(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "story.loom")
    lock.release()
    lock.release()
    assert names(tmp_path) == []


def test_two_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "story.loom")
    with pytest.raises(SessionLocked):
        Lock(tmp_path / "story.loom")
    lock.release()
    Lock(tmp_path / "story.loom").release()


def test_a_file_removed_while_waiting_for_it_is_not_taken_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between another's open and flock the holder goes: the second then holds a nameless file."""
    session = tmp_path / "story.loom"
    first = Lock(session)
    flock = fcntl.flock

    def slow(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        first.release()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    second = Lock(session)
    assert lock_path(session).exists()
    with pytest.raises(SessionLocked):
        Lock(session)
    second.release()


def test_a_release_does_not_remove_a_file_that_is_another_s(tmp_path: Path) -> None:
    session = tmp_path / "story.loom"
    first = Lock(session)
    lock_path(session).unlink()  # somebody tidied up
    second = Lock(session)
    first.release()
    assert lock_path(session).exists()
    second.release()


def test_garbage_in_the_file_is_only_missing_in_the_message(tmp_path: Path) -> None:
    session = tmp_path / "story.loom"
    lock = Lock(session)
    lock_path(session).write_bytes(b"\xff\x1b[31m not a pid")
    with pytest.raises(SessionLocked) as refused:
        Lock(session)
    assert (refused.value.pid, refused.value.host) == (0, "")
    assert "\x1b" not in str(refused.value)
    lock.release()


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"story\.loom can't be locked"):
        Lock(tmp_path / "nowhere" / "story.loom")


def test_a_file_system_without_locks_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(StoreError, match="Operation not supported") as refused:
        Lock(tmp_path / "story.loom")
    assert not isinstance(refused.value, SessionLocked)
