"""Plugins in a process, and those that turn out to be slow in another, so that nobody waits there.

The same to whoever uses it as one client; knows who is slow, and nothing of what is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loom.discovery import Found
from loom.instruments.client import InstrumentClient, Reader, Step, SwitchedOff
from loom.instruments.folding import Stretch
from loom.instruments.loading import Declared


class Lanes:
    """`on_off` hears once of every plugin that is switched off. The process for slow ones is
    started when there is one."""

    def __init__(
        self, found: Sequence[Found], on_off: Callable[[SwitchedOff], None], log: Path
    ) -> None:
        self._quick = InstrumentClient(found, on_off, log)
        self._slow = InstrumentClient((), on_off, log)

    @property
    def plugins(self) -> Mapping[str, Declared]:
        """Those that run."""
        return {**self._quick.plugins, **self._slow.plugins}

    @property
    def pid(self) -> int | None:
        return self._quick.pid

    def is_slow(self, name: str) -> bool:
        """Whether others don't wait for it."""
        return name in self._slow.plugins or self._quick.is_slow(name)

    def listen(self, on_off: Callable[[SwitchedOff], None]) -> None:
        """From now on `on_off` hears."""
        self._quick.listen(on_off)
        self._slow.listen(on_off)

    async def start(self) -> None:
        """Load all plugins; who can't be loaded is switched off."""
        await self._quick.start()

    async def close(self) -> None:
        await asyncio.gather(self._quick.close(), self._slow.close())

    async def fold(
        self, stretches: Sequence[Stretch], readers: Mapping[str, Reader]
    ) -> dict[str, list[Step]]:
        """A step for each stretch by each reader, by plugin; those switched off are missing."""
        for name in readers:
            if self._quick.is_slow(name):
                self._quick.hand(name, self._slow)
        slow = {name: reader for name, reader in readers.items() if name in self._slow.plugins}
        quick = {name: reader for name, reader in readers.items() if name not in slow}
        lanes = [lane.fold(stretches, part) for lane, part in
                 ((self._quick, quick), (self._slow, slow)) if part]  # fmt: skip
        found: dict[str, list[Step]] = {}
        for answers in await asyncio.gather(*lanes):
            found |= answers
        return found
