"""Two themes for reading prose for hours, one dark and one light, beside Textual's own; and which
one was chosen in the palette.

The only place with colours outside the stylesheet. In both, the colours of the surprise scale go
from the background's lightness towards the middle, so that its steps differ without hue.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from textual.app import App
from textual.theme import Theme

from loom.store.atomic import write_atomically

DARK = Theme(
    name="loom-dark",
    dark=True,
    background="#14161a",
    surface="#1b1e23",
    panel="#24282e",
    foreground="#d9d5cb",
    primary="#7ea6cc",
    secondary="#7db8a8",
    accent="#c9a2d8",
    success="#8fb573",
    warning="#a8762a",
    error="#d9705f",
    luminosity_spread=0.12,
    variables={
        "block-cursor-background": "#35506b",
        "block-cursor-foreground": "#f3efe6",
        "input-selection-background": "#7ea6cc 30%",
        "footer-key-foreground": "#7ea6cc",
        "footer-description-foreground": "#a5a298",
        "border": "#7ea6cc",
        "border-blurred": "#2e333a",
    },
)
LIGHT = Theme(
    name="loom-light",
    dark=False,
    background="#f8f5ee",
    surface="#f0ece2",
    panel="#e5e0d4",
    foreground="#26241f",
    primary="#2f5f8f",
    secondary="#2a6f62",
    accent="#7a4a8c",
    success="#4e7a2e",
    warning="#c98a1c",
    error="#b8402f",
    luminosity_spread=0.12,
    variables={
        "block-cursor-background": "#c5d8ea",
        "block-cursor-foreground": "#1a1916",
        "input-selection-background": "#2f5f8f 25%",
        "footer-key-foreground": "#2f5f8f",
        "footer-description-foreground": "#5d5a52",
        "border": "#2f5f8f",
        "border-blurred": "#d6d0c2",
    },
)
OWN = (DARK, LIGHT)
CHOICE = "theme"  # the file in the state folder


def register(app: App[Any]) -> None:
    for theme in OWN:
        app.register_theme(theme)


def complaint(app: App[Any], name: str) -> str:
    """What is wrong with a theme's name; "" if there is such a theme."""
    known = sorted(app.available_themes)
    if name in known:
        return ""
    close = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(known)}."
    return f"there is no theme {name!r}. {hint}"


def chosen(state: Path, configured: str) -> str:
    """The theme taken in the palette, as long as the settings say what they said then; else theirs.

    So the last word counts, whichever of the two it was said in.
    """
    try:
        name, instead_of = (state / CHOICE).read_text("utf-8").split("\n")[:2]
    except (OSError, ValueError):
        return configured
    return name if instead_of == configured else configured


def keep(state: Path, name: str, configured: str) -> None:
    """Choose `name`; the settings file stays as its user wrote it. Raises OSError."""
    state.mkdir(parents=True, exist_ok=True)
    write_atomically(state / CHOICE, f"{name}\n{configured}\n".encode())
