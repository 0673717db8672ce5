"""Regrow: draw every continuation again from its recipe and seed, and say where it parts.

Yields one Check a node; changes nothing. Equality is promised only where the engine says it can; a
near-tie (rounding chose between two tokens) is told from another distribution by what both recorded
at the token where they part.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

from loom.asking.process import Answer
from loom.core.node import Ending, Place
from loom.core.recipe import Recipe
from loom.engine.api import JobFailed
from loom.record import Record
from loom.replay.agreement import divergence
from loom.replay.checks import Check, Verdict
from loom.replay.material import drawn, spoiled, together
from loom.replay.models import Bench
from loom.store.batch import ModelRow

AT_ONCE = 8  # branches
UNFINISHED = (Ending.CANCEL, Ending.CRASH)  # ended by something that isn't in the recipe


async def regrow(
    record: Record, row: ModelRow, nodes: Iterable[int], bench: Bench
) -> AsyncIterator[Check]:
    """Raises EngineError if the engine dies."""
    sound: list[int] = []
    for number in drawn(record, nodes):
        if flaw := spoiled(record, row, number, bench.mismatch):
            yield flaw
        else:
            sound.append(number)
    for place, recipe, members in together(record, sound, AT_ONCE):
        for check in await _draw_again(record, row, place, recipe, members, bench):
            yield check


async def _draw_again(
    record: Record, row: ModelRow, place: Place, recipe: Recipe, members: list[int], bench: Bench
) -> list[Check]:
    seeds = [record.tree[number].seed or 0 for number in members]
    longest = max(record.tree[number].token_count or 0 for number in members)
    if all(record.tree[number].ended in UNFINISHED for number in members):
        recipe = replace(recipe, tokens=max(1, longest))  # no need to draw what was never drawn
    try:
        prefix = record.prefix(place, row.fingerprint, recipe)
        answers = await bench.asking.generate(prefix, recipe, seeds)
    except JobFailed as error:
        return [Check(n, 0, Verdict.DIVERGES, str(error)) for n in members]
    return [
        _compared(record, number, answer, bench)
        for number, answer in zip(members, answers, strict=True)
    ]


def _compared(record: Record, number: int, answer: Answer, bench: Bench) -> Check:
    node, span, found = record.tree[number], record.span(number), answer.span
    assert span is not None
    tokens = len(span)
    if found is None:
        return Check(number, tokens, Verdict.DIVERGES, "the model ended the text at once", index=0)
    parting = divergence(span, found)
    if parting is None and bytes(answer.text)[: node.length] != node.text[: len(answer.text)]:
        return Check(number, tokens, Verdict.EDITED, "its tokens don't spell its text")
    if parting is None:
        return _ended_alike(node.ended, Check(number, tokens, Verdict.SAME), answer, len(found))
    near = parting.log_gap <= bench.tolerance
    verdict = Verdict.NEAR_TIE if near else Verdict.DIVERGES
    says = "another draw from the same distribution, up to rounding"
    if not near:
        says = "another distribution was drawn from"
    return Check(number, tokens, verdict, says, parting.log_gap, parting.index, parting.gap)


def _ended_alike(ended: Ending | None, same: Check, answer: Answer, length: int) -> Check:
    """A continuation that was broken off only has to begin like the one drawn again."""
    cut = ended in UNFINISHED and length >= same.tokens
    if cut or (length == same.tokens and answer.ended is ended):
        return same
    why = f"it ended after {length} tokens ({answer.ended}), not {same.tokens} ({ended})"
    return replace(same, verdict=Verdict.DIVERGES, reason=why, index=min(length, same.tokens))
