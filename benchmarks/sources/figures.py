"""Figures as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]


def pm(fact: Facts, digits: int = 2) -> str:
    """A mean and its standard error."""
    return f"{fact['mean']:.{digits}f} ± {fact['error']:.{digits}f}"


def span(values: Sequence[float]) -> str:
    """The least and the most of them."""
    low, high = min(values), max(values)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def mark(held: bool) -> str:
    return "✓" if held else "✗"
