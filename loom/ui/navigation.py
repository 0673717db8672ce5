"""Where a step in the tree leads: pure questions to a session, by segments."""

from __future__ import annotations

import random
from collections.abc import Iterator

from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.session import Session


def end_of(segment: Segment) -> Place:
    return Place(segment.node, segment.stop)


def parent(session: Session, here: Segment) -> Segment | None:
    """What the writer went on from; that is beside it, where its beginning repeats the end of
    that."""
    asked = session.asked_at(here.node)
    if not here.start and asked != session.tree[here.node].hangs_at:
        before = session.display.segment_of(asked)
        if end_of(before) == asked:
            return before
    return session.display.parent(here)


def child(session: Session, here: Segment) -> Segment | None:
    """The one visited last, else the first."""
    return session.last_child(end_of(here))


def sibling(session: Session, here: Segment, step: int) -> Segment | None:
    """The one `step` places on; None past either end."""
    beside = list(session.display.siblings(here))
    place = beside.index(here) + step if here in beside else -1
    return beside[place] if 0 <= place < len(beside) else None


def following(session: Session, here: Segment) -> Segment | None:
    """The next one in reading order."""
    children = session.display.children(here)
    if children:
        return children[0]
    there: Segment | None = here
    while there is not None:
        beside = sibling(session, there, 1)
        if beside is not None:
            return beside
        there = parent(session, there)
    return None


def preceding(session: Session, here: Segment) -> Segment | None:
    """The one before in reading order."""
    beside = sibling(session, here, -1)
    if beside is None:
        return parent(session, here)
    while children := session.display.children(beside):
        beside = children[-1]
    return beside


def leaf(session: Session, here: Segment) -> Segment:
    """Along the children visited last, to the end."""
    while (on := child(session, here)) is not None:
        here = on
    return here


def random_leaf(session: Session, here: Segment, choice: random.Random) -> Segment:
    """A fair choice at every branch point."""
    while children := session.continuations(end_of(here)):
        here = choice.choice(children)
    return here


def reading_order(session: Session, here: Segment) -> Iterator[Segment]:
    """Every segment after `here`, then from the root again up to and with `here`."""
    for start in (following(session, here), session.display.root):
        there = start
        while there is not None:
            yield there
            if there == here:
                return
            there = following(session, there)


def next_bookmark(session: Session, here: Segment) -> Segment | None:
    """The next bookmarked segment in reading order, from the root again at the end."""
    if not any(mark.kind is Kind.BOOKMARK for mark, _ in session.marks):
        return None
    order = reading_order(session, here)
    return next((there for there in order if is_marked(session, there, Kind.BOOKMARK)), None)


def is_marked(session: Session, segment: Segment, kind: Kind) -> bool:
    return session.marks.get(Mark(segment.node, segment.start, kind)) is not None


def below(session: Session, top: Segment) -> Iterator[Segment]:
    """`top` and everything after it, once."""
    stack, met = [top], {top}
    while stack:
        there = stack.pop()
        yield there
        fresh = [on for on in session.continuations(end_of(there)) if on not in met]
        met.update(fresh)
        stack += reversed(fresh)
