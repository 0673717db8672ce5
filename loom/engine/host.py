"""The child process that holds one engine: `python -m loom.engine.host --model M --options JSON`.

Commands come in and events go out as lines on private file descriptors; whatever a library prints
goes to stderr. Commands are read by a thread and take effect between steps; the end of the input
(the parent is gone) ends the process at once. Knows no tree and no session.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from loom.engine import wire
from loom.engine.api import Engine, EngineError, Event, Failed, Job
from loom.engine.openjobs import OpenJobs
from loom.engine.outbox import Outbox
from loom.processes.pipes import Send, private_pipes, sender
from loom.processes.records import Lines, Record, ints_text, read_bytes, strings_record

NEED_MEMORY = "Close other programs, or choose a smaller model."
CREDITS = 32  # lines of events that may be under way before the reader has taken them
_VOCABULARY_CHUNK = 4096
_IDLE_STEP = 0.005  # seconds between steps of an engine that waits for something itself
_FAULTS_IN_A_ROW = 8

Commands = SimpleQueue[Record]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    commands_in, events_out = private_pipes()
    send = sender(events_out)
    commands: Commands = SimpleQueue()
    brake = _Brake()
    reader = threading.Thread(target=_read_commands, args=(commands_in, commands, brake))
    reader.daemon = True
    reader.start()
    engine = _load(options.model, json.loads(options.options), options.backends, send, brake)
    if engine is None:
        return 1
    try:
        _Host(engine, commands, send).run()
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loom.engine.host", description="One engine, on pipes.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--options", default="{}", help="the engine's options, as JSON")
    parser.add_argument("--backends", type=Path, action="append", default=[], metavar="PATH")
    return parser


class _Brake:
    """Breaks off the forward pass under way when a job is cancelled, where the engine has an
    `interrupt` that another thread may call; the pass is made again for whoever still wants it."""

    def __init__(self) -> None:
        self.engine: Engine | None = None

    def heed(self, command: Record) -> None:
        interrupt = getattr(self.engine, "interrupt", None)
        if interrupt is not None and command.get("do") == "cancel":
            interrupt()


def _read_commands(fd: int, commands: Commands, brake: _Brake) -> None:
    lines = Lines()
    while chunk := os.read(fd, 1 << 16):
        for record in lines.feed(chunk):
            commands.put(record)
            brake.heed(record)
    os._exit(0)


def _load(
    model: str, options: Mapping[str, Any], extra: Sequence[Path], send: Send, brake: _Brake
) -> Engine | None:
    """The engine, announced with its vocabulary; None after a `failed` record."""
    try:
        engine = _loaded(model, options, extra, send)
        brake.engine = engine  # before it is announced: the first cancellation may come at once
        return _announced(engine, send)
    except EngineError as error:
        send({"say": "failed", "error": str(error), "hint": error.hint})
    except MemoryError:
        traceback.print_exc()
        why = f"There is not enough memory for the model {model!r}."
        send({"say": "failed", "error": why, "hint": NEED_MEMORY})
    except Exception as error:
        traceback.print_exc()
        why = f"The model {model!r} could not be loaded: {_in_a_line(error)}."
        send({"say": "failed", "error": why, "hint": "The engine's log has the details."})
    return None


def _loaded(model: str, options: Mapping[str, Any], extra: Sequence[Path], send: Send) -> Engine:
    from loom.extensions import load_backend, resolve_model

    model = resolve_model(model)
    send({"say": "loading", "done": 0, "total": 0, "what": "starting the engine"})
    backend = load_backend(model, extra=extra, name=options.get("backend"))
    shown = -1

    def progress(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // total if total else 0
        if percent != shown:
            shown = percent
            send({"say": "loading", "done": done, "total": total, "what": "loading the model"})

    engine: Engine = backend.load(
        model, {k: v for k, v in options.items() if k != "backend"}, progress
    )
    return engine


def _announced(engine: Engine, send: Send) -> Engine:
    capabilities = engine.can()
    for start in range(0, capabilities.vocabulary, _VOCABULARY_CHUNK):
        stop = min(start + _VOCABULARY_CHUNK, capabilities.vocabulary)
        send({"say": "vocabulary", **strings_record(engine.pieces(range(start, stop)))})
    send({"say": "ready", "capabilities": wire.capabilities_record(capabilities)})
    return engine


def _in_a_line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Host:
    """The loop: every command that has come, then one step."""

    def __init__(self, engine: Engine, commands: Commands, send: Send) -> None:
        self._engine = engine
        self._commands = commands
        self._send = send
        self._jobs = OpenJobs()
        self._outbox = Outbox(self._sent)
        self._credits = CREDITS
        self._faults = 0
        self._waiting = False

    def run(self) -> None:
        try:
            while (command := self._next_command()) is None or self._obey(command):
                if command is None:
                    self._step()
        finally:
            with suppress(OSError):  # nobody reads any more
                self._outbox.empty()
        with suppress(Exception):
            self._engine.close()

    def _next_command(self) -> Record | None:
        if not len(self._jobs) or not self._credits:
            return self._commands.get()
        try:
            return self._commands.get(timeout=_IDLE_STEP if self._waiting else 0)
        except Empty:
            return None

    def _obey(self, command: Record) -> bool:
        """False when it is time to end."""
        self._waiting = False
        match command:
            case {"do": "submit", "job": record}:
                self._submit(wire.read_job(record))
            case {"do": "cancel", "job": str(job), "branch": branch}:
                if job in self._jobs:
                    self._engine.cancel(job, branch)
            case {"do": "encode", "id": int(request), "text": str(text), "start": start}:
                self._encode(request, read_bytes(text), bool(start))
            case {"do": "credit", "lines": int(lines)}:
                self._credits += lines
            case {"do": "close"}:
                return False
        return True

    def _submit(self, job: Job) -> None:
        self._jobs.add(job)
        try:
            self._engine.submit(job)
        except Exception as error:
            self._tell([self._failure(job.id, error)])

    def _encode(self, request: int, text: bytes, start: bool) -> None:
        reply: Record = {"say": "encoded", "id": request}
        try:
            ids, ends = self._engine.encode(text, start=start)
            reply |= {"ids": ints_text(ids), "ends": ints_text(ends)}
        except Exception as error:
            failed = self._failure("", error)
            reply |= {"error": failed.error, "hint": failed.hint}
        self._send(reply)

    def _step(self) -> None:
        begun = time.monotonic()
        try:
            events = self._engine.step()
            self._faults = 0
        except Exception as error:
            events = self._after_fault(error)
        self._waiting = not events
        self._tell(events, time.monotonic() - begun)

    def _after_fault(self, error: Exception) -> list[Event]:
        """A step doesn't say whose fault it was: give up the newest job, and the next if that was
        not it. An engine that only faults is not worth keeping."""
        self._faults += 1
        if self._faults > _FAULTS_IN_A_ROW:
            raise error
        job = self._jobs.ids()[-1]
        with suppress(Exception):
            self._engine.cancel(job)
        return [self._failure(job, error)]

    def _failure(self, job: str, error: Exception) -> Failed:
        if isinstance(error, EngineError):
            return Failed(job, str(error), error.hint)
        traceback.print_exc()
        return Failed(
            job,
            f"The engine failed in this job: {_in_a_line(error)}.",
            "Try again; the engine's log has the details.",
        )

    def _tell(self, events: Sequence[Event], took: float = 0.0) -> None:
        self._outbox.put([event for event in events if self._jobs.admit(event)], took)

    def _sent(self, events: Sequence[Event]) -> None:
        self._credits -= 1
        self._send({"say": "events", "events": [wire.event_record(event) for event in events]})


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # no thread or exit handler of a library holds it up
