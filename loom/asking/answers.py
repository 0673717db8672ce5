"""What comes of questions to an engine, by job, as whole answers.

Knows jobs and events; neither who asks nor where the engine is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from loom.core.node import Ending
from loom.core.span import Span, joined
from loom.engine.api import (
    Ended,
    EngineError,
    Event,
    Failed,
    Following,
    Generate,
    Grown,
    Job,
    JobFailed,
)


@dataclass(slots=True)
class Answer:
    """One branch as it came: its bytes, its columns, and why it ended (None: not yet). `following`
    is the distribution of the next token, of a Score that asked for it."""

    text: bytearray = field(default_factory=bytearray)
    parts: list[Span] = field(default_factory=list)
    ended: Ending | None = None
    following: Following | None = None

    @property
    def span(self) -> Span | None:
        """None for a branch without a token."""
        return joined(self.parts) if self.parts else None


class Answers:
    """Those that somebody waits for."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[asyncio.Future[None], list[Answer]]] = {}

    def __contains__(self, job: str) -> bool:
        return job in self._open

    def __len__(self) -> int:
        return len(self._open)

    async def to(
        self, job: Job, submit: Callable[[Job], None], cancel: Callable[[str], None]
    ) -> list[Answer]:
        """One for each branch, once all have ended. Who waits no more has the job cancelled.
        Raises EngineError."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        count = len(job.seeds) if isinstance(job, Generate) else 1
        answers = [Answer() for _ in range(count)]
        self._open[job.id] = done, answers
        try:
            submit(job)
            await done
        finally:
            is_open = self.drop(job.id)
            if done.cancelled() and is_open:
                cancel(job.id)
        return answers

    def drop(self, job: str) -> bool:
        """Nothing more is heard of it; whether it was open."""
        return self._open.pop(job, None) is not None

    def hear(self, event: Event) -> bool:
        """Whether the event was about one of these."""
        done, answers = self._open.get(event.job, (None, []))
        if done is None:
            return False
        match event:
            case Grown():
                answers[event.branch].text += event.text
                answers[event.branch].parts.append(event.span)
            case Following():
                answers[0].following = event
            case Ended():
                answers[event.branch].ended = event.reason
                if not done.done() and all(one.ended is not None for one in answers):
                    done.set_result(None)
            case Failed() if not done.done():
                done.set_exception(JobFailed(event.error, event.hint))
        return True

    def fail(self, error: EngineError) -> None:
        """Nothing more will come of any."""
        for done, _ in self._open.values():
            if not done.done():
                done.set_exception(error)
