"""The rows of the panel of sources: each with its rank, bar, evidence and prior.

Knows sets and posteriors; knows neither sessions nor widgets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.style import Style

from loom.bylines import completions
from loom.core.text import visible
from loom.instruments.sources.api import NULL, Posterior, SourceSet, Standing
from loom.ui import glyphs
from loom.ui.widgets.lens_lines import scale
from loom.ui.widgets.lens_sources import NOT_ASKED, STALE, evidence, told, worlds
from loom.ui.widgets.wrapping import clip
from loom.ui.worlds import NONE, brief, null_rank

RANK, SHARE, BITS, PRIOR = 4, 9, 11, 8  # columns
NAMES = (14, 32)  # columns of a name, at least and at most

Look = Callable[[str], Style]


@dataclass(frozen=True, slots=True)
class Row:
    """A source, or with the name NULL none of them. `rank`, `share` and `bits` are None where
    nothing was weighed; `prior` in bits."""

    name: str
    prior: float
    rank: int | None = None
    share: float | None = None
    bits: float | None = None
    rescored: bool = True


def rows(known: SourceSet, posterior: Posterior | None, words: str = "") -> list[Row]:
    """The likeliest first, of those with these words in their names; as the set has them where
    nothing was weighed."""
    priors = priors_of(known)
    if posterior is None:
        found = [Row(source.name, priors[source.name]) for source in known.sources]
        found.append(Row(NULL, priors[NULL]))
    else:
        found = list(_ranked(posterior, priors))
    names = [row.name or NONE for row in found]
    fitting = set(completions(words, names)) if words.strip() else set(names)
    return [row for row, name in zip(found, names, strict=True) if name in fitting]


def _ranked(posterior: Posterior, priors: dict[str, float]) -> Iterator[Row]:
    null, is_told = null_rank(posterior), False
    for number, one in enumerate(posterior.standings, start=1):
        if number == null:
            is_told = True
            yield Row(NULL, priors.get(NULL, math.nan), null, posterior.null, 0.0)
        yield _of(one, number + is_told, priors)
    if not is_told:
        yield Row(NULL, priors.get(NULL, math.nan), null, posterior.null, 0.0)


def _of(one: Standing, rank: int, priors: dict[str, float]) -> Row:
    prior = priors.get(one.name, math.nan)
    return Row(one.name, prior, rank, one.probability, one.bits, one.rescored)


def priors_of(known: SourceSet) -> dict[str, float]:
    """In bits, by name; of the null, too."""
    total = sum(source.prior for source in known.sources) or 1.0
    shares = {s.name: (1 - known.null_prior) * s.prior / total for s in known.sources}
    return {name: _bits(share) for name, share in (shares | {NULL: known.null_prior}).items()}


def _bits(share: float) -> float:
    return -math.log2(share) if share > 0 else math.inf


# ── how they look ──────────────────────────────────────────────────────────────────────────────


def facts(known: SourceSet, posterior: Posterior | None) -> str:
    """What is to be said of all of them together."""
    count = len(known.sources)
    parts = [f"{visible(known.name)}, {count} source{'' if count == 1 else 's'}"]
    if posterior is not None:
        tokens = f"{posterior.tokens} token{'' if posterior.tokens == 1 else 's'}"
        parts += [tokens, worlds(posterior), f"entropy {posterior.entropy:.2f} bits"]
    return " · ".join(parts)


def badge(posterior: Posterior | None) -> str:
    if posterior is None or posterior.calibrated:
        return ""
    return "uncalibrated on this model: ranks and bits of evidence, no shares"


def beside(posterior: Posterior | None) -> str:
    """By what it is believed, what is expected, and the log-odds that the set wants told."""
    if posterior is None:
        return ""
    parts = [f"{visible(name)} {evidence(bits)} bits" for name, bits in posterior.pairs]
    if posterior.following is not None:
        parts.insert(0, f"{told(posterior.following)} expected of the next token")
    if posterior.unasked:
        parts.insert(0, NOT_ASKED)
    elif posterior.read is not None:
        name = visible(brief(posterior.read.leading)) or NONE
        by_reading = f"{name} {glyphs.percent(posterior.read.lead)}"
        parts.insert(0, f"read and asked; by reading alone {by_reading}")
    return " · ".join(parts)


def header(width: int, look: Look, *, calibrated: bool) -> Content:
    name, bar = _widths(width, calibrated=calibrated)
    share = f"{'belief':>{SHARE}}" if calibrated else ""
    text = f"{'':{RANK}} {'source':{name}} {'':{bar}}{share}{'evidence':>{BITS}}{'prior':>{PRIOR}}"
    return Content.styled(text[1:], look("facts"))  # the rows have a space less before them


def drawn(shown: Sequence[Row], width: int, look: Look, *, calibrated: bool) -> Iterator[Content]:
    """One line each; bars are of belief where that can be told, else of evidence."""
    values = [_value(row, calibrated=calibrated) for row in shown]
    most = max([value for value in values if value > 0], default=1.0)
    full = scale(most) if calibrated else max(1.0, most)
    name, bar = _widths(width, calibrated=calibrated)
    for row, value in zip(shown, values, strict=True):
        rank = "" if row.rank is None else str(row.rank)
        words, used = clip(visible(row.name) or NONE, name)
        yield Content.assemble(
            (f"{rank:>{RANK - 1}}  ", look("facts")),
            (words, look("name" if row.name and row.rescored else "words")),
            " " * (name - used + 1),
            (glyphs.bar(value / full, bar), look("words")),
            (_told(row, calibrated=calibrated), look("facts")),
        )


def _value(row: Row, *, calibrated: bool) -> float:
    found = row.share if calibrated else row.bits
    return max(0.0, found or 0.0)


def _told(row: Row, *, calibrated: bool) -> str:
    share = "" if row.share is None else glyphs.percent(row.share)
    bits = "" if row.bits is None or not row.name else f"{evidence(row.bits)} bits"
    if not row.rescored:
        bits = STALE
    prior = "∞" if math.isinf(row.prior) else f"{row.prior:.1f}"
    first = f"{share:>{SHARE}}" if calibrated else ""
    return f"{first}{bits:>{BITS}}{prior:>{PRIOR}}"


def _widths(width: int, *, calibrated: bool) -> tuple[int, int]:
    """(columns of a name, columns of a bar)."""
    room = width - RANK - 2 - BITS - PRIOR - (SHARE if calibrated else 0)
    name = max(NAMES[0], min(NAMES[1], room * 3 // 5))
    return name, max(4, room - name)
