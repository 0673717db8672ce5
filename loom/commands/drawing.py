"""What plugins have read along a text, as a picture; where pictures are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loom.chart import Line, Mark, Panel, svg
from loom.console import CommandError, Console
from loom.drift import Drift
from loom.store.atomic import write_atomically

CELLS = 600  # of a long text that are drawn: more than one sees


def draw(file: Path, drawn: str, console: Console) -> None:
    """Keep a picture where it was asked for."""
    try:
        write_atomically(file, drawn.encode())
    except OSError as error:
        raise CommandError(
            f"The picture can't be written to {file}: {error.strerror}.",
            "Name another file with --plot.",
        ) from error
    console.note(f"The picture is {file}.")


def picture(drift: Drift, title: str) -> str:
    """A panel for every series; its plugin's flags are marked in it."""
    panels = [
        Panel(_title(drift, name, key), [line_of(key, column)], _marks(drift, name))
        for name, reading in drift.readings.items()
        for key, column in reading.values.items()
    ]
    return svg(title, "tokens", panels)


def _title(drift: Drift, plugin: str, series: str) -> str:
    unit = drift.plugins[plugin].units.get(series, "")
    return f"{plugin}: {series}" + (f" ({unit})" if unit else "")


def line_of(name: str, column: NDArray[np.float32]) -> Line:
    """All values of a short text; of a long one the lowest and the highest in each cell."""
    places = np.arange(len(column))
    if len(column) > 2 * CELLS:
        places = np.array(
            [at for cell in np.array_split(places, CELLS) for at in _ends(column, cell)]
        )
    return Line(name, places.tolist(), column[places].tolist())


def _ends(column: NDArray[np.float32], cell: NDArray[np.int64]) -> list[int]:
    known = cell[np.isfinite(column[cell])]
    if not len(known):
        return [int(cell[0])]
    return sorted({int(known[column[known].argmin()]), int(known[column[known].argmax()])})


def _marks(drift: Drift, plugin: str) -> list[Mark]:
    mine = [raised for raised in drift.flags if raised.plugin == plugin]
    return [Mark(raised.flag.at, raised.flag.level) for raised in mine]
