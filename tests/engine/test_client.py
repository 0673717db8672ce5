"""The client with real child processes on echo: it streams, cancels, dies and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loom.core.node import Ending
from loom.core.recipe import Recipe, Sampling
from loom.core.span import joined
from loom.engine.api import Ended, EngineError, Event, Failed, Following, Generate, Grown, Score
from loom.engine.client import Died, EngineClient, LoadFailed, Loading, Ready, Signal
from loom.engine.host import CREDITS
from loom.engine.outbox import EVERY
from loom.testing import ending_of, text_of

Alive = Callable[[int], bool]
Start = Callable[..., Awaitable["Heard"]]


class Heard:
    """A client and all it said."""

    def __init__(self, model: str, options: dict[str, Any], log: Path, extra: list[Path]) -> None:
        self.said: list[Event | Signal] = []
        self.news = asyncio.Event()
        self.client = EngineClient(model, options, self.hear, log, backends=extra)

    def hear(self, event: Event | Signal) -> None:
        self.said.append(event)
        self.news.set()

    @property
    def events(self) -> list[Event]:
        return [e for e in self.said if not isinstance(e, Signal)]

    async def until(self, done: Callable[[], object]) -> None:
        while not done():
            self.news.clear()
            await self.news.wait()

    async def heard(self, kind: type[Any]) -> Any:
        await self.until(lambda: any(isinstance(event, kind) for event in self.said))
        return next(event for event in self.said if isinstance(event, kind))

    async def ended(self, job: str, branch: int = 0) -> Ending | None:
        await self.until(lambda: ending_of(self.events, job, branch) is not None)
        return ending_of(self.events, job, branch)

    def grown(self, job: str, branch: int = 0) -> bytes:
        return text_of(self.events, job, branch)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts engines; whatever happens they are closed, and no warning was given."""
    started: list[Heard] = []

    async def starting(model: str = "echo", *extra: Path, **options: Any) -> Heard:
        heard = Heard(model, options, tmp_path / "logs" / "engine.log", list(extra))
        started.append(heard)
        await heard.client.start()
        return heard

    yield starting
    for heard in started:
        await heard.client.close()
        assert heard.client.pid is None


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def generate(job: str = "g", *, seeds: tuple[int, ...] = (1,), tokens: int = 8) -> Generate:
    return Generate(job, (b"The keeper of the lighthouse",), Recipe(tokens=tokens), seeds)


async def gone(alive: Alive, pid: int) -> None:
    while alive(pid):
        await asyncio.sleep(0.01)


async def test_it_loads_and_knows_the_vocabulary(start: Start) -> None:
    heard = await start()
    states = [heard.client.state]
    capabilities = await heard.client.ready()
    states.append(heard.client.state)
    assert states == ["loading", "ready"]
    assert heard.client.capabilities == capabilities
    assert capabilities.name == "echo"
    assert len(heard.client.vocabulary) == capabilities.vocabulary
    assert set(map(len, heard.client.vocabulary[1:257])) == {1}
    assert [type(event) for event in heard.said] == [Loading, Loading, Ready]


async def test_it_generates_branches_with_every_column(start: Start) -> None:
    heard = await start()
    heard.client.submit(generate(seeds=(1, 2, 3)))  # waits until the engine is ready
    assert [await heard.ended("g", branch) for branch in range(3)] == [Ending.LENGTH] * 3
    assert len({heard.grown("g", branch) for branch in range(3)}) == 3
    spans = [e.span for e in heard.events if isinstance(e, Grown) and e.branch == 1]
    span = joined(spans)
    pieces = [heard.client.vocabulary[token] for token in span.ids]
    assert b"".join(pieces) == heard.grown("g", 1)
    assert len(span) == 8
    assert span.renyi is not None


async def test_an_ended_branch_is_the_last_that_is_said_of_it(start: Start) -> None:
    heard = await start()
    heard.client.submit(generate(seeds=(1, 2)))
    await heard.ended("g", 0)
    await heard.ended("g", 1)
    for branch in (0, 1):
        said = [e for e in heard.events if getattr(e, "branch", None) == branch]
        *grown, ended = said
        assert isinstance(ended, Ended)
        assert sum(len(e.span) for e in grown if isinstance(e, Grown)) == 8
        assert all(isinstance(e, Grown) for e in grown)


