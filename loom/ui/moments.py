"""Which few commands matter at a moment of writing, the most useful first.

Knows names of commands, neither keys nor widgets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """What the writer is at. The defaults are a text that has not been gone on with."""

    writing: bool = False  # the editor is open
    blank: bool = False  # there is no text at all
    in_text: bool = False  # the token cursor has the keyboard
    at_end: bool = False  # it stands at the end of the path
    read_only: bool = False
    model: bool = True  # there is one, or one is being loaded
    growing: bool = False  # something grows at the writer's node or after it
    riding: bool = False  # the writer's own node grows
    cards: int = 0
    siblings: int = 1  # the writer's node counts
    root: bool = False
    found: bool = False  # the cursor is on a match of a search
    flagged: bool = False  # … or where a flag was raised, or in what one is about
    hoisted: bool = False
    hid: bool = False  # the last thing done was to hide something
    undone: bool = False  # … to undo something
    branches: int = 4


@dataclass(frozen=True, slots=True)
class Offer:
    """Commands with one label; more than one only where they are a pair, such as ← and →."""

    label: str
    names: tuple[str, ...]


def offers(moment: Moment) -> list[Offer]:
    """What can be done and is worth a key's name now."""
    if moment.writing:
        found = _in_editor(moment)
    elif moment.in_text:
        found = _in_text(moment)
    else:
        found = _on_page(moment)
    return [Offer(label, tuple(names)) for label, *names in found]


def _in_editor(moment: Moment) -> Iterator[tuple[str, ...]]:
    if moment.model:
        yield "let the model go on", "commit_and_grow"
    yield "done", "commit"


def _afterwards(moment: Moment) -> Iterator[tuple[str, ...]]:
    """What one may want at once after what was done last."""
    if moment.hid:
        yield "bring it back", "undo"
    if moment.undone:
        yield "do it again", "redo"
    if moment.found:
        yield "next, previous match", "next_match", "previous_match"


def _in_text(moment: Moment) -> Iterator[tuple[str, ...]]:
    yield from _afterwards(moment)
    if moment.flagged:
        yield "where it began", "flag_start"
        yield "next, previous flag", "next_flag", "previous_flag"
    if moment.model or not moment.at_end:
        yield "the next token" if moment.at_end else "other tokens", "alternatives"
    yield from _changing(moment)
    yield "the tree", "switch"
    yield "by token", "token_left", "token_right"


def _on_page(moment: Moment) -> Iterator[tuple[str, ...]]:
    yield from _afterwards(moment)
    if moment.blank:
        yield from _beginning(moment)
        return
    if moment.cards:
        yield "walk in", "walk"
    if moment.growing:
        yield "stop", "stop"
    if moment.riding and not moment.root:
        yield "back to the others", "parent"
    if moment.hoisted:
        yield "show all", "unhoist"
    if not moment.growing:
        yield from _changing(moment)
    if moment.siblings > 1 and not moment.cards:
        yield "the others", "previous_sibling", "next_sibling"
    yield "by tokens", "switch"
    if not moment.root:
        yield "back", "parent"


def _beginning(moment: Moment) -> Iterator[tuple[str, ...]]:
    if not moment.read_only:
        yield "begin writing", "write"
        if moment.model:
            yield "let the model begin", "grow"
    if not moment.model:
        yield "choose a model", "models"
    yield "other sessions", "sessions"
    yield "tour, demo, bylines", "palette"


def _changing(moment: Moment) -> Iterator[tuple[str, ...]]:
    if not moment.model:
        yield "choose a model", "models"
    if moment.read_only:
        yield "other sessions", "sessions"
        return
    if moment.model:
        yield f"grow {moment.branches}{' more' if moment.cards else ''}", "grow"
    yield "write on" if not moment.in_text or moment.at_end else "write here", "write"
