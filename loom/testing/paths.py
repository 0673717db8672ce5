"""Made-up paths for plugins to read: tokens with the columns a model would have given them.

No model is asked. The numbers fit each other: a token's rank is one that its probability allows,
and in human-like text a surprise is drawn from a distribution with the entropy beside it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.node import Author
from loom.core.span import TEMPERATURES, Span
from loom.core.text import word_edges
from loom.instruments.api import Choice, Context
from loom.instruments.dealing import side_by_side
from loom.instruments.folding import Stretch

NODE = 48  # tokens of a stretch, as a continuation has them
ALTERNATIVES = 5
WORDS = 2000  # in the vocabulary of human-like text
LEAST = 1e-3  # nats

Floats = NDArray[np.float64]


def path_of(
    text: str | Sequence[str | bytes],
    bits: float | Sequence[float] = 4.0,
    *,
    entropy: float | Sequence[float] | None = None,
    author: Author = Author.MODEL,
    choice: Choice | None = None,
    temperature: float | None = None,
    after: Sequence[Stretch] = (),
) -> list[Stretch]:
    """One more stretch after those of `after`: the whole path.

    `text` is cut into words, or given token by token. `bits` is the surprise of each token,
    `entropy` that of the distribution before it, in bits too: by default the same.
    """
    pieces = _pieces(text)
    surprise = np.broadcast_to(np.asarray(bits, np.float64), len(pieces)) * math.log(2)
    expected = surprise if entropy is None else np.asarray(entropy, np.float64) * math.log(2)
    context = Context(
        position=sum(map(len, after)),
        offset=sum(sum(map(len, stretch.context.pieces)) for stretch in after),
        author=author,
        pieces=pieces,
        temperature=temperature,
        choice=choice,
    )
    return [
        *after,
        Stretch(_span(pieces, surprise, np.broadcast_to(expected, len(pieces))), context),
    ]


def job_of(
    branches: Sequence[str | Sequence[str | bytes]],
    bits: float | Sequence[float | Sequence[float]] = 4.0,
    *,
    entropy: float | Sequence[float | Sequence[float]] | None = None,
    temperature: float | None = 1.0,
    after: Sequence[Stretch] = (),
) -> list[Stretch]:
    """One more job of a log after those of `after`, for plugins that read the log: a token of each
    branch in turn, drawn from the model itself. `bits` and `entropy` are for all or one for each
    branch, as in `path_of`."""
    rows = [
        path_of(text, _of(bits, branch), entropy=_of(entropy, branch))[0]
        for branch, text in enumerate(branches)
    ]
    found = {branch: (_drawn(row.span), row.context.pieces) for branch, row in enumerate(rows)}
    tokens, size = sum(map(len, after)), sum(len(p) for s in after for p in s.context.pieces)
    jobs = {part.context.drawn.job for part in after if part.context.drawn}
    job = side_by_side(len(jobs), found, position=tokens, offset=size, temperature=temperature)
    return [*after, job]


def _of(values: Any, branch: int) -> Any:
    return values[branch] if isinstance(values, Sequence) else values


def _drawn(span: Span) -> Span:
    """With what the sampler made of it, as if it could have taken e^entropy tokens, all alike."""
    flat = 1 - 1 / np.array(TEMPERATURES)
    above = np.minimum(span.rank * np.exp(span.logprob), 1 - np.exp(span.logprob))
    renyi = (span.entropy[:, None] * flat).astype(np.float32)
    return replace(span, mass_above=above.astype(np.float32), renyi=renyi)


def human_path(tokens: int = 400, seed: int = 0, author: Author = Author.WRITER) -> list[Stretch]:
    """Words of a Zipf distribution whose surprise varies as its entropy says it should."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1.0, WORDS + 1)
    words = [_word(number) for number in random.choice(WORDS, tokens, p=weights / weights.sum())]
    entropy = np.clip(3 + np.convolve(random.normal(0, 0.6, tokens + 7), np.ones(8))[7:-7], 0.1, 8)
    return _nodes(words, random.exponential(entropy), entropy, author)


def random_path(tokens: int = 400, seed: int = 0) -> list[Stretch]:
    """Word salad: every word as likely as any other, and the model knows that."""
    random = np.random.default_rng(seed)
    words = [_word(number) for number in random.integers(0, 50 * WORDS, tokens)]
    level = np.full(tokens, math.log(50 * WORDS))
    return _nodes(words, level + random.normal(0, 0.3, tokens), level, Author.MODEL)