async def test_one_branch_of_several_is_cancelled(start: Start) -> None:
    heard = await start(delay=0.02)
    heard.client.submit(generate(seeds=(1, 2, 3), tokens=40))
    await heard.heard(Grown)
    heard.client.cancel("g", 1)
    assert await heard.ended("g", 1) is Ending.CANCEL
    assert await heard.ended("g", 0) is Ending.LENGTH
    assert await heard.ended("g", 2) is Ending.LENGTH
    assert len(heard.grown("g", 1)) < len(heard.grown("g", 0))
    assert heard.grown("g", 1)


async def test_cancelling_one_changes_nothing_for_the_others(start: Start) -> None:
    heard = await start(delay=0.02)
    heard.client.submit(generate("a", seeds=(1, 2), tokens=30))
    await heard.heard(Grown)
    heard.client.cancel("a", 0)
    await heard.ended("a", 1)
    heard.client.submit(generate("b", seeds=(2,), tokens=30))
    await heard.ended("b", 0)
    assert heard.grown("a", 1) == heard.grown("b", 0)


async def test_a_whole_job_is_cancelled_and_another_goes_on(start: Start) -> None:
    heard = await start(delay=0.001)
    heard.client.submit(generate("a", seeds=(1, 2), tokens=100_000))
    heard.client.submit(generate("b", tokens=20))
    await heard.heard(Grown)
    heard.client.cancel("a")
    assert await heard.ended("a", 0) is Ending.CANCEL
    assert await heard.ended("a", 1) is Ending.CANCEL
    assert await heard.ended("b") is Ending.LENGTH


async def test_jobs_cancelled_before_the_engine_is_ready_never_run(start: Start) -> None:
    heard = await start()
    heard.client.submit(generate("a", seeds=(1, 2)))
    heard.client.submit(generate("b", seeds=(1, 2)))
    heard.client.cancel("a")
    heard.client.cancel("b", 0)
    assert heard.client.state == "loading"
    assert await heard.ended("a", 0) is Ending.CANCEL
    assert await heard.ended("a", 1) is Ending.CANCEL
    assert await heard.ended("b", 0) is Ending.CANCEL
    assert await heard.ended("b", 1) is Ending.LENGTH
    assert not heard.grown("a")
    assert not heard.grown("b", 0)


async def test_cancelling_what_is_over_or_unknown_does_nothing(start: Start) -> None:
    heard = await start()
    heard.client.submit(generate())
    await heard.ended("g")
    heard.client.cancel("g")
    heard.client.cancel("nobody", 3)
    heard.client.submit(generate("h"))
    assert await heard.ended("h") is Ending.LENGTH


async def test_it_encodes_while_it_generates(start: Start) -> None:
    heard = await start(delay=0.001)
    heard.client.submit(generate(tokens=100_000))
    text = "The café \u6d77\n".encode() + b"\xff"
    ids, ends = await heard.client.encode(text, True)
    assert b"".join(heard.client.vocabulary[token] for token in ids) == text
    assert ends[-1] == len(text)
    assert await heard.client.encode(b"", False) == ((), ())
    assert ending_of(heard.events, "g") is None


async def test_a_line_of_megabytes_goes_both_ways(start: Start) -> None:
    heard = await start()
    text = b"The old house. \xe6\xb5\xb7" * 60_000
    ids, ends = await heard.client.encode(text, True)
    assert ends[-1] == len(text) > 1_000_000
    assert len(ids) == len(ends)


async def test_text_is_scored_in_chunks_and_can_be_stopped(start: Start) -> None:
    heard = await start()
    heard.client.submit(Score("s", (), b"The old house and the sea. " * 5_000))
    await heard.until(lambda: heard.grown("s"))
    heard.client.cancel("s")
    assert await heard.ended("s") is Ending.CANCEL
    assert len(heard.grown("s")) < 27 * 5_000


async def test_the_next_token_is_told_before_the_end(start: Start) -> None:
    heard = await start()
    heard.client.submit(Score("n", (b"The",), b"", top=7, following=True))
    await heard.ended("n")
    following = await heard.heard(Following)
    assert len(following.ids) == 7
    assert [heard.client.vocabulary[i] for i in following.ids] == list(following.pieces)


