"""How a path repeats itself: loops, schemas, n-grams.

Integers only, and what is remembered is all that later tokens need, so the counts are the same
wherever the path is cut.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Ints = NDArray[np.int64]

LONGEST_PERIOD = 256  # tokens of a loop
SCHEMA_PERIODS = range(3, 49)  # words of a schema
SCHEMA_WINDOW = 96  # words
GRAM, GRAM_WINDOW = 4, 256  # tokens
GRAMS = GRAM_WINDOW - GRAM + 1

_NOTHING = -1  # stands before the first token
_NUMBER = 0  # the code of every word of digits alone
_NEAR = (-1, 0, 1)  # words that a slot may be longer or shorter
_FARTHEST = SCHEMA_PERIODS[-1] + _NEAR[-1]
_LAST_WORDS = SCHEMA_WINDOW + _FARTHEST
_LONGEST_WORD = 64  # bytes
_WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
_DIGITS = re.compile(rb"[0-9]+")
_LAGS = np.arange(1, LONGEST_PERIOD + 1)


@dataclass(frozen=True, slots=True)
class Repeats:
    """A row a token. `loop`: tokens that went on as `period` tokens before, where that is at least
    one whole period, else 0. `schema`: of the last 96 words, how many equal the word about `words`
    before (one more or less is near enough; numbers, which a template counts on, equal nothing).
    `grams`: of the 253 4-grams in the last 256 tokens, how many are copies."""

    loop: Ints
    period: Ints
    schema: Ints
    words: Ints
    grams: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What the next token needs: codes of the last tokens and words, the word that isn't over yet,
    and for each lag how long the tokens have gone on as before (int64[256])."""

    tokens: Ints
    words: Ints
    word: bytes
    runs: Ints

    @classmethod
    def empty(cls) -> Memory:
        none = np.zeros(0, np.int64)
        return cls(none, none, b"", np.zeros(LONGEST_PERIOD, np.int64))

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Memory:
        runs = np.zeros(LONGEST_PERIOD, np.int64)
        for lag, run in kept["runs"]:
            runs[lag - 1] = run
        word = kept["word"].encode("latin-1")
        return cls(_codes(kept["tokens"]), _codes(kept["words"]), word, runs)

    def kept(self) -> dict[str, Any]:
        """As JSON keeps it."""
        lags = np.flatnonzero(self.runs)
        return {
            "tokens": _text(self.tokens),
            "words": _text(self.words),
            "word": self.word.decode("latin-1"),
            "runs": [[int(lag) + 1, int(self.runs[lag])] for lag in lags],
        }

    def after(self, ids: NDArray[Any], pieces: Sequence[bytes]) -> tuple[Memory, Repeats]:
        """With these tokens, and what each of them made of the counts."""
        codes = ids.astype(np.int64) & 0xFFFF
        tokens = _padded(self.tokens, LONGEST_PERIOD, codes)
        runs = _runs(self.runs, tokens, len(codes))
        whole = np.where(runs >= _LAGS, runs, 0)
        words, word, counts = _words(self.word, pieces)
        seen = _padded(self.words, _LAST_WORDS, words)
        schema, lags = _schema(seen, len(words))
        repeats = Repeats(
            loop=whole.max(axis=1),
            period=whole.argmax(axis=1) + 1,
            schema=schema[counts],
            words=lags[counts],
            grams=_repeated_grams(tokens, len(codes)),
        )
        return Memory(_known(tokens, LONGEST_PERIOD), _known(seen, _LAST_WORDS), word, runs[-1]), (
            repeats
        )


def _runs(before: Ints, tokens: Ints, count: int) -> Ints:
    """int64[T, lags]: for how many tokens up to this one each equals the one `lag` before."""
    past = sliding_window_view(tokens, LONGEST_PERIOD)[:count, ::-1]
    alike = past == tokens[LONGEST_PERIOD:, None]
    rows = np.arange(count)[:, None]
    broken = np.concatenate([-1 - before[None, :], np.where(alike, -1 - before[None, :], rows)])
    return np.asarray(rows - np.maximum.accumulate(broken)[1:])


def _schema(words: Ints, count: int) -> tuple[Ints, Ints]:
    """After 0, 1, … `count` of the new words: the best lag's matches in the window, and the lag."""
    rows = words[_FARTHEST:]
    lags = range(SCHEMA_PERIODS[0] + _NEAR[0], _FARTHEST + 1)
    same = np.stack([rows == words[_FARTHEST - lag : len(words) - lag] for lag in lags])
    same &= (rows != _NOTHING) & (rows != _NUMBER)
    count_of_periods = len(SCHEMA_PERIODS)
    alike = np.any([same[i : i + count_of_periods] for i in range(len(_NEAR))], axis=0)
    sums = np.cumsum(np.pad(alike, ((0, 0), (1, 0))), axis=1)
    found = sums[:, SCHEMA_WINDOW:] - sums[:, : count + 1]
    return found.max(axis=0), found.argmax(axis=0) + SCHEMA_PERIODS[0]


def _repeated_grams(tokens: Ints, count: int) -> Ints:
    """After each new token, how many of the window's grams are copies of another in it."""
    parts = [tokens[i : len(tokens) - GRAM + 1 + i] for i in range(GRAM)]
    known = parts[0] != _NOTHING
    key = parts[0] << 48 | parts[1] << 32 | parts[2] << 16 | parts[3]
    grams: list[int | None] = [
        int(k) if ok else None for k, ok in zip(key.tolist(), known.tolist(), strict=True)
    ]
    tally: dict[int, int] = {}
    copies = 0
    for gram in grams[:GRAMS]:
        copies += _enter(tally, gram)
    found = []
    for place in range(count):
        copies -= _leave(tally, grams[place])
        copies += _enter(tally, grams[place + GRAMS])
        found.append(copies)
    return np.array(found, np.int64)


def _enter(tally: dict[int, int], gram: int | None) -> int:
    if gram is None:
        return 0
    there = tally.get(gram, 0)
    tally[gram] = there + 1
    return 1 if there else 0


def _leave(tally: dict[int, int], gram: int | None) -> int:
    if gram is None:
        return 0
    tally[gram] -= 1
    return 1 if tally[gram] else 0


def _words(word: bytes, pieces: Iterable[bytes]) -> tuple[Ints, bytes, list[int]]:
    """(codes of the words that ended, the one that hasn't, how many had ended after each piece)."""
    codes: list[int] = []
    counts = []
    for piece in pieces:
        end = 0
        for match in _WORD.finditer(piece):
            if word and match.start():
                codes.append(_code(word))
                word = b""
            word = (word + match[0])[:_LONGEST_WORD]
            end = match.end()
        if word and end < len(piece):
            codes.append(_code(word))
            word = b""
        counts.append(len(codes))
    return np.array(codes, np.int64), word, counts


def _code(word: bytes) -> int:
    shape = _DIGITS.sub(b"#", word)
    return _NUMBER if shape == b"#" else zlib.crc32(shape) & 0xFFFF


def _padded(past: Ints, length: int, new: Ints) -> Ints:
    return np.concatenate([np.full(length - len(past), _NOTHING), past, new])


def _known(codes: Ints, length: int) -> Ints:
    last = codes[-length:]
    return np.asarray(last[last != _NOTHING])


def _codes(text: str) -> Ints:
    return np.array(np.frombuffer(b64decode(text), "<u2"), np.int64)


def _text(codes: Ints) -> str:
    return b64encode(codes.astype("<u2").tobytes()).decode()