def loop_path(
    period: int = 12, tokens: int = 400, *, lead: int = 100, seed: int = 0
) -> list[Stretch]:
    """Human-like text that goes into a loop after `lead` tokens, ever more expected."""
    path = human_path(lead, seed, Author.MODEL)
    words = [_word(number) for number in range(period)]
    looped = [words[place % period] for place in range(tokens - lead)]
    surprise = np.maximum(3 * 0.4 ** (np.arange(tokens - lead) // period), LEAST)
    return _nodes(looped, surprise, surprise, Author.MODEL, path)


def nasty_path(seed: int = 0) -> list[Stretch]:
    """What nobody thinks of: characters cut in two, a token without bytes, NUL, a sure token, an
    impossible one, nodes of one token, every author, choices and none."""
    text = (
        "Naïve 日本語 e\u0301 👩\u200d🚀 (“open”\r\n\n\tnever\x00 closed\u2028".encode()
        + b"\xff\xc3("
    )
    pieces: list[bytes] = [text[i : i + 1 + i % 3] for i in _starts(len(text))]
    pieces.insert(3, b"")
    random = np.random.default_rng(seed)
    path: list[Stretch] = []
    for number, author in enumerate([Author.WRITER, Author.MODEL, Author.IMPORT, Author.MODEL]):
        some = pieces[:1] if number == 1 else pieces
        bits = random.choice([0.0, 1e-6, 3.0, 40.0], len(some))
        choice = [None, Choice(4, 0, 2.5), Choice(), Choice(1, 3, 1e6)][number]
        path = path_of(some, bits.tolist(), author=author, choice=choice, after=path)
    return path


def sample_paths() -> dict[str, list[Stretch]]:
    """Some of each kind, by name."""
    return {
        "human-like text": human_path(),
        "a loop of 12": loop_path(),
        "a loop of 1": loop_path(1, 200),
        "word salad": random_path(),
        "awkward bytes": nasty_path(),
    }


def sample_logs() -> dict[str, list[Stretch]]:
    """Logs of some jobs, by name: of ordinary ones, of awkward ones, of a loop in one branch."""
    ordinary: list[Stretch] = []
    for seed, count in enumerate([4, 1, 3, 8]):
        texts = [human_path(NODE - 5 * number, 10 * seed + number) for number in range(count)]
        ordinary = _job(texts, after=ordinary)
    awkward = _job([nasty_path(seed)[1 + seed % 2 : 2 + seed % 2] for seed in range(3)])
    awkward = job_of([["one"], ["a", "b", b"\xff"]], [40.0, 0.0], temperature=None, after=awkward)
    looped = _job([loop_path(6, 150, lead=30), human_path(90, 3), random_path(60)])
    return {"continuations": ordinary, "awkward bytes": awkward, "a loop in a branch": looped}


def _job(paths: Sequence[Sequence[Stretch]], after: Sequence[Stretch] = ()) -> list[Stretch]:
    """Each path a branch."""
    bit = math.log(2)
    return job_of(
        [[piece for part in path for piece in part.context.pieces] for path in paths],
        [[-x / bit for part in path for x in part.span.logprob.tolist()] for path in paths],
        entropy=[[x / bit for part in path for x in part.span.entropy.tolist()] for path in paths],
        after=after,
    )


def _nodes(
    words: Sequence[str],
    surprise: Floats,
    entropy: Floats,
    author: Author,
    path: Sequence[Stretch] = (),
) -> list[Stretch]:
    """Cut into nodes as long as a continuation; the model's were chosen among four."""
    found, bits = list(path), np.maximum(surprise, LEAST) / math.log(2)
    choice = Choice(4, 0, 20.0) if author is Author.MODEL else Choice(1, 0, 20.0)
    for start in range(0, len(words), NODE):
        rows = slice(start, start + NODE)
        found = path_of(
            words[rows],
            bits[rows].tolist(),
            entropy=(entropy[rows] / math.log(2)).tolist(),
            author=author,
            choice=choice,
            temperature=1.0 if author is Author.MODEL else None,
            after=found,
        )
    return found


def _starts(length: int) -> Iterator[int]:
    """Where pieces of 1, 2 and 3 bytes begin that together are the whole."""
    start = 0
    while start < length:
        yield start
        start += 1 + start % 3


def _word(number: int) -> str:
    """A word for a number, with the space before it; never the same for two."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number, 40)
        letters = "bdklmnst"[rest % 8] + "aeiou"[rest // 8] + letters
    return " " + letters


def _pieces(text: str | Sequence[str | bytes]) -> tuple[bytes, ...]:
    if isinstance(text, str):
        data = text.encode()
        edges = word_edges(data)
        return tuple(data[a:b] for a, b in zip([0, *edges], edges, strict=False))
    return tuple(piece.encode() if isinstance(piece, str) else piece for piece in text)


def _span(pieces: Sequence[bytes], surprise: Floats, entropy: Floats) -> Span:
    """The same bytes always have the same id."""
    logprob = -surprise
    ids = np.array([zlib.crc32(piece) >> 1 for piece in pieces], np.int32)
    rank = np.maximum(np.exp(np.minimum(surprise, 12.0)).astype(np.int32) - 1, 0)
    top_ids, top_logprobs = _alternatives(ids, logprob, rank)
    return Span(
        ids=ids,
        ends=np.cumsum([len(piece) for piece in pieces]).astype(np.int32),
        logprob=logprob.astype(np.float32),
        entropy=entropy.astype(np.float32),
        varentropy=np.square(entropy).astype(np.float32),
        rank=rank.astype(np.int32),
        top_ids=top_ids,
        top_logprobs=top_logprobs,
    )


def _alternatives(
    ids: NDArray[np.int32], logprob: Floats, rank: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Falling, the chosen one at its rank, together at most 1."""
    places = np.arange(ALTERNATIVES, dtype=np.int32)[None, :]
    chosen = np.exp(logprob)[:, None]
    left = np.maximum(1 - chosen * (rank[:, None] + 1), 0) / ALTERNATIVES
    below = np.minimum(np.maximum(left, 1e-9), chosen)
    top_ids = np.where(places == rank[:, None], ids[:, None], (ids[:, None] ^ 1) + 2 * places)
    chances = np.where(places <= rank[:, None], chosen, below)
    return (top_ids & 0x7FFFFFFF).astype(np.int32), np.log(np.maximum(chances, 1e-30)).astype(
        np.float32
    )
