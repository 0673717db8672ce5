"""What became of many sessions to which one kind of fault was done, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.witness import Lie


@dataclass(slots=True)
class Outcome:
    """`kept` are shares of the nodes that are there afterwards; `lies` say what went wrong."""

    fault: str
    counts: Counter[str] = field(default_factory=Counter)
    kept: list[float] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)

    def add(self, what: str, kept: float = 1.0) -> None:
        self.counts[what] += 1
        self.kept.append(kept)

    def attempt(self, case: str, fault: Callable[[], tuple[str, float]]) -> None:
        """Do it; what is wrong afterwards is kept with the case that shows it."""
        try:
            self.add(*fault())
        except Exception as error:
            self.counts["WRONG"] += 1
            told = error if isinstance(error, Lie) else f"it raised {error!r}"
            self.lies.append(f"{self.fault}, {case}: {told}")

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def line(self) -> str:
        told = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        share = sum(self.kept) / len(self.kept) if self.kept else 0.0
        return f"{self.fault:<44}{self.total:>5}  {share:7.2%} of nodes  {told}"


def emptied(folder: Path) -> None:
    """Nothing of one case is left for the next."""
    for path in folder.iterdir():
        path.unlink()