async def test_a_failed_job_leaves_the_engine_at_work(start: Start) -> None:
    heard = await start(fail_job=1)
    heard.client.submit(generate("a"))
    heard.client.submit(generate("b"))
    failed = await heard.heard(Failed)
    assert failed.job == "a"
    assert failed.hint
    assert await heard.ended("b") is Ending.LENGTH


async def test_tokens_of_another_model_fail_with_a_sentence(start: Start) -> None:
    heard = await start()
    heard.client.submit(Generate("g", ((10**6,),), Recipe(), (1,)))
    failed = await heard.heard(Failed)
    assert failed.error.endswith(".")
    assert "Traceback" not in failed.error


async def test_killed_while_it_generates_it_says_so_once_and_starts_again(
    start: Start, alive: Alive
) -> None:
    heard = await start(delay=0.005)
    heard.client.submit(generate("a", seeds=(1, 2), tokens=100_000))
    await heard.heard(Grown)
    pid = heard.client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    died = await heard.heard(Died)
    assert died.returncode == -signal.SIGKILL
    assert heard.client.state == "dead"
    assert not alive(pid)
    with pytest.raises(EngineError, match="SIGKILL"):
        await heard.client.ready()
    heard.client.submit(generate("b"))  # waits for the restart
    await heard.client.restart()
    assert (await heard.client.ready()).name == "echo"
    assert await heard.ended("b") is Ending.LENGTH
    assert sum(isinstance(event, Died) for event in heard.said) == 1
    assert ending_of(heard.events, "a") is None
    assert len(heard.client.vocabulary) == (await heard.client.ready()).vocabulary


async def test_an_engine_that_ends_itself_has_died(start: Start) -> None:
    heard = await start(die_after=3)
    heard.client.submit(generate(tokens=100))
    assert (await heard.heard(Died)).returncode == 70


async def test_who_waits_for_a_dying_engine_is_told(start: Start) -> None:
    heard = await start(hang_after=1)
    heard.client.submit(generate(tokens=100))
    await heard.heard(Grown)
    assert heard.client.pid is not None
    os.kill(heard.client.pid, signal.SIGSTOP)  # it can't answer any more
    asking = asyncio.create_task(heard.client.encode(b"text", True))
    await asyncio.sleep(0)
    os.kill(heard.client.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="SIGKILL"):
        await asking


async def test_a_living_engine_is_restarted(start: Start, alive: Alive) -> None:
    heard = await start(delay=0.005)
    heard.client.submit(generate("a", tokens=100_000))
    await heard.heard(Grown)
    before = heard.client.pid
    await heard.client.restart()
    await heard.client.ready()
    assert heard.client.pid != before
    assert before is not None
    assert not alive(before)
    heard.client.submit(generate("b"))
    assert await heard.ended("b") is Ending.LENGTH
    assert not any(isinstance(event, Died) for event in heard.said)


async def test_a_hanging_engine_is_closed(start: Start, alive: Alive) -> None:
    heard = await start(hang_after=1)
    heard.client.submit(generate(tokens=100))
    await heard.heard(Grown)
    pid = heard.client.pid
    assert pid is not None
    await heard.client.close()
    assert not alive(pid)
    assert heard.client.state == "closed"
    assert not any(isinstance(event, Died) for event in heard.said)


@pytest.mark.parametrize("ready", [True, False])
async def test_closing_is_final_and_may_be_done_twice(
    start: Start, ready: bool, alive: Alive
) -> None:
    heard = await start()
    if ready:
        await heard.client.ready()
    pid = heard.client.pid
    assert pid is not None
    waiting = asyncio.create_task(heard.client.ready())
    await asyncio.gather(heard.client.close(), heard.client.close())
    assert not alive(pid)
    if not ready:
        with pytest.raises(EngineError, match="closed"):
            await waiting
    with pytest.raises(EngineError, match="closed"):
        heard.client.submit(generate())
    await heard.client.restart()
    assert heard.client.state == "closed"
    assert heard.client.pid is None


async def test_a_model_that_is_not_there_is_said_in_a_sentence(start: Start, alive: Alive) -> None:
    heard = await start("/no/such/model")
    failed = await heard.heard(LoadFailed)
    with pytest.raises(EngineError) as caught:
        await heard.client.ready()
    assert str(caught.value) == failed.error
    assert "/no/such/model" in failed.error
    assert failed.hint
    assert heard.client.state == "dead"
    assert heard.client.pid is not None
    await gone(alive, heard.client.pid)
    assert not any(isinstance(event, Died) for event in heard.said)


