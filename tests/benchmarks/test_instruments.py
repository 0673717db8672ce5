"""The evaluation in small: the bundled model, its calibration, and two texts written for this."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from benchmarks.instruments import report
from benchmarks.instruments.__main__ import TEMPERATURES, arguments, begun
from benchmarks.instruments.cost import PLUGINS, cost_of
from benchmarks.instruments.judging import Judge, Noticed, folds, rate
from benchmarks.instruments.material import Case, Lead, Maker, absorbed, filled, leads
from loom.asking.process import Asking
from loom.extensions import models, resolve_model
from loom.instruments.calibration import Calibration, load
from loom.passages import Readings, cuts_of, passages, works_in

ROOT = Path(__file__).parents[2]
TEXTS = Path(__file__).parent / "texts"
LENGTH = 480
SEED = 6

house = pytest.mark.skipif("house" not in models(), reason="the bundled model is not here")


class Bench:
    """The model, what is known of it, and the beginnings of the two texts."""

    def __init__(self, asking: Asking, kept: Calibration, chosen: list[Lead], folder: Path) -> None:
        self.asking, self.kept, self.leads = asking, kept, chosen
        self.readings = Readings(folder, kept.fingerprint, LENGTH)
        self.maker = Maker(asking, self.readings, SEED)
        self.judge = Judge()

    def noticed(self, cases: list[Case]) -> Noticed:
        fitted = self.kept.of("traps")
        assert fitted is not None
        return self.judge.notice(cases, fitted)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOM_HOME", str(folder))
        async with Asking(resolve_model("house"), {}) as asking:
            model = await asking.ready()
            kept = load(model.fingerprint)
            assert kept is not None, "make calibrate: the calibration is of other weights"
            readings = Readings(folder, model.fingerprint, LENGTH)
            cuts = cuts_of(works_in([TEXTS]), 2 * LENGTH, LENGTH)
            texts = await passages(asking, readings, cuts, LENGTH, LENGTH)
            yield Bench(asking, kept, leads(texts, 1, SEED), folder)


@house
@pytest.mark.asyncio(loop_scope="module")
async def test_human_text_raises_no_alarm(bench: Bench) -> None:
    fitted = bench.kept.of("traps")
    assert fitted is not None
    for lead in bench.leads:
        assert len(lead.passage.span) == LENGTH
        assert bench.judge.read(lead.passage, fitted)[1] == ()


@house
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("period", "most"), [(12, 36), (40, 90)])
async def test_a_loop_is_noticed_in_time(bench: Bench, period: int, most: int) -> None:
    found = bench.noticed([await bench.maker.loop(lead, period) for lead in bench.leads])
    median = found.median()
    assert median is not None
    assert median <= most


@house
@pytest.mark.asyncio(loop_scope="module")
async def test_a_template_is_noticed_within_eighty_words(bench: Bench) -> None:
    cases = [await bench.maker.template(bench.leads[n % 2], n, 1) for n in range(3)]
    median = bench.noticed(cases).median()
    assert median is not None
    assert median <= 80


@house
@pytest.mark.asyncio(loop_scope="module")
async def test_an_absorbing_state_is_noticed_within_ten_tokens(bench: Bench) -> None:
    median = bench.noticed([absorbed(lead) for lead in bench.leads]).median()
    assert median is not None
    assert median <= 10


@house
@pytest.mark.asyncio(loop_scope="module")
async def test_a_high_temperature_is_noticed(bench: Bench) -> None:
    hot = await bench.maker.drawn(bench.leads[0], 1.3, 5)
    assert bench.noticed(hot).within(200).share >= 0.8


@house
@pytest.mark.asyncio(loop_scope="module")
async def test_reading_along_costs_little_beside_generating(bench: Bench) -> None:
    cost = await cost_of(bench.asking, bench.leads[0].ids[:50], bench.kept, rounds=1)
    assert set(cost["plugins"]) == set(PLUGINS)
    assert 0 < cost["share"] < 1


def test_a_fresh_seed_draws_at_all_temperatures_but_less() -> None:
    usual, fresh = arguments(["corpus"]), arguments(["corpus", "--fresh"])
    assert tuple(fresh.temperatures) == tuple(usual.temperatures) == TEMPERATURES
    assert (usual.seed, usual.branches, fresh.branches) == (6, 6, 3)
    chosen = [cast(Lead, number) for number in range(34)]  # two passages of each of 17 works
    assert begun(chosen, usual) == chosen[::2]
    assert begun(chosen, fresh) == chosen[::4]
    assert begun(chosen[:1], fresh) == chosen[:1]


def test_the_page_shows_what_was_drawn_with_a_fresh_seed() -> None:
    facts = json.loads((ROOT / "docs" / "instruments.json").read_bytes())
    hot = {"kind": "temperature 1.3", "how": "", "cases": 27, "early": 1, "median": 57.0,
           "within_200": {"share": 0.875, "error": 0.1, "works": 9, "windows": 27},
           "by": {"excess_up": 20}}  # fmt: skip
    fresh = {**facts["fresh"], "changes": [{**hot, "how": "α = 0.01"}, hot]}
    page = report.markdown({**facts, "fresh": fresh}).partition("seed drawn by lot")[2]
    assert "every second work" in page
    row = "| temperature 1.3 |  | 27 | 1 | 57 | 0.875 ± 0.100 | excess_up 20 |"
    assert page.count("temperature 1.3") == 1 and row in page
    without = {**facts["fresh"], "changes": []}
    page = report.markdown({**facts, "fresh": without}).partition("seed drawn by lot")[2]
    assert "every second work" not in page


def test_the_page_tells_what_the_figures_are() -> None:
    facts = json.loads((ROOT / "docs" / "instruments.json").read_bytes())
    page = report.markdown(facts)
    assert page == (ROOT / "docs" / "instruments.md").read_text("utf-8")
    for row in facts["changes"]:
        if row["how"] == "α = 0.01":
            row["within_200"]["share"] = 1.0
    assert "(none of these)" in report.markdown(facts) and "(none of these)" not in page


def test_errors_are_over_works() -> None:
    found = rate([True, True, False, False, False], ["a", "a", "b", "b", "c"])
    assert found.share == pytest.approx(1 / 3)
    assert (found.works, found.windows) == (3, 5)
    assert found.error == pytest.approx((1 / 3) ** 0.5 / 3**0.5)


def test_the_median_counts_what_was_not_noticed() -> None:
    def median(*delays: int | None) -> float | None:
        return Noticed("loop", delays, 0, ("a",) * len(delays)).median()

    assert median(1, 2, 30) == 2
    assert median(1, 3, None) == 3
    assert median(1, None, None) is None
    assert median(4, 6) == 5


def test_folds_are_whole_works_and_all_of_them() -> None:
    works = [f"work {n % 23}" for n in range(100)]
    parts = folds(works, SEED)
    assert sorted(name for part in parts for name in part) == sorted(set(works))
    assert folds(works, SEED) == parts != folds(works, SEED + 1)


def test_templates_are_filled_alike_for_a_seed() -> None:
    one = filled("{n}. The {w} of {w}.\n", 1, SEED)
    assert one == filled("{n}. The {w} of {w}.\n", 1, SEED)
    assert one.startswith("7. The ")
    assert len(one.splitlines()) == 40 == len(set(one.splitlines()))


def test_the_page_says_which_goals_are_missed() -> None:
    row = {"share": 0.2, "error": 0.01, "works": 9, "windows": 90}
    held = {"share": 0.01, "error": 0.005, "works": 9, "windows": 90}
    rates = {"0.05": row, "0.01": held}
    lines = report._alarm_table([{"text": "t", "reference": "all", "rates": rates, "by": {}}])
    assert "0.200 ± 0.010 ✗ | 0.010 ± 0.005 ✓" in "\n".join(lines)
