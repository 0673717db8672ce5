"""Plugins in their process: what each kind of misbehaviour comes to, and that the rest goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loom.discovery import Found, listed
from loom.instruments.api import Settings
from loom.instruments.client import InstrumentClient, Patience, Reader, Step, SwitchedOff
from loom.instruments.folding import Stretch, fold
from loom.instruments.promises import state_text
from loom.testing.paths import nasty_path

GOOD = """
import numpy as np
from loom.instruments.api import Flag, Reading

NAME, VERSION, ABOUT = "good", "1", "Counts."
OPTIONS = {"every": 3}

def start(settings):
    return {"seen": 0, "sum": 0.0, "every": settings.options["every"]}

def step(state, span, context):
    seen, total, values, flags = state["seen"], state["sum"], [], []
    for index, logprob in enumerate(span.logprob.tolist()):
        seen, total = seen + 1, total - logprob
        values.append(total)
        if seen % state["every"] == 0:
            at = context.position + index
            flags.append(Flag("info", "none", index, max(0, at - 2), total, f"{seen} tokens."))
    after = {"seen": seen, "sum": total, "every": state["every"]}
    return after, Reading({"sum": np.array(values)}, {"tokens": len(span)}, tuple(flags))
"""

BAD = """
import os, sys, time
import numpy as np
from loom.instruments.api import Flag, Reading
NAME = "bad"
def start(settings):
    return 0
def step(state, span, context):
    {}
    return state, Reading()
