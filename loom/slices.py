"""Long work in the event loop, in slices: whoever does it lets others have a turn in between."""

from __future__ import annotations

import asyncio
import time

SLICE = 0.002  # seconds


class Slices:
    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def next(self) -> None:
        """Called between two steps; the others have a turn where one has worked long enough."""
        if time.perf_counter() - self._began > SLICE:
            await asyncio.sleep(0)
            self._began = time.perf_counter()
