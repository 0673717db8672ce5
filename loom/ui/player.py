"""Plays a recorded session: how fast, and whether it is running. Knows no widget and no key."""

from __future__ import annotations

from loom.replay.playback import Playback
from loom.replay.schedule import Pace

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
EDGE = 0.02  # seconds: nearer than this to the end is the end


class Player:
    """`playing` is False while it waits. Methods that move say whether that was back: then
    `playback` is another one, and what shows it has to begin anew."""

    def __init__(self, playback: Playback, pace: Pace = Pace.RECORDED, speed: float = 1.0) -> None:
        self.playback = playback
        playback.set_pace(pace)
        self.speed = min(SPEEDS, key=lambda known: abs(known - speed))
        self.playing = pace is not Pace.STEPPED

    @property
    def at_end(self) -> bool:
        return self.playback.seconds >= self.playback.schedule.length - EDGE

    def toggle(self) -> bool:
        """Pause, or go on; at the end from the start."""
        self.playing = not self.playing
        if self.playing and self.playback.pace is Pace.STEPPED:
            self.playback.set_pace(Pace.CONSTANT)
        return self.playing and self.at_end and self.scrub(0.0)

    def faster(self, by: int) -> None:
        """So many speeds up or down."""
        place = SPEEDS.index(self.speed) + by
        self.speed = SPEEDS[max(0, min(place, len(SPEEDS) - 1))]

    def next_pace(self) -> None:
        paces = list(Pace)
        pace = paces[(paces.index(self.playback.pace) + 1) % len(paces)]
        self.playback.set_pace(pace)
        self.playing = self.playing and pace is not Pace.STEPPED

    def tick(self, seconds: float) -> bool:
        """So much time has passed in front of the screen."""
        if not self.playing:
            return False
        back = self.scrub(self.playback.seconds + seconds * self.speed)
        self.playing = not self.at_end
        return back

    def step(self, by: int) -> bool:
        """To the next or (below 0) the previous moment, and wait there."""
        self.playing = False
        playback = self.playback
        return self.scrub(playback.next_time() if by > 0 else playback.previous_time())

    def scrub(self, seconds: float) -> bool:
        before, self.playback = self.playback, self.playback.at(seconds)
        return self.playback is not before
