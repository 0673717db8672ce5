"""What cutting the end of a writer's text anew is worth: bits for what really comes next.

Held-out texts are cut at random inside a word, after a space and after a whole word; the model is
asked for what follows, with the text in the tokens it happens to end with, and with its end drawn
again. Everything is measured through the engine, as it would be drawn. `make evaluate-healing
CORPUS=…` writes docs/healing.json and the table in docs/healing.md.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, stdev

from loom.core.node import Author, Node
from loom.core.recipe import Recipe, Sampling
from loom.engine.api import Engine, Generate, Grown, Score
from loom.engine.seam import Beginnings
from loom.extensions import load_backend, resolve_model
from loom.seams import Cut, Tail
from loom.testing.engines import drive, span_in

PAGE = "healing.md"
CUTS = 500  # of each kind
BEFORE = 600  # bytes of text before a cut, at most
AFTER = 24  # bytes of what really follows, at least, up to the next token's end
PLAIN = Recipe(sampling=Sampling(), tokens=1, top=1)
KINDS: Mapping[str, re.Pattern[bytes]] = {
    "inside a word": re.compile(rb"(?<=[A-Za-z])(?=[a-z]{2})"),
    "after a space": re.compile(rb"(?<=[a-z,;.] )(?=[A-Za-z])"),
    "after a word": re.compile(rb"(?<=[a-z])(?=[ ,.;])"),
}


@dataclass(frozen=True, slots=True)
class Bits:
    """For what comes next at one cut: its next token, and `length` bytes; the share of draws that
    would have cut the text's end anew."""

    next_token: float
    stretch: float
    length: int
    anew: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Means over the cuts of a kind; `gain` in bits a next token, and half its 95 % interval."""

    kind: str
    cuts: int
    taken_back: float
    anew: float
    next_without: float
    next_with: float
    gain: float
    gain_error: float
    byte_without: float
    byte_with: float


class Meter:
    """An engine as a measuring instrument."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pieces = engine.pieces(range(engine.can().vocabulary))
        self._tokens = Beginnings(self._pieces)

    def without(self, before: bytes, after: bytes) -> Bits:
        own, stops = self._encode(before), self._stops(before, after)
        costs = [self._cost(own, self._encode(after[:stop], start=False)) for stop in stops]
        return Bits(costs[0], costs[1], stops[1])

    def healed(self, before: bytes, after: bytes) -> Bits | None:
        """None where nothing of the text would be taken back."""
        cut = self._cut(before)
        if cut is None:
            return None
        own = self._encode(before)
        kept, taken = own[: len(own) - len(cut.own)], own[len(own) - len(cut.own) :]
        whole = self._log_chance(kept, cut.begins)
        costs = []
        stops = self._stops(before, after)
        for stop in stops:
            ways = {(*taken, *self._encode(after[:stop], start=False))}
            natural = self._encode(before + after)[len(kept) :]
            while len(self._text(natural)) > len(cut.begins) + stop:
                natural = natural[:-1]
            if self._is_way(natural, taken, cut.begins):
                ways.add(natural)
            logs = [-self._cost(kept, way) * math.log(2) for way in ways]
            costs.append(-(_log_sum(logs) - whole) / math.log(2))
        stays = -self._cost(kept, taken) * math.log(2) - whole
        return Bits(costs[0], costs[1], stops[1], 1 - math.exp(stays))

    def _cut(self, before: bytes) -> Cut | None:
        tail = Tail.of(Node(1, 0, 0, Author.WRITER, before), len(before), None, opens=True)
        ids, ends = self._engine.encode(before[tail.unread :], start=not tail.unread)
        return tail.read(ids, ends).cut(self._tokens)

    def _is_way(self, natural: Sequence[int], own: Sequence[int], begins: bytes) -> bool:
        """Whether it repeats the text's own tokens until one goes beyond the end of it."""
        at = 0
        for token, mine in zip(natural, own, strict=False):
            if token != mine:
                piece, rest = self._pieces[token], begins[at:]
                return len(piece) > len(rest) and piece.startswith(rest)
            at += len(self._pieces[token])
        return True

    def _stops(self, before: bytes, after: bytes) -> tuple[int, int]:
        """The ends of tokens of the whole text, in bytes after the cut: the next, and one later."""
        ends = self._engine.encode(before + after, start=True)[1]
        beyond = [end - len(before) for end in ends if end > len(before)]
        return beyond[0], next((stop for stop in beyond if stop >= AFTER), beyond[-1])

    def _log_chance(self, prefix: tuple[int, ...], begins: bytes) -> float:
        """log P(the text begins so), as the engine's own draw says: what each token that repeats it
        gained by the others being left out."""
        recipe = replace(PLAIN, begins=begins)
        events = drive(self._engine, Generate("chance", (prefix,), recipe, (1,)))
        gained, at = 0.0, 0
        for event in events:
            if isinstance(event, Grown) and at < len(begins):
                assert event.span.sampled_logprob is not None
                gained += float(event.span.logprob[0] - event.span.sampled_logprob[0])
                at += len(event.text)
        return gained

    def _cost(self, prefix: Sequence[int], ids: Sequence[int]) -> float:
        """Bits."""
        if not ids:
            return 0.0
        events = drive(self._engine, Score("cost", (tuple(prefix),), tuple(ids), top=1))
        return -float(span_in(events, "cost").logprob.sum(dtype="float64")) / math.log(2)

    def _encode(self, text: bytes, *, start: bool = True) -> tuple[int, ...]:
        return self._engine.encode(text, start=start)[0]

    def _text(self, ids: Sequence[int]) -> bytes:
        return b"".join(self._pieces[token] for token in ids)


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs))


