"""The public fake: an engine without a model, deterministic, that repeats the writer's words.

Its "model" mixes a small English grammar over a few hundred words with what followed the last one,
two and three tokens earlier on the same path. Text and probabilities are made up but consistent:
what it generates it also scores the same, every byte can be written, every column is filled.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from loom.core.endings import EndingCheck
from loom.core.node import Ending
from loom.core.sampling import draw, sampled_logprobs
from loom.core.seeds import uniform
from loom.core.span import Span
from loom.core.statistics import read_columns, span_of
from loom.engine.api import (
    About,
    Capabilities,
    Ended,
    Engine,
    EngineError,
    Event,
    Failed,
    Following,
    Generate,
    Grown,
    Job,
    JobFailed,
    Piece,
    Progress,
    Score,
    options_of,
)
from loom.engine.seam import Beginnings, Mending, Seam

NAME = "echo"
CONTEXT = 2048  # tokens it looks back on
CHUNK = 256  # tokens scored a step
WIDTH = 64  # branches grown a step
EOS = 0

Ids = NDArray[np.int32]
Probabilities = NDArray[np.float64]

_CLASSES = {
    "det": "the a his her this every no their one my our some another each",
    "adj": "old small quiet dark long cold white little strange slow bright empty green same last",
    "noun": "house door light lamp water river road night morning window hand voice sea wind room "
    "garden table letter stone tree bird mother child town story name boat fire year thing eye "
    "floor street silence salt word",
    "verb": "was had said looked turned came went stood walked thought knew heard saw opened "
    "waited left held began carried remembered",
    "base": "go see know come stay speak sleep listen believe follow",
    "modal": "would could did must",
    "prep": "of in on at to from with into by for under over through toward before after near "
    "behind between against without until",
    "pron": "he she it they I we you nobody someone everyone something nothing what who",
    "conj": "and but because while as when that if or so where since though",
    "adv": "then again now still slowly only never away back there here once not always almost "
    "down up out alone together",
}
_OPENERS = ("det", "prep", "pron", "conj", "adv")  # classes that may begin a sentence

_START = {"det": 35, "pron": 35, "adv": 10, "prep": 10, "conj": 10}
_GRAMMAR: dict[str, dict[str, float]] = {
    "det": {"noun": 70, "adj": 30},
    "adj": {"noun": 80, "adj": 8, "conj": 8, ",": 4},
    "noun": {"verb": 34, "prep": 28, "conj": 12, ".": 14, ",": 10, "modal": 2},
    "verb": {"prep": 30, "det": 30, "adv": 16, "adj": 6, "pron": 4, ".": 10, ",": 4},
    "base": {"prep": 30, "det": 30, "adv": 14, ".": 20, ",": 6},
    "modal": {"base": 84, "adv": 16},
    "prep": {"det": 72, "noun": 18, "pron": 10},
    "pron": {"verb": 76, "modal": 18, "adv": 6},
    "conj": {"det": 36, "pron": 50, "adv": 14},
    "adv": {"verb": 28, "prep": 18, ".": 26, ",": 16, "pron": 12},
    ",": {"conj": 40, "pron": 26, "det": 22, "adv": 12},
    ".": _START | {"\n\n": 12, "eos": 0.4},
    "line": _START | {"\n": 2, "eos": 0.2},
    "space": {"noun": 30, "verb": 20, "adj": 10, "det": 20, "prep": 10, "conj": 10, "letter": 20},
    "letters": {"verb": 26, "prep": 24, "conj": 12, ".": 14, ",": 14, "letter": 10},
    "torn": {"continuation": 100},
}
_TRUST = (0.15, 0.2, 0.1)  # weight of what followed the last one, two, three tokens before
_TRUST_SPELLING = (0.1, 0.6, 0.97)  # a word spelled out in bytes is repeated whole
_ENDS = np.array([0.93, 0.04, 0.03])  # of sentences: full stop, question, exclamation
_FLOOR = 0.002  # probability shared evenly, so that nothing is impossible

_SPLIT = re.compile(rb"\n\n| ?[A-Za-z]+|.", re.DOTALL)


def about() -> About:
    return About(
        models="none: a made-up language",
        versions={"numpy": np.__version__},
        devices=("CPU",),
        can=("reads given text", "the same seed draws the same tokens"),
    )


def accepts(model: str) -> bool:
    return model == NAME


def load(model: str, options: Mapping[str, Any], progress: Callable[[int, int], None]) -> Engine:
    """Options: `delay` (seconds a step); `heals` (whether it heeds what a recipe begins with; not
    by default, so that what hangs where doesn't depend on a toy's spelling). For tests: `die_after`
    and `hang_after` (steps), `fail_job` (the number of the job, from 1, that answers Failed)."""
    progress(1, 1)
    return Echo(options)


class Language:
    """The vocabulary and the distribution of the next token; pure."""

    def __init__(self) -> None:
        forms = {w: c for c, words in _CLASSES.items() for w in words.split()}
        capitals = [w for w, c in forms.items() if c in _OPENERS]
        kinds: list[tuple[bytes, str]] = [(b"", "eos"), *((bytes([b]), "") for b in range(256))]
        kinds.append((b"\n\n", "\n\n"))
        kinds += [(f" {w}".encode(), c) for w, c in forms.items()]
        kinds += [(w.encode(), f"bare {c}") for w, c in forms.items() if len(w) > 1]
        kinds += [(f" {w.capitalize()}".encode(), f"capital {forms[w]}") for w in capitals]
        kinds += [(w.capitalize().encode(), f"line {forms[w]}") for w in capitals if len(w) > 1]
        unique = dict(reversed(kinds[257:]))
        self.pieces = (*(piece for piece, _ in kinds[:257]), *reversed(unique))
        self._kinds = ("eos", *("" for _ in range(256)), *reversed(unique.values()))
        self._ids = {piece: i for i, piece in enumerate(self.pieces) if piece}
        self._states = tuple(self._state_after(i) for i in range(len(self.pieces)))
        self._base = {state: self._row(state) for state in _GRAMMAR}
        digest = hashlib.blake2b(repr((self.pieces, _GRAMMAR, _TRUST)).encode(), digest_size=8)
        self.fingerprint = f"echo-{digest.hexdigest()}"

    @cached_property
    def beginnings(self) -> Beginnings:
        return Beginnings(self.pieces)

    def encode(self, text: bytes) -> list[int]:
        """Known words whole, everything else byte by byte."""
        ids: list[int] = []
        for match in _SPLIT.finditer(text):
            known = self._ids.get(match.group())
            ids += [known] if known is not None else [byte + 1 for byte in match.group()]
        return ids

    def probabilities(self, history: Ids) -> Probabilities:
        """float64[V] after the last tokens of a path."""
        state = self._state(history)
        p = self._base[state].copy()
        trust = _TRUST_SPELLING if state in {"letters", "torn"} else _TRUST
        seen = np.arange(len(history) - 1)
        for order, weight in enumerate(trust, start=1):
            if len(history) <= order:
                break
            seen = seen[seen >= order - 1]
            seen = seen[history[seen - order + 1] == history[-order]]
            if not len(seen):
                break
            p *= 1 - weight
            np.add.at(p, history[seen + 1], weight / len(seen))
        p = (1 - _FLOOR) * p + _FLOOR / len(p)
        return np.asarray(p / p.sum())

    def _state(self, history: Ids) -> str:
        if not len(history):
            return "line"
        if _is_torn([int(i) - 1 for i in history[-4:]]):
            return "torn"
        return self._states[int(history[-1])]

    def _state_after(self, token: int) -> str:
        if token == EOS or self.pieces[token].endswith(b"\n"):
            return "line"
        if token > 256:
            return self._kinds[token].split()[-1]
        byte = bytes([token - 1])
        if byte in b".!?":
            return "."
        if byte in b",;:":
            return ","
        return "space" if byte == b" " else "letters"

    def _row(self, state: str) -> Probabilities:
        """The grammar's distribution in one state."""
        p = np.zeros(len(self.pieces))
        for target, weight in _GRAMMAR[state].items():
            members = self._members(state, target)
            p[members] += weight * _shares(target, len(members))
        return np.asarray(p / p.sum())

    def _members(self, state: str, target: str) -> list[int]:
        if target == "eos":
            return [EOS]
        if target == ".":
            return [self._ids[mark] for mark in (b".", b"?", b"!")]
        if target == "letter":
            return [ord(letter) + 1 for letter in "etaoinshrdlucmfwygpbvk"]
        if target == "continuation":
            return list(range(0x80 + 1, 0xC0 + 1))
        if target in {",", "\n", "\n\n"}:
            return [self._ids[target.encode()]]
        kind = {"line": "line ", ".": "capital ", "space": "bare "}.get(state, "") + target
        return [i for i, k in enumerate(self._kinds) if k == kind]


