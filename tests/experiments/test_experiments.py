"""The experiments count what happened, beside formulas that are checked here by themselves."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from loom.cli import main
from loom.core.node import Ending
from loom.core.span import Span
from loom.experiments.absorbing import Absorbed, absorbed_by, entry_of
from loom.experiments.loops import Course, course, stages
from loom.experiments.runs import Grown
from tests.backends import tiny_models


def run_of(ids: list[int], bits: float = 2.0, ended: Ending = Ending.LENGTH) -> Grown:
    count = len(ids)
    level = np.full(count, bits * np.log(2), np.float32)
    top = np.zeros((count, 1))
    span = Span(
        np.array(ids, np.int32),
        np.arange(1, count + 1, dtype=np.int32),
        -level,
        level,
        level,
        np.zeros(count, np.int32),
        top.astype(np.int32),
        top.astype(np.float32),
    )
    return Grown("", bytes(65 + i % 26 for i in ids), span, ended)


def test_the_formula_is_the_one_of_the_docs() -> None:
    assert absorbed_by(1000) == pytest.approx(0.999957, abs=1e-6)
    draws = np.random.default_rng(1).random((4000, 120)) < 0.01
    assert draws.any(axis=1).mean() == pytest.approx(absorbed_by(120), abs=0.03)


def test_a_run_that_stopped_at_the_token_has_entered_and_others_have_not() -> None:
    assert entry_of(run_of([1, 2, 3], ended=Ending.STOP)) == 3
    assert entry_of(run_of([1, 2, 3])) is None
    found = Absorbed(4, 50, (10, None, 30, 20), (0.01, 0.02), (4, None, 8), 1)
    facts = found.facts()
    assert facts["absorbed"] == 0.75 and facts["entry_median"] == 20
    assert facts["flagged"] == pytest.approx(2 / 3) and facts["delay_median"] == 6
    assert found.interval[0] < 0.75 < found.interval[1]


def test_a_loop_is_counted_from_where_it_is_one() -> None:
    lead = list(range(100, 130))
    found = course(run_of(lead + [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] * 6, bits=1.5))
    assert found.looped is not None and 30 + 10 + 19 <= found.looped <= 30 + 10 + 20
    assert course(run_of(list(range(200)))).looped is None
    assert found.surprise == pytest.approx(1.5) and found.repeated[-1] > 0.1


def test_stages_double_and_leave_out_what_no_run_has_reached() -> None:
    flat = np.full(100, 3.0)
    long = Course(40, None, flat, flat, flat)
    short = Course(None, None, flat[:40], flat[:40], flat[:40] * 2)
    found = list(stages([long, short], 200))
    assert [(stage.start, stage.stop, stage.runs) for stage in found] == [(0, 32, 2), (32, 64, 1)]
    assert [stage.looped for stage in found] == [0.0, 1.0]
    assert found[0].surprise == pytest.approx(4.5)


def test_absorbing_costs_what_it_must_and_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    model = tiny_models.byte_level(tmp_path / "tiny")
    words = ["--runs", "12", "--length", "60", "--opening", "The sea", "--out", str(tmp_path)]
    assert main(["experiment", "absorbing", "--model", str(model), *words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["extra_nats"] == pytest.approx(facts["extra_nats_analytic"], abs=1e-4)
    assert len(facts["entries"]) == 12 and 0 < facts["absorbed"] < 1
    assert facts["absorbed"] == sum(entry is not None for entry in facts["entries"]) / 12
    written = json.loads((tmp_path / "absorbing.json").read_text())
    assert written == {key: value for key, value in facts.items() if key != "files"}
    assert ElementTree.fromstring((tmp_path / "absorbing.svg").read_text()) is not None


def test_a_toy_of_a_toy_and_an_unreadable_text_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    assert main(["experiment", "absorbing", "--model", "hash"]) == 1
    assert "is a toy already" in capsys.readouterr().err
    assert main(["experiment", "absorbing", "--text", str(tmp_path / "none.txt")]) == 1
    assert "can't be read" in capsys.readouterr().err
