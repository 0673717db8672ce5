"""One text that is only read, and how far a model has read it; others carry out the passes."""

from __future__ import annotations

from loom.engine.network import Network, Reading, window
from loom.engine.sequences import CHUNK, Sequences

FRAME = 64  # tokens before a text that are read together with its first chunk


class Passage(Sequences):
    """Its tokens are `shared`."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, [], 1)

    @property
    def held(self) -> int:
        """Ids that what is held now has seen."""
        return 0 if self._rows is None else self._rows.length

    def seen_until(self, count: int) -> int:
        """How many tokens there can be and the same of the first `count` be seen."""
        if not count and self._language.first is None:
            return 0
        room = self._room()
        return room if count <= room else room + window(self._language.context, count - room)[0]

    def before(self, count: int) -> list[int]:
        """Ids that are read before what follows the first `count` tokens can be asked for."""
        seen = self.seen(count)
        return seen.of(self.shared, stop=len(seen.head) + max(0, count - seen.start) - 1)

    def reading(self, count: int, stop: int) -> Reading:
        """The next pass on the way to what follows the tokens from `count` to `stop`: a chunk of
        what comes before, or all that is missing where that is little."""
        seen = self.seen(count)
        if seen != self._sight:
            self._turn(seen, count)
        rows = self._rows
        assert rows is not None
        wanted = self._visible(count) - 1
        missing = wanted - rows.length
        if missing > (FRAME if self._network.room else 0):
            return Reading(rows, self._tokens(min(rows.length + CHUNK, wanted))[0], 0)
        return Reading(rows, self._tokens(self._visible(stop - 1))[0], stop - count)

    def remember(self) -> None:
        """What was read stays of use to others."""
        self._save(0)

    def pause(self) -> None:
        """Holds nothing for now."""
        self._save(0)
        self._rows = self._sight = None
