"""Texts to judge the detectors by: human ones, and ones that change after a human beginning.

All are read or drawn by the model itself; what was read or drawn is kept, so that an interrupted
evaluation goes on where it stopped.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from loom.asking.process import Answer, Asking
from loom.core.recipe import Recipe, Sampling
from loom.core.span import Span, joined
from loom.experiments.absorbing import ENTRY, SIGN
from loom.instruments.api import Passage
from loom.passages import Cut, Readings, Work, context_of

LEAD = 200  # human tokens before the change
AFTER = 200  # tokens of what is to be noticed, at least where it is not a loop
LOOPED, TEMPLATED = 160, 240
ABSORBED = 30
DOUBT = 1e-5  # nats, of the absorbing toy

TEMPLATES = (
    "On day {n}, the {w} of the {w} went down to the {w} and said nothing.\n",
    "{n}. The {w} is {w}, and the price of the {w} is {n} pounds.\n",
    "Then came the {w}, and the {w} was as {w} as it had ever been, and we waited.\n",
    "- The capital of {w} is {w}.\n",
    "CHAPTER {n}. In which {w} meets {w}, and what came of it for the people there.\n",
)
_FILLS = """
amber anchor apple archer barley basket beacon bishop bramble bridge butter candle cedar cellar
chimney cinder clover cooper copper cotton cradle dagger daisy ember falcon fennel ferry fiddle
garden ginger goblet hammer harbour hazel heron hollow ivory jasper kettle ladder lantern linen
magpie marble meadow mirror mortar nettle oyster paper pepper pigeon pillow plaster raven ribbon
saddle saffron shutter silver sorrel spindle sparrow tailor tallow thistle timber tinder turnip
velvet walnut weaver willow window winter
"""
FILLS = _FILLS.split()


@dataclass(frozen=True, slots=True)
class Case:
    """A text that changes after LEAD tokens."""

    kind: str
    passage: Passage

    def words(self, tokens: int) -> int:
        """How many words are in the first `tokens` tokens after the change."""
        text = b"".join(self.passage.context.pieces[LEAD : LEAD + tokens])
        return len(re.findall(rb"[0-9A-Za-z\x80-\xff]+", text))


@dataclass(frozen=True, slots=True)
class Lead:
    """The beginning of an unseen work's passage, and tokens from further on in it."""

    passage: Passage

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(self.passage.span.ids[:LEAD].tolist())

    def phrase(self, tokens: int) -> tuple[int, ...]:
        return tuple(self.passage.span.ids[LEAD + 50 : LEAD + 50 + tokens].tolist())


def leads(passages: Sequence[Passage], each: int, seed: int) -> list[Lead]:
    """So many of every work, by lot."""
    by_work: dict[str, list[Passage]] = {}
    for passage in passages:
        by_work.setdefault(passage.work, []).append(passage)
    chance = random.Random(seed)
    return [
        Lead(passage)
        for work in sorted(by_work)
        for passage in chance.sample(by_work[work], min(each, len(by_work[work])))
    ]


def absorbed(lead: Lead) -> Case:
    """What the toy `absorbing` of backends/toys.py is sure to do once its token has come."""
    human = lead.passage.span
    doubt = np.full(ABSORBED, DOUBT, np.float32)
    surprise, entropy = doubt.copy(), doubt.copy()
    surprise[0] = -math.log(ENTRY)
    entropy[0] = (1 - ENTRY) * human.entropy[LEAD] - ENTRY * math.log(ENTRY)
    sign = np.full(ABSORBED, int(human.ids.max()) + 1, np.int32)
    tail = Span(
        ids=sign,
        ends=np.arange(1, ABSORBED + 1, dtype=np.int32) * len(SIGN.encode()),
        logprob=-surprise,
        entropy=entropy,
        varentropy=doubt,
        rank=np.zeros(ABSORBED, np.int32),
        top_ids=np.repeat(sign[:, None], human.top_ids.shape[1], axis=1),
        top_logprobs=np.repeat(-surprise[:, None], human.top_ids.shape[1], axis=1),
    )
    span = joined([human.cut(0, LEAD), tail])
    text = b"".join(lead.passage.context.pieces[:LEAD]) + SIGN.encode() * ABSORBED
    work = lead.passage.work
    return Case("absorbing", Passage(span, context_of(span, text), work, lead.passage.genre))


class Maker:
    """Has a model read or draw what follows a lead; keeps it in `readings`."""

    def __init__(self, asking: Asking, readings: Readings, seed: int) -> None:
        self._asking, self._readings, self._seed = asking, readings, seed

    async def loop(self, lead: Lead, period: int) -> Case:
        phrase = lead.phrase(period)
        tail = (phrase * (LOOPED // period + 1))[: max(LOOPED, 3 * period)]
        return await self._read(f"loop of {period}", lead, tail)

    async def template(self, lead: Lead, number: int, most: int) -> Case:
        """Filled with one word a slot, or with one to `most`."""
        kind = "template" if most == 1 else "template, slots of 1–3 words"
        text = filled(TEMPLATES[number % len(TEMPLATES)], most, self._seed * 1000 + number)
        ids, _ = await self._asking.encode(b"\n\n" + text.encode(), start=False)
        return await self._read(kind, lead, ids[:TEMPLATED])

    async def drawn(self, lead: Lead, temperature: float, branches: int) -> list[Case]:
        kind = f"temperature {temperature:g}"
        cuts = [self._cut(kind, lead, (self._seed, branch)) for branch in range(branches)]
        kept = [self._readings.read(cut) for cut in cuts]
        if all(kept):
            return [Case(kind, passage) for passage in kept if passage is not None]
        recipe = Recipe(Sampling(temperature=temperature), tokens=AFTER)
        seeds = [self._seed * 1000 + branch for branch in range(branches)]
        answers = await self._asking.generate((lead.ids,), recipe, seeds)
        return [
            Case(kind, self._joined(cut, lead, answer))
            for cut, answer in zip(cuts, answers, strict=True)
        ]

    def _joined(self, cut: Cut, lead: Lead, answer: Answer) -> Passage:
        span = lead.passage.span.cut(0, LEAD)
        text = b"".join(lead.passage.context.pieces[:LEAD])
        if answer.span is not None:
            span, text = joined([span, answer.span]), text + bytes(answer.text)
        return self._readings.keep(cut, span, text)

    async def _read(self, kind: str, lead: Lead, tail: tuple[int, ...]) -> Case:
        cut = self._cut(kind, lead, tail)
        passage = self._readings.read(cut)
        if passage is None:
            answer = await self._asking.score((lead.ids,), tail)
            passage = self._joined(cut, lead, answer)
        return Case(kind, passage)

    def _cut(self, kind: str, lead: Lead, what: Sequence[int]) -> Cut:
        work = Work(Path(lead.passage.work), lead.passage.work, lead.passage.genre)
        mark = f"{kind} {lead.ids} {tuple(what)}"
        return Cut(work, mark.encode())


def filled(template: str, most: int, seed: int) -> str:
    """Forty lines of it, the slots filled by lot."""
    chance = random.Random(seed)

    def fill(line: int, slot: re.Match[str]) -> str:
        if slot[0] == "{n}":
            return str(line + 7)
        return " ".join(chance.choice(FILLS) for _ in range(chance.randint(1, most)))

    return "".join(re.sub(r"\{.\}", partial(fill, line), template) for line in range(40))
