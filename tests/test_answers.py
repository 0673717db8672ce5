"""Answers are whole when every branch has ended, and who waits no more leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from loom.asking.answers import Answer, Answers
from loom.core.node import Ending
from loom.core.recipe import Recipe
from loom.engine.api import Ended, EngineError, Failed, Following, Generate, Job, JobFailed, Score

READ = Score("read", (), b"text", following=True)
DRAWN = Generate("drawn", (b"text",), Recipe(), (1, 2))


class Heard:
    """What an engine was told."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.submitted: list[Job] = []
        self.cancelled: list[str] = []

    def ask(self, job: Job) -> asyncio.Task[list[Answer]]:
        asked = self.answers.to(job, self.submitted.append, self.cancelled.append)
        return asyncio.ensure_future(asked)


async def test_an_answer_is_whole_when_every_branch_has_ended() -> None:
    heard = Heard()
    task = heard.ask(DRAWN)
    await asyncio.sleep(0)
    assert heard.submitted == [DRAWN]
    assert "drawn" in heard.answers and len(heard.answers) == 1
    assert heard.answers.hear(Ended("drawn", 1, Ending.EOS))
    await asyncio.sleep(0)
    assert not task.done()
    assert heard.answers.hear(Ended("drawn", 0, Ending.LENGTH))
    assert [answer.ended for answer in await task] == [Ending.LENGTH, Ending.EOS]
    assert not len(heard.answers)
    assert not heard.cancelled


async def test_what_follows_is_part_of_an_answer() -> None:
    heard = Heard()
    task = heard.ask(READ)
    await asyncio.sleep(0)
    following = Following("read", (1,), (-0.5,), (b"a",), 0.1, 0.1)
    heard.answers.hear(following)
    heard.answers.hear(Ended("read", 0, Ending.LENGTH))
    (answer,) = await task
    assert answer.following is following
    assert answer.span is None


async def test_who_waits_no_more_has_the_job_cancelled_unless_it_was_dropped() -> None:
    heard = Heard()
    for dropped in (False, True):
        task = heard.ask(READ)
        await asyncio.sleep(0)
        assert not dropped or heard.answers.drop("read")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert heard.cancelled == ["read"]
    assert not heard.answers.hear(Ended("read", 0, Ending.CANCEL))


async def test_failures_reach_those_who_wait() -> None:
    heard = Heard()
    one, other = heard.ask(READ), heard.ask(DRAWN)
    await asyncio.sleep(0)
    assert heard.answers.hear(Failed("read", "It went wrong.", "Try again."))
    with pytest.raises(JobFailed, match="went wrong") as raised:
        await one
    assert raised.value.hint == "Try again."
    heard.answers.fail(EngineError("It is gone."))
    with pytest.raises(EngineError, match="gone"):
        await other
    assert not len(heard.answers)
