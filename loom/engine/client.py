"""The asyncio side of an engine: starts its process, sends jobs, hands events to a callback.

Everything runs in the event loop. Knows jobs and events, not trees; when the engine dies, what was
in flight is forgotten here and the session seals it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from loom.core.node import Ending
from loom.engine import wire
from loom.engine.api import Capabilities, Ended, EngineError, Event, Job
from loom.engine.openjobs import OpenJobs
from loom.processes.child import Child
from loom.processes.log import ProcessLog
from loom.processes.records import Record, bytes_text, read_ints, read_strings

State = Literal["loading", "ready", "dead", "closed"]
Encoded = tuple[tuple[int, ...], tuple[int, ...]]

_CREDIT_EVERY = 8  # lines of events taken before their credit goes back
_GRACE = 1.0  # seconds an engine may take to close by itself
_LAST_LINES = 8
_TRIM_EVERY = 4096  # lines between two looks at the size of the log


@dataclass(frozen=True, slots=True)
class Loading:
    """`done` of `total` (0: unknown) while `what` goes on."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class Ready:
    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The engine could not be loaded; its process is over."""

    error: str
    hint: str


@dataclass(frozen=True, slots=True)
class Died:
    """The process ended by itself: its return code (negative: a signal) and last log lines."""

    returncode: int
    lines: tuple[str, ...]


Signal = Loading | Ready | LoadFailed | Died


class EngineClient:
    """One engine in a child process.

    `state` begins as "loading". Jobs submitted before the engine is ready wait for it; submitted
    while it is dead they wait for `restart`.
    """

    def __init__(
        self,
        model: str,
        options: Mapping[str, Any],
        on_event: Callable[[Event | Signal], None],
        log: Path,
        backends: Sequence[Path] = (),
    ) -> None:
        self.model = model
        self.state: State = "loading"
        self.capabilities: Capabilities | None = None
        self.vocabulary: list[bytes] = []
        self._arguments = _arguments(model, options, backends)
        self._on_event = on_event
        self._log = ProcessLog(log)
        self._child: Child | None = None
        self._changing = asyncio.Lock()
        self._settled = asyncio.Event()
        self._failure = EngineError("The engine has not been started.")
        self._waiting: dict[str, list[Record]] = {}
        self._open = OpenJobs()
        self._encoding: dict[int, asyncio.Future[Encoded]] = {}
        self._requests = itertools.count(1)
        self._lines = 0

    @property
    def pid(self) -> int | None:
        """Of the child process, while there is one."""
        return None if self._child is None else self._child.pid

    def listen(self, on_event: Callable[[Event | Signal], None]) -> None:
        """From now on events go to `on_event` only."""
        self._on_event = on_event

    async def start(self) -> None:
        """Starts the process and returns; `ready` waits for the model."""
        async with self._changing:
            await self._start()

    async def restart(self) -> None:
        """A fresh process, the old one killed; jobs in flight are forgotten, waiting ones run.
        Does nothing after `close`."""
        async with self._changing:
            if self._child is not None:
                await self._child.end(0)
            if self.state != "dead":
                self._forget(EngineError("The engine was restarted."))
            await self._start()

    async def close(self) -> None:
        """Ends the process within two seconds; safe to call twice."""
        async with self._changing:
            was, self.state = self.state, "closed"
            self._waiting.clear()
            if self._child is not None:
                self._child.send({"do": "close"})
                await self._child.end(_GRACE if was == "ready" else 0)
                self._child = None
            self._forget(EngineError("The engine is closed."))

    async def ready(self) -> Capabilities:
        """Waits for the model. Raises EngineError if loading fails or the engine is dead."""
        await self._settled.wait()
        if self.state != "ready" or self.capabilities is None:
            raise self._failure
        return self.capabilities

    def submit(self, job: Job) -> None:
        """Queues a job. Raises EngineError after `close`."""
        if self.state == "closed":
            raise self._failure
        self._open.add(job)
        record = {"do": "submit", "job": wire.job_record(job)}
        if self.state == "ready":
            self._send(record)
        else:
            self._waiting[job.id] = [record]

    def cancel(self, job_id: str, branch: int | None = None) -> None:
        """Stops a job or one branch, which answers Ended(CANCEL); what is over is left alone."""
        record = {"do": "cancel", "job": job_id, "branch": branch}
        if self.state == "ready":
            self._send(record)
        elif branch is not None and job_id in self._waiting:
            self._waiting[job_id].append(record)
            cancelled = Ended(job_id, branch, Ending.CANCEL)
            asyncio.get_running_loop().call_soon(self._emit, cancelled)
        elif self._waiting.pop(job_id, None):
            asyncio.get_running_loop().call_soon(self._cancelled_waiting, job_id)

    async def encode(self, text: bytes, start: bool) -> Encoded:
        """(ids, ends) of `text`; waits until the engine is ready. Raises EngineError."""
        await self.ready()
        request = next(self._requests)
        answer: asyncio.Future[Encoded] = asyncio.get_running_loop().create_future()
        self._encoding[request] = answer
        self._send({"do": "encode", "id": request, "text": bytes_text(text), "start": start})
        try:
            return await answer
        finally:
            self._encoding.pop(request, None)

    async def _start(self) -> None:
        if self.state == "closed":
            return
        self.state = "loading"
        self.capabilities = None
        self.vocabulary = []
        self._settled.clear()
        try:
            self._child = await Child.spawn(
                self._arguments, self._log, self._on_record, self._on_exit
            )
        except OSError as error:
            self._fail(f"The engine's process could not be started: {error.strerror}.", "")

    def _send(self, record: Record) -> None:
        if self._child is not None:
            self._child.send(record)

    def _cancelled_waiting(self, job_id: str) -> None:
        for branch in self._open.branches(job_id):
            self._emit(Ended(job_id, branch, Ending.CANCEL))

    def _on_record(self, record: Record) -> None:
        match record:
            case {"say": "events", "events": events}:
                for event in events:
                    self._emit(wire.read_event(event))
                self._count_line()
            case {"say": "loading", "done": done, "total": total, "what": what}:
                self._notify(Loading(done, total, what))
            case {"say": "vocabulary"}:
                self.vocabulary += read_strings(record)
            case {"say": "ready", "capabilities": capabilities}:
                self._arrive(wire.read_capabilities(capabilities))
            case {"say": "failed", "error": error, "hint": hint}:
                self._fail(error, hint)
            case {"say": "encoded", "id": request}:
                self._answer(request, record)

    def _count_line(self) -> None:
        self._lines += 1
        if self._lines % _CREDIT_EVERY == 0:
            self._send({"do": "credit", "lines": _CREDIT_EVERY})
        if self._lines % _TRIM_EVERY == 0:
            self._log.trim()

    def _arrive(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.state = "ready"
        self._lines = 0
        waiting, self._waiting = self._waiting, {}
        for record in itertools.chain.from_iterable(waiting.values()):
            self._send(record)
        self._settled.set()
        self._notify(Ready(capabilities))

    def _answer(self, request: int, record: Record) -> None:
        answer = self._encoding.get(request)
        if answer is None or answer.done():
            return
        if "error" in record:
            answer.set_exception(EngineError(record["error"], record["hint"]))
        else:
            answer.set_result((read_ints(record["ids"]), read_ints(record["ends"])))

    def _fail(self, error: str, hint: str) -> None:
        self.state = "dead"
        self._forget(EngineError(error, hint))
        self._notify(LoadFailed(error, hint))

    def _on_exit(self, returncode: int) -> None:
        if self.state == "dead":  # it has said why itself
            return
        self.state = "dead"
        self._forget(
            EngineError(f"The engine {_ended_how(returncode)}.", f"Its log is {self._log.path}.")
        )
        self._notify(Died(returncode, self._log.last_lines(_LAST_LINES)))

    def _forget(self, failure: EngineError) -> None:
        self._failure = failure
        self._waiting.clear()
        self._open.clear()
        for answer in self._encoding.values():
            if not answer.done():
                answer.set_exception(failure)
        self._settled.set()

    def _emit(self, event: Event) -> None:
        if self._open.admit(event):
            self._notify(event)

    def _notify(self, event: Event | Signal) -> None:
        try:
            self._on_event(event)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"listener failed on {type(event).__name__}", "exception": error}
            )


def _arguments(model: str, options: Mapping[str, Any], backends: Sequence[Path]) -> tuple[str, ...]:
    extra = [part for path in backends for part in ("--backends", str(path))]
    return (
        "-m",
        "loom.engine.host",
        "--model",
        model,
        "--options",
        json.dumps(dict(options)),
        *extra,
    )


def _ended_how(returncode: int) -> str:
    if returncode >= 0:
        return f"stopped by itself (exit code {returncode})"
    try:
        return f"was ended by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was ended by signal {-returncode}"
