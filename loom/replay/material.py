"""What of a session can be checked on a model: its nodes by the model that read or drew them.

Knows the session's record; asks no engine.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from loom.core.node import Author, Place, place_hash
from loom.core.recipe import Recipe
from loom.engine.api import Piece
from loom.record import Record
from loom.replay.checks import Check, Verdict
from loom.store.batch import ModelRow


def by_model(record: Record, nodes: Iterable[int]) -> list[tuple[ModelRow, list[int]]]:
    """Model rows with their nodes that have columns, in reading order, so prefixes are reused."""
    found: dict[int, list[int]] = defaultdict(list)
    wanted = set(nodes)
    for number in record.tree.preorder():
        row = record.model_of(number)
        if number in wanted and row is not None and record.tree[number].token_count:
            found[row.id].append(number)
    rows = {row.id: row for row in map(record.model_of, wanted) if row is not None}
    return [(rows[number], found[number]) for number in sorted(found)]


def drawn(record: Record, nodes: Iterable[int]) -> list[int]:
    """Those that a model drew, with what is needed to draw them again."""
    tree = record.tree
    return [
        number
        for number in nodes
        if tree[number].author is Author.MODEL
        and tree[number].seed is not None
        and tree[number].recipe is not None
        and not tree[number].growing
    ]


def prefix_of(record: Record, number: int, row: ModelRow) -> tuple[Piece, ...]:
    """What the model had before the node."""
    recipe = record.recipe_of(number)
    return record.prefix(record.tree[number].hangs_at, row.fingerprint, recipe)


def stamp(record: Record, number: int) -> bytes:
    """Of everything of a node that a check looks at, its token columns too."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((record.tree[number], record.recipe_of(number))).encode())
    span = record.span(number)
    for name, column in () if span is None else span.columns():
        digest.update(name.encode() + (b"" if column is None else column.tobytes()))
    return digest.digest()


def _edited(record: Record, number: int, row: ModelRow) -> str:
    """Why the node can't be what was recorded; "" where it agrees with its own hash."""
    node, span = record.tree[number], record.span(number)
    if span is None:
        return "its token columns can't be read"
    if node.growing:
        return ""
    fingerprint = row.fingerprint if node.author is Author.MODEL else ""
    before = record.hash_at(node.hangs_at)
    if place_hash(before, node, span, fingerprint) != node.hash:
        return "its hash doesn't fit its text"
    return ""


def spoiled(record: Record, row: ModelRow, number: int, mismatch: str) -> Check | None:
    """Why there is no sense in asking the model about the node; None where there is.

    `mismatch` says in what the model at hand isn't the recorded one ("" where it is).
    """
    tokens = record.tree[number].token_count or 0
    if why := _edited(record, number, row):
        return Check(number, tokens, Verdict.EDITED, why)
    return Check(number, tokens, Verdict.OTHER_MODEL, mismatch) if mismatch else None


def together(
    record: Record, nodes: Iterable[int], most: int
) -> Iterator[tuple[Place, Recipe, list[int]]]:
    """Nodes that were drawn at the same place by the same recipe, at most so many at a time."""
    groups: dict[tuple[Place, int], list[int]] = defaultdict(list)
    for number in nodes:
        node = record.tree[number]
        groups[node.hangs_at, node.recipe or 0].append(number)
    for (place, _), members in groups.items():
        recipe = record.recipe_of(members[0])
        assert recipe is not None
        for start in range(0, len(members), most):
            yield place, recipe, members[start : start + most]
