"""The whole program in a real pseudo-terminal: what a person types, sees, and finds again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

import loom
from loom.core.node import Author, Place
from loom.session import Session

ROWS, COLUMNS = 30, 100
PATIENCE = 60.0  # seconds until a test gives up; nothing is expected to take so long
OPENING = "The lighthouse keeper had not spoken"
FINISHED = re.compile(r"tok(?:ens?)? · (?:full|the end)")  # on a card
LEFT, DOWN, HOME = "\x1b[D", "\x1b[B", "\x1b[H"
ESC, ENTER, TAB, CTRL_G, CTRL_R = "\x1b", "\r", "\t", "\x07", "\x12"


class Terminal:
    """`loom` behind a pseudo-terminal, and what its screen shows."""

    def __init__(self, folder: Path, *words: str, through: str = "") -> None:
        """`through`: a program that starts it."""
        environment = {
            **os.environ,
            "LOOM_HOME": str(folder / "home"),
            "PYTHONPATH": str(Path(loom.__file__).parents[1]),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.process = pexpect.spawn(
            sys.executable,
            [*(["-c", through] if through else []), "-m", "loom", "--model", "echo", *words],
            env=environment,
            cwd=str(folder),
            dimensions=(ROWS, COLUMNS),
            timeout=PATIENCE,
        )

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.process.send(key)

    def wait(self, what: str, seen: Callable[[], object]) -> None:
        """Until `seen`; the test fails with the screen as it is if that never comes."""
        deadline = time.monotonic() + PATIENCE
        while not seen():
            if time.monotonic() > deadline or not self._read():
                pytest.fail(f"never saw {what}:\n{self.text}")

    def wait_for(self, text: str) -> None:
        self.wait(repr(text), lambda: text in self.text)

    def close_window(self) -> None:
        """What pexpect's own close does, but for ending the program."""
        self.process.ptyproc.fileobj.close()
        self.process.ptyproc.closed = self.process.closed = True

    def quit(self) -> int:
        """Press q and wait for the end; the exit code."""
        self.press("q")
        while self._read():
            pass
        self.process.wait()
        return int(self.process.exitstatus)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.close()

    def _read(self) -> bool:
        """Take in what has come; False after the end. A killed process has nothing to say."""
        if self.process.closed:
            time.sleep(0.05)
            return True
        try:
            self._stream.feed(self.process.read_nonblocking(65536, 0.1))
        except pexpect.TIMEOUT:
            pass
        except pexpect.EOF:
            return False
        return True


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Starts Looms in a folder of their own; whatever is still there at the end is ended."""
    started: list[Terminal] = []

    def start(*words: str) -> Terminal:
        started.append(Terminal(tmp_path, *words))
        return started[-1]

    yield start
    for terminal in started:
        if terminal.process.isalive():
            terminal.kill()


@pytest.fixture
def story(tmp_path: Path) -> Path:
    return tmp_path / "story.loom"


class Seen:
    """What is in a session file at one moment."""

    def __init__(self, path: Path) -> None:
        asyncio.run(self._read(path))

    async def _read(self, path: Path) -> None:
        async with Session.open(path, read_only=True) as session:
            self.place: Place = session.place
            self.path_text = session.path_text()
            self.draft = session.draft
            numbers = [number for number in session.tree.preorder() if number]
            self.nodes = {number: session.text(number) for number in numbers}
            self.grown = [n for n in numbers if session.tree[n].author is Author.MODEL]
            self.sealed = all(not session.tree[number].growing for number in numbers)
            self.visible = [number for number in numbers if not session.is_hidden(number)]


def test_a_story_is_written_grown_walked_and_found_again(
    terminals: Callable[..., Terminal], story: Path
) -> None:
    screen = terminals("story.loom")
    screen.wait_for("A new session")
    screen.press(OPENING)
    screen.wait_for(OPENING)
    screen.press(CTRL_G)
    screen.wait("four finished cards", lambda: len(FINISHED.findall(screen.text)) == 4)
    screen.press("2")
    screen.wait_for("Nothing has grown here yet")
    assert screen.quit() == 0

    left = Seen(story)
    second = left.grown[1]
    assert len(left.nodes) == 5 and left.sealed
    assert left.place.node == second
    assert left.path_text == OPENING + left.nodes[second]

    again = terminals()  # the last session, without being told
    again.wait_for(OPENING)
    again.wait_for("5 nodes")
    assert again.quit() == 0
    found = Seen(story)
    assert (found.nodes, found.place) == (left.nodes, left.place)


def test_an_alternative_is_taken_inside_a_continuation_and_undone(
    terminals: Callable[..., Terminal], story: Path
) -> None:
    screen = terminals("story.loom")
    screen.wait_for("A new session")
    screen.press(OPENING, CTRL_G)
    screen.wait("four finished cards", lambda: len(FINISHED.findall(screen.text)) == 4)
    screen.press("1")
    screen.wait_for("Nothing has grown here yet")
    screen.press(TAB, LEFT, LEFT, LEFT, "a")
    screen.wait("the rank of its own token", lambda: _chosen_rank(screen.text))
    screen.press(*(HOME, DOWN) if _chosen_rank(screen.text) == 1 else (HOME,), ENTER)
    screen.wait("the dialog gone", lambda: "Instead of this token" not in screen.text)
    screen.wait_for("Nothing has grown here yet")
    screen.press("g")
    screen.wait("four finished cards", lambda: len(FINISHED.findall(screen.text)) == 4)
    screen.press("u")
    screen.wait("the cards gone", lambda: not FINISHED.search(screen.text))
    screen.press(CTRL_R)
    screen.wait("the cards again", lambda: len(FINISHED.findall(screen.text)) == 4)
    assert screen.quit() == 0

    left = Seen(story)
    taken = left.place.node
    assert len(left.visible) == len(left.nodes) == 10
    assert taken == 6 and left.path_text.endswith(left.nodes[taken])
    assert left.path_text != OPENING + left.nodes[left.grown[0]]


def test_a_killed_editor_leaves_its_draft(terminals: Callable[..., Terminal], story: Path) -> None:
    screen = terminals("story.loom")
    screen.wait_for("A new session")
    screen.press(OPENING)
    screen.wait("the draft in the file", lambda: _draft(story) == OPENING)
    screen.kill()

    again = terminals("story.loom")
    again.wait_for(OPENING)
    again.press(" to anyone")
    again.wait_for(OPENING + " to anyone")
    again.press(ESC)
    again.wait_for("1 node ")
    assert again.quit() == 0
    left = Seen(story)
    assert (left.nodes, left.draft) == ({1: OPENING + " to anyone"}, None)


ALONE = """
import signal, subprocess, sys
signal.signal(signal.SIGHUP, lambda *_: None)  # as make does, it keeps it from those it has begun
print("loom is", subprocess.Popen([sys.executable, *sys.argv[1:]]).wait())
"""


def test_who_closes_the_window_leaves_no_loom_behind(story: Path, tmp_path: Path) -> None:
    screen = Terminal(tmp_path, "story.loom", through=ALONE)
    screen.wait_for("A new session")
    screen.press(OPENING)
    screen.wait("the draft in the file", lambda: _draft(story) == OPENING)
    begun = _children(screen.process.pid)
    assert begun and all(map(_runs, begun))
    screen.close_window()
    deadline = time.monotonic() + PATIENCE
    try:
        while any(map(_runs, begun)):
            assert time.monotonic() < deadline, "a Loom without a window goes on"
            time.sleep(0.05)
    finally:
        for pid in filter(_runs, begun):
            os.kill(pid, signal.SIGKILL)
    assert _draft(story) == OPENING


def test_killed_while_it_grows_it_keeps_what_had_come(
    terminals: Callable[..., Terminal], story: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "loom.toml").write_text("tokens = 100000\nbranches = 2\n")
    screen = terminals("story.loom")
    screen.wait_for("A new session")
    screen.press(OPENING, CTRL_G)
    screen.wait("text in the file", lambda: sum(map(len, Seen(story).nodes.values())) > 200)
    before = Seen(story)
    assert not before.sealed
    engines = _children(screen.process.pid)
    screen.kill()
    screen.wait("the engine's end", lambda: not any(map(_runs, engines)))

    again = terminals("story.loom")
    again.wait_for("3 nodes")
    assert again.quit() == 0
    after = Seen(story)
    assert after.sealed
    assert after.nodes.keys() == before.nodes.keys()
    for number, text in before.nodes.items():
        assert after.nodes[number].startswith(text)


def _children(pid: int) -> list[int]:
    """Process ids; none where the system doesn't tell."""
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listing.read_text().split()] if listing.exists() else []


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def _draft(path: Path) -> str | None:
    draft = Seen(path).draft if path.exists() else None
    return draft.text if draft is not None else None


def _chosen_rank(text: str) -> int:
    """The rank of the alternative that stands in the text; it is marked with a dot."""
    found = re.search(r"│ +(\d+)  .*%  ●", text)
    return int(found[1]) if found else 0
