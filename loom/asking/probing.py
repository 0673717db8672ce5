"""A model asked who wrote what it has just read: answers drawn after some phrasings of a question.

Makes no nodes and keeps nothing. Knows an engine that can be asked; what the answers mean is told
by `instruments.sources.attribution`, whether they fit by `coherence`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace

from loom.asking.answers import Answer
from loom.asking.questions import Drawer, Encoder
from loom.core.recipe import Recipe, Sampling
from loom.core.seeds import branch_seed
from loom.engine.api import Piece
from loom.instruments.sources.api import Attribution, Source, SourceSet
from loom.instruments.sources.attribution import cluster

PROBES = ("\n\n— ", "\n\nSource: ", "\n\nWritten by ")
"""For a set that has none."""
COUNT = 100  # answers
BATCH = 12  # of them drawn together
LENGTH = 12  # tokens of an answer, at most
TAIL = 256  # tokens of the passage that are seen before the question
SPARE = 2  # tokens of the context
CANDIDATES = 7  # sources made of answers
FRAMES = ("{}\n\n", "By {}\n\n")
"""Of a source that was only named, in a set whose frames don't say how they come from a name."""
LONGEST = 60  # characters of a name


@dataclass(frozen=True, slots=True)
class Probe:
    """A question: `stem` stands after the passage, `space` begins an answer, `ends` closes it. A
    space belongs to the word after it, as tokens have it."""

    text: str
    stem: str
    space: str
    ends: str


def probes_of(wanted: SourceSet) -> tuple[Probe, ...]:
    return tuple(_probe(text, wanted.probe_ends) for text in wanted.probes or PROBES)


def _probe(text: str, ends: str) -> Probe:
    stem = text.rstrip(" ")
    bracketed = stem.count("(") > stem.count(")")
    return Probe(text, stem, text[len(stem) :], ")" if bracketed else ends or "\n")


async def attributions(
    drawer: Drawer, wanted: SourceSet, ids: Sequence[int], *, count: int = COUNT, seed: int = 0
) -> AsyncGenerator[Attribution, None]:
    """What the model answers after the passage `ids`: every few answers, the last of them after
    `count`. Stopped by closing it (`aclosing`); the same seed draws the same answers.
    Raises EngineError."""
    probes = probes_of(wanted)
    tails = [await tail_of(drawer, probe, ids) for probe in probes]
    answers: list[str] = []
    asked: Counter[str] = Counter()
    for number, seeds in _batches([probe.text for probe in probes], count, seed):
        probe = probes[number]
        recipe = Recipe(Sampling(), tokens=LENGTH, stop=(probe.ends,), top=1, heal=False)
        prefix: tuple[Piece, ...] = (tails[number], probe.stem.encode())
        found = await drawer.generate(prefix if tails[number] else prefix[1:], recipe, seeds)
        answers += [_said(answer, probe) for answer in found]
        asked[probe.text] += len(found)
        yield cluster(answers, wanted, asked.items())


async def tail_of(encoder: Encoder, probe: Probe, ids: Sequence[int]) -> tuple[int, ...]:
    """As much of the end of a passage as is seen with the question and an answer."""
    context = (await encoder.ready()).context
    stem, _ = await encoder.encode(probe.stem.encode(), start=False)
    room = context - len(stem) - 2 * LENGTH - SPARE
    return tuple(ids[max(0, len(ids) - min(TAIL, max(0, room))) :])


def _batches(probes: Sequence[str], count: int, seed: int) -> Iterator[tuple[int, list[int]]]:
    """(number of the phrasing, seeds), the phrasings in turns."""
    left = [count // len(probes) + (n < count % len(probes)) for n in range(len(probes))]
    drawn = [0] * len(probes)
    while any(left):
        for number, text in enumerate(probes):
            some = min(BATCH, left[number])
            first = drawn[number]
            left[number] -= some
            drawn[number] += some
            if some:
                branches = range(first, first + some)
                yield number, [branch_seed(seed, text.encode(), 0, branch) for branch in branches]


def _said(answer: Answer, probe: Probe) -> str:
    text = bytes(answer.text).decode("utf-8", "replace")
    return text.partition(probe.ends)[0].strip()


def candidates(found: Attribution, wanted: SourceSet, most: int = CANDIDATES) -> SourceSet:
    """The most frequent answers as sources, to be weighed like any other: those of `wanted` that
    were meant, and for the others new ones with frames like those of the set. What was said once
    only counts where nothing was said twice."""
    known = {source.name: source for source in wanted.sources}
    forms = _forms(wanted)
    sources: dict[tuple[str, ...], Source] = {}
    often = [one for one in found.clusters if one.count > 1 or one.source in known]
    for one in often or found.clusters:
        name = _name(one.name)
        if one.source in known:
            source = known[one.source]
        elif name:
            source = Source(name, tuple(form.replace("{}", name) for form in forms))
        else:
            continue
        sources.setdefault(source.frames, source)
        if len(sources) == most:
            break
    return replace(wanted, sources=tuple(sources.values()), pairs=())


def _forms(wanted: SourceSet) -> tuple[str, ...]:
    """How most frames of the set come from the name of their source, if most do so in one way."""
    made = Counter(
        frame.replace(source.name, "{}", 1)
        for source in wanted.sources
        for frame in source.frames
        if source.name in frame
    )
    form, count = made.most_common(1)[0] if made else ("", 0)
    return (form,) if 2 * count > len(wanted.sources) else FRAMES


def _name(text: str) -> str:
    """On one line, without what can't be shown."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:LONGEST]
