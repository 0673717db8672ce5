"""The screen in real processes behind a pseudo-terminal, beside a bare Textual app in the same run.

Prints a table with the goals, or with --json one object a subject.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import loom
from benchmarks.stories import Station, Writer, bushy, chain, marker
from benchmarks.terminal import Terminal

NAME = "screen"
STARTS = 3
ROUNDS = 5
BETWEEN = 0.1  # seconds between one key's frame and the next key
STARTED = 3.0  # seconds after which a start is over, but for plugins that read what is there
CALM, AT_MOST = 2.0, 60.0  # per cent of a processor in a second that is calm; seconds until one is
IDLE = 5.0  # seconds for which nothing is done
STREAMING = 2.0  # seconds that branches stream before a key is pressed
STATION = 20  # nodes
BACKSPACE, ESC = "\x7f", "\x1b"

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("#000000#")

Bare().run()
"""

FILLS: dict[str, Callable[[Writer], int]] = {
    "1 node": lambda writer: writer.add_plain(bushy(1)),
    "100 nodes": lambda writer: writer.add_plain(bushy(100 - STATION)),
    "10,000 nodes": lambda writer: writer.add_plain(bushy(10_000 - STATION)),
    "100,000 nodes": lambda writer: writer.add_plain(bushy(100_000 - STATION)),
    "path of 50,000 tokens": lambda writer: writer.add_long(50_000),
    "chain 10,000 deep": lambda writer: writer.add_plain(chain(10_000)),
}

GOALS = {
    "times_bare": 1.5,
    "page_times_bare": 1.5,
    "streaming_p95": 33.0,
    "memory": 250.0,
    "idle": 1.0,
}


@dataclass(frozen=True, slots=True)
class Measures:
    """Milliseconds, MiB and per cent; None where the system doesn't tell. `first_frame` counts from
    the start of the process until the writer's text is there, `page` until it is there with all
    else, `session` what of that a session of one node doesn't take; `computing` is the screen's
    processor time for a key."""

    subject: str
    first_frame: float
    times_bare: float
    page: float
    page_times_bare: float
    session: float
    idle_p50: float
    idle_p95: float
    computing: float | None
    streaming_p50: float
    streaming_p95: float
    hide: float
    undo: float
    memory: float | None
    idle: float | None


ROWS = {
    "first_frame": "first frame, with the text, ms",
    "times_bare": "… × a bare Textual app",
    "page": "the whole page, ms",
    "page_times_bare": "… × a bare Textual app",
    "session": "… more than with 1 node, ms",
    "idle_p50": "key to frame, p50, ms",
    "idle_p95": "… p95",
    "computing": "… processor time of the screen",
    "streaming_p50": "the same while 8 branches stream, p50, ms",
    "streaming_p95": "… p95",
    "hide": "hide, ms",
    "undo": "undo, ms",
    "memory": "memory of the screen's process, MiB",
    "idle": "processor while nothing is done, %",
}


def report(*, as_json: bool) -> str:
    with TemporaryDirectory(prefix="loom-bench-") as folder:
        measured = list(measure(Path(folder)))
    load = os.getloadavg()[0]
    if as_json:
        lines = [asdict(measures) for measures in measured]
        return "\n".join(json.dumps({**line, "load": round(load, 1)}) for line in lines)
    return table(measured) + f"\n\nLoad of the machine: {load:.1f} on {os.cpu_count()} cores."


