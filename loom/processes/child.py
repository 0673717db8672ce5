"""One child process that speaks records on its stdin and stdout, as asyncio sees it.

Knows how a process starts, is read, ends and is buried; not what the records mean.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import sysconfig
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from loom.processes.log import ProcessLog
from loom.processes.records import Lines, Record, line

_CHUNK = 1 << 16
_LAST_WORDS = 2.0  # seconds that output may still come after the process is gone


class Child:
    """`on_record` is called in the event loop for every record, `on_exit` once, with the return
    code, unless `end` was called first."""

    def __init__(
        self,
        process: Process,
        on_record: Callable[[Record], None],
        on_exit: Callable[[int], None],
    ) -> None:
        self._process = process
        self._on_record = on_record
        self._on_exit = on_exit
        self._ending = False
        self._watch = asyncio.create_task(self._watched(), name=f"watch {process.pid}")

    @classmethod
    async def spawn(
        cls,
        arguments: Sequence[str],
        log: ProcessLog,
        on_record: Callable[[Record], None],
        on_exit: Callable[[int], None],
    ) -> Child:
        """Starts `python ARGUMENTS` in its own session (Ctrl+C in the terminal passes it by).
        Raises OSError."""
        try:
            stderr = log.open()
        except OSError:
            stderr = DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", *arguments),
                stdin=PIPE,
                stdout=PIPE,
                stderr=stderr,
                env=environment(),
                start_new_session=True,
            )
        finally:
            if stderr != DEVNULL:
                os.close(stderr)
        return cls(process, on_record, on_exit)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, record: Record) -> None:
        """Never blocks; to a child that is gone it says nothing."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing() and self._process.returncode is None:
            stdin.write(line(record))

    async def end(self, grace: float) -> None:
        """Waits `grace` seconds for the child to end by itself, then kills it and its own."""
        self._ending = True
        with suppress(TimeoutError):
            if grace > 0:
                await asyncio.wait_for(asyncio.shield(self._watch), grace)
        if self._process.returncode is None:
            self._kill_group()
        await asyncio.shield(self._watch)

    async def _watched(self) -> None:
        reading = asyncio.create_task(self._read(), name=f"read {self._process.pid}")
        returncode = await self._process.wait()
        self._kill_group()  # workers it may have left behind
        await asyncio.wait([reading], timeout=_LAST_WORDS)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self._ending:
            self._on_exit(returncode)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        lines = Lines()
        while chunk := await stdout.read(_CHUNK):
            try:
                records = lines.feed(chunk)
            except ValueError:
                self._kill_group()  # not the protocol: nothing after this can be trusted
                return
            for record in records:
                if not self._ending:
                    self._on_record(record)
            await asyncio.sleep(0)


def environment() -> dict[str, str]:
    """This environment, with the folder this `loom` was imported from where a checkout needs it."""
    root = Path(__file__).resolve().parents[2]
    environment = dict(os.environ)
    if str(root) not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        earlier = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(root), *([earlier] if earlier else [])])
    return environment
