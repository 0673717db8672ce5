"""What is believed of sources along a text, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loom.asking.estimate import Estimate, evidence, moved
from loom.chart import FILLS, INKS, Line, Mark, Panel, svg
from loom.commands.belief import MARKED, NONE
from loom.commands.drawing import CELLS, line_of
from loom.commands.reading import cut, one_line

NAME = 16  # characters of a source's name beside its layer
WORD = 12  # of a marked token


def sources_picture(estimate: Estimate, title: str) -> str:
    """The posterior in layers; without a calibration what there is of evidence, in bits."""
    course = estimate.course
    panels = [
        shares_panel(estimate) if estimate.posterior.calibrated else evidence_panel(estimate),
        Panel("expected of the token: information, bits", [line_of("", course.information)]),
    ]
    if estimate.posterior.calibrated:
        moved_by = Panel("moved by the token, bits", [line_of("", course.moved)])
        panels.insert(1, moved_by)
    return svg(title, "tokens", panels)


def shares_panel(estimate: Estimate) -> Panel:
    """The null, then the sources that are likeliest on the whole, then all others."""
    course = estimate.course
    order = course.shares[:, 1:].mean(axis=0).argsort()[::-1][: len(FILLS) - 1] + 1
    columns = [0, *order.tolist()]
    names = [_short(estimate, course.names[column]) for column in columns]
    places = _places(len(course.shares))
    layers = [
        Line(name, places.tolist(), course.shares[places, column].tolist())
        for name, column in zip(names, columns, strict=True)
    ]
    if len(columns) < len(course.names):
        rest = np.maximum(1 - course.shares[places][:, columns].sum(axis=1), 0.0)
        layers.append(Line("all others", places.tolist(), rest.tolist()))
    return Panel("posterior", layers, _marks(estimate), stacked=True)


def evidence_panel(estimate: Estimate) -> Panel:
    """Of the likeliest in the end."""
    bits = evidence(estimate.wanted, estimate.scores)
    names = [source.name for source in estimate.wanted.sources]
    best = [standing.name for standing in estimate.posterior.standings[: len(INKS)]]
    lines = [
        line_of(_short(estimate, name), bits[:, names.index(name)].astype(np.float32))
        for name in best
    ]
    return Panel("evidence against none of these, bits (uncalibrated)", lines, _marks(estimate))


def _marks(estimate: Estimate) -> Sequence[Mark]:
    return [
        Mark(one.token, cut(one_line(one.text.strip(" ")), WORD)) for one in moved(estimate, MARKED)
    ]


def _short(estimate: Estimate, name: str) -> str:
    short = next((s.short for s in estimate.wanted.sources if s.name == name), "")
    return cut(short or name or NONE, NAME)


def _places(count: int) -> NDArray[np.int64]:
    """All of a short text, of a long one the last of each cell."""
    if count <= CELLS:
        return np.arange(count)
    return np.linspace(0, count - 1, CELLS).round().astype(np.int64)
