"""The picture is well-formed, in its frame, and says what it shows."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from loom.chart import Line, Mark, Panel, svg

NAN = float("nan")


def test_lines_leave_gaps_and_names_are_escaped() -> None:
    line = Line("surprise <bits>", [0, 1, 2, 3, 4], [1.0, 2.0, NAN, 5.0, 4.0])
    picture = svg(
        "a & b", "tokens", [Panel("first", [line], [Mark(3, "loop")]), Panel("2", [line])]
    )
    root = ElementTree.fromstring(picture)
    texts = [element.text for element in root.iter() if element.text]
    assert {"a & b", "tokens", "first", "2", "surprise <bits>", "loop"} <= set(texts)
    paths = [e.get("d") or "" for e in root.iter() if e.tag.endswith("path")]
    drawn = [path for path in paths if path.count("M") == 2]
    assert len(drawn) == 2
    width, height = map(float, (root.get("viewBox") or "").split()[2:])
    for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", " ".join(drawn)):
        assert 0 <= float(x) <= width and 0 <= float(y) <= height


def test_the_highest_value_is_drawn_highest() -> None:
    picture = svg("", "", [Panel("", [Line("", [0, 1, 2], [3.0, 9.0, 4.0])])])
    (path,) = re.findall(r'd="(M[^"]*L[^"]*)"', picture)
    heights = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    assert heights[1] < heights[2] < heights[0]


def test_nothing_and_a_constant_can_be_drawn() -> None:
    for values in ([], [NAN, NAN], [7.0, 7.0]):
        picture = svg("", "", [Panel("", [Line("", list(range(len(values))), values)])])
        assert ElementTree.fromstring(picture) is not None
