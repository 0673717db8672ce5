"""A session that grows again as it once did. Read-only: nothing of it is written anywhere.

It is a Session, so whatever shows a session shows it; time is told from outside, by `at`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from loom.changes import Grew, Moved, Read, Sealed, TreeChanged
from loom.core.display import Display
from loom.core.marks import Kind, Mark, Marks
from loom.core.node import ROOT, Author, Ending, Place
from loom.core.span import Span
from loom.core.tree import Tree
from loom.instruments.api import Flag
from loom.raised import Raised, raised_on
from loom.replay.schedule import Pace, Schedule
from loom.replay.story import Moment, story
from loom.session import Session
from loom.store.store import SessionDamaged, Store, StoreError


class Playback(Session):
    """`seconds` is where it is on the time line of `schedule`. No model ever speaks here."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        super().__init__(store, now)
        self._whole = self.tree
        self.moments = story(self)
        self._done = 0
        self.set_pace(Pace.RECORDED)
        self._rewind()

    @classmethod
    def open(
        cls, path: Path, *, read_only: bool = True, now: Callable[[], float] = time.time
    ) -> Self:
        """Raises StoreError, also for a session in which nothing has happened."""
        playback = cls(Store.open(path, read_only=True), now)
        if not playback.moments:
            raise StoreError(
                f"Nothing has happened in {path.name} yet.", f"`loom {path}` opens it."
            )
        return playback

    async def attach(self, model: str, options: Mapping[str, Any] | None = None) -> None:
        """What is shown was said before; no engine is started."""

    # ── time ───────────────────────────────────────────────────────────────────────────────

    def set_pace(self, pace: Pace) -> None:
        """Time begins anew where one is: at the last moment that has happened."""
        drawn = (n for n in map(self._whole.__getitem__, self._whole) if n.author is Author.MODEL)
        lengths = {node.id: node.token_count or 0 for node in drawn}
        self.pace, self.schedule = pace, Schedule(self.moments, lengths, pace)
        self.seconds = self.schedule.times[self._done - 1] if self._done else 0.0

    def _rewind(self) -> None:
        """Before the first moment: the empty page."""
        self.tree, self.marks = Tree(), Marks()
        self.display = Display(self.tree, self.marks)
        self.place = Place(ROOT, 0)
        self.seconds, self._done = 0.0, 0
        self._growing: set[int] = set()
        self._raised: dict[int, Mapping[str, tuple[Flag, ...]]] = {}  # by nodes that are complete

    @property
    def last(self) -> Moment | None:
        """The moment that has happened last."""
        return self.moments[self._done - 1] if self._done else None

    @property
    def over(self) -> bool:
        return self.seconds >= self.schedule.length

    def next_time(self) -> float:
        """When the next moment is that isn't only the end of growing."""
        return self._time_of(range(self._done, len(self.moments)), self.schedule.length)

    def previous_time(self) -> float:
        """When the moment was before the last that isn't only the end of growing."""
        seen = [i for i in range(self._done) if not self.moments[i].sealed]
        return self._time_of(reversed(seen[:-1]), 0.0)

    def _time_of(self, numbers: Iterable[int], otherwise: float) -> float:
        times = self.schedule.times
        return next((times[i] for i in numbers if not self.moments[i].sealed), otherwise)

    def at(self, seconds: float) -> Playback:
        """As it was then: this one, gone on; or, where that is back, another that has begun anew,
        so that whatever shows this one still can."""
        seconds = max(0.0, min(seconds, self.schedule.length))
        if seconds >= self.seconds:
            self._go_on(seconds)
            return self
        other = copy(self)
        other._listeners = []
        other._rewind()
        other._go_on(seconds)
        return other

    def _go_on(self, seconds: float) -> None:
        for number in range(self._done, self.schedule.count(seconds)):
            self._happen(self.moments[number])
            self._done = number + 1
        self.seconds = seconds
        self._grow_on()

    # ── what happens ───────────────────────────────────────────────────────────────────────

    def _happen(self, moment: Moment) -> None:
        touched = {mark.node for mark, _ in moment.marks} | set(moment.added)
        for number in moment.added:
            self._appear(number)
        for number in moment.sealed:
            self._complete(number)
        known = [(mark, value) for mark, value in moment.marks if mark.node in self.tree]
        self._set_marks(known)
        if touched:
            self._emit(TreeChanged(frozenset(touched & set(self.tree))))
        self._raise(n for n in (*moment.added, *moment.sealed) if n not in self._growing)
        if moment.place is not None and moment.place.node in self.tree:
            self._move(moment.place)

    def _appear(self, number: int) -> None:
        node = self._whole[number]
        if node.parent in self._growing and node.at > self.tree[node.parent].length:
            self._show(node.parent, node.at)
        if node.author is Author.MODEL and number in self.schedule.until:
            self._growing.add(number)
            node = replace(node, text=b"", token_count=0, ended=None, hash=b"")
        self.tree.add(node)
        self.display.invalidate(number)

    def _complete(self, number: int) -> None:
        if number not in self._growing:
            return
        self._growing.discard(number)
        whole = self._whole[number]
        self.tree.replace(whole)
        self.display.invalidate(number)
        if not whole.length and whole.ended is not Ending.EOS:
            self._set_marks([(Mark(number, 0, Kind.HIDDEN), "empty")])
        self._emit(Sealed(number, whole.ended or Ending.LENGTH))

    def _move(self, place: Place) -> None:
        if place.node in self._growing and place.at > self.tree[place.node].length:
            self._show(place.node, place.at)
        self.place = Place(place.node, min(place.at, self.tree[place.node].length))
        self._set_marks([(Mark(place.node, 0, Kind.VISITED), "1")])
        self._emit(Moved(self.place))

    def _grow_on(self) -> None:
        grew = set()
        for number in self._growing:
            span = self._columns(number)
            if span is None:
                continue
            count = int(len(span) * self.schedule.share(number, self.seconds))
            length = int(span.ends[count - 1]) if count else 0
            if length > self.tree[number].length:
                self._show(number, length)
                grew.add(number)
        if grew:
            self._emit(Grew(frozenset(grew)))

    def _show(self, number: int, length: int) -> None:
        """So many bytes of a node that grows."""
        span = self._columns(number)
        count = 0 if span is None else span.count_until(length)
        text = self._whole[number].text[:length]
        self.tree.replace(replace(self.tree[number], text=text, token_count=count))
        self.display.invalidate(number)

    # ── flags, as far as they were kept ────────────────────────────────────────────────────

    def _raise(self, complete: Iterable[int]) -> None:
        """Those of nodes that are complete now."""
        found = {}
        for number in complete:
            flags = {name: some for name, some in super()._flags_of(number).items() if some}
            if flags and number in self.tree:
                found[number] = flags
        self._raised |= found
        if found:
            self._emit(Read(frozenset(found), frozenset(found)))

    @property
    def flagged(self) -> AbstractSet[int]:
        """Nodes with flags."""
        return self._raised.keys()

    def _flags_of(self, node: int) -> Mapping[str, tuple[Flag, ...]]:
        return self._raised.get(node, {})

    def raised_in(self, node: int) -> list[Raised]:
        """Their flags in a node, in order."""
        every = raised_on(self, self.tree[node].end, self._flags_of)
        return [one for one in every if one.place.node == node]

    # ── what is known of the text ──────────────────────────────────────────────────────────

    def span(self, node: int) -> Span | None:
        span = self._columns(node)
        if span is None or node not in self._growing:
            return span
        return span.cut(0, self.tree[node].token_count or 0)

    def growing(self) -> tuple[int, ...]:
        return tuple(self._growing)

    def _columns(self, node: int) -> Span | None:
        """Of all of the node's text, however much of it is shown."""
        if node not in self._spans and self._whole[node].token_count:
            span = self._stored_whole(node)
            if span is not None:
                self._keep_span(node, span)
        return self._spans.get(node)

    def _stored_whole(self, node: int) -> Span | None:
        try:
            return self._store.span(node)
        except SessionDamaged as error:
            self._damage_found(error)
            return None
