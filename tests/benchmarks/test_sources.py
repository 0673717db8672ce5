"""The evaluation of source estimates in small: on the echo model, whose hypotheses can be true."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from benchmarks.sources import __main__ as evaluation
from benchmarks.sources import federalist, simulating, splicing
from benchmarks.sources.attributing import LENGTHS
from benchmarks.sources.judging import Beliefs, ece, ece_fact, jackknifed, ranks
from benchmarks.sources.report import markdown
from benchmarks.sources.simulating import Drawn, Simulator
from loom.asking.process import Asking
from loom.extensions import models
from loom.instruments.calibration import read
from loom.instruments.sources import finding, sets
from loom.instruments.sources.api import Scores, Source, SourceSet, Tempering

LENGTH = 48  # tokens
TEXTS = Path(__file__).parent / "texts"
DOCS = Path(__file__).parents[2] / "docs"
WORDS = ("old light", "cold river", "quiet window")
AMONG = SourceSet(
    "words", "", tuple(Source(name, (f"the {name} the {name}\n\n",)) for name in WORDS)
)
SET = """
name = "few"
about = "Some of the house model's sources."
[[source]]
name = "Alexander Hamilton"
frame = "Alexander Hamilton\\n\\n"
[[source]]
name = "James Madison"
frame = "James Madison\\n\\n"
[[source]]
name = "Jane Austen"
frame = "Jane Austen\\n\\n"
[[source]]
name = "Oscar Wilde"
frame = "Oscar Wilde\\n\\n"
"""
FILES = (
    "train/austen/sense_and_sensibility",
    "train/wilde/the_importance_of_being_earnest",
    "train/wilde/dorian",
    "train/austen/emma",
    "train/federalist_madison/papers",
    "train/federalist_hamilton/papers",
    "heldout/austen/emma",
    "heldout/wilde/dorian",
    "heldout/federalist_madison/papers",
    "heldout/federalist_hamilton/papers",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drawn(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Drawn]]:
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOM_HOME", str(folder))
        async with Asking("echo", {}) as asking:
            model = await asking.ready()
            simulator = Simulator(asking, folder, model.fingerprint, seed=3, tokens=LENGTH)
            yield await simulator.texts(AMONG, 40)


def corpus_in(folder: Path) -> Path:
    prose = "\n".join(file.read_text() for file in sorted(TEXTS.glob("*.txt")))
    sentences = prose.replace("\n", " ").split(". ")
    for number, name in enumerate(FILES):
        file = folder / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        some = random.Random(number).choices(sentences, k=110)
        file.write_text(".\n\n".join(some))
    papers = folder / "federalist"
    papers.mkdir()
    head = "XLIX\n\nA Title\n\nTo the People of the State of New York:\n\n"
    (papers / "49.txt").write_text(f"{head}{prose[:700]}\n\nPublius\n")
    (papers / "10.txt").write_text("of no concern")
    (papers / "labels.tsv").write_text(
        "file\tnumber\tlabel\tse_attribution\tin_train\tbytes\n"
        "49.txt\t49\tdisputed\tMadison\tno\t1\n10.txt\t10\tmadison\tMadison\tyes\t1\n"
    )
    return folder


def evaluated(tmp_path: Path, *parts: str) -> dict[str, Any]:
    """With the fewest of everything; what was read before is kept."""
    (tmp_path / "few.toml").write_text(SET)
    options = ["--out", tmp_path / "out", "--cache", tmp_path / "cache", "--model", "echo"]
    options += ["--set", tmp_path / "few.toml", "--held-out", 1, "--unseen", 2, "--drawn", 12]
    options += ["--splices", 4, "--parts", *parts]
    words = [str(word) for word in (tmp_path / "corpus", *options)]
    return asyncio.run(evaluation.evaluated(evaluation.parser().parse_args(words)))


def test_the_parts_are_measured_and_told_and_those_not_asked_for_stay(tmp_path: Path) -> None:
    corpus_in(tmp_path / "corpus")
    papers = evaluated(tmp_path, "federalist")["parts"]["federalist"]
    assert [row["paper"] for row in papers["rows"]] == [49]
    assert papers["fitted_on"]["works"] == 4
    both = evaluated(tmp_path, "unseen")["parts"]
    assert (both["unseen"]["works"], both["unseen"]["passages"]) == (2, 4)
    assert both["federalist"] == papers
    kept = json.loads((tmp_path / "out" / "source-estimates.json").read_bytes())
    assert kept["parts"].keys() == {"unseen", "federalist"}
    page = (tmp_path / "out" / "source-estimates.md").read_text()
    assert "| naive Bayes, 5-grams |" in page
    assert "| 49 | disputed |" in page
    for tokens in LENGTHS:
        assert page.count(f"| {tokens} | yes, and asked |") == 1


def test_splices_are_asked_about_where_both_works_have_a_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus_in(tmp_path / "corpus")
    monkeypatch.setattr(simulating, "sixes", lambda wanted, count, seed: [AMONG])
    monkeypatch.setattr(splicing, "folds", lambda works, seed: [set(works)])  # two are too few
    found = evaluated(tmp_path, "splices")["parts"]["splices"]["asked"]
    assert 0 < found["cases"] <= 4
    ways = ("read", "together", "read_without", "together_without")
    assert found.keys() == {"cases", *ways}
    assert all(0 <= found[way]["mean"] <= 1 for way in ways)
    page = (tmp_path / "out" / "source-estimates.md").read_text()
    assert f"of {found['cases']} human texts in which it led by neither before" in page


def test_the_page_tells_what_the_figures_are() -> None:
    facts = json.loads((DOCS / "source-estimates.json").read_bytes())
    assert markdown(facts) == (DOCS / "source-estimates.md").read_text("utf-8")
    assert facts["parts"].keys() == set(evaluation.PARTS)


@pytest.mark.skipif("house" not in models(), reason="the bundled model is not here")
def test_the_figures_are_of_the_model_and_the_sources_that_are_here() -> None:
    facts = json.loads((DOCS / "source-estimates.json").read_bytes())
    known = read(models()["house"] / "calibration.json")
    assert known is not None
    assert facts["fingerprint"] == known.fingerprint
    assert facts["digest"] == sets.digest(finding.find("house"))


def test_a_paper_is_read_without_what_tells_who_signed_it(tmp_path: Path) -> None:
    (paper,) = federalist.papers(corpus_in(tmp_path / "corpus") / "federalist")
    assert b"Publius" not in paper.text
    assert b"Title" not in paper.text
    assert paper.text.startswith((TEXTS / "harbour.txt").read_bytes()[:20])


@pytest.mark.asyncio(loop_scope="module")
async def test_true_hypotheses_are_exactly_calibrated(drawn: list[Drawn]) -> None:
    found = simulating.judged(drawn, LENGTH, 0.0)
    assert abs(found["ratio"]["mean"] - 1) < 3 * found["ratio"]["error"] + 0.02
    assert found["ece"]["mean"] < found["ece"]["honest"] + 0.05
    assert found["entropy"]["mean"] < 2.5


@pytest.mark.asyncio(loop_scope="module")
async def test_evidence_that_is_overstated_is_found_out(drawn: list[Drawn]) -> None:
    loud = [
        replace(text, scores=replace(text.scores, ratio=text.scores.ratio * 8)) for text in drawn
    ]
    found = simulating.judged(loud, LENGTH, 0.0)
    assert found["ratio"]["mean"] > 1.5
    assert found["ece"]["mean"] > found["ece"]["honest"] + 0.05


def course(*leads: int) -> Scores:
    """Of AMONG; source number `leads[t]` is ten times as likely as the rest at token t."""
    ratio = np.zeros((len(leads), len(WORDS)), np.float32)
    ratio[np.arange(len(leads)), leads] = np.log(10)
    none = np.full(len(leads), np.nan, np.float32)
    return Scores(np.zeros(len(leads), np.float32), ratio, none)


@pytest.mark.parametrize(
    ("leads", "delays", "early"),
    [([0] * 8 + [1] * 20, (3,), 0), ([0] * 28, (None,), 0), ([1] * 28, (), 1)],
)
def test_a_splice_is_noticed_when_the_new_source_leads(
    leads: list[int], delays: tuple[int | None, ...], early: int
) -> None:
    case = splicing.Case(AMONG, course(*leads), 8, WORDS[1], "a work")
    found = splicing.notice([case], tempered=False, hazard=1 / 64)
    assert (found.delays, found.early) == (delays, early)


def test_evidence_that_counts_less_is_noticed_later() -> None:
    scores = course(*[0] * 8, *[1] * 20)
    case = splicing.Case(AMONG, scores, 8, WORDS[1], "a work", Tempering(0.1, 0.0))
    raw, tempered = (splicing.notice([case], how, 1 / 64).median() for how in (False, True))
    assert raw is not None
    assert tempered is not None
    assert raw < tempered


def test_scores_are_those_of_the_definitions() -> None:
    shares = np.array([[0.1, 0.4, 0.5], [0.5, 0.25, 0.25]])
    beliefs = Beliefs(shares, np.array([2, 1]), ("a", "b"))
    assert beliefs.log_loss() == pytest.approx([1.0, 2.0])
    assert beliefs.brier() == pytest.approx([0.42, 0.875])
    assert beliefs.given.shares[0] == pytest.approx([0.0, 4 / 9, 5 / 9])
    assert beliefs.likeliest()[1].tolist() == [True, False]


def test_what_scores_the_same_shares_its_ranks() -> None:
    scores = np.array([[3.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    assert ranks(scores, np.array([1, 3])).tolist() == [2, 0]


def test_beliefs_that_are_right_have_no_calibration_error() -> None:
    confidence = np.repeat([0.25, 0.75], 400)
    right = np.array([True, False, False, False] * 100 + [True, True, True, False] * 100)
    assert ece(confidence, right) == pytest.approx(0.0)
    assert ece(confidence, ~right) == pytest.approx(0.5)
    works = [str(number % 8) for number in range(800)]
    assert 0 < ece_fact(confidence, right, works)["honest"] < 0.05


def test_the_error_of_a_mean_is_that_of_the_works() -> None:
    values = np.array([0.0, 0.0, 1.0, 1.0, 0.5, 0.5])
    found = jackknifed(lambda rows: float(values[rows].mean()), list("aabbcc"))
    assert found == pytest.approx(np.std([0, 1, 0.5], ddof=1) / np.sqrt(3))
