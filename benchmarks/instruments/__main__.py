"""`make evaluate-detectors`: false alarms on unseen human text, delays until changes are noticed.

Writes docs/instruments.md and .json (`--out`). What was read is kept in `--cache`; a seed draws
passages, folds, fills and tokens. `--fresh` takes one by lot and adds what comes out to the page;
what is drawn at temperatures, which takes longest, is then less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.instruments.cost import cost_of
from benchmarks.instruments.judging import ALPHAS, Judge, Rate, folds, rate
from benchmarks.instruments.material import Case, Lead, Maker, absorbed, leads
from benchmarks.instruments.report import markdown
from loom.asking.process import Asking
from loom.extensions import resolve_model
from loom.instruments.api import Passage
from loom.instruments.calibration import Calibration, load
from loom.passages import Readings, Work, cuts_of, passages, window_length, works_in
from loom.paths import Paths

APART = Path(__file__).parents[2] / "backends" / "house" / "kept-apart.txt"
HORIZON = 512
HELD_OUT, UNSEEN = 400_000, 172_720  # tokens
TEMPERATURES = (0.7, 1.0, 1.3)
BRANCHES, FRESH_BRANCHES = 6, 3  # continuations of each text at each temperature
FRESH_STRIDE = 2  # of the unseen works every so many are gone on from
WAYS: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "α = 0.01": {"alpha": 0.01},
    "reference fiction": {"genre": "fiction"},
}
DRAWN_WAYS = {"without the excess": {"ignore": ["excess_down", "excess_up"]}}


class Evaluation:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.seed = args, args.seed
        self.judge = Judge()
        self.began = time.monotonic()

    async def run(self) -> dict[str, Any]:
        async with Asking(resolve_model("house"), {}) as asking:
            model = await asking.ready()
            kept = load(model.fingerprint)
            if kept is None or kept.of("traps") is None:
                raise SystemExit("loom: the bundled model is not calibrated: make calibrate first")
            window, length = window_length(model.context, HORIZON)
            readings = Readings(self.args.cache, model.fingerprint, length)
            texts = works_in([self.args.corpus / "heldout"])
            held = await self._human(asking, readings, texts, HELD_OUT, (window, length))
            apart = self._apart()
            unseen = await self._human(asking, readings, apart, UNSEEN, (window, length))
            facts: dict[str, Any] = {"model": model.label, "fingerprint": model.fingerprint}
            facts |= {"seed": self.seed, "calibration": dict(kept.facts)}
            facts["false_alarms"] = self._false_alarms(held, unseen)
            facts["papers"] = await self._papers(asking, kept)
            known = {p.work for p in unseen}
            fit = self.judge.calibrate([p for p in held if p.work not in known])
            chosen = leads(unseen, self.args.each, self.seed)
            maker = Maker(asking, readings, self.seed)
            facts["changes"] = await self._changes(maker, chosen, fit)
            self._say("cost")
            facts["cost"] = await cost_of(asking, chosen[0].ids, kept)
        facts["seconds"] = round(time.monotonic() - self.began)
        return facts

    async def _human(
        self,
        asking: Asking,
        readings: Readings,
        works: Sequence[Work],
        tokens: int,
        lengths: tuple[int, int],
    ) -> list[Passage]:
        cuts = cuts_of(works, int(tokens * self.args.scale), lengths[1])
        return await passages(
            asking, readings, cuts, *lengths, lambda n: self._say(f"reading {n} of {len(cuts)}")
        )

    def _apart(self) -> list[Work]:
        names = APART.read_text(encoding="utf-8").split()
        return works_in([self.args.corpus / "train" / name for name in names])

    def _false_alarms(self, held: list[Passage], unseen: list[Passage]) -> list[dict[str, Any]]:
        rows = []
        alarms: dict[str, list[tuple[Passage, dict[float, list[str]]]]] = {}
        for number, fold in enumerate(folds([p.work for p in held], self.seed)):
            self._say(f"fold {number + 1}")
            kept = self.judge.calibrate([p for p in held if p.work not in fold])
            for passage in (p for p in held if p.work in fold):
                for genre in ("all", passage.genre):
                    if genre in kept and (genre == "all" or kept[genre]["by"] == "works"):
                        found = self.judge.alarms(passage, kept, genre)
                        alarms.setdefault(genre, []).extend((passage, row) for row in found)
        rows += [_row("held-out cuts, cross-fitted", genre, some) for genre, some in alarms.items()]
        self._say("unseen works")
        known = {passage.work for passage in unseen}
        kept = self.judge.calibrate([p for p in held if p.work not in known])
        for genre in ("all", "fiction"):
            some = [
                (passage, row)
                for passage in unseen
                if genre in kept and genre in ("all", passage.genre)
                for row in self.judge.alarms(passage, kept, genre)
            ]
            if some:
                rows.append(_row("works never seen", genre, some))
        return rows

    async def _papers(self, asking: Asking, kept: Calibration) -> dict[str, Any]:
        """How many of the Federalist Papers are flagged as loops: words are enough for that."""
        fitted = kept.of("traps")
        assert fitted is not None
        files = sorted((self.args.corpus / "federalist").glob("*.txt"))
        flagged: dict[str, list[str]] = {}
        for number, file in enumerate(files):
            self._say(f"paper {number} of {len(files)}")
            text = file.read_bytes()
            ids, ends = await asking.encode(text, start=True)
            names = self.judge.repeated(text, ids, ends, fitted)
            if names:
                flagged[file.stem] = names
        return {"papers": len(files), "flagged": flagged}

    async def _changes(
        self, maker: Maker, chosen: list[Lead], kept: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        kinds: list[list[Case]] = []
        self._say("loops")
        kinds.append([absorbed(lead) for lead in chosen])
        for period in (12, 40):
            kinds.append([await maker.loop(lead, period) for lead in chosen])
        for most in (1, 3):
            kinds.append([await maker.template(x, n, most) for n, x in enumerate(chosen)])
        for temperature in self.args.temperatures:
            drawn: list[Case] = []
            for number, lead in enumerate(begun(chosen, self.args)):
                self._say(f"temperature {temperature:g}: {number}")
                drawn += await maker.drawn(lead, temperature, self.args.branches)
            kinds.append(drawn)
        return [row for cases in kinds for row in self._noticed(cases, kept)]

    def _noticed(self, cases: list[Case], kept: Mapping[str, Any]) -> list[dict[str, Any]]:
        ways = {**WAYS} | (DRAWN_WAYS if cases[0].kind.startswith("temperature") else {})
        rows = []
        for how, options in ways.items():
            found = self.judge.notice(cases, kept, **options)
            rows.append(
                {
                    "kind": found.kind,
                    "how": how,
                    "cases": len(found.delays),
                    "early": found.early,
                    "median": found.median(),
                    "within_200": found.within(200).facts(),
                    "by": found.by,
                }
            )
        return rows

    def _say(self, what: str) -> None:
        if sys.stderr.isatty() or self.args.talk:
            sys.stderr.write(f"\r\x1b[2K{time.monotonic() - self.began:5.0f} s  {what}")
            sys.stderr.flush()


def begun(chosen: Sequence[Lead], args: argparse.Namespace) -> Sequence[Lead]:
    """The texts that are gone on from: one of each work, of fewer works with `--fresh`."""
    return chosen[:: args.each * (FRESH_STRIDE if args.fresh else 1)] or chosen


def _row(
    text: str, genre: str, alarms: Sequence[tuple[Passage, dict[float, list[str]]]]
) -> dict[str, Any]:
    works = [passage.work for passage, _ in alarms]
    rates: dict[str, Rate] = {
        str(alpha): rate([bool(row[alpha]) for _, row in alarms], works) for alpha in ALPHAS
    }
    by: dict[str, int] = {}
    for _, row in alarms:
        for name in row[0.05]:
            by[name] = by.get(name, 0) + 1
    return {
        "text": text,
        "reference": genre,
        "rates": {alpha: found.facts() for alpha, found in rates.items()},
        "by": by,
    }


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make evaluate-detectors", description=__doc__)
    parser.add_argument("corpus", type=Path, help="a folder with train/, heldout/, federalist/")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="(default: docs)")
    cache = Paths.default().state / "evaluating"
    parser.add_argument("--cache", type=Path, default=cache, help=f"(default: {cache})")
    parser.add_argument("--talk", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--fresh", action="store_true", help="a seed by lot, to be shown beside")
    parser.add_argument("--each", type=int, default=2, help="passages of each unseen work")
    parser.add_argument("--branches", type=int, help="continuations of each")
    text = "that continuations are drawn at; none: leave them out"
    parser.add_argument(
        "--temperatures", type=float, nargs="*", default=TEMPERATURES, metavar="T", help=text
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the human text")
    args = parser.parse_args(words)
    if args.fresh:
        args.seed = secrets.randbelow(10**6)
    args.branches = args.branches or (FRESH_BRANCHES if args.fresh else BRANCHES)
    return args


def main() -> int:
    args = arguments()
    file = args.out / "instruments.json"
    facts = asyncio.run(Evaluation(args).run())
    if args.fresh and file.is_file():
        facts = {**json.loads(file.read_bytes()), "fresh": facts}
    page = markdown(facts)
    args.out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    file.with_suffix(".md").write_text(page, "utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
