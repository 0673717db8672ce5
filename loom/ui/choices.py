"""Tokens a model held likely at one place, with their probabilities; knows no widget."""

from __future__ import annotations

import math
from dataclasses import dataclass

from loom.engine.api import Following
from loom.session import Session
from loom.ui import glyphs


@dataclass(frozen=True, slots=True)
class Choice:
    """One token; `rank` counts from 1; `chosen` is the one that stands in the text."""

    token: int
    text: str
    probability: float
    rank: int
    chosen: bool = False


def token_choices(session: Session, node: int, index: int) -> list[Choice]:
    """The alternatives of token `index` of `node`; the token itself too, however improbable."""
    span = session.span(node)
    if span is None:
        return []
    token = span[index]
    choices = [
        Choice(
            id_,
            glyphs.token_text(session.piece(node, id_)),
            math.exp(logprob),
            rank,
            chosen=id_ == token.id,
        )
        for rank, (id_, logprob) in enumerate(token.alternatives, start=1)
    ]
    if not any(choice.chosen for choice in choices):
        text = glyphs.token_text(session.tree[node].text[token.start : token.end])
        choices.append(Choice(token.id, text, math.exp(token.logprob), token.rank + 1, chosen=True))
    return choices


def following_choices(following: Following) -> list[Choice]:
    """The next token's distribution."""
    rows = zip(following.ids, following.logprobs, following.pieces, strict=True)
    return [
        Choice(id_, glyphs.token_text(piece), math.exp(logprob), rank)
        for rank, (id_, logprob, piece) in enumerate(rows, start=1)
    ]
