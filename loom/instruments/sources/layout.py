"""A source set as arrays: what each frame is worth beforehand, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from loom.instruments.sources.api import NULL, SourceSet

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """`names` of the sources, the null first. `prior` float64[F] of the frames, adding up to 1;
    `members` float64[S + 1, F]: which part of a frame's weight is a source's."""

    names: tuple[str, ...]
    prior: Floats
    members: Floats


@lru_cache(maxsize=16)
def layout(wanted: SourceSet) -> Layout:
    """The sources share what the null leaves by their priors, the frames of one alike."""
    column = {frame: place for place, frame in enumerate(wanted.frames)}
    given = np.zeros((len(wanted.sources) + 1, len(column)))
    total = sum(source.prior for source in wanted.sources)
    given[0, 0] = wanted.null_prior if total > 0 else 1.0
    for row, source in enumerate(wanted.sources, start=1):
        for frame in source.frames if total > 0 else ():
            share = (1 - wanted.null_prior) * source.prior / total
            given[row, column[frame]] += share / len(source.frames)
    prior = given.sum(axis=0)
    members = np.divide(given, prior, out=np.zeros_like(given), where=prior > 0)
    prior.flags.writeable = members.flags.writeable = False
    return Layout((NULL, *(source.name for source in wanted.sources)), prior, members)