def _shares(target: str, count: int) -> Probabilities:
    """How the members of a class share its probability; words by Zipf's law."""
    if target == ".":
        return _ENDS
    if target == "continuation":
        return np.full(count, 1 / count)
    shares = 1 / (np.arange(count) + 3.0)
    return np.asarray(shares / shares.sum())


def _is_torn(tail: Sequence[int]) -> bool:
    """Whether these last bytes (others: < 0 or > 255) end inside a UTF-8 sequence."""
    for back, byte in enumerate(reversed(tail), start=1):
        if 0xC2 <= byte <= 0xF4:
            return back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4)
        if not 0x80 <= byte < 0xC0:
            return False
    return False


class _Work(Protocol):
    """A job that has begun."""

    def cancel(self, branch: int | None) -> list[Event]: ...
    def step(self) -> list[Event]: ...
    @property
    def over(self) -> bool: ...


class _Branch:
    def __init__(self, number: int, seed: int, history: Ids, job: Generate) -> None:
        self.number, self.seed, self.history = number, seed, history
        self.drawn = 0
        self.ending = EndingCheck(job.recipe)


class _Growing:
    """All live branches of a Generate, a token a step for the first WIDTH of them."""

    def __init__(self, job: Generate, language: Language) -> None:
        self._job, self._language = job, language
        history = _ids_of(job.prefix, language)[-CONTEXT:]
        self._live = {n: _Branch(n, seed, history, job) for n, seed in enumerate(job.seeds)}
        self._mending = self._healed(history) if job.recipe.begins else None

    def _healed(self, history: Ids) -> Mending:
        """What can be drawn where the branches repeat the end of the text."""
        language, recipe = self._language, self._job.recipe
        own = language.encode(recipe.begins)
        seam = Seam.of(
            recipe.begins, own, [language.pieces[token] for token in own], language.beginnings
        )
        known = [np.append(history, own[:stage]).astype(np.int32) for stage in range(len(own))]
        rows = np.log([language.probabilities(ids[-CONTEXT:]) for ids in known])
        window = recipe.sampling.repetition_window
        recent = history[-window:].tolist() if window else []
        return Mending(seam, rows.astype(np.float32), recipe.sampling, recent, recipe.top)

    @property
    def over(self) -> bool:
        return not self._live

    def cancel(self, branch: int | None) -> list[Event]:
        numbers = list(self._live) if branch is None else [branch]
        stopped = [n for n in numbers if self._live.pop(n, None) is not None]
        return [Ended(self._job.id, n, Ending.CANCEL) for n in stopped]

    def _repeat(self, mending: Mending) -> list[Event]:
        """Every branch says the end of the text again, perhaps in other tokens."""
        events: list[Event] = []
        for branch in list(self._live.values()):
            tokens = mending.drawn(branch.seed)
            pieces = [self._language.pieces[token] for token in tokens]
            for piece, span in zip(pieces, mending.spans(tokens, pieces), strict=True):
                events.append(Grown(self._job.id, branch.number, piece, span))
            branch.history = np.append(branch.history, tokens).astype(np.int32)[-CONTEXT:]
            beyond = b"".join(pieces)[len(mending.seam.begins) :]
            ended = branch.ending.feed(beyond) if beyond else None
            if ended is not None:
                del self._live[branch.number]
                events.append(Ended(self._job.id, branch.number, ended))
        return events

    def step(self) -> list[Event]:
        if self._mending is not None:
            mending, self._mending = self._mending, None
            return self._repeat(mending)
        language, branches = self._language, list(islice(self._live.values(), WIDTH))
        chosen, span = self._draw(branches)
        events: list[Event] = []
        for row, (branch, token) in enumerate(zip(branches, chosen, strict=True)):
            if token != EOS:
                text, own = language.pieces[token], span.cut(row, row + 1)
                events.append(Grown(self._job.id, branch.number, text, own))
            ended = self._advance(branch, token)
            if ended is not None:
                del self._live[branch.number]
                events.append(Ended(self._job.id, branch.number, ended))
        return events

    def _draw(self, branches: Sequence[_Branch]) -> tuple[list[int], Span]:
        """The next token of each branch, and all that is recorded of them: a row a branch."""
        recipe, language = self._job.recipe, self._language
        p = np.stack([language.probabilities(branch.history) for branch in branches])
        logprobs = np.log(p).astype(np.float32)
        window = recipe.sampling.repetition_window
        recent = [b.history[-window:].tolist() if window else [] for b in branches]
        logq = sampled_logprobs(logprobs, recipe.sampling, recent)
        uniforms = [uniform(branch.seed, branch.drawn) for branch in branches]
        chosen = [draw(row, u) for row, u in zip(logq, uniforms, strict=True)]
        ends = np.cumsum([len(language.pieces[token]) for token in chosen]).astype(np.int32)
        sampled = None if recipe.sampling.neutral and not recipe.begins else logq
        ids = np.array(chosen, dtype=np.int32)
        return chosen, span_of(logprobs, ids, ends, recipe.top, sampled=sampled, drawn=True)

    def _advance(self, branch: _Branch, token: int) -> Ending | None:
        branch.drawn += 1
        branch.history = np.append(branch.history, np.int32(token))[-CONTEXT:]
        return Ending.EOS if token == EOS else branch.ending.feed(self._language.pieces[token])


