"""A satirical newspaper's opening, and who a model thinks is writing it: by frames and when asked.

An essay that this project starts from put one model's belief in The Onion at about nine in ten,
after a few samples. What comes out here comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loom.asking.inquiry import Inquiry
from loom.instruments.sources.api import Posterior
from loom.instruments.sources.attribution import wilson

SOURCE, SET = "The Onion", "general"

OPENING = """\
Area Man’s Spare Key To Be Moved To Second, Nearly Identical Rock

MILLBROOK, OH—Describing the decision as the outcome of months of careful deliberation, local \
resident Gary Peltz, 43, announced Tuesday that the spare key to his home would soon be hidden \
under a different rock. “The previous rock served this family well for eleven years, and we thank \
it for its service,” said Peltz, who told reporters that after consulting his wife, two brothers, \
and a neighbor he trusts “about 70 percent,” he had narrowed the search to rocks within plain \
sight of the first. According to sources close to the driveway, the transition is expected to be \
complete by the end of the fiscal quarter, with the old rock staying on in an advisory role. At \
press time, Peltz was seen standing on the lawn in his bathrobe, lifting every rock he owned."""
"""Written for this, in the manner of such a paper."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is on one source: its `rank` from 1 in the posterior, `probability` and `bits`
    there; `named` by so many of `asked` answers; `delta`: bits by frame less bits when asked."""

    source: str
    rank: int
    probability: float
    bits: float
    named: int
    asked: int
    delta: float | None

    @property
    def share(self) -> float:
        return self.named / max(1, self.asked)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share: Wilson's, 95 %."""
        return wilson(self.named, self.asked)

    def facts(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "rank": self.rank,
            "probability": self.probability,
            "bits": self.bits,
            "named": self.named,
            "share": self.share,
            "share_interval": list(self.interval),
            "delta_bits": self.delta,
        }


def found_of(source: str, posterior: Posterior, inquired: Inquiry) -> Found:
    """`source` is one of the set's."""
    place = [one.name for one in posterior.standings].index(source)
    standing, asked = posterior.standings[place], inquired.attribution
    named = sum(cluster.count for cluster in asked.clusters if cluster.source == source)
    deltas = [one.delta for one in inquired.agreements if one.name == source]
    delta = deltas[0] if deltas else None
    return Found(source, place + 1, standing.probability, standing.bits, named, asked.asked, delta)
