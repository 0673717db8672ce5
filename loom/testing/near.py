"""An `EngineClient` whose engine is in this process: no start-up, no pipes.

    monkeypatch.setattr("loom.generation.EngineClient", NearClient)

It steps in the event loop, and never dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loom.engine.api import Capabilities, Event, Job
from loom.engine.client import Encoded, Ready, Signal, State
from loom.engine.openjobs import OpenJobs
from loom.extensions import load_backend, resolve_model

Listener = Callable[[Event | Signal], None]


class NearClient:
    """`jobs` are those before the engine."""

    pid = None

    def __init__(
        self,
        model: str,
        options: Mapping[str, Any],
        on_event: Listener,
        log: Path,
        backends: Sequence[Path] = (),
    ) -> None:
        model = resolve_model(model)
        backend = load_backend(model, extra=backends, name=None)
        self.engine = backend.load(model, options, lambda done, total: None)
        self.state: State = "loading"
        self.capabilities: Capabilities | None = None
        self.vocabulary: list[bytes] = []
        self.jobs = OpenJobs()
        self._on_event = on_event
        self._stepping: asyncio.Task[None] | None = None

    def listen(self, on_event: Listener) -> None:
        self._on_event = on_event

    async def start(self) -> None:
        self.state, self.capabilities = "ready", self.engine.can()
        self.vocabulary = list(self.engine.pieces(range(self.capabilities.vocabulary)))
        self._on_event(Ready(self.capabilities))

    async def restart(self) -> None:
        await self.start()

    async def close(self) -> None:
        self.state = "closed"
        if self._stepping is not None:
            self._stepping.cancel()

    async def ready(self) -> Capabilities:
        assert self.capabilities is not None
        return self.capabilities

    def submit(self, job: Job) -> None:
        self.jobs.add(job)
        self.engine.submit(job)
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.get_running_loop().create_task(self._step())

    def cancel(self, job_id: str, branch: int | None = None) -> None:
        if job_id in self.jobs:
            self.engine.cancel(job_id, branch)

    async def encode(self, text: bytes, start: bool) -> Encoded:
        return self.engine.encode(text, start=start)

    async def _step(self) -> None:
        while len(self.jobs):
            for event in self.engine.step():
                if self.jobs.admit(event):
                    self._on_event(event)
            await asyncio.sleep(0)
