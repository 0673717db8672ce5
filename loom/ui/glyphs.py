"""Numbers as block glyphs and bytes as printable text; knows neither widgets nor colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loom.core.text import decode, visible

LEVELS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉"
FLAGS = {"info": "⚐", "flag": "⚑"}
MOST_BITS = 10.0  # surprise at which a strip is full
BITS = 1 / math.log(2)


def strip(bits: Sequence[float], width: int) -> str:
    """Surprise along a text: the mean of each of up to `width` equal parts, as a row of bars."""
    if not bits:
        return ""
    count = min(width, len(bits))
    edges = [round(i * len(bits) / count) for i in range(count + 1)]
    means = [sum(bits[a:b]) / (b - a) for a, b in zip(edges, edges[1:], strict=False)]
    return "".join(level(mean) for mean in means)


def level(bits: float) -> str:
    """One bar for a surprise."""
    share = max(0.0, min(1.0, bits / MOST_BITS))
    return LEVELS[min(len(LEVELS) - 1, int(share * len(LEVELS)))]


def bar(share: float, width: int) -> str:
    """A horizontal bar of `share` (0 to 1) of `width` cells, in eighths."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def percent(probability: float) -> str:
    """Three figures at most: 97 %, 3.1 %, 0.02 %, <0.01 %."""
    share = probability * 100
    if share < 0.01:
        return "<0.01 %"
    if share < 0.1:
        return f"{share:.2f} %"
    return f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def token_text(piece: bytes) -> str:
    """A token so that it can be told from others: spaces, line ends and odd bytes are seen."""
    try:
        text = piece.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in piece)
    shown = text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return visible(shown) or "∅"


def first_words(text: bytes, cells: int) -> str:
    """The beginning of a text on one line."""
    flat = " ".join(visible(decode(text[: cells * 4])).split())
    return flat if len(flat) <= cells else flat[: cells - 1] + "…"
