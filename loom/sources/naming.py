"""What a model says when it is asked who wrote the passages up to places: in memory over rows in
the session's file.

Together with what it believed when it read them that is one belief. Reads no passage itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loom.asking.coherence import Suffixes, pmi
from loom.asking.questions import Gate, Scorer
from loom.core.node import Place
from loom.holdings import Holdings
from loom.instruments.api import Reading
from loom.instruments.keeping import Kept, pack
from loom.instruments.sources import pooling
from loom.instruments.sources.api import Pooling, Posterior, SourceSet
from loom.record import ANSWERS, Record
from loom.sources.evidence import Recent, key_of
from loom.sources.spellings import Spelling
from loom.store.batch import ReadingRow

IN_MEMORY = 1 << 22  # bytes of answers
SHOWN = 1024  # posteriors
ROWS_KEPT = 256  # nodes, as they are in the file
AT_ONCE = 32  # names: so many are lost where asking is broken off

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """How likely the first names of a set are as answers, float32[names, phrasings] nats, after the
    tokens that `basis` stands for."""

    basis: bytes
    logprobs: Floats


class Naming:
    """`its` says what names are worth after any text, and how much that counts."""

    def __init__(self, record: Record, wanted: SourceSet, model: str, its: Pooling) -> None:
        self._record, self._wanted, self._its = record, wanted, its
        self._names = tuple(source.name for source in wanted.sources)
        spelled = {"instrument": ANSWERS, "questions": its.questions, "model": model}
        self._key = key_of(spelled)
        self._holdings = Holdings(record, ANSWERS, ROWS_KEPT)
        self._holdings.know_settings(self._key, spelled)
        self._said: Recent[Place, Said] = Recent(IN_MEMORY)
        self._begun: Recent[Place, Said] = Recent(IN_MEMORY)
        self._shown: Recent[Place, tuple[Posterior, Said | None, Posterior]] = Recent(SHOWN)

    # ── what is known ──────────────────────────────────────────────────────────────────────

    def has(self, place: Place, spelling: Spelling) -> bool:
        """Whether it was asked after these tokens; of a node's end also what is in the file."""
        if self._said.get(place) is None and place.at == self._record.tree[place.node].length:
            self._recall(place, spelling)
        said = self._said.get(place)
        return said is not None and said.basis == spelling.basis

    def together(self, place: Place, read: Posterior, spelling: Spelling | None) -> Posterior:
        """What reading says, and the answers, where there are any for these tokens (None: as they
        were when it was asked). Nothing is asked after no text."""
        if not read.tokens:
            return read
        said = self._said.get(place)
        if said is not None and spelling is not None and said.basis != spelling.basis:
            said = None
        shown = self._shown.get(place)
        if shown is None or shown[0] is not read or shown[1] is not said:
            both = replace(read, unasked=True) if said is None else self._pooled(read, said)
            self._shown.put(place, shown := (read, said, both))
        return shown[2]

    def _pooled(self, read: Posterior, said: Said) -> Posterior:
        anyway = np.array([self._its.anyway[name] for name in self._names])
        bits = pmi(said.logprobs.astype(np.float64), anyway).mean(axis=1)
        asked = dict(zip(self._names, bits.tolist(), strict=True))
        return pooling.posterior(self._wanted, read, asked, self._its)

    def _recall(self, place: Place, spelling: Spelling) -> None:
        kept = self._holdings.kept(place.node, ANSWERS, self._key)
        if kept is None or kept.basis != spelling.basis or kept.tokens != len(self._names):
            return
        columns = kept.reading.values
        if columns.keys() == {str(number) for number in range(len(columns))} and columns:
            rows = np.stack([columns[str(number)] for number in range(len(columns))], axis=1)
            if rows.shape[1] == len(self._its.anyway[self._names[0]]):
                self._put(place, Said(kept.basis, rows))

    # ── asking ─────────────────────────────────────────────────────────────────────────────

    async def ask(
        self,
        place: Place,
        spelling: Spelling,
        passage: Sequence[int],
        scorer: Scorer,
        gate: Gate,
        went_on: Callable[[int, int], None],
    ) -> None:
        """For every name after the tokens `passage`, which end at `place`. `went_on` is told how
        many are done, and of how many. Raises EngineError."""
        suffixes = Suffixes(scorer, self._wanted, gate, self._its)
        said = self._begun.get(place)
        if said is None or said.basis != spelling.basis:
            said = None
        while said is None or len(said.logprobs) < len(self._names):
            before = [] if said is None else [said.logprobs]
            done = sum(map(len, before))
            went_on(done, len(self._names))
            found = await suffixes.logprobs(passage, self._names[done : done + AT_ONCE])
            rows = np.concatenate([*before, found.astype(np.float32)])
            said = Said(spelling.basis, rows)
            self._begun.put(place, said, rows.nbytes)
        went_on(len(self._names), len(self._names))
        self._begun.drop(place)
        self._keep(place, said)

    def _keep(self, place: Place, said: Said) -> None:
        """In the file for the end of a node, else as long as there is room."""
        self._put(place, said)
        if place.at == self._record.tree[place.node].length:
            columns = {
                str(number): np.ascontiguousarray(column)
                for number, column in enumerate(said.logprobs.T)
            }
            kept = Kept(said.basis, "", Reading(columns, {}), len(said.logprobs))
            self._holdings.keep_row(ReadingRow(place.node, ANSWERS, self._key, *pack(kept)))

    def _put(self, place: Place, said: Said) -> None:
        self._said.put(place, said, said.logprobs.nbytes)

    @property
    def unsaved(self) -> int:
        return self._holdings.unsaved

    def take_unsaved(self) -> tuple[tuple[ReadingRow, ...], dict[str, str]]:
        """Rows, and the settings that are new to the file."""
        return self._holdings.take_unsaved()
