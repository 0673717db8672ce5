"""The host with backends that print, break, lie and stall: the protocol holds."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loom.core.recipe import Recipe
from loom.engine import wire
from loom.engine.api import EngineError, Event, Failed, Generate
from loom.engine.client import Died, EngineClient, LoadFailed, Loading, Signal
from loom.engine.host import CREDITS
from loom.processes.log import ProcessLog
from loom.processes.records import Lines, Record, line

Alive = Callable[[int], bool]

ROOT = Path(__file__).parents[2]

ODD = '''
"""An engine whose faults are chosen by the model's name."""
import os
import sys
import threading
import time

import numpy as np

from loom.core.node import Ending
from loom.core.span import Span
from loom.engine.api import Capabilities, Ended, EngineError, Grown, ModelUnsupported

NAME = "odd"
print("stray line at import")


def accepts(model):
    return model.startswith("odd")


def load(model, options, progress):
    os.write(1, b'{"say": "ready"}\\n' + b"\\x1b[31mred\\x1b[0m\\n")
    print("stray", input() if model == "odd-asks" else "line")
    for done in range(1000):
        progress(done, 999)
    if model == "odd-refuses":
        raise ModelUnsupported("It will not load.", "Leave it.")
    if model == "odd-breaks":
        raise KeyError("weights\\nof the second layer")
    if model == "odd-large":
        raise MemoryError
    if model == "odd-exits":
        sys.exit(3)
    if model == "odd-aborts":
        os.abort()
    if model == "odd-forks":
        worker = os.fork() or time.sleep(10_000)
        print(f"worker {worker}")
        os._exit(4)
    if model == "odd-lingers":
        threading.Thread(target=time.sleep, args=(10_000,)).start()
        raise KeyError("weights")
    return Odd(model)


class Odd:
    def __init__(self, model):
        self.model, self.jobs, self.steps = model, [], 0
        self.interrupted = threading.Event()

    def submit(self, job):
        if job.id.startswith("unwelcome"):
            raise RuntimeError("not this one")
        self.jobs.append(job.id)

    def cancel(self, job, branch=None):
        self.jobs = [j for j in self.jobs if j != job]

    def step(self):
        self.steps += 1
        print("stray step")
        os.write(1, b"no json\\n")
        if self.model == "odd-always" or any(j.startswith("bad") for j in self.jobs):
            raise ZeroDivisionError("in the kernel")
        if self.model == "odd-deep" and not self.interrupted.is_set():
            self.interrupted.wait()
            return []
        if self.model == "odd-waits" and self.steps < 20:
            return []
        ids = np.zeros(1, np.int32)
        one = np.zeros(1, np.float32)
        wide = ids.reshape(1, 1)
        span = Span(ids, ids + 1, one, one, one, ids, wide, one.reshape(1, 1))
        events = []
        for job in self.jobs:
            events += [Grown(job, 0, b"x", span), Ended(job, 0, Ending.LENGTH)]
            events += [Grown(job, 0, b"after the end", span), Ended(job, 0, Ending.LENGTH)]
        self.jobs = []
        return events

    def interrupt(self):
        self.interrupted.set()

    def encode(self, text, *, start):
        if text == b"sentence":
            raise EngineError("It can't be encoded.", "Shorten it.")
        raise LookupError("no tokenizer")

    def can(self):
        return Capabilities("odd", "odd", "f", 10_000, 10)

    def pieces(self, ids):
        return tuple(b"%d" % i for i in ids)

    def close(self):
        raise RuntimeError("closing fails")
