"""A Generate at work: branches drawn from what the model says of what they see, a token a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from loom.core.endings import EndingCheck
from loom.core.node import Ending
from loom.core.seeds import uniform
from loom.engine.api import Ended, Event, Generate, Grown, JobFailed, Progress
from loom.engine.arithmetic import Arithmetic
from loom.engine.encoding import PAUSE, encoded, span_of
from loom.engine.failures import FAULTS, failure
from loom.engine.healing import Healing
from loom.engine.network import Interrupted, Network
from loom.engine.seam import Beginnings
from loom.engine.sequences import Sequences

Ids = tuple[int, ...]


class Branch:
    """One continuation of a Generate."""

    def __init__(self, number: int, seed: int, job: Generate) -> None:
        self.number = number
        self.seed = seed
        self.drawn = 0
        self.ending = EndingCheck(job.recipe)

    def uniform(self) -> float:
        """The number that draws the next token."""
        self.drawn += 1
        return uniform(self.seed, self.drawn - 1)


@dataclass(eq=False, slots=True)
class Group:
    """Branches that grow in one forward pass; `mended` ones have repeated the end of the text in
    other tokens."""

    sequences: Sequences
    branches: list[Branch]
    mended: bool = False

    def apart(self) -> list[Group]:
        """Each by itself."""
        rows = zip(self.sequences.apart(), self.branches, strict=True)
        return [Group(sequences, [branch], self.mended) for sequences, branch in rows]


class Growing:
    """A Generate: all live branches, one token a step, as long as they see the same of what they
    share; then each by itself."""

    def __init__(
        self,
        job: Generate,
        network: Network,
        arithmetic: Arithmetic,
        tokens: Callable[[], Beginnings],
    ) -> None:
        self.over = not job.seeds
        self._job = job
        self._network = network
        self._arithmetic = arithmetic
        self._encoding = encoded(job.prefix, network.language)
        self._tokens = tokens
        self._begun = not job.recipe.begins
        self._healing: Healing | None = None
        branches = [Branch(n, seed, job) for n, seed in enumerate(job.seeds)]
        self._groups = [Group(Sequences(network, [], len(branches)), branches)]

    def cancel(self, job: str, branch: int | None) -> list[Event]:
        if job != self._job.id:
            return []
        events: list[Event] = []
        for group in list(self._groups):
            rows = [r for r, b in enumerate(group.branches) if branch in (None, b.number)]
            events += self._end(group, dict.fromkeys(rows, Ending.CANCEL))
        return events

    def step(self, *, alone: bool) -> list[Event]:
        try:
            return self._step(alone)
        except Interrupted:
            return []  # it is tried again when its turn comes
        except FAULTS as error:
            self.over = True
            return [failure(self._job.id, error)]

    def _step(self, alone: bool) -> list[Event]:
        group = self._groups[0]
        for _, ids in self._encoding:
            group.sequences.shared += ids
            if len(ids) > PAUSE:
                return [Progress(self._job.id, 0, group.sequences.length)]
        count = group.sequences.length
        if group.sequences.blind(count):
            raise JobFailed(
                "This model has no token that opens a document: it can't begin on an empty page.",
                "Write the first words yourself.",
            )
        if not self._begun:
            return self._begin(group)
        if not group.sequences.agree(count):
            self._groups[:1] = group.apart()
            group = self._groups[0]
        progress = group.sequences.ready(count)
        self._groups.append(self._groups.pop(0))
        if progress is not None:
            return [Progress(self._job.id, *progress)]
        return self._draw(
            group, group.sequences.last(count)[:, 0], alone and len(self._groups) == 1
        )

    def _begin(self, whole: Group) -> list[Event]:
        """Repeat the end of the text; from there on the branches may differ in length."""
        if self._healing is None:
            before = whole.sequences.shared
            self._healing = Healing(
                self._job, self._network, self._arithmetic, self._tokens(), before
            )
        healing = self._healing
        progress = healing.read()
        if progress is not None:
            return [Progress(self._job.id, *progress)]
        healing.close()
        self._healing, self._begun, self._groups = None, True, []
        parts: dict[tuple[int, bool], list[tuple[Branch, Ids]]] = {}
        for branch in whole.branches:
            tokens = healing.mending.drawn(branch.seed)
            key = len(tokens), tokens != healing.seam.own
            parts.setdefault(key, []).append((branch, tokens))
        events: list[Event] = []
        for (_, mended), members in parts.items():
            events += self._part(healing, mended, members)
        self.over = not self._groups
        return events

    def _part(
        self, healing: Healing, mended: bool, members: list[tuple[Branch, Ids]]
    ) -> list[Event]:
        """A group of those that go on alike, and what they have said so far. Where nothing was cut
        anew, the text they share is what it was."""
        shared = [*healing.before, *(() if mended else healing.seam.own)]
        group = Group(
            Sequences(self._network, shared, len(members)), [b for b, _ in members], mended
        )
        self._groups.append(group)
        events: list[Event] = []
        endings: dict[int, Ending] = {}
        for row, (branch, tokens) in enumerate(members):
            said = healing.said(tokens)
            events += [Grown(self._job.id, branch.number, *token) for token in said]
            group.sequences.own[row] += tokens if mended else ()
            beyond = b"".join(piece for piece, _ in said)[len(healing.seam.begins) :]
            ending = branch.ending.feed(beyond) if beyond else None
            if ending is not None:
                endings[row] = ending
        return events + self._end(group, endings)

    def _draw(self, group: Group, logprobs: Any, alone: bool) -> list[Event]:
        """One token in every row, from float32[rows, V]. What the next ones are drawn from is
        computed while their columns are."""
        language, recipe = self._network.language, self._job.recipe
        uniforms = [branch.uniform() for branch in group.branches]
        tokens, columns = self._arithmetic.drawn(
            logprobs,
            recipe.sampling,
            self._recent(group.sequences),
            uniforms,
            min(recipe.top, language.size),
            changed=group.mended,
        )
        start = not group.sequences.length
        pieces = [language.spelling.spelled((token,), start=start)[0] for token in tokens]
        numbers = [branch.number for branch in group.branches]
        endings = self._appended(group, tokens, pieces)
        ended = self._end(group, endings)
        if alone and group.branches:
            group.sequences.ahead()
        spans = span_of(tokens, pieces, columns()).singles()
        grown = [
            Grown(self._job.id, number, pieces[row], spans[row])
            for row, number in enumerate(numbers)
            if endings.get(row) is not Ending.EOS
        ]
        return [*grown, *ended]

    def _appended(
        self, group: Group, tokens: Sequence[int], pieces: Sequence[bytes]
    ) -> dict[int, Ending]:
        """Every row gets its token; those that end with it, and why."""
        endings: dict[int, Ending] = {}
        for row, (branch, token) in enumerate(zip(group.branches, tokens, strict=True)):
            if token in self._network.language.ends:
                endings[row] = Ending.EOS
                continue
            group.sequences.own[row].append(token)
            ending = branch.ending.feed(pieces[row])
            if ending is not None:
                endings[row] = ending
        return endings

    def _recent(self, sequences: Sequences) -> list[list[int]]:
        sampling = self._job.recipe.sampling
        if sampling.repetition_penalty == 1 or not sampling.repetition_window:
            return [[] for _ in sequences.own]
        shared = sequences.shared[-sampling.repetition_window :]
        return [shared + own for own in sequences.own]

    def _end(self, group: Group, endings: dict[int, Ending]) -> list[Event]:
        """Ends the branches in these rows."""
        if not endings:
            return []
        events: list[Event] = [
            Ended(self._job.id, group.branches[row].number, ending)
            for row, ending in endings.items()
        ]
        group.sequences.drop(list(endings))
        group.branches = [b for row, b in enumerate(group.branches) if row not in endings]
        if not group.branches:
            self._groups.remove(group)
        self.over = not self._groups
        if self.over and self._healing is not None:
            self._healing.close()
        return events
