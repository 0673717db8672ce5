"""The labelled corpus as passages: held-out cuts of works trained on, and works never seen."""

from __future__ import annotations

from pathlib import Path

from loom.bylines import by_folder
from loom.instruments.sources.api import SourceSet
from loom.labelled import Labelled, evenly, keys, labelled
from loom.passages import Work

HOUSE = Path(__file__).parents[2] / "backends" / "house"


class Corpus:
    """`folder` has train/, heldout/ and federalist/; which works were kept apart is committed."""

    def __init__(self, folder: Path, wanted: SourceSet) -> None:
        self.folder = folder
        self._keys = keys(wanted, by_folder())
        names = (HOUSE / "kept-apart.txt").read_text(encoding="utf-8").split()
        self._apart = [folder / "train" / name for name in names]

    def held_out(self, each: int) -> list[Labelled]:
        """So many passages of every source, none of a work that was kept apart."""
        apart = {path.stem for path in self._apart}
        files = [path for path in self._texts("heldout") if path.stem not in apart]
        return evenly(self._by_source(files), each)

    def unseen(self, each: int) -> list[Labelled]:
        """So many of every work kept apart."""
        return evenly(self._by_source(self._apart), each)

    def trained_on(self) -> dict[str, list[Work]]:
        apart = set(self._apart)
        return self._by_source([path for path in self._texts("train") if path not in apart])

    def _texts(self, part: str) -> list[Path]:
        return sorted((self.folder / part).glob("*/*.txt"))

    def _by_source(self, files: list[Path]) -> dict[str, list[Work]]:
        return labelled(files, self._keys)[0]
