"""Texts with a common beginning and how far a model has read them; knows no jobs, no sampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from loom.engine.api import EngineError
from loom.engine.network import Interrupted, Network, Rows, Sight, sight, window

CHUNK = 256  # tokens read in one forward pass
SIDE_CHUNK = 16  # of each of several texts; a constant, so that their number plays no part


class Sequences:
    """One text a row, and what the model has read of it.

    `shared` is the beginning of all of them. `ready` reads until only the last token of what the
    model sees is left, a chunk a call; `last` reads that one.
    """

    def __init__(self, network: Network, shared: list[int], count: int) -> None:
        self.shared = shared
        self.own: list[list[int]] = [[] for _ in range(count)]
        self._network = network
        self._language = network.language
        self._sight: Sight | None = None
        self._rows: Rows | None = None
        self._forked = False
        self._ahead: Callable[[], Any] | None = None

    @property
    def length(self) -> int:
        return len(self.shared) + (len(self.own[0]) if self.own else 0)

    def seen(self, count: int, row: int = 0) -> Sight:
        """What the model sees of the first `count` tokens of a row."""
        own, shared, table = self.own[row], self.shared, self._language.spelling.table
        size = len(shared)
        return sight(
            self._language,
            count,
            lambda index: table[shared[index] if index < size else own[index - size]],
        )

    def agree(self, count: int) -> bool:
        """Whether the same tokens are seen of every row, as their own ones may say where the sight
        of a long text begins."""
        room = self._room()
        if count <= room or window(self._language.context, count - room)[1] <= len(self.shared):
            return True
        start = self.seen(count).start
        return all(self.seen(count, row).start == start for row in range(1, len(self.own)))

    def _room(self) -> int:
        """Tokens of a text that are seen at once."""
        return self._language.context - (self._language.first is not None)

    def apart(self) -> list[Sequences]:
        """Each row by itself; what was read of them is remembered."""
        alone = []
        for own in self.own:
            row = Sequences(self._network, self.shared, 1)
            row.own = [own]
            alone.append(row)
        self.drop(range(len(self.own)))
        return alone

    def ready(self, count: int) -> tuple[int, int] | None:
        """None when the token after the first `count` can be asked for, else tokens (read, to
        read) after one more forward pass."""
        if self._ahead is not None:
            return None
        seen = self.seen(count)
        if seen != self._sight:
            self._turn(seen, count)
        rows = self._rows
        assert rows is not None
        wanted = self._visible(count) - 1
        if rows.length >= wanted:
            self._fork()
            return None
        common = min(wanted, self._common())
        if rows.length < common and not self._forked:
            rows.read(self._tokens(min(rows.length + CHUNK, common)), 0)
        else:
            self._fork()
            rows.read(self._tokens(min(rows.length + SIDE_CHUNK, wanted)), 0)
        return rows.length, wanted

    def last(self, count: int) -> Any:
        """float32[rows, 1, V]: what follows the first `count` tokens, once they are `ready`."""
        assert self._rows is not None
        under_way, self._ahead = self._ahead, None
        if under_way is not None:
            return under_way()
        return self._rows.read(self._tokens(self._visible(count)), 1)

    def ahead(self) -> None:
        """Begins the pass that `last` will ask for, where that is the next one."""
        rows, count = self._rows, self.length
        if rows is None or not self._forked or self.seen(count) != self._sight:
            return
        until = self._visible(count)
        if rows.length == until - 1 and self.agree(count):
            self._ahead = rows.begin(self._tokens(until), 1)

    def blind(self, count: int) -> bool:
        """Whether the model sees nothing at all of the first `count` tokens."""
        return not count and not self.seen(0).head

    def drop(self, rows: Sequence[int]) -> None:
        """These texts are over; what was read of them is remembered."""
        found = self._found_ahead()
        if self._forked:
            for row in rows:
                self._save(row)
        kept = [row for row in range(len(self.own)) if row not in rows]
        if not self._forked and not kept:
            self._save(0)
        if self._forked and self._rows is not None and kept:
            self._rows.select(kept)
        self.own = [self.own[row] for row in kept]
        if not kept:
            self._rows = None
        elif found is not None:
            rest = found[kept]
            self._ahead = lambda: rest

    def _found_ahead(self) -> Any:
        """What the pass under way gives; None if there is none or it was broken off."""
        if self._ahead is None:
            return None
        under_way, self._ahead = self._ahead, None
        try:
            return under_way()
        except (EngineError, Interrupted):
            return None

    def _turn(self, seen: Sight, count: int) -> None:
        for row in range(len(self.own) if self._forked else 1):
            self._save(row)
        self._sight, self._forked = seen, False
        known = seen.of(self.shared, self.own[0] if len(self.own) == 1 else ())
        self._rows = self._network.rows(known[: self._visible(count) - 1])

    def _visible(self, count: int) -> int:
        """Ids the model sees of the first `count` tokens."""
        assert self._sight is not None
        return len(self._sight.head) + max(0, count - self._sight.start)

    def _common(self) -> int:
        return self._visible(len(self.shared)) if len(self.own) > 1 else self._visible(self.length)

    def _fork(self) -> None:
        if self._forked or self._rows is None:
            return
        self._save(0)
        self._rows.fork(len(self.own))
        self._forked = True

    def _tokens(self, until: int) -> list[list[int]]:
        """What is to be read of each row so that the first `until` of what is seen are."""
        assert self._rows is not None and self._sight is not None
        start = self._rows.length
        texts = self.own if self._forked else self.own[:1]
        return [self._sight.of(self.shared, own, start=start, stop=until) for own in texts]

    def _save(self, row: int) -> None:
        if self._rows is not None and self._sight is not None and self._rows.length:
            ids = self._sight.of(self.shared, self.own[row], stop=self._rows.length)
            self._rows.save(row, ids)
