"""What a source is, what the model says of a passage under its frames, and what is believed then.

A frame is text put before a passage; the passage's likelihood after it says how well the source
explains it. Without any frame the model's own mixture over all sources speaks: the null, which is
always one of the hypotheses. Knows numbers and names; asks no engine and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BLOCK = 128  # tokens; see `window_start`
HAZARD = 1 / 256  # chance per token that another source goes on (SCIENCE A1)
NULL_PRIOR = 0.1  # the least that "none of these" is given
NULL = ""  # the name of the null, which no source may have


@dataclass(frozen=True, slots=True)
class Source:
    """A hypothesis about what produced a text.

    `frames` are texts put before the passage, at least one; a source is as likely as their mean.
    `prior` is its weight among the sources of its set, which needn't add up to 1. `short` stands in
    the tree and on cards. `byline` is what a session gets that goes on under this source; "" for a
    source that has none.
    """

    name: str
    frames: tuple[str, ...]
    prior: float = 1.0
    short: str = ""
    byline: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sources of a set whose log-odds are shown by themselves: a person against a machine."""

    name: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class SourceSet:
    """`null_prior` is the null's share, ≥ NULL_PRIOR. `probes` are texts put after a passage that
    ask for an attribution, `probe_ends` what closes the answer. `models`, by fingerprint or, those
    that come with the program, by name, have the set by default."""

    name: str
    about: str
    sources: tuple[Source, ...]
    null_prior: float = NULL_PRIOR
    pairs: tuple[Pair, ...] = ()
    probes: tuple[str, ...] = ()
    probe_ends: str = "\n"
    models: tuple[str, ...] = ()

    @property
    def frames(self) -> tuple[str, ...]:
        """Of all sources one after the other, the null's (nothing) first; no frame comes twice."""
        every = (frame for source in self.sources for frame in source.frames)
        return tuple(dict.fromkeys(("", *every)))


@dataclass(frozen=True, slots=True)
class Pooling:
    """How much two opinions of one model count together: exponents of what it believes when it has
    read 256 tokens or more and of what it says when asked after them; after t fewer, (t / 256)^
    `rise` of that (see `pooling`). `questions` is a digest of what it was asked when that was
    fitted; `anyway`, by name of a source and phrasing, how likely the name is as the answer after
    any text, in nats."""

    read: float
    asked: float
    rise: float = 0.0
    questions: str = ""
    anyway: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tempering:
    """How much of a log-likelihood ratio is evidence (SCIENCE A2): token t of a passage counts
    η(t) = `eta` · (t / 256)^−`gamma`, at most 1; in the filter none counts less than number 256.

    `tokens` of `works` works it was fitted on. `delta` is the median |PMI by frame − PMI by probe|
    there, in bits, and `pooling` how both count together; None where it wasn't found out.
    """

    eta: float
    gamma: float
    tokens: int = 0
    works: int = 0
    delta: float | None = None
    pooling: Pooling | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model gave each token of a stretch under each frame.

    `logprob` float32[T] under the null, nats; `ratio` float32[T, F − 1]: under the other frames, in
    the order of `SourceSet.frames`, minus that (NaN: not rescored). `information` float32[T]:
    expected information of the token about the source before it was seen, in bits (NaN: not known).
    """

    logprob: NDArray[np.float32]
    ratio: NDArray[np.float32]
    information: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.logprob)


@dataclass(frozen=True, slots=True)
class Belief:
    """After some tokens: `weights` float64[F] of the frames, the null first, adding up to 1; `bits`
    float64[F] of untempered evidence against the null since the passage began; `tokens` so far.
    What a branch goes on from."""

    weights: NDArray[np.float64]
    bits: NDArray[np.float64]
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """One source in a posterior. `probability` tempered; `bits` of untempered evidence against the
    null; `rescored` is False where it only kept its share of what the null had."""

    name: str
    short: str
    probability: float
    bits: float
    rescored: bool = True


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed at one place: `standings` from the likeliest on, without the null.

    `entropy` in bits over sources and null; `worlds` is 2^entropy (SCIENCE A6). `following` is the
    expected information of the next token about the source, in bits, None where not known. `pairs`
    are the log-odds of each pair's first against its second, in bits, tempered.

    Where the model was asked, too, this is what is believed by both, and `read` what is by reading
    alone; `unasked`: it wasn't, though it is known how its answers would count.
    """

    standings: tuple[Standing, ...]
    null: float
    entropy: float
    tokens: int
    calibrated: bool
    following: float | None = None
    pairs: tuple[tuple[str, float], ...] = ()
    read: Posterior | None = None
    unasked: bool = False

    @property
    def by_reading(self) -> Posterior:
        return self if self.read is None else self.read

    @property
    def worlds(self) -> float:
        return float(2.0**self.entropy)

    @property
    def leading(self) -> Standing | None:
        """The likeliest source; None where the null is likelier."""
        first = self.standings[0] if self.standings else None
        return first if first is not None and first.probability > self.null else None

    @property
    def lead(self) -> float:
        """What the likeliest hypothesis is given, a source or the null."""
        first = self.leading
        return self.null if first is None else first.probability


@dataclass(frozen=True, slots=True)
class Course:
    """A posterior along a stretch: `names` of the sources, the null (NULL) first; `shares`
    float32[T, S] after each token; `entropy` float32[T] bits; `moved` float32[T]: bits by which the
    token moved the posterior, KL(after ‖ before) (Bayesian surprise); `information` float32[T]."""

    names: tuple[str, ...]
    shares: NDArray[np.float32]
    entropy: NDArray[np.float32]
    moved: NDArray[np.float32]
    information: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Attributions that mean the same: `count` answers, `low` and `high` of their share (Wilson,
    95 %), the `spellings` they came in. `source` is the source of the set that it names, if any."""

    name: str
    count: int
    low: float
    high: float
    spellings: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the model answered when asked: `asked` answers by phrasing, `clusters` from the largest
    on, `other`: the share of what it would say that hasn't been seen (Good–Turing, n₁/n)."""

    asked: int
    clusters: tuple[Cluster, ...] = ()
    other: float = 1.0
    by_probe: tuple[tuple[str, int], ...] = field(default=())


def window_start(token: int, block: int = BLOCK) -> int:
    """From which token of the passage on token number `token` is scored: a branch and the whole
    path agree, and what follows a frame stays the same for a block."""
    return block * max(0, token // block - 1)


def frame_columns(wanted: SourceSet, frames: Sequence[str]) -> NDArray[np.bool_]:
    """bool[S, F]: which of `frames` are frames of which source."""
    return np.array([[frame in source.frames for frame in frames] for source in wanted.sources])