async def test_credit_comes_back_as_events_are_taken(start: Start) -> None:
    heard = await start()
    for number in range(CREDITS * 5):  # at least a line each
        heard.client.submit(generate(f"{number}", tokens=1))
        assert await heard.ended(f"{number}") is Ending.LENGTH
    assert len([event for event in heard.said if isinstance(event, Grown)]) == CREDITS * 5


async def test_tokens_that_come_faster_than_one_can_look_come_many_in_a_line(start: Start) -> None:
    slow, fast = await start(delay=2 * EVERY), await start()
    for heard, tokens in ((slow, 12), (fast, 240)):
        heard.client.submit(generate(tokens=tokens))
        assert await heard.ended("g") is Ending.LENGTH
    spans = [[len(e.span) for e in h.events if isinstance(e, Grown)] for h in (slow, fast)]
    assert spans[0] == [1] * 12
    assert sum(spans[1]) == 240 and max(spans[1]) > 1
    assert fast.grown("g").startswith(slow.grown("g"))


async def test_what_was_said_before_a_death_is_heard(start: Start) -> None:
    heard = await start(die_after=25, delay=2 * EVERY)
    heard.client.submit(generate(tokens=100_000))
    await heard.heard(Died)
    assert len([event for event in heard.said if isinstance(event, Grown)]) == 25


async def test_a_listener_that_raises_loses_nothing_else(start: Start) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    heard = await start()
    hear, angry = heard.hear, [True]

    def raising(event: Event | Signal) -> None:
        hear(event)
        if isinstance(event, Grown) and angry:
            angry.pop()
            raise RuntimeError("no")

    heard.client._on_event = raising
    heard.client.submit(generate())
    assert await heard.ended("g") is Ending.LENGTH
    assert [context["message"] for context in reported] == ["listener failed on Grown"]


async def test_the_sampler_is_honoured(start: Start) -> None:
    heard = await start()
    greedy = Recipe(Sampling(temperature=0), tokens=10)
    heard.client.submit(Generate("g", (b"The",), greedy, (1, 2)))
    await heard.ended("g", 0)
    await heard.ended("g", 1)
    assert heard.grown("g", 0) == heard.grown("g", 1)
    for event in heard.events:
        if isinstance(event, Grown):
            assert event.span.rank[0] == 0


PARENT = """
    import asyncio, sys
    from pathlib import Path
    from loom.core.recipe import Recipe
    from loom.engine.api import Generate, Grown
    from loom.engine.client import EngineClient

    async def main() -> None:
        def hear(event):
            if isinstance(event, Grown) and not told:
                told.append(print(client.pid, flush=True))
        told = []
        client = EngineClient("echo", {options}, hear, Path({log!r}))
        await client.start()
        client.submit(Generate("g", (b"The",), Recipe(tokens=100_000), (1,)))
        await {then}

    asyncio.run(main())
"""


def parent(tmp_path: Path, options: dict[str, Any], then: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(PARENT).format(
        options=options, log=str(tmp_path / "engine.log"), then=then
    )
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )


@pytest.mark.parametrize("options", [{"delay": 0.01}, {"delay": 0}, {"hang_after": 1}])
async def test_no_engine_outlives_a_killed_parent(
    tmp_path: Path, options: dict[str, Any], alive: Alive
) -> None:
    process = parent(tmp_path, options, "asyncio.Event().wait()")
    assert process.stdout is not None
    pid = int(await asyncio.to_thread(process.stdout.readline))
    assert alive(pid)
    process.kill()
    await asyncio.to_thread(process.communicate)
    await gone(alive, pid)


def test_a_script_that_closes_its_engine_leaves_without_a_word(tmp_path: Path) -> None:
    process = parent(tmp_path, {}, "client.ready(); await client.encode(b'x', True)")
    _, errors = process.communicate()
    assert process.returncode == 0
    process = parent(tmp_path, {}, "client.ready(); await client.close()")
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


async def test_ctrl_c_in_the_terminal_passes_the_engine_by(start: Start) -> None:
    heard = await start()
    await heard.client.ready()
    assert heard.client.pid is not None
    assert os.getsid(heard.client.pid) == heard.client.pid