class _Reading:
    """A Score, a chunk a step."""

    def __init__(self, job: Score, language: Language) -> None:
        self._job, self._language = job, language
        prefix = _ids_of(job.prefix, language)[-CONTEXT:]
        text = _ids_of((job.text,), language)
        self._ids = np.concatenate([prefix, text])
        self._start, self._next = len(prefix), len(prefix)
        self.over = False

    def cancel(self, branch: int | None) -> list[Event]:
        self.over = True
        return [Ended(self._job.id, 0, Ending.CANCEL)]

    def step(self) -> list[Event]:
        events: list[Event] = []
        if self._next < len(self._ids):
            events.append(self._read_chunk())
        if self._next < len(self._ids):
            total = len(self._ids) - self._start
            return [*events, Progress(self._job.id, self._next - self._start, total)]
        if self._job.following:
            events.append(self._following())
        self.over = True
        return [*events, Ended(self._job.id, 0, Ending.LENGTH)]

    def _read_chunk(self) -> Grown:
        stop = min(self._next + CHUNK, len(self._ids))
        logprobs = np.stack([self._logprobs(i) for i in range(self._next, stop)])
        ids = self._ids[self._next : stop]
        pieces = [self._language.pieces[i] for i in ids]
        ends = np.cumsum([len(piece) for piece in pieces]).astype(np.int32)
        self._next = stop
        return Grown(self._job.id, 0, b"".join(pieces), span_of(logprobs, ids, ends, self._job.top))

    def _following(self) -> Following:
        logprobs = self._logprobs(len(self._ids))
        top = np.argsort(-logprobs, kind="stable")[: self._job.top]
        columns = read_columns(logprobs[None], top[:1], 1)
        return Following(
            self._job.id,
            tuple(top.tolist()),
            tuple(logprobs[top].tolist()),
            tuple(self._language.pieces[i] for i in top),
            float(columns["entropy"][0]),
            float(columns["varentropy"][0]),
        )

    def _logprobs(self, position: int) -> NDArray[np.float32]:
        history = self._ids[max(0, position - CONTEXT) : position]
        return np.log(self._language.probabilities(history)).astype(np.float32)


