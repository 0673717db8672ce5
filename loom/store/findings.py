"""What a look through a session file found, table by table; values only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

KEPT_DAMAGED = "damaged, kept"
LEAP = 100_000  # numbers missing in a row that were never given


@dataclass(frozen=True, slots=True)
class Tally:
    """`lost` rows are damaged or gone; `ids` are theirs, as far as they are known."""

    what: str
    whole: int
    lost: int = 0
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """`damage` is a sentence for each thing that is wrong; none where all is whole."""

    tallies: tuple[Tally, ...] = ()
    damage: tuple[str, ...] = field(default=())

    @property
    def whole(self) -> bool:
        return not self.damage

    def of(self, what: str) -> Tally:
        return next((tally for tally in self.tallies if tally.what == what), Tally(what, 0))


def sentences(tallies: Sequence[Tally]) -> tuple[str, ...]:
    """`2 of 120 nodes are lost: 7, 9.`"""
    return tuple(_sentence(tally) for tally in tallies if tally.lost)


def _sentence(tally: Tally) -> str:
    if tally.what == KEPT_DAMAGED:
        return f"What can be read of damaged nodes is kept: {shortened(tally.ids)}."
    total = tally.whole + tally.lost
    are = "is" if tally.lost == 1 else "are"
    named = f": {shortened(tally.ids)}" if tally.ids else ""
    return f"{tally.lost:,} of {total:,} {tally.what} {are} lost{named}."


def shortened(ids: Sequence[int], most: int = 20) -> str:
    """`1–4, 7 … (93 more)`"""
    runs: list[list[int]] = []
    for number in sorted(ids):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [f"{a}" if a == b else f"{a}–{b}" for a, b in runs[:most]]
    left = sum(b - a + 1 for a, b in runs[most:])
    return ", ".join(shown) + (f" … ({left:,} more)" if left else "")


def gaps(numbers: Iterable[int]) -> tuple[int, ...]:
    """What is missing of numbers given from 1 on; nothing of a leap that only damage makes."""
    missing: list[int] = []
    last = 0
    for number in sorted(numbers):
        if number - last <= LEAP:
            missing += range(last + 1, number)
        last = number
    return tuple(missing)
