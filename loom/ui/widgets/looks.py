"""Component classes laid over each other into one style; Textual itself combines none but the last.

`Looks` blends several of them, for lines or for text that Textual lays out (`content`); `look` is
one of them as it stands. Knows the stylesheet through the widget; knows nothing of what is drawn.
"""

from __future__ import annotations

from rich.style import Style
from textual.color import Color
from textual.style import Style as ContentStyle
from textual.widget import Widget

READABLE = 4.5  # contrast of text


def look(widget: Widget, name: str) -> ContentStyle:
    """One component class of `widget`.

    Colours that adapt to the background do so where the text is drawn, marked or hovered over as it
    may be; `Widget.get_visual_style` would have them adapt to black.
    """
    styles = widget.get_component_styles(name)
    text = styles.text_style
    colour = Color(0, 0, 0, styles.color.a, auto=True) if styles.auto_color else styles.color
    return ContentStyle(
        styles.background if styles.has_rule("background") else None,
        colour if styles.has_rule("color") else None,
        bold=text.bold,
        italic=text.italic,
        underline=text.underline,
        reverse=text.reverse,
    )


def legible(color: Color, opacity: float, background: Color) -> Color:
    """`color` over `background`, as transparent as is wanted or as can be read."""
    shown = background + color.multiply_alpha(opacity)
    while opacity < 1 and contrast(shown, background) < READABLE:
        opacity = min(1.0, opacity + 0.1)
        shown = background + color.multiply_alpha(opacity)
    return shown


def contrast(a: Color, b: Color) -> float:
    """1 to 21, as WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in color.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Looks:
    """Styles of a widget's component classes, remembered until `clear`."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[tuple[str, ...], Style] = {}
        self._contents: dict[tuple[str, ...], ContentStyle] = {}

    def __call__(self, *names: str) -> Style:
        """Backgrounds are blended in order, the last colour wins, opacities multiply, and text
        attributes add up."""
        found = self._styles.get(names)
        if found is None:
            shown, background, attributes = self._blend(names)
            found = Style.from_color(shown.rich_color, background.rich_color) + attributes
            self._styles[names] = found
        return found

    def content(self, *names: str) -> ContentStyle:
        """The same for text that Textual lays out."""
        found = self._contents.get(names)
        if found is None:
            shown, background, on = self._blend(names)
            found = self._contents[names] = ContentStyle(
                background,
                shown,
                bold=on.bold,
                dim=on.dim,
                italic=on.italic,
                underline=on.underline,
                reverse=on.reverse,
                strike=on.strike,
            )
        return found

    def clear(self) -> None:
        self._styles.clear()
        self._contents.clear()

    def _blend(self, names: tuple[str, ...]) -> tuple[Color, Color, Style]:
        """Foreground, background, and attributes."""
        _, _, background, color = self._widget.colors
        attributes, opacity = self._widget.rich_style.without_color, 1.0
        for name in names:
            styles = self._widget.get_component_styles(name)
            if styles.has_rule("background"):
                background += styles.background
            if styles.has_rule("color"):
                color = styles.color
            if styles.auto_color:
                color = background.get_contrast_text(color.a)
            opacity *= styles.text_opacity
            attributes += styles.text_style
        return legible(color, opacity, background), background, attributes
