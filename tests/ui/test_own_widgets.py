"""Two widgets are ours, the tree and the token text; all others are Textual's, with content."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from textual.scrollbar import ScrollBar
from textual.widget import Widget

import loom.ui
from loom.ui.widgets.drawn import Drawn
from loom.ui.widgets.text import TokenText
from loom.ui.widgets.tree_ink import TreeInk


def own_widgets() -> Iterator[type[Widget]]:
    for module in pkgutil.walk_packages(loom.ui.__path__, "loom.ui."):
        for found in vars(importlib.import_module(module.name)).values():
            is_widget = isinstance(found, type) and issubclass(found, Widget)
            if is_widget and found.__module__ == module.name:
                yield found


def draws_lines(kind: type[Widget]) -> bool:
    mine = (base for base in kind.__mro__ if base.__module__.startswith("loom."))
    return any(name in vars(base) for base in mine for name in ("render_line", "render_lines"))


def test_only_tree_and_text_draw_lines_of_their_own() -> None:
    kinds = set(own_widgets())
    ours = {kind for kind in kinds if draws_lines(kind) and not issubclass(kind, ScrollBar)}
    assert {TokenText, TreeInk} <= ours
    assert all(kind is Drawn or issubclass(kind, TokenText | TreeInk) for kind in ours), ours


def test_every_other_is_one_of_textuals() -> None:
    bare = {kind for kind in own_widgets() if Widget in kind.__bases__}
    assert bare == set()
