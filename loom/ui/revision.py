"""What an editor was opened on, and what committing it means; pure."""

from __future__ import annotations

from dataclasses import dataclass

from loom.core.node import Place


@dataclass(frozen=True, slots=True)
class Revision:
    """A stretch of a node that is being rewritten: bytes `start` to `stop`, as they were."""

    node: int
    start: int
    old: bytes

    def outcome(self, new: bytes) -> tuple[int, bytes]:
        """(byte of the node where the new branch hangs, its text); b"" for nothing but a cut."""
        shared = shared_length(self.old, new)
        return self.start + shared, new[shared:]

    def unchanged(self, new: bytes) -> bool:
        return new == self.old


@dataclass(frozen=True, slots=True)
class Task:
    """What the editor is for: text that goes to `place`, or a revision shown from there on."""

    place: Place
    text: str = ""
    revision: Revision | None = None


def shared_length(old: bytes, new: bytes) -> int:
    """Bytes both begin with, never ending inside a character."""
    length = 0
    for a, b in zip(old, new, strict=False):
        if a != b:
            break
        length += 1
    while length and (_inside(old, length) or _inside(new, length)):
        length -= 1
    return length


def _inside(text: bytes, offset: int) -> bool:
    return offset < len(text) and text[offset] & 0b1100_0000 == 0b1000_0000
