"""Brings to the terminal what has changed, and renders nothing else for it.

Textual renders every widget in the rectangle around all that changed, with what lies behind them: a
change at the top and one at the foot make that the whole screen. There is no public way in: where
its class is other than expected, Textual's own is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

Span = tuple[int, int, int]
"""A line, and the columns from where up to where it has changed."""

NEEDED = ("_dirty_regions", "_regions_to_spans", "cuts", "render_partial_update", "visible_widgets")


class Sparing(Compositor):
    """See the module's docstring."""

    def render_partial_update(self) -> ChopsUpdate | None:
        regions = self._dirty_regions.copy()
        self._dirty_regions.clear()
        spans = list(self._regions_to_spans(regions))
        if not spans:
            return None
        return ChopsUpdate(self._chops(spans), spans, [cuts[1:] for cuts in self.cuts])

    def _chops(self, spans: Iterable[Span]) -> Sequence[dict[int, Strip | None]]:
        """For each line its pieces by column; of lines that haven't changed none."""
        chops: list[dict[int, Strip | None]] = [{} for _ in self.cuts]
        wanted: dict[int, set[int]] = {}
        for y, x1, x2 in spans:
            cuts = self.cuts[y]
            chops[y] = chops[y] or dict.fromkeys(cuts[:-1])
            touched = {x for x, end in pairwise(cuts) if x < x2 and end > x1}
            wanted[y] = wanted.get(y, set()) | touched
        for widget, (region, clip) in self.visible_widgets.items():  # from front to back
            self._paint(widget, region, region.intersection(clip), wanted, chops)
        return chops

    def _paint(
        self,
        widget: Widget,
        region: Region,
        shown: Region,
        wanted: dict[int, set[int]],
        chops: Sequence[dict[int, Strip | None]],
    ) -> None:
        """What a widget has to show of the pieces that nothing before it has covered."""
        columns = range(shown.x, shown.right)
        lines = [y for y in shown.line_range if any(x in columns for x in wanted.get(y, ()))]
        for run in _runs(lines):
            part = Region(shown.x - region.x, run.start - region.y, shown.width, len(run))
            for y, strip in zip(run, widget.render_lines(part), strict=False):
                cuts = [cut for cut in self.cuts[y] if shown.x <= cut <= shown.right]
                pieces = strip.divide([cut - shown.x for cut in cuts[1:]])
                for cut, piece in zip(cuts, pieces, strict=False):
                    if chops[y][cut] is None:
                        chops[y][cut] = piece
                wanted[y].difference_update(cuts[:-1])


def _runs(lines: Sequence[int]) -> Iterator[range]:
    """Rising numbers as ranges."""
    first = 0
    for index, line in enumerate(lines):
        if index + 1 == len(lines) or lines[index + 1] != line + 1:
            yield range(lines[first], line + 1)
            first = index + 1


def compositor() -> Compositor:
    """For a screen."""
    known = all(hasattr(Compositor(), name) for name in NEEDED)
    return Sparing() if known else Compositor()
