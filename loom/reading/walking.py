"""One way down to a node: what was read and still holds is left as it is, the rest is folded.

Knows links, readings and the plugins' process; not why the node is wanted now.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from loom.holdings import Holdings
from loom.instruments.api import Context, Reading, Settings
from loom.instruments.client import Reader, Step
from loom.instruments.folding import Stretch, joined
from loom.instruments.keeping import BEGINNING, DIGEST, Kept, basis_of, surroundings
from loom.instruments.lanes import Lanes
from loom.reading.roster import Roster
from loom.reading.stretches import Link, Stretches, Way

PIECE = 1024  # tokens that are sent at once, at most
INSIDE_KEPT = 256  # states inside nodes

Readers = Mapping[str, tuple[str, Settings]]
"""Instrument → what names its settings, and the settings."""


class Walk:
    """`readers` are those of the roster that run."""

    def __init__(
        self,
        client: Lanes,
        stretches: Stretches,
        holdings: Holdings,
        roster: Roster,
        readers: Readers,
    ) -> None:
        self._client, self._stretches, self._holdings = client, stretches, holdings
        self._roster, self._names, self._readers = roster, roster.names, readers

    async def along(self, way: Way) -> AsyncGenerator[tuple[int, bool], None]:
        """Every node as it becomes sound, and whether it was read anew. With some of those that
        run left out of the readers nothing becomes sound: they have yet to read it."""
        base, before, stood = way.base, self._after(way.base), self._stands(way.base)
        lead: list[Link] = []
        for link in way.links if before.keys() == self._readers.keys() else ():
            seen = self._stretches.context_of(link.node)
            around = self._around(seen, link.tokens, before)
            lead.append(link)
            if link.tokens is not None:
                before = around
                continue
            missing = self._missing(link.node, around)
            if missing and not await self._fold(base, lead, before, around, missing):
                return
            if self._stands(base) != stood or seen != self._stretches.context_of(link.node):
                return  # what is before it, or how it was chosen, is not what it was
            base, lead, before = link.node, [], self._settled(link.node)
            stood = self._stands(base)
            yield link.node, bool(missing)

    def _stands(self, base: int | None) -> bytes | None:
        """What stands for the states it is gone on from; others may read that node meanwhile."""
        return None if base is None else self._holdings.after(base)

    def _around(
        self, seen: Context, tokens: int | None, before: Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """What stands for all that is read in a link."""
        whole, blind = surroundings(seen, tokens), surroundings(replace(seen, choice=None), tokens)
        looks = self._roster.looks_at_choices
        return {n: basis_of(before[n], whole if looks(n) else blind) for n in self._readers}

    def _after(self, base: int | None) -> dict[str, bytes]:
        if base is None:
            return dict.fromkeys(self._readers, BEGINNING)
        whole = self._holdings.after(base)
        if whole is None:  # in doubt since the way was found
            return {}
        places = {name: place * DIGEST for place, name in enumerate(self._names)}
        return {n: whole[places[n] : places[n] + DIGEST] for n in self._readers}

    def _missing(self, node: int, around: Mapping[str, bytes]) -> list[str]:
        """Who hasn't read the node, or has read it after something else."""
        missing = []
        for name, (key, _) in self._readers.items():
            seen = self._holdings.glance(node, name, key)
            if seen is None or seen.basis != around[name]:
                missing.append(name)
            else:
                self._holdings.note_flagged(node, name, key, seen)
        return missing

    def _settled(self, node: int) -> dict[str, bytes]:
        """What stands for the states after it."""
        seen = {n: self._holdings.glance(node, n, key) for n, (key, _) in self._readers.items()}
        after = {name: one.after if one is not None else BEGINNING for name, one in seen.items()}
        if set(self._readers) == set(self._roster.running()):
            self._holdings.settle(node, b"".join(after.get(n, BEGINNING) for n in self._names))
        return after

    async def _fold(
        self,
        base: int | None,
        links: Sequence[Link],
        before: Mapping[str, bytes],
        around: Mapping[str, bytes],
        missing: Sequence[str],
    ) -> bool:
        """Read the last link after those that lead to it. False where that can't be done now."""
        inside = self._inside(links, before, missing)
        links = links[-1:] if inside else links
        found = [self._stretches.stretch(link) for link in links]
        stretches = [stretch for stretch in found if stretch is not None]
        if found[-1] is None or len(stretches) != len(found):
            return False
        states = inside or self._states(base, missing)
        if states is None:
            return False
        steps: dict[str, list[Step]] = {name: [] for name in missing}
        for group in groups(piece for stretch in stretches for piece in pieces(stretch)):
            readers = {n: Reader(*self._readers[n], states[n]) for n in steps}
            answers = await self._client.fold(group, readers)
            steps = {name: steps[name] + answer for name, answer in answers.items()}
            states = {name: answer[-1].state for name, answer in answers.items()}
        own = list(pieces(stretches[-1]))
        if len(links) > 1:
            self._note_inside(before, {n: answer[-len(own) - 1] for n, answer in steps.items()})
        for name, answer in steps.items():
            self._keep(links[-1].node, name, around[name], own, answer[-len(own) :])
        return bool(steps)

    def _inside(
        self, links: Sequence[Link], before: Mapping[str, bytes], names: Sequence[str]
    ) -> dict[str, str | None] | None:
        """States inside a node that were come by lately; siblings need the same ones."""
        if len(links) < 2:
            return None
        keys = [(name, self._readers[name][0], before[name]) for name in names]
        states = {key[0]: self._holdings.inside.get(key) for key in keys}
        return None if None in states.values() else states

    def _note_inside(self, before: Mapping[str, bytes], steps: Mapping[str, Step]) -> None:
        if len(self._holdings.inside) > INSIDE_KEPT:
            self._holdings.inside.clear()
        for name, step in steps.items():
            self._holdings.inside[name, self._readers[name][0], before[name]] = step.state

    def _states(self, base: int | None, names: Sequence[str]) -> dict[str, str | None] | None:
        """None where one is lost: the node is no longer sound then."""
        if base is None:
            return dict.fromkeys(names)
        states = {n: self._holdings.state(base, n, self._readers[n][0]) for n in names}
        if None in states.values():
            self._holdings.discard(base)
            return None
        return states

    def _keep(
        self, node: int, name: str, basis: bytes, own: Sequence[Stretch], steps: Sequence[Step]
    ) -> None:
        tokens = sum(map(len, own))
        parts: list[tuple[int, Reading]] = [
            (len(piece), step.reading) for piece, step in zip(own, steps, strict=True)
        ]
        reading = parts[0][1] if len(parts) == 1 else joined(parts)
        kept = Kept(basis, steps[-1].state, reading, tokens)
        self._holdings.keep(node, name, self._readers[name][0], kept)


def pieces(stretch: Stretch) -> Iterator[Stretch]:
    if len(stretch) <= PIECE:
        yield stretch
        return
    for start in range(0, len(stretch), PIECE):
        yield stretch.cut(start, min(start + PIECE, len(stretch)))


def groups(parts: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """As many as are sent at once."""
    group: list[Stretch] = []
    for piece in parts:
        if group and sum(map(len, group)) + len(piece) > PIECE:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group
