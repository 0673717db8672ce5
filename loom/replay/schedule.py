"""When the moments of a story are shown: at the speed at which they happened, or evenly.

Pure numbers; knows moments, no session and no screen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from enum import StrEnum

from loom.replay.story import Moment

IDLE = 4.0  # seconds that a pause of the writer lasts at most when it is shown
STEP = 1.0  # seconds from moment to moment, shown evenly; so long the empty page is seen, too
TOKENS_A_SECOND = 40.0  # at which text grows, shown evenly


class Pace(StrEnum):
    """`recorded` shortens long pauses; `stepped` is even, and goes on only when told to."""

    RECORDED = "recorded"
    CONSTANT = "constant"
    STEPPED = "stepped"


class Schedule:
    """`times` in seconds from the start, one a moment, never falling; `until` by node: when what
    grows is complete."""

    def __init__(self, moments: Sequence[Moment], lengths: Mapping[int, int], pace: Pace) -> None:
        """`lengths`: how many tokens a model's node has in the end."""
        self.times: list[float] = []
        self.until: dict[int, float] = {}
        began: dict[int, float] = {}
        now, before = STEP, moments[0].time if moments else 0.0
        for moment in moments:
            if pace is Pace.RECORDED:
                now += min(moment.time - before, IDLE)
            elif moment.sealed:
                ready = [
                    began[n] + lengths[n] / TOKENS_A_SECOND for n in moment.sealed if n in began
                ]
                now = max([now, *ready])
            elif self.times:
                now += STEP
            before = moment.time
            self.times.append(now)
            began |= {node: now for node in moment.added if node in lengths}
            self.until |= dict.fromkeys(moment.sealed, now)
        self.began = began

    @property
    def length(self) -> float:
        """Seconds in all."""
        return self.times[-1] if self.times else 0.0

    def count(self, seconds: float) -> int:
        """How many moments have happened by then."""
        return bisect_right(self.times, seconds)

    def share(self, node: int, seconds: float) -> float:
        """How much of a node's text is there, from 0 to 1; all of it where no end was recorded."""
        begun, done = self.began.get(node, 0.0), self.until.get(node)
        if done is None or seconds >= done or done <= begun:
            return 1.0
        return max(0.0, (seconds - begun) / (done - begun))