def _ids_of(parts: Sequence[Piece], language: Language) -> Ids:
    """Raises JobFailed for an id outside the vocabulary."""
    ids = [i for p in parts for i in (language.encode(p) if isinstance(p, bytes) else p)]
    if any(not 0 <= i < len(language.pieces) for i in ids):
        raise JobFailed(
            "The text before holds tokens of another model.",
            "Generate with the model it was written with, or pass it as text.",
        )
    return np.array(ids, dtype=np.int32)


class Echo:
    """The engine: jobs take turns, one step each."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._delay: float = options_of(options, "delay", float, 0.0)
        self._die_after: int = options_of(options, "die_after", int, 0)
        self._hang_after: int = options_of(options, "hang_after", int, 0)
        self._fail_job: int = options_of(options, "fail_job", int, 0)
        self._heals: bool = options_of(options, "heals", bool, False)
        self._language = Language()
        self._queued: dict[str, Job] = {}
        self._begun: dict[str, _Work] = {}
        self._answers: list[Event] = []
        self._submitted = self._steps = 0

    def submit(self, job: Job) -> None:
        self._submitted += 1
        if self._submitted == self._fail_job:
            failed = Failed(job.id, "This job was made to fail.", "Unset the option fail_job.")
            self._answers.append(failed)
        else:
            self._queued[job.id] = job

    def cancel(self, job: str, branch: int | None = None) -> None:
        self._begin(job)
        work = self._begun.get(job)
        if work is not None:
            self._answers += work.cancel(branch)
            self._drop_if_over(job)

    def step(self) -> Sequence[Event]:
        for queued in list(self._queued):
            self._begin(queued)
        if self._answers:
            answers, self._answers = self._answers, []
            return answers
        job = next(iter(self._begun), None)
        if job is None:
            return []
        self._count_step()
        self._begun[job] = work = self._begun.pop(job)  # to the end of the line
        events = work.step()
        self._drop_if_over(job)
        return events

    def encode(self, text: bytes, *, start: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        ids = self._language.encode(text)
        ends = np.cumsum([len(self._language.pieces[i]) for i in ids], dtype=np.int64)
        return tuple(ids), tuple(ends.tolist())

    def can(self) -> Capabilities:
        return Capabilities(
            name=NAME,
            label="echo (no model: a toy that repeats your words)",
            fingerprint=self._language.fingerprint,
            vocabulary=len(self._language.pieces),
            context=CONTEXT,
            heals=self._heals,
            runtime={"numpy": np.__version__, "sight": "sliding"},
        )

    def pieces(self, ids: Sequence[int]) -> tuple[bytes, ...]:
        return tuple(self._language.pieces[i] for i in ids)

    def close(self) -> None:
        self._queued.clear()
        self._begun.clear()

    def _begin(self, job: str) -> None:
        """Starts a queued job; one that can't start answers Failed."""
        queued = self._queued.pop(job, None)
        try:
            if isinstance(queued, Generate):
                self._begun[job] = _Growing(queued, self._language)
            elif queued is not None:
                self._begun[job] = _Reading(queued, self._language)
        except EngineError as error:
            self._answers.append(Failed(job, str(error), error.hint))

    def _drop_if_over(self, job: str) -> None:
        if self._begun[job].over:
            del self._begun[job]

    def _count_step(self) -> None:
        self._steps += 1
        if self._delay:
            time.sleep(self._delay)
        if self._die_after and self._steps > self._die_after:
            os._exit(70)
        while self._hang_after and self._steps > self._hang_after:
            time.sleep(1)