'''


class Odd:
    def __init__(self, folder: Path) -> None:
        self.said: list[Event | Signal] = []
        self.news = asyncio.Event()
        self.backend = folder / "odd.py"
        self.backend.write_text(ODD)
        self.log = folder / "engine.log"
        self.clients: list[EngineClient] = []

    async def start(self, model: str, **options: Any) -> EngineClient:
        client = EngineClient(model, options, self.hear, self.log, backends=[self.backend])
        self.clients.append(client)
        await client.start()
        return client

    def hear(self, event: Event | Signal) -> None:
        self.said.append(event)
        self.news.set()

    async def until(self, done: Callable[[], object]) -> None:
        while not done():
            self.news.clear()
            await self.news.wait()

    async def heard(self, kind: type[Any]) -> Any:
        await self.until(lambda: self.of(kind))
        return self.of(kind)[0]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.said if isinstance(event, kind)]

    def kinds(self, job: str) -> list[str]:
        return [type(e).__name__ for e in self.said if getattr(e, "job", None) == job]

    async def over(self, job: str) -> list[str]:
        await self.until(lambda: {"Ended", "Failed"} & set(self.kinds(job)))
        return self.kinds(job)


@pytest.fixture
async def odd(tmp_path: Path) -> AsyncIterator[Odd]:
    host = Odd(tmp_path)
    yield host
    for client in host.clients:
        await client.close()


def job(name: str) -> Generate:
    return Generate(name, (), Recipe(tokens=1), (1,))


@pytest.mark.parametrize("model", ["odd", "odd-asks", "odd-waits"])
async def test_stray_output_and_input_disturb_nothing(odd: Odd, model: str) -> None:
    client = await odd.start(model)
    if model == "odd-asks":  # stdin is empty, so input() fails in the backend and nowhere else
        assert "EOFError" in (await odd.heard(LoadFailed)).error
        return
    await client.ready()
    client.submit(job("j"))
    assert await odd.over("j") == ["Grown", "Ended"]
    assert client.vocabulary == [b"%d" % i for i in range(10_000)]
    logged = odd.log.read_text()
    assert "stray line at import" in logged
    assert "stray step" in logged
    assert "no json" in logged


async def test_a_cancelled_job_has_the_step_under_way_broken_off(odd: Odd) -> None:
    client = await odd.start("odd-deep")
    await client.ready()
    client.submit(job("j"))
    client.cancel("j")
    client.submit(job("k"))
    assert await odd.over("k") == ["Grown", "Ended"]


async def test_progress_is_told_by_the_percent(odd: Odd) -> None:
    client = await odd.start("odd")
    await client.ready()
    told = odd.of(Loading)
    assert told[0] == Loading(0, 0, "starting the engine")
    assert told[-1] == Loading(999, 999, "loading the model")
    assert len(told) <= 102


async def test_what_comes_after_the_end_of_a_branch_is_dropped(odd: Odd) -> None:
    client = await odd.start("odd")
    client.submit(job("first"))
    client.submit(job("second"))
    await odd.over("first")
    await odd.over("second")
    assert odd.kinds("first") == odd.kinds("second") == ["Grown", "Ended"]


async def test_a_refusal_keeps_its_words(odd: Odd) -> None:
    await odd.start("odd-refuses")
    assert await odd.heard(LoadFailed) == LoadFailed("It will not load.", "Leave it.")


async def test_an_accident_while_loading_becomes_a_sentence(odd: Odd) -> None:
    client = await odd.start("odd-breaks")
    failed = await odd.heard(LoadFailed)
    assert failed.error.startswith("The model 'odd-breaks' could not be loaded: KeyError")
    assert "\n" not in failed.error
    assert "Traceback" in odd.log.read_text()
    with pytest.raises(EngineError, match="could not be loaded"):
        await client.ready()


async def test_a_model_too_large_for_the_memory_is_said(odd: Odd) -> None:
    await odd.start("odd-large")
    failed = await odd.heard(LoadFailed)
    assert failed.error == "There is not enough memory for the model 'odd-large'."
    assert "smaller model" in failed.hint


@pytest.mark.parametrize(("model", "code"), [("odd-exits", 3), ("odd-aborts", -6)])
async def test_a_process_that_ends_while_loading_has_died(odd: Odd, model: str, code: int) -> None:
    client = await odd.start(model)
    died = await odd.heard(Died)
    assert died.returncode == code
    with pytest.raises(EngineError):
        await client.ready()


async def test_workers_it_forked_neither_hide_its_death_nor_outlive_it(
    odd: Odd, alive: Alive
) -> None:
    await odd.start("odd-forks")
    died = await odd.heard(Died)
    assert died.returncode == 4
    (worker,) = [int(line.split()[1]) for line in died.lines if line.startswith("worker")]
    while alive(worker):
        await asyncio.sleep(0.01)


async def test_threads_left_over_do_not_keep_a_failed_engine(odd: Odd, alive: Alive) -> None:
    client = await odd.start("odd-lingers")
    await odd.heard(LoadFailed)
    assert client.pid is not None
    while alive(client.pid):
        await asyncio.sleep(0.01)


async def test_an_engine_that_failed_to_load_is_tried_again(odd: Odd) -> None:
    """The end of the first process is not taken for the death of the second."""
    client = await odd.start("odd-breaks")
    await odd.heard(LoadFailed)
    odd.said.clear()
    await client.restart()
    await odd.heard(LoadFailed)
    assert not odd.of(Died)


async def test_the_last_lines_carry_no_escapes(odd: Odd) -> None:
    await odd.start("odd-aborts")
    died = await odd.heard(Died)
    assert "red" in died.lines
    assert not any("\x1b" in line for line in died.lines)


async def test_a_job_that_breaks_a_step_fails_and_the_older_goes_on(odd: Odd) -> None:
    client = await odd.start("odd")
    client.submit(job("good"))
    client.submit(job("bad"))
    assert await odd.over("bad") == ["Failed"]
    assert await odd.over("good") == ["Grown", "Ended"]
    failed = await odd.heard(Failed)
    assert "ZeroDivisionError: in the kernel" in failed.error
    client.submit(job("next"))
    assert await odd.over("next") == ["Grown", "Ended"]


async def test_a_job_refused_at_the_door_fails_alone(odd: Odd) -> None:
    client = await odd.start("odd")
    client.submit(job("unwelcome"))
    client.submit(job("good"))
    assert await odd.over("unwelcome") == ["Failed"]
    assert await odd.over("good") == ["Grown", "Ended"]


async def test_an_engine_that_only_breaks_ends(odd: Odd) -> None:
    client = await odd.start("odd-always")
    for number in range(12):
        client.submit(job(f"j{number}"))
    assert (await odd.heard(Died)).returncode == 1
    assert len(odd.of(Failed)) == 8


async def test_text_that_cant_be_encoded_is_an_error_of_its_own(odd: Odd) -> None:
    client = await odd.start("odd")
    with pytest.raises(EngineError, match=r"It can't be encoded\."):
        await client.encode(b"sentence", True)
    with pytest.raises(EngineError, match="LookupError: no tokenizer"):
        await client.encode(b"other", True)
    assert client.state == "ready"


async def test_a_backend_can_be_chosen_by_name(odd: Odd) -> None:
    client = await odd.start("any-name", backend="odd")
    assert (await client.ready()).name == "odd"


class ByHand:
    """A host on echo, spoken to without the client."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "loom.engine.host", "--model", "echo"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self.lines = Lines()

    def send(self, record: Record) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line(record))
        self.process.stdin.flush()

    def until(self, done: Callable[[Record], bool]) -> list[Record]:
        """Records up to the first that is `done`; all that are left if none is."""
        records: list[Record] = []
        assert self.process.stdout is not None
        for text in self.process.stdout:
            records += self.lines.feed(text)
            if done(records[-1]):
                break
        return records


@pytest.fixture
def by_hand() -> Iterator[ByHand]:
    host = ByHand()
    with host.process:
        yield host


def test_it_steps_no_further_than_its_credits(by_hand: ByHand) -> None:
    endless = Generate("g", (), Recipe(tokens=100_000), (1,))
    by_hand.send({"do": "submit", "job": wire.job_record(endless)})
    taken = iter(range(1, CREDITS))
    by_hand.until(lambda record: record["say"] == "events" and next(taken, None) is None)
    asked = {"do": "encode", "text": "", "start": True}
    by_hand.send({**asked, "id": 1})
    assert [r["say"] for r in by_hand.until(lambda r: r["say"] == "encoded")] == ["encoded"]
    by_hand.send({"do": "credit", "lines": 1})
    assert by_hand.until(lambda r: True)[0]["say"] == "events"
    by_hand.send({**asked, "id": 2})
    assert [r["say"] for r in by_hand.until(lambda r: r["say"] == "encoded")] == ["encoded"]


def test_closing_ends_it_without_an_error(by_hand: ByHand) -> None:
    by_hand.send({"do": "close"})
    assert by_hand.until(lambda record: False)[-1]["say"] == "ready"
    assert by_hand.process.wait() == 0


def test_the_end_of_its_input_ends_it(by_hand: ByHand) -> None:
    by_hand.until(lambda record: record["say"] == "ready")
    assert by_hand.process.stdin is not None
    by_hand.process.stdin.close()
    assert by_hand.process.wait() == 0


def test_a_grown_log_is_moved_aside_and_the_writer_goes_on(tmp_path: Path) -> None:
    log = ProcessLog(tmp_path / "engine.log", limit=100)
    fd = log.open()
    os.write(fd, b"old line\n" * 50)
    log.trim()
    os.write(fd, b"new line\n")
    os.close(fd)
    assert log.path.read_bytes() == b"new line\n"
    assert (tmp_path / "engine.log.1").read_bytes() == (b"old line\n" * 50)[-100:]
    assert log.last_lines(5) == ("new line",)


def test_last_lines_are_those_of_this_run(tmp_path: Path) -> None:
    log = ProcessLog(tmp_path / "engine.log")
    log.path.write_text("an earlier run\n")
    fd = log.open()
    os.write(fd, b"\x1b]0;title\x07one\n\n\x9btwo \xff\rthree\n")
    os.close(fd)
    assert log.last_lines(2) == ("�two �", "three")
    assert log.last_lines(9) == ("one", "�two �", "three")


def test_a_log_that_cant_be_read_has_no_lines(tmp_path: Path) -> None:
    assert ProcessLog(tmp_path / "none.log").last_lines(3) == ()
