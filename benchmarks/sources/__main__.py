"""`make evaluate-sources CORPUS=…`: whether what is believed of sources is so.

Writes docs/source-estimates.md and .json (`--out`). What was read or drawn is kept in `--cache`, so
that an interrupted evaluation goes on where it stopped; with `--parts` the others stay as the JSON
has them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.sources import cost, federalist, naive, probing, simulating, splicing
from benchmarks.sources.attributing import LENGTHS, Attribution, fit
from benchmarks.sources.corpus import Corpus
from benchmarks.sources.judging import Floats
from benchmarks.sources.report import markdown
from benchmarks.sources.simulating import Drawn, Simulator
from benchmarks.sources.splicing import Files
from loom.asking.coherence import Suffixes, anyway_of, by_name, pmi
from loom.asking.process import Asking
from loom.extensions import resolve_model
from loom.instruments.sources import finding, sets
from loom.instruments.sources.api import Pooling, SourceSet
from loom.labelled import LENGTH, Labelled, ask_all, read_all
from loom.paths import Paths

NAME = "source-estimates"
DRAWN_SETS = 4
DIGITS = 5


class Evaluation:
    def __init__(self, args: argparse.Namespace, asking: Asking, fingerprint: str) -> None:
        self.args, self.seed = args, args.seed
        self.asking, self.fingerprint = asking, fingerprint
        self.wanted = finding.find(args.set)
        self.corpus = Corpus(args.corpus, self.wanted)
        self.files = Files(args.cache, fingerprint)
        self.simulator = Simulator(asking, args.cache, fingerprint, self.seed)
        self.began = time.monotonic()
        self._read: dict[str, Attribution] = {}
        self._drawn: list[Drawn] = []
        self._bayes: Any = None

    @property
    def parts(self) -> dict[str, Callable[[], Awaitable[dict[str, Any]]]]:
        return {
            "held_out": lambda: self._attributed("held_out"),
            "unseen": lambda: self._attributed("unseen"),
            "federalist": self._federalist,
            "simulation": self._simulated,
            "splices": self._spliced,
            "probe": self._probed,
            "cost": lambda: cost.of(self.asking, self.wanted, self.seed),
        }

    async def _attribution(self, split: str) -> Attribution:
        if split not in self._read:
            each = self.args.held_out if split == "held_out" else self.args.unseen
            wanted: list[Labelled] = getattr(self.corpus, split)(each)
            reads = await read_all(
                self.asking,
                self.files.kept(self.wanted),
                wanted,
                advanced=lambda done: self.say(f"{split}: {done} of {len(wanted)} passages"),
            )
            self._read[split] = Attribution(self.wanted, reads)
        return self._read[split]

    async def _attributed(self, split: str) -> dict[str, Any]:
        found = await self._attribution(split)
        bits = await self._bits(split)
        self.say("naive Bayes")
        if self._bayes is None:
            self._bayes = naive.trained(self.corpus.trained_on())
        self.say("fitting")
        return {
            **found.facts(self.seed, bits),
            "naive_bayes": found.hits(naive.placed(self._bayes, found.reads)),
        }

    async def _bits(self, split: str) -> dict[int, Floats]:
        """By number of tokens float64[N, S]: what each name is worth as the answer."""
        asked, anyway = await self._asked(split), await self._anyway()
        return {tokens: pmi(logprobs, anyway).mean(axis=2) for tokens, logprobs in asked.items()}

    async def _asked(self, split: str, lengths: Sequence[int] = LENGTHS) -> dict[int, Floats]:
        """By number of tokens float64[N, S, phrasings], see `ask_all`."""
        reads = (await self._attribution(split)).reads
        files = self.files.answers(self.wanted)
        found = {}
        for tokens in lengths:
            begun = [read.ids[:tokens] for read in reads]
            what = partial(self._say_asked, f"{split}, {tokens} tokens", len(reads))
            found[tokens] = await ask_all(self.asking, self.wanted, files, begun, what)
        return found

    def _say_asked(self, after: str, count: int, done: int) -> None:
        self.say(f"{after}: asked about {done} of {count} passages")

    async def _anyway(self) -> Floats:
        """float64[S, phrasings]: what names are after any text, by the held-out cuts."""
        truth = (await self._attribution("held_out")).truth - 1
        asked = await self._asked("held_out", [LENGTH])
        return anyway_of(asked[LENGTH], truth.tolist())

    async def _federalist(self) -> dict[str, Any]:
        among = federalist.the_two(self.wanted)
        its = fit(self.wanted, (await self._attribution("held_out")).reads)
        folder = self.args.corpus / "federalist"
        return await federalist.disputed(self.asking, self.files.kept, among, folder, its, self.say)

    async def _simulated(self) -> dict[str, Any]:
        among = simulating.sixes(self.wanted, DRAWN_SETS, self.seed)
        each = max(1, self.args.drawn // DRAWN_SETS)
        facts, self._drawn = await simulating.simulated(self.simulator, among, each, self.say)
        return facts

    async def _spliced(self) -> dict[str, Any]:
        if not self._drawn:
            await self._simulated()
        count = self.args.splices
        drawn = await splicing.drawn_cases(self.simulator, self._drawn, count, self.say)
        unseen = await self._attribution("unseen")
        human = await splicing.human_cases(self.asking, self.files, unseen, self.seed)
        bits, anyway = await self._bits("unseen"), await self._anyway()
        self.say("asking after splices")
        return {
            "drawn": splicing.facts_of(*drawn, splicing.DRAWN_WAYS),
            "human": splicing.facts_of(*human, splicing.HUMAN_WAYS),
            "asked": await splicing.asked_of(
                self.asking, unseen, bits, anyway, self.files, self.seed
            ),
        }

    async def _probed(self) -> dict[str, Any]:
        unseen = await self._attribution("unseen")
        each, asked = self.args.probed, self.args.asked
        known = Pooling(1.0, 1.0, anyway=by_name(self.wanted, await self._anyway()))
        suffixes = Suffixes(self.asking, self.wanted, pooling=known)
        return await probing.probed(suffixes, self.asking, unseen, each, asked, self.seed, self.say)

    def say(self, what: str) -> None:
        if sys.stderr.isatty() or self.args.talk:
            sys.stderr.write(f"\r\x1b[2K{time.monotonic() - self.began:5.0f} s  {what}")
            sys.stderr.flush()


async def evaluated(args: argparse.Namespace) -> dict[str, Any]:
    """After each part the files are written anew."""
    async with Asking(resolve_model(args.model), {}) as asking:
        model = await asking.ready()
        evaluation = Evaluation(args, asking, model.fingerprint)
        facts = _begun(args, model.label, model.fingerprint, evaluation.wanted)
        for name, part in evaluation.parts.items():
            if name in args.parts:
                facts["parts"][name] = _rounded({"seed": args.seed, **await part()})
                _write(facts, args.out)
    return facts


def _begun(
    args: argparse.Namespace, label: str, fingerprint: str, wanted: SourceSet
) -> dict[str, Any]:
    """What is known of the same weights and sources already."""
    head = {"model": label, "fingerprint": fingerprint, "set": wanted.name}
    head["digest"] = sets.digest(wanted)
    parts: dict[str, Any] = {}
    try:
        before = json.loads((args.out / f"{NAME}.json").read_bytes())
        if all(before[key] == value for key, value in head.items()):
            parts = before["parts"]
    except (OSError, ValueError, KeyError):
        pass
    return {**head, "parts": parts}


def _write(facts: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{NAME}.json"
    file.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    file.with_suffix(".md").write_text(markdown(facts), "utf-8")


def _rounded(value: Any) -> Any:
    """Floats as far as anybody reads them."""
    match value:
        case float():
            return round(value, DIGITS)
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case list():
            return [_rounded(each) for each in value]
    return value


PARTS = ("held_out", "unseen", "federalist", "simulation", "splices", "probe", "cost")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make evaluate-sources", description=__doc__)
    parser.add_argument("corpus", type=Path, help="a folder with train/, heldout/, federalist/")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="(default: all)")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="(default: docs)")
    cache = Paths.default().state / "evaluating-sources"
    parser.add_argument("--cache", type=Path, default=cache, help=f"(default: {cache})")
    parser.add_argument("--model", default="house", help="(default: house)")
    parser.add_argument("--set", default="house", help="the sources (default: house)")
    parser.add_argument("--talk", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--held-out", type=int, default=1, help="passages of every source")
    parser.add_argument("--unseen", type=int, default=12, help="passages of every unseen work")
    parser.add_argument("--drawn", type=int, default=1200, help="texts drawn from the model")
    parser.add_argument("--splices", type=int, default=60, help="drawn texts that are spliced")
    parser.add_argument("--probed", type=int, default=2, help="passages of a work asked about")
    parser.add_argument("--asked", type=int, default=32, help="answers of each")
    return parser


def main() -> int:
    facts = asyncio.run(evaluated(parser().parse_args()))
    print(markdown(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