def table(measured: Sequence[Measures]) -> str:
    """In Markdown, the goals in the last column."""
    head = ["", *(measures.subject for measures in measured), "goal"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, title in ROWS.items():
        cells = [_cell(getattr(measures, name)) for measures in measured]
        goal = f"≤ {GOALS[name]:g}" if name in GOALS else ""
        lines.append(f"| {' | '.join((title, *cells, goal))} |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"


def measure(folder: Path) -> Iterable[Measures]:
    least = 0.0
    for subject, fill in FILLS.items():
        note(f"measuring {subject}")
        writer = Writer()
        station = writer.add_station(fill(writer))
        story = folder / "story.loom"
        writer.save(story, station.siblings[0])
        starts = _starts(folder, story, station)
        least = least or starts.page
        if subject != "1 node":
            yield _measured(subject, folder, story, station, starts, starts.page - least)
        story.unlink()


def note(text: str) -> None:
    print(f"loom: {text}", file=sys.stderr, flush=True)


def _bare(folder: Path) -> Terminal:
    return Terminal([sys.executable, "-c", BARE], _compiled(folder), folder)


def _compiled(folder: Path) -> dict[str, str]:
    """Modules are compiled once, as they are where a program is installed."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def _loom(folder: Path, story: Path) -> Terminal:
    """On a copy, so that each begins with the same."""
    copy = folder / "copy.loom"
    for left in folder.glob("copy.loom*"):
        left.unlink()
    shutil.copy(story, copy)
    environment = {
        **_compiled(folder),
        "LOOM_HOME": str(folder / "home"),
        "PYTHONPATH": str(Path(loom.__file__).parents[1]),
    }
    command = [sys.executable, "-m", "loom", "--model", "echo", copy.name]
    return Terminal(command, environment, folder)


@dataclass(frozen=True, slots=True)
class Starts:
    """Milliseconds from the start of the process, and how many times as long as a bare app."""

    first: float
    first_times: float
    page: float
    page_times: float


def _starts(folder: Path, story: Path, station: Station) -> Starts:
    """The two take turns, so that whatever else the machine does weighs on both alike. The first of
    each compiles, and what Loom leaves for the next start is left."""
    text = marker(station.siblings[0])
    _started(_bare(folder), marker(0))
    _started(_loom(folder, story), text, settled=True)
    taken = [
        (_started(_bare(folder), marker(0))[1], *_started(_loom(folder, story), text))
        for _ in range(STARTS)
    ]
    return Starts(
        first=statistics.median(first for _, first, _ in taken),
        first_times=statistics.median(first / bare for bare, first, _ in taken),
        page=statistics.median(page for _, _, page in taken),
        page_times=statistics.median(page / bare for bare, _, page in taken),
    )


def _started(terminal: Terminal, text: bytes, *, settled: bool = False) -> tuple[float, float]:
    """Milliseconds until `text` is there, and until it is there in a frame of Textual's."""
    try:
        first, page = terminal.shown(text), terminal.page(text)
        if settled:
            terminal.settle(1.0)
        return (first - terminal.begun) * 1000, (page - terminal.begun) * 1000
    finally:
        terminal.close()


def _measured(
    subject: str,
    folder: Path,
    story: Path,
    station: Station,
    starts: Starts,
    session: float,
) -> Measures:
    terminal = _loom(folder, story)
    try:
        terminal.page(marker(station.siblings[0]))
        terminal.settle(1.0)
        terminal.watch(STARTED)
        _wait_until_calm(terminal)
        idle = _share(terminal, IDLE)
        before = terminal.computed()
        keys = _walk(terminal, station)
        after = terminal.computed()
        computing = None if before is None or after is None else (after - before) * 1000 / len(keys)
        terminal.press("g")
        terminal.watch(STREAMING)
        streaming = _walk(terminal, station)
        memory = terminal.memory()
        terminal.press(ESC)
        terminal.watch(1)
        terminal.press(ESC)
        terminal.settle()
        hide, undo = _pressed(terminal, BACKSPACE, b"Hid "), _pressed(terminal, "u", b"Undone")
    finally:
        terminal.close()
    return Measures(
        subject, starts.first, starts.first_times, starts.page, starts.page_times, session,
        *_quantiles(keys), computing,
        *_quantiles(streaming), hide, undo, None if memory is None else memory / 2**20, idle,
    )  # fmt: skip


def _walk(terminal: Terminal, station: Station) -> list[float]:
    """Milliseconds from each key to the frame that shows where it led."""
    a, b, c, _ = station.siblings
    first, second, *_ = station.children[2]
    walk = [("j", b), ("j", c), ("l", first), ("j", second), ("k", first), ("h", c), ("k", b)]
    times = []
    for _ in range(ROUNDS):
        for key, node in [*walk, ("k", a)]:
            times.append(_pressed(terminal, key, marker(node)))
            terminal.watch(BETWEEN)
    return times


def _pressed(terminal: Terminal, key: str, text: bytes) -> float:
    since = terminal.mark()
    return (-terminal.press(key) + terminal.shown(text, since)) * 1000


def _quantiles(times: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _wait_until_calm(terminal: Terminal) -> None:
    for _ in range(round(AT_MOST)):
        share = _share(terminal, 1.0)
        if share is None or share < CALM:
            return


def _share(terminal: Terminal, seconds: float) -> float | None:
    """Per cent of a processor."""
    before = terminal.computed()
    terminal.watch(seconds)
    after = terminal.computed()
    return None if before is None or after is None else (after - before) / seconds * 100
