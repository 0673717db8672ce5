"""The child process in which plugins run: `python -m loom.instruments.host`.

Loads what it is told to and folds what it is sent, one command after the other. What a plugin does
wrong is said, with its name; what ends the process or never comes back is for the parent to notice.
Knows no tree, no session and no engine.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from loom.discovery import Found, module_of
from loom.instruments import wire
from loom.instruments.api import Instrument, Settings
from loom.instruments.folding import Stretch, advance, begin
from loom.instruments.guard import MEMORY, Guard, Misdeed, OutOfMemory
from loom.instruments.loading import NotAPlugin, declared
from loom.instruments.promises import BrokenPromise, state_text, text_state
from loom.processes.pipes import Send, private_pipes, sender
from loom.processes.records import Lines, Record

NICE = 10  # the engine comes first
PARENT_SEEN_EVERY = 2.0  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="loom.instruments.host", description="Plugins, on pipes.")
    parser.add_argument("--memory", type=int, default=MEMORY, metavar="BYTES")
    options = parser.parse_args(arguments)
    commands_in, events_out = private_pipes()
    os.nice(NICE)
    threading.Thread(target=_outlive_nobody, args=(os.getppid(),), daemon=True).start()
    guard = Guard()
    guard.install()
    send = sender(events_out)
    send({"say": "ready"})
    host = _Host(send, guard, options.memory)
    for command in _commands(commands_in):
        if not host.obey(command):
            break
    return 0


def _outlive_nobody(parent: int) -> None:
    """Ends the process when its parent has gone, whatever a plugin is doing."""
    while os.getppid() == parent:
        time.sleep(PARENT_SEEN_EVERY)
    os._exit(0)


def _commands(fd: int) -> Iterator[Record]:
    lines = Lines()
    while chunk := os.read(fd, 1 << 16):
        yield from lines.feed(chunk)


class _Host:
    def __init__(self, send: Send, guard: Guard, memory: int) -> None:
        self._send, self._guard, self._memory = send, guard, memory
        self._instruments: dict[str, Instrument] = {}
        self._blind: set[str] = set()  # those that don't look at the writer's choice
        self._settings: dict[str, Settings] = {}

    def obey(self, command: Record) -> bool:
        """False when it is time to end."""
        match command:
            case {"do": "load", "found": found}:
                self._load(Found(**found))
            case {"do": "limit"}:
                self._guard.limit(self._memory)
            case {"do": "know", "key": str(key), "settings": settings}:
                self._settings[key] = wire.read_settings(settings)
            case {"do": "fold", "stretches": stretches, "readers": readers}:
                self._fold([wire.read_stretch(record) for record in stretches], readers)
            case {"do": "close"}:
                return False
        return True

    def _load(self, found: Found) -> None:
        try:
            if found.error:
                raise NotAPlugin(found.error)
            instrument, about = declared(module_of(found))
        except BaseException as error:
            self._send({"say": "unloadable", "why": _why(error)})
        else:
            self._instruments[found.name] = instrument
            if not about.choice:
                self._blind.add(found.name)
            self._send({"say": "loaded", "about": asdict(about)})
        finally:
            self._guard.forget_printed()

    def _fold(self, stretches: Sequence[Stretch], readers: Sequence[Record]) -> None:
        self._send({"say": "begun"})  # from here on, whatever ends the process is a plugin's doing
        for reader in readers:
            try:
                for answer in self._answers(reader, stretches):
                    self._send(answer)
            except OutOfMemory as error:  # what has been taken may not come back
                self._fault(error.culprit, str(error), over=True)
                os._exit(1)
            except BaseException as error:
                self._fault(reader["name"], _why(error))
        self._send({"say": "done"})

    def _fault(self, name: str, why: str, *, over: bool = False) -> None:
        """`over`: the process ends with it."""
        self._send({"say": "fault", "name": name, "why": why, "over": over})

    def _answers(self, reader: Record, stretches: Sequence[Stretch]) -> Iterator[Record]:
        name, text, settings = reader["name"], reader["state"], self._settings[reader["settings"]]
        instrument = self._instruments[name]
        if text is None:
            with self._guard.watching(name):
                state = begin(instrument, settings)
            text = state_text(state)
        for whole in stretches:
            stretch = whole.without_choice() if name in self._blind else whole
            began = time.perf_counter()
            with self._guard.watching(name):
                state, reading = advance(instrument, text_state(text), stretch)
            text = state_text(state)
            took = time.perf_counter() - began
            record = wire.reading_record(reading)
            yield {"say": "read", "state": text, "reading": record, "seconds": took}


def _why(error: BaseException) -> str:
    """In a clause; the details go to the log."""
    if isinstance(error, BrokenPromise | Misdeed | NotAPlugin):
        return str(error)
    traceback.print_exception(error)
    text = " ".join(str(error).split())[:200].rstrip(".")
    name = type(error).__name__
    return f"it raised {name}: {text}" if text else f"it raised {name}"


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # no thread or exit handler of a plugin holds it up
