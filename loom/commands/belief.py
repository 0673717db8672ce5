"""What a model believes of a text's sources, as JSON and as lines.

Where nothing was calibrated the lines have ranks and bits only, no shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loom.asking.coherence import Agreement
from loom.asking.estimate import Estimate, Moved, moved
from loom.asking.inquiry import Inquiry
from loom.commands.reading import cut, one_line
from loom.console import Console
from loom.core.text import decode, visible
from loom.facts import Facts
from loom.instruments.sources.api import NULL, Cluster, Posterior, Standing

SHOWN = 10  # sources, clusters or differences in a list
MARKED = 5  # tokens that are named
NONE = "none of these"
WIDEST = 32  # characters of a name
BARS = 16  # cells
EIGHTHS = " ▏▎▍▌▋▊▉"


# ── as JSON ────────────────────────────────────────────────────────────────────────────────


def estimate_facts(estimate: Estimate) -> Facts:
    return {
        "set": estimate.wanted.name,
        "byline": decode(estimate.byline),
        "tokens": len(estimate.pieces),
        **posterior_facts(estimate.posterior),
        "moved": [_moved_facts(one) for one in moved(estimate, MARKED)],
        "series": _series(estimate),
    }


def posterior_facts(posterior: Posterior) -> Facts:
    read = posterior.read
    return {
        "calibrated": posterior.calibrated,
        **_belief_facts(posterior),
        "following_bits": posterior.following,
        "asked": read is not None,
        "by_reading": None if read is None else _belief_facts(read),
    }


def _belief_facts(posterior: Posterior) -> Facts:
    """BELIEF."""
    return {
        "posterior": [_standing_facts(standing) for standing in posterior.standings],
        "null": posterior.null,
        "entropy_bits": posterior.entropy,
        "worlds": posterior.worlds,
        "pairs": [{"name": name, "bits": bits} for name, bits in posterior.pairs],
    }


def _standing_facts(standing: Standing) -> Facts:
    """STANDING."""
    return {
        "name": standing.name,
        "short": standing.short,
        "probability": standing.probability,
        "bits": standing.bits,
        "rescored": standing.rescored,
    }


def _moved_facts(one: Moved) -> Facts:
    """MOVED."""
    return {
        "token": one.token,
        "character": one.character,
        "text": one.text,
        "bits": one.bits,
        "towards": one.towards or None,
    }


def _series(estimate: Estimate) -> Facts:
    """SERIES."""
    course = estimate.course
    by_name = dict(zip(course.names, course.shares.T.tolist(), strict=True))
    return {
        "token": [decode(piece) for piece in estimate.pieces],
        "null": by_name.pop(NULL),
        "shares": by_name,
        "entropy_bits": course.entropy.tolist(),
        "moved_bits": course.moved.tolist(),
        "information_bits": course.information.tolist(),
    }


def inquiry_facts(found: Inquiry) -> Facts:
    """PROBE."""
    asked, verified = found.attribution, found.verified
    return {
        "asked": asked.asked,
        "other": asked.other,
        "clusters": [_cluster_facts(cluster, asked.asked) for cluster in asked.clusters],
        "by_probe": [{"probe": text, "asked": count} for text, count in asked.by_probe],
        "verified": [_standing_facts(one) for one in verified.standings] if verified else [],
        "verified_null": verified.null if verified else None,
        "agreements": [_agreement_facts(one) for one in found.agreements],
    }


def _cluster_facts(cluster: Cluster, asked: int) -> Facts:
    """CLUSTER."""
    return {
        "name": cluster.name,
        "source": cluster.source,
        "count": cluster.count,
        "share": cluster.count / asked,
        "low": cluster.low,
        "high": cluster.high,
        "spellings": list(cluster.spellings),
    }


def _agreement_facts(one: Agreement) -> Facts:
    """AGREEMENT."""
    return {
        "name": one.name,
        "frame_bits": one.by_frame,
        "probe_bits": one.by_probe,
        "spread_bits": one.spread,
        "delta_bits": one.delta,
    }


# ── as lines ───────────────────────────────────────────────────────────────────────────────


def estimate_lines(estimate: Estimate, console: Console) -> Iterator[str]:
    yield from posterior_lines(estimate.posterior, console)
    yield from _asked_line(estimate.posterior)
    bits = dict(estimate.posterior.pairs)
    for pair in estimate.wanted.pairs:
        ahead = pair.first if bits[pair.name] > 0 else pair.second
        by = f" by {abs(bits[pair.name]):.1f} bits" if estimate.posterior.calibrated else ""
        yield visible(f"{pair.name}: {ahead}{by}")
    calibrated = estimate.posterior.calibrated
    named = [_moved(one, calibrated=calibrated) for one in moved(estimate, MARKED)]
    yield visible("moved most by " + ", ".join(named))


def _asked_line(posterior: Posterior) -> Iterator[str]:
    """By what it is believed, where there are two ways."""
    read = posterior.read
    if read is not None:
        first = read.leading
        name = NONE if first is None else first.name
        yield visible(f"read and asked; by reading alone {name} {read.lead:.1%}")
    elif posterior.unasked:
        yield "by reading alone; not asked"


def _moved(one: Moved, *, calibrated: bool) -> str:
    text = one_line(one.text.strip(" ")) or "a space"
    by = f"{one.bits:.1f} bits " if calibrated else ""
    return f"“{text}” ({by}to {one.towards or NONE})"


def posterior_lines(posterior: Posterior, console: Console) -> Iterator[str]:
    """Ranked, the null where it belongs."""
    rows = [_Row.of(place, one) for place, one in enumerate(posterior.standings, start=1)]
    rows.append(_Row(None, NONE, posterior.null, 0.0))
    rows.sort(key=lambda row: -row.share)
    shown = [row for place, row in enumerate(rows) if place < SHOWN or row.rank is None]
    width = max(len(row.name) for row in shown)
    for row in shown:
        yield visible(row.line(width, calibrated=posterior.calibrated))
    if left := len(rows) - len(shown):
        share = sum(row.share for row in rows if row not in shown)
        yield f"     {left} more" + (f", {share:.1%} together" if posterior.calibrated else "")
    yield console.style(_summary(posterior), "dim")


@dataclass(frozen=True, slots=True)
class _Row:
    """`rank` is None for the null."""

    rank: int | None
    name: str
    share: float
    bits: float
    rescored: bool = True

    @classmethod
    def of(cls, rank: int, one: Standing) -> _Row:
        return cls(rank, cut(one.name, WIDEST), one.probability, one.bits, one.rescored)

    def line(self, width: int, *, calibrated: bool) -> str:
        parts = ["   " if self.rank is None else f"{self.rank:>3}", f"{self.name:<{width}}"]
        if calibrated:
            parts += [f"{self.share:>6.1%}", f"{_bar(self.share):<{BARS}}"]
        parts.append(f"{self.bits:>+8.1f} bits")
        parts.append("" if self.rescored else "not rescored")
        line: str = "  ".join(parts)
        return line.rstrip()


def _bar(share: float) -> str:
    full, part = divmod(round(share * BARS * 8), 8)
    return "█" * full + EIGHTHS[part]


def _summary(posterior: Posterior) -> str:
    if not posterior.calibrated:
        return f"{posterior.tokens} tokens · uncalibrated: ranks and bits of evidence, no shares"
    parts = [f"{posterior.tokens} tokens", f"entropy {posterior.entropy:.2f} bits"]
    parts.append(f"{posterior.worlds:.1f} worlds")
    if posterior.following is not None:
        parts.append(f"the next token would tell {posterior.following:.2f} bits")
    return " · ".join(parts)


def inquiry_lines(found: Inquiry, console: Console) -> Iterator[str]:
    """Shares of answers are counted, not believed: they are said with or without a calibration."""
    asked = found.attribution
    yield f"asked {asked.asked} times who it is by"
    rows = [(cut(one_line(cluster.name), WIDEST), cluster) for cluster in asked.clusters[:SHOWN]]
    width = max((len(name) for name, _ in rows), default=0)
    for name, cluster in rows:
        share = f"{cluster.count / asked.asked:>6.1%}  ({cluster.low:.0%} to {cluster.high:.0%})"
        known = "  in the set" if cluster.source is not None else ""
        yield visible(f"     {name:<{width}}  {share}{known}")
    left = len(asked.clusters) - len(rows)
    unseen = f"about {asked.other:.0%} would be something not said yet"
    yield f"     {left} more; {unseen}" if left else f"     {unseen}"
    yield from _agreement_lines(found.agreements)


def _agreement_lines(agreements: Sequence[Agreement]) -> Iterator[str]:
    rows = [(cut(one_line(one.name), WIDEST), one) for one in agreements]
    width = max((len(name) for name, _ in rows), default=0)
    if rows:
        yield f"     {'bits for':<{width}}  by frame  when asked       Δ"
    for name, one in rows:
        numbers = f"{one.by_frame:>+8.1f}  {one.by_probe:>+10.1f}  {one.delta:>+6.1f}"
        yield visible(f"     {name:<{width}}  {numbers}")
