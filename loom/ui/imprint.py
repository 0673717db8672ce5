"""What a page leaves behind for the first look at the next start: where its text stands, and looks.

Reads the page; what becomes of it is the glimpse's.
"""

from __future__ import annotations

from rich.console import COLOR_SYSTEMS
from rich.style import Style
from textual.widget import Widget

from loom.core.node import Author
from loom.ui.glimpse import Layout, terminal
from loom.ui.screens.page import Page


def imprint(page: Page) -> Layout:
    """Raises OSError where there is no terminal."""
    app, status, text = page.app, page.status, page.text_pane

    def code(style: Style) -> str:
        system = None if app.no_color else COLOR_SYSTEMS.get(app.console.color_system or "")
        return style.render("x", color_system=system, legacy_windows=False).partition("x")[0]

    def part(widget: Widget, name: str) -> str:
        return code(widget.rich_style + widget.get_component_rich_style(name))

    looks = {
        "page": code(page.rich_style),
        "bar": code(status.rich_style),
        "title": part(status, "status--title"),
        "busy": part(status, "status--busy"),
    }
    for author in Author:
        for when in ("current", "earlier"):
            looks[f"{when} {author}"] = code(text.style_of(author, when))
    region, left, width = text.content_region, text.left, text.prose_width
    return Layout(terminal(), region.x + left, region.y, width, region.height, looks)
