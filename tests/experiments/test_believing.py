"""The experiments on belief: stages counted by hand, texts drawn and read under the same frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from loom.cli import main
from loom.experiments.collapse import World, some_of, stages
from loom.experiments.onion import OPENING, SOURCE, Found
from loom.extensions import load_backend
from loom.instruments.sources import finding
from loom.instruments.sources.api import Course, Source, SourceSet
from loom.instruments.sources.attribution import wilson
from loom.testing.inprocess import InProcess

SEA = """\
name = "sea"
probes = ["\\n\\n— "]

[[source]]
name = "The Onion"
frame = "The whale and the captain and the sea.\\n\\n"

[[source]]
name = "Gardener"
frame = "A rose and a garden and a spade.\\n\\n"
"""
TWO = SourceSet("two", "", (Source("a", ("A",)), Source("b", ("B",), prior=3.0)), null_prior=0.2)


def world(source: str, *shares: tuple[float, float, float]) -> World:
    rows = np.array(shares, np.float32)
    zeros = np.zeros(len(rows), np.float32)
    return World(source, (b"x",) * len(rows), Course(("", "a", "b"), rows, zeros, zeros, zeros))


def test_a_stage_weighs_texts_by_the_prior_of_their_source() -> None:
    found = [
        world("", (1, 0, 0)),
        world("a", (0.5, 0.5, 0)),
        world("a", (0, 0, 1)),
        world("b", (0, 0.25, 0.75)),
    ]
    before, after = stages(TWO, found, 1)
    assert (before.tokens, before.texts, after.tokens, after.texts) == (0, 4, 1, 4)
    assert before.entropy == pytest.approx(-sum(p * np.log2(p) for p in (0.2, 0.2, 0.6)))
    assert before.loss == pytest.approx(before.entropy), "what is drawn by the prior"
    assert before.accuracy == pytest.approx(0.6)
    quarter = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert after.entropy == pytest.approx(0.2 * 0 + 0.1 * 1 + 0.1 * 0 + 0.6 * quarter)
    assert after.accuracy == pytest.approx(0.2 + 0.1 * 0.5 + 0.6)
    assert after.loss == pytest.approx(0.1 * 1 + 0.1 * -np.log2(1e-9) + 0.6 * -np.log2(0.75))
    assert after.worlds == pytest.approx(2**after.entropy)


def test_lengths_that_no_text_of_some_source_has_reached_are_left_out() -> None:
    long = ((0.2, 0.2, 0.6),) * 9
    found = [world("", *long), world("a", *long), world("b", *long[:5])]
    assert [stage.tokens for stage in stages(TWO, found, 9)] == [0, 1, 2, 4]
    assert [stage.tokens for stage in stages(TWO, [*found, world("b", *long)], 9)] == [
        0, 1, 2, 4, 8, 9,
    ]  # fmt: skip


def test_some_sources_are_drawn_and_all_alike() -> None:
    wanted = finding.find("general")
    some = some_of(wanted, 5, seed=3)
    assert len(some.sources) == 5 and some == some_of(wanted, 5, seed=3) != some_of(wanted, 5, 4)
    assert {source.prior for source in some.sources} == {1.0}
    assert len(some_of(wanted, 10_000, 1).sources) == len(wanted.sources)


def test_what_is_found_of_a_source_has_its_interval() -> None:
    found = Found(SOURCE, 1, 0.5, 3.0, 90, 100, None)
    assert found.share == 0.9
    assert found.interval == wilson(90, 100) == pytest.approx((0.826, 0.945), abs=1e-3)
    assert found.facts()["share_interval"] == list(found.interval)


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["experiment", *words, "--model", "echo", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("sea.toml").write_text(SEA)
    engine = load_backend("echo").load("echo", {}, lambda done, total: None)
    monkeypatch.setattr("loom.commands.believing.Asking", lambda *asked: InProcess(engine))
    return tmp_path


def test_a_belief_collapses_onto_what_wrote_the_text(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--set", "sea.toml", "--each", "10", "--length", "48", "--seed", "2"]
    facts = run(["collapse", *words], capsys)
    first, *_, last = facts["collapse"]
    prior = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.45))
    assert first["entropy_bits"] == first["log_loss_bits"] == pytest.approx(prior, abs=1e-6)
    assert (last["tokens"], last["texts"], facts["sources"]) == (48, 30, ["The Onion", "Gardener"])
    assert last["entropy_bits"] < 0.9 * prior and last["accuracy"] > first["accuracy"]
    assert last["log_loss_bits"] < 0.95 * prior
    assert json.loads(Path("collapse.json").read_text()) == {
        name: value for name, value in facts.items() if name != "files"
    }
    picture = Path("collapse.svg").read_text()
    assert ElementTree.fromstring(picture) is not None and "log loss" in picture


def test_who_an_opening_is_by_is_told_by_frames_and_by_answers(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["onion", "--set", "sea.toml", "--probe", "6", "--opening", "The whale and the sea."]
    facts = run(words, capsys)
    assert (facts["source"], facts["rank"], facts["text"]) == (SOURCE, 1, words[-1])
    assert facts["bits"] == facts["posterior"][0]["bits"] > 0
    named = [one["count"] for one in facts["probe"]["clusters"] if one["source"] == SOURCE]
    assert facts["named"] == sum(named) and facts["share"] == facts["named"] / 6
    assert facts["share_interval"] == list(wilson(facts["named"], 6))
    (agreement,) = (one for one in facts["probe"]["agreements"] if one["name"] == SOURCE)
    assert facts["delta_bits"] == agreement["delta_bits"]
    assert main(["experiment", *words, "--model", "echo"]) == 0
    out = capsys.readouterr().out
    assert "The Onion: by its frames rank 1 of 2" in out and "of 6 answers" in out
    assert ElementTree.fromstring(Path("onion.svg").read_text()) is not None


def test_the_opening_is_short_and_does_not_name_its_paper() -> None:
    assert 500 < len(OPENING) < 1500 and "onion" not in OPENING.casefold()
    assert OPENING.endswith(".")
    assert SOURCE in {source.name for source in finding.find("general").sources}
