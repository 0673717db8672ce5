"""One node of the tree: a stretch of text by one author, hanging inside or after another.

A child hangs on the first `at` bytes of its parent's text. Bytes, not tokens: text written before
a model is there has no tokens yet, and another model cuts the same text elsewhere; a byte offset
holds for all of them. So branching inside a node, editing and continuing are one operation, and
nothing is ever split or rewritten.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from loom.core.span import Span

ROOT = 0  # id of the empty node that every tree starts from


class Author(StrEnum):
    """Who put the text there."""

    WRITER = "writer"
    MODEL = "model"
    IMPORT = "import"


class Ending(StrEnum):
    """Why a node's text stops where it does; None while it grows."""

    LENGTH = "length"  # the recipe's number of tokens
    EOS = "eos"  # the model ended the document
    STOP = "stop"  # a stop string
    EDGE = "edge"  # the end of a sentence or paragraph that the recipe asked for
    CANCEL = "cancel"  # the writer stopped it
    CRASH = "crash"  # the engine went away
    WRITTEN = "written"  # the writer committed it


class Place(NamedTuple):
    """A position in the tree: after the first `at` bytes of `node`."""

    node: int
    at: int


@dataclass(frozen=True, slots=True)
class Node:
    """Immutable; growing replaces the object under the same id by a longer one.

    `recipe` and `model` are ids of rows in the session; `model` is the one whose token columns
    belong to the text: it drew them, or has read what a writer wrote. The columns lie beside the
    tree and are read when used: `token_count` says how many there are, None until a model has read
    the text. `hash` is b"" while the node grows. `created` is Unix time in seconds.
    """

    id: int
    parent: int | None
    at: int
    author: Author
    text: bytes = b""
    recipe: int | None = None
    model: int | None = None
    seed: int | None = None
    ended: Ending | None = None
    created: float = 0.0
    token_count: int | None = None
    hash: bytes = b""

    @property
    def length(self) -> int:
        """Bytes of text."""
        return len(self.text)

    @property
    def hangs_at(self) -> Place:
        """The place in the parent that the node continues; the root's is its own start."""
        return Place(self.parent or ROOT, self.at)

    @property
    def growing(self) -> bool:
        return self.ended is None

    @property
    def end(self) -> Place:
        """The place after the node's last byte."""
        return Place(self.id, self.length)


def place_hash(
    before: bytes, node: Node, span: Span | None, fingerprint: str, at: int | None = None
) -> bytes:
    """blake2b-128 of a place in `node`: `before` is the hash of the place the node hangs at.

    Taken over author, model and content of the first `at` bytes (all of them by default, which is
    the node's own hash). Content is the token ids for a model's own text and the bytes otherwise,
    so that two token paths to the same text stay apart. What comes after `at` plays no part, so the
    hash of a place is known while the node still grows.
    """
    stop = node.length if at is None else at
    digest = hashlib.blake2b(before, digest_size=16)
    digest.update(f"{node.author}|{fingerprint}|".encode())
    if node.author is Author.MODEL and span is not None:
        count = span.count_until(stop)
        digest.update(b"ids" + span.ids[:count].astype("<u4").tobytes())
        if (int(span.ends[count - 1]) if count else 0) == stop:
            return digest.digest()
    digest.update(b"text" + node.text[:stop])
    return digest.digest()
