"""Which nodes are to be weighed, the nearest to the writer first.

Works nothing off; what is in sight is looked up in the session whenever it is asked what is next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from loom.core.node import ROOT, Place
from loom.sources.known import Depth
from loom.sources.scales import Scales

if TYPE_CHECKING:
    from loom.watched import Watched

SEEN = 32  # continuations, and siblings
ASKED = 8  # continuations, and siblings, after which the model is asked about the sources, too
LOOKED_AT = 128  # places that were asked for last


class Target(NamedTuple):
    """What is known of `place` is to have that depth; then, by `names`, the model is to be asked
    about the sources there; or the course of its node is wanted. `asked`: by the writer."""

    place: Place
    depth: Depth
    asked: bool = False
    course: bool = False
    names: bool = False


class Targets:
    """`idle`: what is in sight is weighed without being asked for; else only what was weighed
    before is looked up."""

    def __init__(self, session: Watched) -> None:
        self._session = session
        self._wanted: dict[Place, None] = {}  # asked for by the writer
        self._looked: dict[Place, None] = {}  # shown somewhere
        self._traced: dict[int, None] = {}
        self._hopeless: set[Target] = set()
        self._reached: set[Target] = set()  # also what there is no room for in memory any more

    @property
    def wanted(self) -> tuple[Place, ...]:
        """What the writer has asked for."""
        return tuple(self._wanted)

    def want(self, place: Place) -> None:
        self._wanted[place] = None
        self.hope()

    def want_nothing(self) -> None:
        self._wanted.clear()

    def look(self, place: Place) -> bool:
        """It is shown somewhere; whether that is news."""
        news = place not in self._looked
        self._looked[place] = None
        while len(self._looked) > LOOKED_AT:
            del self._looked[next(iter(self._looked))]
        return news

    def trace(self, node: int) -> None:
        """Its course is shown somewhere."""
        self._traced[node] = None

    def moved(self) -> None:
        """What was shown may be out of sight."""
        self._looked.clear()
        self._traced.clear()
        self._reached.clear()

    def hope(self) -> None:
        """What could not be done may be possible now, and what was done may hold no more."""
        self._hopeless.clear()
        self._reached.clear()

    def done(self, target: Target, *, again: bool, more: bool = False) -> None:
        """What goes on from it may be possible now; with `again` it is to be looked at anew; with
        `more` it isn't all that was asked for."""
        if not more:
            self._wanted.pop(target.place, None)
        if again:
            self._reached.clear()
        self._reached.add(target)
        self._hopeless = {other for other in self._hopeless if other.depth}

    def give_up(self, target: Target, *, forget: bool) -> None:
        """Until there is hope; with `forget` the writer isn't taken to wait for it any more."""
        self._hopeless.add(target)
        if forget:
            self._wanted.pop(target.place, None)

    def has(self, place: Place, *, idle: bool) -> bool:
        """Whether it still is one, or before one."""
        if any(target.place == place for target in self._every(idle=idle)):
            return True
        return any(
            place.node == node for node, _ in self._session.tree.stretches(self._session.place)
        )

    def next(self, scales: Scales, *, idle: bool, able: bool) -> Target | None:
        """The first that isn't reached; `able`: there is an engine to ask."""
        for target in self._every(idle=idle):
            node = self._session.tree[target.place.node]
            over = target in self._hopeless or target in self._reached
            if over or node.growing or node.id == ROOT:
                continue
            if target.names:
                if able and scales.is_current(target.place) and not scales.is_asked(target.place):
                    return target
            elif not scales.is_current(target.place, target.depth if able else Depth.KEPT):
                return target
        while self._traced:
            number = next(iter(self._traced))
            del self._traced[number]
            target = Target(self._session.tree[number].end, Depth.KEPT, course=True)
            wanted = scales.is_current(target.place) and not scales.has_course(number)
            if wanted and target not in self._reached:
                return target
        return None

    def _every(self, *, idle: bool) -> Iterator[Target]:
        session, tree = self._session, self._session.tree
        for place in self._wanted:
            yield Target(place, Depth.EVERY, asked=True)
            yield Target(place, Depth.EVERY, asked=True, names=True)
        every, some = (Depth.EVERY, Depth.SOME) if idle else (Depth.KEPT, Depth.KEPT)
        here = session.place
        places = dict.fromkeys((tree[here.node].end, here))
        ahead = [tree[segment.node].end for segment in session.continuations(here)[:SEEN]]
        yield from (Target(place, every) for place in places)
        yield from (Target(place, some) for place in ahead)
        yield from (Target(place, every, names=True) for place in (here, *ahead[:ASKED]) if idle)
        beside = [tree[node].end for node in self._beside(here)]
        yield from (Target(place, some) for place in beside)
        yield from [Target(place, some) for place in reversed(self._looked)]
        yield from (Target(place, some, names=True) for place in beside[:ASKED] if idle)

    def _beside(self, here: Place) -> list[int]:
        """Siblings of where the writer is, the nearest first."""
        display = self._session.display
        own = display.segment_of(here)
        every = display.siblings(own)
        at = every.index(own) if own in every else 0
        near = sorted(range(len(every)), key=lambda index: abs(index - at))
        return [every[index].node for index in near[:SEEN]]