def outcome(meter: Meter, kind: str, cuts: Sequence[tuple[bytes, bytes]]) -> Outcome:
    """With and without at the same cuts."""
    without = [meter.without(*cut) for cut in cuts]
    found = [meter.healed(*cut) for cut in cuts]
    healed = [one or other for one, other in zip(found, without, strict=True)]
    gains = [a.next_token - b.next_token for a, b in zip(without, healed, strict=True)]
    error = 1.96 * stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else math.inf
    length = sum(one.length for one in without)
    return Outcome(
        kind=kind,
        cuts=len(cuts),
        taken_back=fmean(one is not None for one in found),
        anew=fmean(one.anew for one in healed),
        next_without=fmean(one.next_token for one in without),
        next_with=fmean(one.next_token for one in healed),
        gain=fmean(gains),
        gain_error=error,
        byte_without=sum(one.stretch for one in without) / length,
        byte_with=sum(one.stretch for one in healed) / length,
    )


def cuts_in(
    texts: Sequence[bytes], pattern: re.Pattern[bytes], count: int, seed: int = 1
) -> Iterator[tuple[bytes, bytes]]:
    """(before, after) at places of that kind, chosen at random, the text before from a line on."""
    choice = random.Random(seed)
    sizes = [len(text) for text in texts]
    while count:
        (text,) = choice.choices(texts, sizes)
        at = choice.randrange(min(BEFORE, len(text) // 2), len(text))
        found = pattern.search(text, at, len(text) - 4 * AFTER)
        if found is None:
            continue
        begin = text.find(b"\n", max(0, found.start() - BEFORE), found.start()) + 1
        before = text[begin : found.start()].lstrip()
        if len(before) >= 2 * AFTER and before.isascii():
            count -= 1
            yield before, text[found.start() : found.start() + 4 * AFTER]


def texts_of(corpus: Path) -> list[bytes]:
    """What was held out of training. Raises SystemExit where there is nothing."""
    files = sorted((corpus / "heldout").glob("*/*.txt"))
    if not files:
        raise SystemExit(f"loom: {corpus} has no heldout/*/*.txt; name the folder of the corpus.")
    return [file.read_bytes() for file in files]


def outcomes(engine: Engine, texts: Sequence[bytes], count: int) -> list[Outcome]:
    """One of each kind of cut."""
    meter = Meter(engine)
    return [outcome(meter, kind, list(cuts_in(texts, KINDS[kind], count))) for kind in KINDS]


def row(one: Outcome) -> str:
    """Of the table on the page."""
    gain = f"{one.gain:.2f} ±{one.gain_error:.2f}".replace("-", "−")
    cells = (
        one.kind, one.cuts, f"{one.taken_back:.0%}", f"{one.anew:.0%}",
        f"{one.next_without:.2f} → {one.next_with:.2f}", gain,
        f"{one.byte_without:.2f} → {one.byte_with:.2f}",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def with_rows(page: str, found: Sequence[Outcome]) -> str:
    """The page with other rows in its table. Raises ValueError where a row is not there."""
    lines = page.split("\n")
    for one in found:
        (at,) = (n for n, line in enumerate(lines) if line.startswith(f"| {one.kind} |"))
        lines[at] = row(one)
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make evaluate-healing", description=__doc__)
    parser.add_argument("corpus", type=Path, help="a folder with heldout/")
    parser.add_argument("--cuts", type=int, default=CUTS, help=f"of a kind (default: {CUTS})")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="(default: docs)")
    args = parser.parse_args()
    model = resolve_model(None)
    engine = load_backend(model).load(model, {}, lambda done, total: None)
    found = outcomes(engine, texts_of(args.corpus), args.cuts)
    facts = {"fingerprint": engine.can().fingerprint, "cuts": [asdict(one) for one in found]}
    engine.close()
    page = args.out / PAGE
    page.write_text(with_rows(page.read_text("utf-8"), found), "utf-8")
    page.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    print(*map(row, found), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
