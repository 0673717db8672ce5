"""Scores that somebody waits for, beside those that give nodes their tokens.

Knows jobs and what comes of them; who asks is not its business.
"""

from __future__ import annotations

import asyncio

from loom.asking import Answer
from loom.engine.api import Ended, EngineError, Event, Failed, Following, Grown, JobFailed, Score
from loom.engine.client import EngineClient


class Asked:
    """Those of one session, by job."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[asyncio.Future[None], Answer]] = {}
        self._quiet: set[str] = set()

    def is_awaited(self, job: str) -> bool:
        """Whether a writer sits and waits for it."""
        return job in self._open and job not in self._quiet

    async def answer(self, client: EngineClient, job: Score, *, quiet: bool = False) -> Answer:
        """Raises EngineError. Who waits no more has the job cancelled. What is asked `quiet` gives
        way to everything else (`withdraw`)."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer = Answer()
        self._open[job.id] = done, answer
        if quiet:
            self._quiet.add(job.id)
        try:
            client.submit(job)
            await done
        finally:
            is_open = self._open.pop(job.id, None) is not None
            self._quiet.discard(job.id)
            if done.cancelled() and is_open:
                client.cancel(job.id)
        return answer

    def withdraw(self, client: EngineClient) -> None:
        """Take back what was asked quietly; there are no answers, and who waits is to be told."""
        for job in self._quiet:
            self._open.pop(job, None)
            client.cancel(job)
        self._quiet.clear()

    def hear(self, event: Event) -> bool:
        """Whether the event was about one of these."""
        done, answer = self._open.get(event.job, (None, None))
        if done is None or answer is None:
            return False
        match event:
            case Grown():
                answer.text += event.text
                answer.parts.append(event.span)
            case Following():
                answer.following = event
            case Ended():
                answer.ended = event.reason
                if not done.done():
                    done.set_result(None)
            case Failed() if not done.done():
                done.set_exception(JobFailed(event.error, event.hint))
        return True

    def fail(self, error: EngineError) -> None:
        """Nothing more will come of any."""
        for done, _ in self._open.values():
            if not done.done():
                done.set_exception(error)
