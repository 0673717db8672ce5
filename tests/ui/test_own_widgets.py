"""Two widgets are ours, the tree and the token text; all others are Textual's, with content."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

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


BORDERS = {"border_title", "border_subtitle"}


def set_borders(code: ast.AST) -> Iterator[ast.expr]:
    """What is assigned to a widget's border, wherever."""
    for found in ast.walk(code):
        if not isinstance(found, ast.Assign):
            continue
        for target in found.targets:
            pairs = [(target, found.value)]
            if isinstance(target, ast.Tuple) and isinstance(found.value, ast.Tuple):
                pairs = list(zip(target.elts, found.value.elts, strict=True))
            for one, value in pairs:
                if isinstance(one, ast.Attribute) and one.attr in BORDERS:
                    yield value


def is_safe(value: ast.expr) -> bool:
    """Words of our own, or content: of any other string Textual would read brackets as markup."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "Content"
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    return bool(name.isupper())


def test_no_border_reads_a_writers_words_as_markup() -> None:
    found = [
        (file.name, value.lineno, is_safe(value))
        for file in sorted(Path(loom.ui.__file__).parent.rglob("*.py"))
        for value in set_borders(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert len(found) > 10
    assert [(name, line) for name, line, safe in found if not safe] == []
