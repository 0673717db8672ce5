"""The JSON shapes of a session: NODE, token, place (docs/json.md is their reference).

Reads a session, never changes one. Offsets called `at` count tokens, `at_byte` bytes; logarithms
are natural unless a name says bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from loom.core.marks import Kind
from loom.core.node import ROOT, Place
from loom.core.span import Span
from loom.core.text import decode

if TYPE_CHECKING:
    from loom.context import Context
    from loom.session import Session

Facts = dict[str, Any]


def node_facts(session: Session, node_id: int, *, hidden: bool | None = None) -> Facts:
    """NODE. `at` is None while no model has read the parent; `hidden` where it is known already."""
    node = session.tree[node_id]
    parent = ROOT if node.parent is None else node.parent
    recipe = session.recipe_of(node_id)
    model = session.model_of(node_id)
    return {
        "id": node.id,
        "parent": parent,
        "at": tokens_before(session, Place(parent, node.at)),
        "at_byte": node.at,
        "author": str(node.author),
        "text": session.text(node_id),
        "ended": None if node.ended is None else str(node.ended),
        "model": None if model is None else model.label,
        "recipe": None if recipe is None else recipe.to_json(),
        "seed": node.seed,
        "hidden": session.is_hidden(node_id) if hidden is None else hidden,
        "bookmarks": bookmarks(session, node_id),
        "token_count": node.token_count,
    }


def bookmarks(session: Session, node_id: int) -> list[int]:
    """Bytes of the node at which a bookmark lies, rising."""
    marks = session.marks.of(node_id)
    return sorted(mark.start for mark, _ in marks if mark.kind is Kind.BOOKMARK)


def below(session: Session, top: int) -> Iterator[tuple[int, bool]]:
    """(node, whether it is hidden) in reading order from `top`, without the empty root.

    Hiddenness is handed down, so that a chain of any length costs one step a node.
    """
    tree, marks = session.tree, session.marks
    hidden = {top: top != ROOT and session.is_hidden(top)}
    for number in tree.preorder(top):
        node = tree[number]
        if number not in hidden:
            parent = ROOT if node.parent is None else node.parent
            cut = marks.hidden_from(parent)
            hidden[number] = (
                hidden[parent]
                or (cut is not None and node.at > cut)
                or marks.hidden_from(number) == 0
            )
        if number != ROOT:
            yield number, hidden[number]


def tokens_before(session: Session, place: Place) -> int | None:
    """How many whole tokens of the node end at or before the place; None where nobody has read."""
    if place.at == 0:
        return 0
    node = session.tree[place.node]
    if node.token_count is None:
        return None
    if place.at == node.length and not node.growing:
        return node.token_count
    span = session.span(place.node)
    return None if span is None else span.count_until(place.at)


def place_facts(session: Session, place: Place) -> Facts:
    """A position in the tree."""
    return {
        "node": place.node,
        "at": tokens_before(session, place),
        "at_byte": place.at,
    }


def span_facts(session: Session, node_id: int) -> list[Facts] | None:
    """The node's tokens; None while no model has read it."""
    span = session.span(node_id)
    if span is None:
        return None
    return [_token_facts(session, node_id, span, index) for index in range(len(span))]


def _token_facts(session: Session, node_id: int, span: Span, index: int) -> Facts:
    token = span[index]
    piece = session.tree[node_id].text[token.start : token.end]
    return {
        "id": token.id,
        "text": decode(piece),
        "bytes": piece.hex(),
        "logprob": token.logprob,
        "sampled_logprob": token.sampled_logprob,
        "entropy": token.entropy,
        "varentropy": token.varentropy,
        "rank": token.rank,
        "alternatives": [
            {"id": i, "text": decode(session.piece(node_id, i)), "logprob": logprob}
            for i, logprob in token.alternatives
        ],
    }


def context_facts(context: Context) -> Facts:
    """CONTEXT."""
    special = [number for part in context.parts if part.node is None for number in part.ids or ()]
    return {
        "model": context.model,
        "window": context.window,
        "tokens": context.tokens,
        "seen_from": context.seen_from,
        "special": special,
        "given": [
            {
                "node": part.node,
                "text": decode(part.text),
                "ids": None if part.ids is None else list(part.ids),
            }
            for part in context.texts
        ],
        "doubt": context.doubt or None,
    }


def score_facts(session: Session, node_id: int, span: Span) -> Facts:
    """What the node's text costs the model that has read it."""
    node, model = session.tree[node_id], session.model_of(node_id)
    bits = bits_of(span)
    return {
        "token_count": len(span),
        "bytes": node.length,
        "bits": bits,
        "bits_per_byte": bits / node.length,
        "model": None if model is None else model.label,
    }


def bits_of(span: Span) -> float:
    """Surprise of all tokens together, in bits, summed in float64."""
    return -float(span.logprob.sum(dtype="float64")) / math.log(2)
