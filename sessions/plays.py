"""What is done in each recording. To add one, write a function here and name it in RECORDINGS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loom.bylines import heading
from loom.core.node import ROOT, Place
from loom.experiments.absorbing import SIGN
from loom.experiments.onion import OPENING, SET
from loom.extensions import HOUSE
from loom.instruments.sources import finding
from sessions.hand import Hand

BYLINES = ("Jane Austen", "Herman Melville", "Edgar Allan Poe", "CIA World Factbook")
LOOP = 6  # tokens that come again at once: caught


@dataclass(frozen=True, slots=True)
class Recording:
    """`seed` is the session's and that of the choices; `play` is what is done, on `model`."""

    name: str
    title: str
    seed: int
    play: Callable[[Hand], Awaitable[None]]
    preset: str = "balanced"
    tokens: int = 40
    top: int = 20
    model: str = HOUSE


async def first_story(hand: Hand) -> None:
    """Grow, walk in, go back and elsewhere, branch inside, write on, throw away, take back."""
    await hand.write("The lighthouse keeper had not spoken to anyone since")
    fork = hand.session.place
    first = hand.walk(await hand.grow())
    hand.walk(await hand.grow())
    hand.go(fork)
    others = [segment for segment in hand.session.continuations() if segment != first]
    second = hand.walk(others)
    hand.walk(await hand.grow(3))
    hand.doubt(second.node)
    hand.walk(await hand.grow(3))
    await hand.write("\n\nThen, one night in March, the light went out.")
    night = hand.session.place
    grown = await hand.grow()
    hand.hide(grown[-1])
    hand.undo()
    kept = hand.walk(grown)
    hand.bookmark(kept)
    hand.walk(await hand.grow())
    hand.go(night)


async def four_bylines(hand: Hand) -> None:
    """The same first words under four names: four worlds, grown side by side."""
    for name in BYLINES:
        hand.go(Place(ROOT, 0))
        await hand.write(heading(name) + "It was late in the year when we came to the island,")
        fork = hand.session.place
        hand.walk(await hand.grow(3))
        await hand.grow(2)
        hand.go(fork)


async def loop_escaped(hand: Hand) -> None:
    """Always the likeliest token: a loop. Back to before it, another token there, and freely on."""
    await hand.write("The sea was very calm, and the captain said that")
    while (start := loop_in(hand.session.place, hand)) is None:
        hand.walk(await hand.grow(1))
    node, index = start
    caught = hand.session.display.segment_of(hand.session.place)
    hand.bookmark(caught)
    hand.turn_to("balanced")
    hand.doubt(node, before=index)
    hand.walk(await hand.grow(4))
    await hand.grow(3)


def loop_in(place: Place, hand: Hand) -> tuple[int, int] | None:
    """(node, token) at which the first stretch of LOOP tokens comes again in the last node."""
    span = hand.session.span(place.node)
    if span is None or hand.session.tree[place.node].seed is None:
        return None
    ids = span.ids.tolist()
    for later in range(LOOP, len(ids) - LOOP + 1):
        for first in range(later - LOOP + 1):
            if ids[first : first + LOOP] == ids[later : later + LOOP]:
                return place.node, later
    return None


async def weave(hand: Hand) -> None:
    """Three hundred nodes: grown wherever the hand happens to go, some hidden, some walked past."""
    await hand.write("There are three doors in this house, and each of them")
    tree, display = hand.session.tree, hand.session.display
    while len(tree) <= 300:
        grown = await hand.grow(4)
        taken = hand.walk(grown)
        if len(tree) % 5 == 0:
            hand.doubt(taken.node)
        others = [segment for segment in grown if segment != taken]
        if len(tree) % 7 == 0 and others:  # continuations that are the same are one
            hand.hide(hand.chosen(others))
        if len(tree) % 3 == 0:
            leaves = [row.segment for row in display.rows() if not display.children(row.segment)]
            hand.go(display.place_of_end(hand.chosen(leaves)))
    await hand.grow(4)


async def absorbed(hand: Hand) -> None:
    """On until the token comes from which there is no way out; once more; back, and past it."""
    session = hand.session
    await hand.write("Nobody had lived in the mill for years, but")
    grown = await hand.grow()
    while not (caught := [each for each in grown if SIGN in session.text(each.node)]):
        hand.walk(grown)
        grown = await hand.grow()
    taken = hand.walk(caught)
    hand.bookmark(taken)
    await hand.grow()
    before = session.text(taken.node).index(SIGN)
    hand.go(Place(taken.node, len(session.text(taken.node)[:before].encode())))
    await hand.grow()


async def decided(hand: Hand) -> None:
    """Three continuations deep: what the other tokens decide, no model can say."""
    await hand.write("Two and two are four, three and three are")
    fork = hand.session.place
    for _ in range(3):
        hand.walk(await hand.grow(2))
    hand.go(fork)


async def spare_key(hand: Hand) -> None:
    """A satirical newspaper's opening, weighed by genres and publications, and what comes after."""
    hand.session.set_sources(finding.find(SET))
    await hand.write(OPENING + "\n\n")
    fork = hand.session.place
    grown = await hand.grow(3)
    hand.walk(grown)
    await hand.weigh([*grown, *await hand.grow(2)])
    hand.go(fork)


async def collapse(hand: Hand) -> None:
    """A text under each of four names that stand nowhere in it: who wrote which, and from where on
    that can be told."""
    for name in BYLINES:
        hand.go(Place(ROOT, 0))
        await hand.grow(1, frame=heading(name))
    grown = hand.session.continuations()
    await hand.weigh(grown)


RECORDINGS = (
    Recording("first-story", "A first story", 7, first_story, preset="careful"),
    Recording("four-bylines", "One opening, four bylines", 11, four_bylines),
    Recording("a-loop-escaped", "A loop, escaped", 13, loop_escaped, preset="greedy"),
    Recording("weave", "Three doors: a weave", 17, weave, tokens=12, top=5),
    Recording("absorbing", "An absorbing state", 19, absorbed, preset="raw", model="absorbing"),
    Recording("hash", "Half of it decided", 23, decided, preset="raw", model="hash"),
    Recording("onion", "A spare key: who could be writing this", 29, spare_key),
    Recording("collapse", "Four worlds, unsigned", 31, collapse, preset="raw", tokens=128),
)
