"""What is easier to check than to write: sums, dates, check digits, brackets and quotation marks.

A model that makes such things up gets them wrong far more often than a person does: each one that
is wrong speaks for a model and each that is right against it, by the rates in OPTIONS. Brackets
prove nothing; they are pointed out. `verifiers` are your own: "/folder/file.py:function", from the
last few hundred characters to (start, stop, holds, sentence) for every claim found in them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

from loom.core.span import Span
from loom.core.text import Decoder
from loom.instruments.api import FLAG_BITS, Context, Flag, Level, Reading, Settings
from loom.instruments.claims import CHECKS, ENDS, SETTLED, Check, Claim
from loom.instruments.pairs import Pairs

NAME = "verify"
VERSION = "1"
ABOUT = "Sums, weekdays, check digits, brackets and quotation marks, and verifiers of your own."
OPTIONS: dict[str, Any] = {
    "wrong_by_model": 0.9,  # how often such a claim is wrong where a model made it up
    "wrong_by_people": 0.01,
    "patience": 300,  # tokens that a bracket may stay open
    "verifiers": [],
}
CHOICE = False
UNITS = {"evidence": "bits"}

WINDOW = 240  # characters back in which a claim is looked for
BESIDE = 16  # characters before a claim that may tell that it is part of another
QUIET, BURST = 24, 8  # one flag in so many tokens on average, so many at once

State = dict[str, Any]


def start(settings: Settings) -> State:
    """`text` is the end of the path, `starts` where tokens begin in it: [character of the path,
    position]; `held` half a character, `done` how far each check has come."""
    options = settings.options
    model, people = options["wrong_by_model"], options["wrong_by_people"]
    if not (0 < people < 1 and 0 < model < 1):
        raise ValueError("wrong_by_model and wrong_by_people must lie between 0 and 1")
    for name in options["verifiers"]:
        verifier(name)
    return {
        "wrong": math.log2(model / people),
        "right": math.log2((1 - model) / (1 - people)),
        "patience": options["patience"],
        "verifiers": list(options["verifiers"]),
        "text": "",
        "first": 0,
        "starts": [],
        "held": "",
        "done": {},
        "bits": 0.0,
        "pairs": Pairs().state,
        "credit": QUIET * BURST,
    }


def step(state: State, span: Span, context: Context) -> tuple[State, Reading]:
    reader = _Reader(state)
    evidence = np.empty(len(span), np.float32)
    for index, piece in enumerate(context.pieces):
        reader.read(piece, context.position + index, index)
        evidence[index] = reader.bits
    summary = {"checked": float(reader.checked), "wrong": float(reader.wrong)}
    return reader.state(), Reading({"evidence": evidence}, summary, tuple(reader.flags))


class _Reader:
    """The state while a span is read."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._decoder = Decoder()
        self._decoder.feed(bytes.fromhex(state["held"]))
        self._text, self._first = state["text"], state["first"]
        self._starts = [list(start) for start in state["starts"]]
        self._done = dict(state["done"])
        self._pairs = Pairs.of(state["pairs"])
        self._credit = state["credit"]
        self.bits: float = state["bits"]
        self.flags: list[Flag] = []
        self.checked = self.wrong = 0

    def state(self) -> State:
        return {
            **self._state,
            "text": self._text,
            "first": self._first,
            "starts": self._starts,
            "held": self._decoder.held.hex(),
            "done": self._done,
            "bits": self.bits,
            "pairs": self._pairs.state,
            "credit": self._credit,
        }

    def read(self, piece: bytes, position: int, index: int) -> None:
        new = self._decoder.feed(piece)
        self._credit = min(self._credit + 1, QUIET * BURST)
        for began, reason in self._pairs.feed(new, position, self._state["patience"]):
            self._raise(Flag("info", "none", index, began, 0.0, reason))
        self._starts.append([self._first + len(self._text), position])
        self._text += new
        for claim in self._settled(len(new)):
            self._judge(claim, index)
        self._forget()

    def _settled(self, new: int) -> Iterator[Claim]:
        """Claims that can't go on any more since these characters."""
        last = len(self._text) - SETTLED
        for name, check in self._checks(self._text[max(0, last - new - BESIDE) : last]):
            done = max(self._done.get(name, 0) - self._first, 0)
            base = max(done - BESIDE, 0)
            for found in check(self._text[base:]):
                claim = replace(found, start=base + found.start, stop=base + found.stop)
                whole = claim.start >= (BESIDE if self._first and not base else done)
                if whole and last - new < claim.stop <= last:
                    done = claim.stop
                    self._done[name] = self._first + done
                    yield claim

    def _checks(self, end: str) -> Iterator[tuple[str, Check]]:
        """Those that may find something that ends there."""
        if ENDS.search(end):
            yield from CHECKS.items()
        for name in self._state["verifiers"]:
            yield name, verifier(name)

    def _judge(self, claim: Claim, index: int) -> None:
        self.checked += 1
        self.wrong += not claim.holds
        change = self._state["right"] if claim.holds else self._state["wrong"]
        self.bits = max(self.bits + change, 0.0)
        if not claim.holds:
            level: Level = "flag" if self.bits >= FLAG_BITS else "info"
            began = self._position(self._first + claim.start)
            perhaps = "a slip, or a text in which it is meant to be wrong"
            flag = Flag(level, "reference", index, began, self.bits, claim.said, perhaps=perhaps)
            self._raise(flag)

    def _raise(self, flag: Flag) -> None:
        """A page of nonsense is not a page of flags."""
        if self._credit >= QUIET:
            self._credit -= QUIET
            self.flags.append(flag)

    def _position(self, character: int) -> int:
        """Of the token in which a character of the path begins."""
        before = [position for start, position in self._starts if start <= character]
        return int(before[-1] if before else self._starts[0][1])

    def _forget(self) -> None:
        over = len(self._text) - WINDOW
        if over > WINDOW // 4:
            self._text, self._first = self._text[over:], self._first + over
            kept = [start for start in self._starts if start[0] >= self._first]
            self._starts = kept or self._starts[-1:]


@cache
def verifier(name: str) -> Check:
    """A function of the user's. Raises ValueError for a name that is none."""
    file, _, function = name.rpartition(":")
    path = Path(file).expanduser()
    if not function or not path.is_absolute():
        raise ValueError(f"the verifier {name!r} must be a whole path, a colon and a function")
    spec = spec_from_file_location(f"loom_verifier_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"the verifier {path} is no Python file")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, function)

    def check(text: str) -> Iterator[Claim]:
        for start, stop, holds, said in found(text):
            yield Claim(int(start), int(stop), bool(holds), str(said))

    return check
