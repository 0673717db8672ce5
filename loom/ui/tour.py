"""The steps of the tour: what is told, the key that is asked for, and what it changes.

Knows names of commands; whoever walks through them knows the page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from loom.core.node import Place
from loom.session import Session

OPENING = "The lighthouse keeper had not spoken to anyone since"
PRESET, BRANCHES, TOKENS, SEED = "balanced", 3, 32, 11


class Toured(Protocol):
    """What a step looks at to see whether its key has done something."""

    session: Session

    @property
    def cursor(self) -> Place: ...
    @property
    def in_text(self) -> bool: ...
    @property
    def is_writing(self) -> bool: ...
    @property
    def colours(self) -> str: ...


def _always(page: Toured) -> object:
    """Different each time: the key alone is enough."""
    return object()


def _texts(page: Toured) -> object:
    """How many nodes there is something to read in: a model that is still loading writes none."""
    tree = page.session.tree
    return sum(tree[node].length > 0 for node in tree.preorder())


def _place(page: Toured) -> object:
    return page.session.place


def _hidden(page: Toured) -> object:
    return len(page.session.marks.hidden)


@dataclass(frozen=True, slots=True)
class Step:
    """`text` has {key} where the key of `command` goes; `action` is what the key runs where that is
    another than the command's, and `key` how it is written, in a list over the page."""

    text: str
    command: str = ""
    action: str = ""
    key: str = ""
    looks: Callable[[Toured], object] = _always


STEPS = (
    Step(
        "A writer has begun a text. {key} lets the model go on with it: three times, each another"
        " way.",
        "grow", looks=_texts,
    ),
    Step(
        "They stream in, numbered. You need not wait for them: {key} walks into the second.",
        "walk", "walk(2)", "2", _place,
    ),
    Step("{key} goes to the one beside it. What you leave stays.", "next_sibling", looks=_place),
    Step(
        "{key} goes into the text. A model reads and writes in tokens, and here you move by them.",
        "switch", looks=lambda page: page.in_text,
    ),
    Step(
        "{key}: a token back. The line at the top says how probable the model held it.",
        "token_left", looks=lambda page: page.cursor,
    ),
    Step("{key} shows what else might have stood there, with its odds.", "alternatives"),
    Step("{key} marks another one.", action="cursor_down", key="↓"),
    Step(
        "{key} takes it: a new branch begins with it. The old one stays as it was.",
        action="select", key="Enter", looks=_place,
    ),
    Step("{key} grows from there.", "grow", looks=_texts),
    Step(
        "{key} colours the text by what the model believed; once more, by another measure.",
        "layer", looks=lambda page: page.colours,
    ),
    Step("{key} takes back what has just grown; it takes back anything.", "undo", looks=_hidden),
    Step(
        "Now you. {key} opens the editor where the cursor is.",
        "write", looks=lambda page: page.is_writing,
    ),
    Step("Type a few words; {key} puts them into the tree and lets the model go on.",
         "commit_and_grow", looks=_texts),
    Step("That is the whole loop, and all of it was saved as it happened. {key} shows every key.",
         "help"),
)  # fmt: skip
LAST = "Esc goes back to your own text."
