"""That the end of a text drawn anew makes what really follows likelier; measured on a sample."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.healing import KINDS, Meter, Outcome, cuts_in, outcome, texts_of, with_rows
from loom.engine.api import Engine
from loom.extensions import HOUSE, load_backend, models

DOCS = Path(__file__).parent.parent.parent / "docs"
TALE = b"""\
The old man had kept the lighthouse for thirty years, and in all that time he had never once been
afraid of the sea. He was sitting before the fire, with his hands upon his knees, when the door was
opened, and a young woman came into the room. "You are very late," said he, not turning his head.
"I could not find the road," she answered, and she took off her cloak and laid it on the chair. The
wind was blowing hard from the north, and the windows were shaking; but within the house there was
no sound except the ticking of the clock and the breathing of the dog which lay beside the hearth.
"""


@pytest.fixture(scope="module")
def house() -> Engine:
    model = models()[HOUSE]
    engine: Engine = load_backend(str(model)).load(str(model), {}, lambda done, total: None)
    return engine


@pytest.mark.parametrize("kind", ["inside a word", "after a space"])
def test_what_really_follows_is_likelier_with_healing(house: Engine, kind: str) -> None:
    found = outcome(Meter(house), kind, list(cuts_in([TALE], KINDS[kind], 8)))
    assert found.cuts == 8
    assert found.taken_back == 1
    assert found.gain > 2
    assert found.byte_with < found.byte_without


def test_cuts_are_where_they_are_said_to_be() -> None:
    for before, after in cuts_in([TALE], KINDS["inside a word"], 20):
        assert before[-1:].isalpha() and after[:1].islower()
        assert before + after in TALE
    for before, after in cuts_in([TALE], KINDS["after a space"], 20):
        assert before.endswith(b" ") and after[:1].isalpha()
    for before, after in cuts_in([TALE], KINDS["after a word"], 20):
        assert before[-1:].isalpha() and after[:1] in b" ,.;"


def test_the_texts_are_held_out_ones(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no heldout"):
        texts_of(tmp_path)
    place = tmp_path / "heldout" / "austen"
    place.mkdir(parents=True)
    (place / "emma.txt").write_text("Emma Woodhouse")
    assert texts_of(tmp_path) == [b"Emma Woodhouse"]


def test_the_table_tells_what_the_figures_are() -> None:
    facts = json.loads((DOCS / "healing.json").read_bytes())
    found = [Outcome(**one) for one in facts["cuts"]]
    assert [one.kind for one in found] == list(KINDS) and all(one.cuts == 500 for one in found)
    page = (DOCS / "healing.md").read_text("utf-8")
    assert with_rows(page, found) == page
    assert with_rows(page, [replace(found[0], cuts=7)]) != page
