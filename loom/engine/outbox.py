"""Events on their way to the reader, gathered while they come faster than a screen is drawn.

A line for every token of eight branches costs both ends more than the tokens do. What comes slowly
goes at once, and so does whatever isn't a token. Knows events and time, not how they are sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from loom.core.span import joined
from loom.engine.api import Event, Grown

EVERY = 1 / 30  # seconds between two lines of tokens, unless they come more slowly


class Outbox:
    def __init__(
        self, send: Callable[[Sequence[Event]], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._send, self._now = send, now
        self._held: list[Event] = []
        self._sent = -EVERY

    def put(self, events: Iterable[Event], took: float) -> None:
        """`took`: seconds that the engine needed for them, as it may for the next."""
        self._held += events
        tokens_only = all(isinstance(event, Grown) for event in self._held)
        if not tokens_only or self._now() + took >= self._sent + EVERY:
            self.empty()

    def empty(self) -> None:
        """Nothing that was put in waits any longer."""
        if self._held:
            held, self._held = self._held, []
            self._send(gathered(held))
            self._sent = self._now()


def gathered(events: Sequence[Event]) -> list[Event]:
    """The same with one Grown a branch, as far as nothing else has happened in between."""
    found: list[Event] = []
    growing: dict[tuple[str, int], list[Grown]] = {}
    for event in events:
        if isinstance(event, Grown):
            growing.setdefault((event.job, event.branch), []).append(event)
        else:
            found += chain.from_iterable(map(_together, growing.values()))
            growing.clear()
            found.append(event)
    return [*found, *chain.from_iterable(map(_together, growing.values()))]


def _together(parts: Sequence[Grown]) -> Sequence[Grown]:
    """As one, unless their columns don't fit together: that is for the reader to say."""
    if len(parts) == 1:
        return parts
    try:
        span = joined([part.span for part in parts])
    except ValueError:
        return parts
    text = b"".join(part.text for part in parts)
    return [Grown(parts[0].job, parts[0].branch, text, span)]