"""

MISDEEDS = {
    "raises": ("raise KeyError('who')", "it raised KeyError: 'who'"),
    "leaves": ("sys.exit(3)", "it raised SystemExit: 3"),
    "hangs": ("time.sleep(1e6)", "it took more than"),
    "prints": ("print('hello')", "it printed 'hello'"),
    "prints in C": ("os.write(1, b'raw')", "it printed 'raw'"),
    "forks": ("os.fork()", "it tried to start a process (os.fork)"),
    "runs a program": ("os.system('true')", "it tried to start a process (os.system)"),
    "eats memory": ("np.ones(1 << 34, np.uint8)", "it took more than"),
    "ends the process": ("os._exit(0)", "it ended the process (exit code 0)"),
    "is killed": ("os.kill(os.getpid(), 9)", "it ended the process (SIGKILL)"),
    "closes the pipes": ("os.closerange(0, 64)", "it ended the process"),
    "returns nonsense": ("return 7", "step returned an int and not a state and a Reading"),
    "returns NaN as its state": ("return float('nan'), Reading()", "its state can't be kept"),
    "returns NaN as evidence": (
        "return state, Reading(flags=(Flag('flag', 'none', 0, 0, float('nan'), 'so'),))",
        "bits of a flag is nan",
    ),
}

SETTINGS = Settings({"every": 3}, "fingerprint")
PATIENCE = Patience(step=0.6, token=0.0)
MEMORY = 1 << 28


def written(folder: Path, name: str, source: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")


@asynccontextmanager
async def running(folder: Path, off: list[SwitchedOff]) -> AsyncIterator[InstrumentClient]:
    found = [one for one in listed("plugin", [folder]) if one.source == "command line"]
    client = InstrumentClient(found, off.append, folder / "log", PATIENCE, MEMORY)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


def readers(client: InstrumentClient, state: str | None = None) -> dict[str, Reader]:
    return {name: Reader("key", SETTINGS, state) for name in client.plugins}


def same(steps: list[Step], path: list[Stretch], tmp_path: Path) -> bool:
    """Whether these are the steps that the fold takes without a process."""
    from loom.discovery import module_of

    module = module_of(Found("good", str(tmp_path / "plugins" / "good.py"), kind="plugin"))
    expected = list(fold(module, SETTINGS, path))
    return len(steps) == len(expected) and all(
        step.state == state_text(state)
        and step.reading.flags == reading.flags
        and step.reading.summary == reading.summary
        and step.reading.values["sum"].tobytes() == reading.values["sum"].tobytes()
        for step, (state, reading) in zip(steps, expected, strict=True)
    )


@pytest.mark.parametrize("misdeed", MISDEEDS)
async def test_a_plugin_that(misdeed: str, tmp_path: Path) -> None:
    """… is switched off with one notice that names it and says why; the other reads on."""
    act, why = MISDEEDS[misdeed]
    written(tmp_path / "plugins", "good", GOOD)
    written(tmp_path / "plugins", "bad", BAD.format(act))
    off: list[SwitchedOff] = []
    path = nasty_path()
    async with running(tmp_path / "plugins", off) as client:
        assert set(client.plugins) == {"bad", "good"}
        for _ in range(2):
            answers = await client.fold(path, readers(client))
            assert set(answers) == {"good"}
            assert same(answers["good"], path, tmp_path)
        assert set(client.plugins) == {"good"}
    assert [one.name for one in off] == ["bad"]
    assert off[0].why.startswith(why)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import no_such_library", "it raised ModuleNotFoundError: No module named"),
        ("NAME = 'bad'", "it does not define start"),
        ("NAME = 'two words'", "NAME must be one word"),
        ("def so(:", "can't be read"),
        ("import os; os._exit(3)", "it ended the process (exit code 3) while it was loaded"),
        ("raise SystemExit", "it raised SystemExit"),
    ],
)
async def test_what_cannot_be_loaded_is_switched_off(source: str, why: str, tmp_path: Path) -> None:
    written(tmp_path / "plugins", "good", GOOD)
    written(tmp_path / "plugins", "bad", source)
    off: list[SwitchedOff] = []
    async with running(tmp_path / "plugins", off) as client:
        assert set(client.plugins) == {"good"}
        assert set(await client.fold(nasty_path(), readers(client))) == {"good"}
    assert len(off) == 1 and why in off[0].why


async def test_what_a_library_prints_while_it_is_loaded_goes_to_the_log(tmp_path: Path) -> None:
    written(tmp_path / "plugins", "good", "print('a greeting')\n" + GOOD)
    off: list[SwitchedOff] = []
    async with running(tmp_path / "plugins", off) as client:
        assert set(await client.fold(nasty_path(), readers(client))) == {"good"}
    assert off == []
    assert "a greeting" in (tmp_path / "plugins" / "log").read_text()


async def test_a_killed_process_is_nobody_s_fault_and_the_readings_are_the_same(
    tmp_path: Path,
) -> None:
    written(tmp_path / "plugins", "good", GOOD)
    off: list[SwitchedOff] = []
    path = nasty_path()
    async with running(tmp_path / "plugins", off) as client:
        first = (await client.fold(path[:2], readers(client)))["good"]
        for _ in range(3):  # as often as there are strikes
            pid = client.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await gone(pid)
            rest = await client.fold(path[2:], readers(client, first[-1].state))
            assert same(first + rest["good"], path, tmp_path)
    assert off == []


async def gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            await asyncio.sleep(0)  # what is known of it is heard in the loop
            await asyncio.sleep(0)
            return
        await asyncio.sleep(0.01)


async def test_work_under_way_comes_back_empty_when_it_is_closed(tmp_path: Path) -> None:
    written(tmp_path / "plugins", "bad", BAD.format("time.sleep(1e6)"))
    off: list[SwitchedOff] = []
    async with running(tmp_path / "plugins", off) as client:
        work = asyncio.create_task(client.fold(nasty_path(), readers(client)))
        while not client._turn.locked():
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        await client.close()
        assert await work == {}
    assert off == []


async def test_after_work_that_was_broken_off_the_next_is_answered_right(tmp_path: Path) -> None:
    written(tmp_path / "plugins", "good", GOOD)
    off: list[SwitchedOff] = []
    path = nasty_path()
    async with running(tmp_path / "plugins", off) as client:
        work = asyncio.create_task(client.fold(path[2:], readers(client)))
        while not client._turn.locked():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert same((await client.fold(path, readers(client)))["good"], path, tmp_path)
    assert off == []


async def test_the_process_ends_with_its_parent_even_if_a_plugin_hangs(tmp_path: Path) -> None:
    written(tmp_path / "plugins", "bad", BAD.format("time.sleep(1e6)"))
    code = textwrap.dedent(f"""
        import asyncio, os
        from pathlib import Path
        from loom.discovery import listed
        from loom.instruments.api import Settings
        from loom.instruments.client import InstrumentClient, Reader
        from loom.testing.paths import nasty_path

        async def main():
            found = [one for one in listed("plugin", [Path({str(tmp_path / "plugins")!r})])
                     if one.name == "bad"]
            client = InstrumentClient(found, print, Path({str(tmp_path / "log")!r}))
            await client.start()
            print(client.pid, flush=True)
            asyncio.create_task(client.fold(nasty_path(), {{"bad": Reader("", Settings({{}}))}}))
            await asyncio.sleep(0.2)
            os._exit(0)

        asyncio.run(main())
    """)
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
    )
    output, _ = await run.communicate()
    await gone(int(output))


async def test_nothing_runs_for_no_plugins(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    async with running(tmp_path / "plugins", []) as client:
        assert client.pid is None
        assert await client.fold(nasty_path(), {}) == {}
