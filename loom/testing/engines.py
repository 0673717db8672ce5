"""Drive an engine in a loop, and check that it keeps the contract.

events = drive(engine, Generate("a", (b"Once",), Recipe(), (1, 2)))
check_engine(engine)
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import numpy as np

from loom.core.node import Ending
from loom.core.recipe import Recipe, Sampling
from loom.core.span import Span, joined
from loom.engine.api import Ended, Engine, Event, Failed, Following, Generate, Grown, Job, Score
from loom.engine.openjobs import OpenJobs
from loom.testing.promises import ContractBroken
from loom.testing.promises import require as _require

STEPS = 100_000

NASTY = (
    "The lighthouse keeper  had not spoken.\r\n\tNaïve 日本語 e\u0301 👩\u200d🚀 'tis".encode()
    + b"\xff\xc3(\x00"
)
"""Double spaces, CRLF, a tab, accents, CJK, a combining mark, joined emoji, invalid UTF-8, NUL."""


def drive(engine: Engine, *jobs: Job, steps: int = STEPS) -> list[Event]:
    """Submits the jobs and steps until each is over. Raises ContractBroken if that takes more than
    `steps` steps, or an event belongs to no open branch."""
    open_jobs = OpenJobs()
    for job in jobs:
        open_jobs.add(job)
        engine.submit(job)
    events: list[Event] = []
    for _ in range(steps):
        if not len(open_jobs):
            return events
        for event in engine.step():
            if not open_jobs.admit(event):
                raise ContractBroken(f"{event!r:.200} came for a job or branch that is over")
            events.append(event)
    raise ContractBroken(f"jobs {open_jobs.ids()} are not over after {steps} steps")


def text_of(events: Sequence[Event], job: str, branch: int = 0) -> bytes:
    return b"".join(event.text for event in _grown(events, job, branch))


def span_in(events: Sequence[Event], job: str, branch: int = 0) -> Span:
    """All tokens of one branch. Raises ValueError if there are none."""
    return joined([event.span for event in _grown(events, job, branch)])


def ending_of(events: Sequence[Event], job: str, branch: int = 0) -> Ending | None:
    """None for a job that failed."""
    ended = [
        e.reason for e in events if isinstance(e, Ended) and (e.job, e.branch) == (job, branch)
    ]
    return ended[0] if ended else None


def _grown(events: Sequence[Event], job: str, branch: int) -> list[Grown]:
    return [e for e in events if isinstance(e, Grown) and (e.job, e.branch) == (job, branch)]


def check_engine(engine: Engine, *, tolerance: float = 1e-3, steps: int = STEPS) -> None:
    """Runs small jobs and raises ContractBroken at the first broken promise.

    `tolerance` in nats: how far scored and generated logprobs of the same tokens may lie apart;
    `steps`: how many a job may take.
    """
    checked = _Checked(engine, tolerance, steps)
    checked.bytes()
    checked.generation()
    checked.branches()
    checked.cancel()
    if engine.can().heals:
        checked.healing()
    if engine.can().scores:
        checked.scores()
    _require(not engine.step(), "an engine with nothing to do answers with no events")


def check_span(span: Span, text: bytes, *, drawn: bool) -> None:
    """That the columns of `span` fit each other and the bytes."""
    tokens = len(span)
    for name, column in span.columns():
        _require(column is None or len(column) == tokens, f"column {name} has {tokens} rows")
        finite = column is None or name == "top_sampled" or bool(np.isfinite(column).all())
        _require(finite, f"column {name} is finite")
    _require(bool((np.diff(span.ends) >= 0).all()), "ends rise")
    _require(tokens == 0 or int(span.ends[-1]) == len(text), "the last end is the text's length")
    _require(bool((span.logprob <= 1e-6).all()), "no logprob is above 0")
    _require(bool((span.entropy >= -1e-5).all()), "no entropy is below 0")
    _require(bool((span.rank >= 0).all()), "no rank is below 0")
    falling = np.diff(span.top_logprobs, axis=1) <= 1e-6
    _require(bool(falling.all()), "alternatives fall")
    _require((span.mass_above is not None) == drawn, "mass_above is there where text was drawn")
    _require((span.renyi is not None) == drawn, "renyi is there where text was drawn")


class _Checked:
    """One engine under examination, a group of promises a method."""

    def __init__(self, engine: Engine, tolerance: float, steps: int) -> None:
        self._engine, self._tolerance, self._steps = engine, tolerance, steps

    def _drive(self, job: Job) -> list[Event]:
        return drive(self._engine, job, steps=self._steps)

    def bytes(self) -> None:
        for start in (True, False):
            ids, ends = self._engine.encode(NASTY, start=start)
            pieces = list(self._engine.pieces(ids))
            if start and b"".join(pieces) == b" " + NASTY:  # a tokenizer that puts a space there
                pieces[0] = pieces[0].removeprefix(b" ")
            _require(b"".join(pieces) == NASTY, "the bytes of encoded tokens add up to the text")
            _require(len(ids) == len(ends), "every token has an end")
            _require(
                list(ends) == np.cumsum([len(p) for p in pieces]).tolist(), "ends are in bytes"
            )
        _require(self._engine.encode(b"", start=False) == ((), ()), "no text has no tokens")

    def generation(self) -> None:
        """One branch: its length, columns that fit, the same again, and the same when scored."""
        recipe = Recipe(Sampling(temperature=0.8, top_k=40), tokens=12, top=5)
        job = Generate("generation", (NASTY,), recipe, (7,))
        events = self._drive(job)
        _require(ending_of(events, job.id) is not None, "a Generate ends")
        if ending_of(events, job.id) is Ending.EOS:
            return
        text, span = text_of(events, job.id), span_in(events, job.id)
        _require(len(span) == 12, "a branch has as many tokens as the recipe asks for")
        _require(
            b"".join(self._engine.pieces(span.ids.tolist())) == text,
            "events carry their tokens' bytes",
        )
        check_span(span, text, drawn=True)
        _require(
            span.sampled_logprob is not None, "the sampler's columns are there where it differs"
        )
        if self._engine.can().reproducible:
            again = span_in(self._drive(job), job.id)
            _require(bool((again.ids == span.ids).all()), "the same seed draws the same tokens")
        if self._engine.can().scores:
            ids = tuple(span.ids.tolist())
            read = span_in(self._drive(Score("reread", (NASTY,), ids, top=5)), "reread")
            apart = float(np.abs(read.logprob - span.logprob).max())
            _require(
                apart <= self._tolerance,
                f"scored and generated logprobs agree ({apart:.2g} nats apart)",
            )

    def branches(self) -> None:
        """A branch doesn't depend on its siblings; greedy has no use for a seed."""
        recipe = Recipe(tokens=6)
        events = self._drive(Generate("many", (b"The ",), recipe, (1, 2, 3)))
        alone = self._drive(Generate("alone", (b"The ",), recipe, (2,)))
        if self._engine.can().reproducible:
            same = text_of(events, "many", 1) == text_of(alone, "alone")
            _require(same, "a branch is the same with and without siblings")
        greedy = Recipe(Sampling(temperature=0), tokens=6)
        events = self._drive(Generate("greedy", (b"The ",), greedy, (1, 2)))
        same = text_of(events, "greedy", 0) == text_of(events, "greedy", 1)
        _require(same, "greedy branches are equal")

    def healing(self) -> None:
        """Every branch repeats what the recipe begins with; the model's own numbers stay so."""
        for begins in (b" ", b" th"):
            recipe = Recipe(tokens=3, top=5, begins=begins)
            job = Generate("healed", (b"The keeper of the",), recipe, (1, 2, 3, 4))
            events = self._drive(job)
            for branch in range(len(job.seeds)):
                self._check_healed(events, branch, begins)
            if self._engine.can().reproducible:
                alone = self._drive(Generate("alone", job.prefix, recipe, (3,)))
                same = text_of(events, job.id, 2) == text_of(alone, "alone")
                _require(same, "a healed branch is the same with and without siblings")

    def _check_healed(self, events: Sequence[Event], branch: int, begins: builtins.bytes) -> None:
        text, span = text_of(events, "healed", branch), span_in(events, "healed", branch)
        _require(text.startswith(begins), "a branch repeats what its recipe begins with")
        check_span(span, text, drawn=True)
        count = int(np.searchsorted(span.ends, len(begins))) + 1
        first = joined([e.span for e in _grown(events, "healed", branch)][:count])
        _require(first.sampled_logprob is not None, "what was drawn again says how likely it was")
        assert first.sampled_logprob is not None
        gained = float((first.sampled_logprob - first.logprob).sum())
        _require(gained >= -self._tolerance, "among the tokens that repeat, each is likelier")
        if self._engine.can().scores:
            ids = tuple(span.ids.tolist())
            read = span_in(
                self._drive(Score("again", (b"The keeper of the",), ids, top=5)), "again"
            )
            apart = float(np.abs(read.logprob - span.logprob).max())
            _require(apart <= self._tolerance, f"logprobs are the model's ({apart:.2g} nats apart)")

    def cancel(self) -> None:
        recipe = Recipe(tokens=10_000)
        job = Generate("cancelled", (b"The ",), recipe, (1, 2))
        self._engine.submit(job)
        events = list(self._engine.step())
        self._engine.cancel(job.id, 0)
        self._engine.cancel(job.id)
        for _ in range(100):
            events += self._engine.step()
        for branch in (0, 1):
            _require(ending_of(events, job.id, branch) is not None, "a cancelled branch ends")
        self._engine.cancel("never submitted")

    def scores(self) -> None:
        events = self._drive(Score("score", (), NASTY, top=3, following=True))
        _require(
            not any(isinstance(e, Failed) for e in events), "text from the start can be scored"
        )
        _require(text_of(events, "score") == NASTY, "the bytes of scored tokens add up to the text")
        check_span(span_in(events, "score"), NASTY, drawn=False)
        kinds = [type(e) for e in events if isinstance(e, Following | Ended)]
        _require(kinds == [Following, Ended], "Following comes once, before Ended")
        events = self._drive(Score("next", (b"The",), b"", top=3, following=True))
        following = next(e for e in events if isinstance(e, Following))
        _require(len(following.ids) == 3, "Following has as many tokens as were asked for")
        _require(
            self._engine.pieces(following.ids) == following.pieces, "Following carries its bytes"
        )
        _require(sum(np.exp(following.logprobs)) <= 1 + 1e-5, "probabilities add up to at most 1")
