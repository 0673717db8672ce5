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


def heights(picture: str) -> list[list[float]]:
    """Of the filled layers, the places of their upper edges and then back along the lower ones."""
    layers = re.findall(r'd="(M[^"]*Z)"', picture)
    return [[float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", layer)] for layer in layers]


def test_layers_lie_one_on_the_other_and_fill_the_panel() -> None:
    shares = [[0.2, 0.5, 0.0], [0.3, 0.5, 0.1], [0.5, 0.0, 0.9]]
    lines = [Line(name, [0, 1, 2], values) for name, values in zip("ab", shares, strict=False)]
    lines.append(Line("", [0, 1, 2], shares[2]))
    picture = svg("", "", [Panel("posterior", lines, stacked=True)])
    first, second, rest = heights(picture)
    assert first[3:] == [first[3]] * 3, "on the ground"
    assert second[3:] == first[:3][::-1] and rest[3:] == second[:3][::-1]
    assert len(set(rest[:3])) == 1 and rest[0] < second[0] < first[0]
    assert picture.count(">a</text>") == picture.count(">b</text>") == 1
    assert re.findall(r'text-anchor="end">([\d.]+)<', picture) == ["0", "0.5", "1"]


def test_names_beside_thin_layers_do_not_run_into_one_another() -> None:
    names = "abcdefgh"
    lines = [Line(name, [0, 1], [0.125, 0.0 if name != "a" else 1.0]) for name in names]
    picture = svg("", "", [Panel("", lines, stacked=True)])
    found = [float(re.findall(rf'y="([\d.]+)">{n}</text>', picture)[0]) for n in names]
    assert all(low - high >= 13 for low, high in zip(found, found[1:], strict=False))
    assert min(found) > 40


def test_names_of_marks_close_together_stand_in_rows() -> None:
    marks = [Mark(place, f"mark {place}") for place in (9, 10, 11, 90)]
    picture = svg("", "", [Panel("", [Line("", [0, 100], [0.0, 1.0])], marks)])
    rows = [float(re.findall(rf'y="([\d.]+)"[^>]*>mark {p}<', picture)[0]) for p in (9, 10, 11, 90)]
    assert rows[0] < rows[1] < rows[2] and rows[3] == rows[0]
    bare = svg("", "", [Panel("", [Line("", [0, 100], [0.0, 1.0])], scale=False)])
    assert 'text-anchor="end">0.5<' not in bare
