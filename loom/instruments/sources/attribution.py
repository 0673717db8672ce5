"""What the model answered when asked who wrote something: which answers mean the same, how sure
their shares are, and how much of what it would say hasn't been seen.

Knows answers and names; asks nobody.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from loom.instruments.sources.api import Attribution, Cluster, Source, SourceSet

Z = 1.959963984540054  # 95 % lie within so many σ
SPELLINGS = 8  # kept of a cluster

Words = tuple[str, ...]
Key = tuple[str | None, str]
"""The name of a source, or an answer that names none, normalised."""

_LEADS = {
    ("originally", "published", "in"),
    ("first", "published", "in"),
    ("published", "in"),
    ("published", "by"),
    ("reprinted", "from"),
    ("excerpted", "from"),
    ("adapted", "from"),
    ("written", "by"),
    ("source",),
    ("author",),
    ("from",),
    ("by",),
    ("in",),
}
_ARTICLES = {"the", "a", "an"}
_COMMON = {
    "bible", "blog", "book", "chronicle", "daily", "factbook", "gazette", "guardian", "herald",
    "journal", "magazine", "monthly", "news", "newspaper", "papers", "poem", "post", "president",
    "press", "proposals", "queries", "report", "review", "sermon", "states", "story", "supplement",
    "times", "transcripts", "tribune", "weekly",
}  # fmt: skip
_AROUND = " .,;:-–—\"'“”‘’()[]"
_BREAK = re.compile(r"\s*[,;:(\[{\n|/•·]\s*|\s+[-–—]+\s+|(?<=\w{5})[.!?]\s+|\s+\d{4}\b")


def normalised(text: str) -> str:
    """Without case, accents, punctuation, articles and words like "from" in front."""
    return " ".join(_words(text))


def cluster(
    answers: Sequence[str],
    wanted: SourceSet | None = None,
    by_probe: Iterable[tuple[str, int]] = (),
) -> Attribution:
    """Answers that mean the same together, the largest group first; of each its first line.

    An answer that names a source of `wanted` belongs to it. Empty answers count as asked and as
    something else. `by_probe`: how many were asked for by which phrasing.
    """
    meant = _Meant(wanted)
    groups: dict[Key, Counter[str]] = {}
    for answer in answers:
        said = " ".join(answer.strip().partition("\n")[0].split())
        source = meant.source(said)
        key = (source, "") if source else (None, normalised(_head(said)) or normalised(said))
        if any(key):
            groups.setdefault(key, Counter())[said] += 1
    asked = len(answers)
    found = [_cluster(key[0], group, asked) for key, group in _joined(groups).items()]
    found.sort(key=lambda one: (-one.count, one.name))
    once = sum(one.count == 1 for one in found)
    blank = asked - sum(one.count for one in found)
    other = (once + blank) / asked if asked else 1.0
    return Attribution(asked, tuple(found), other, tuple(by_probe))


def wilson(count: int, of: int, z: float = Z) -> tuple[float, float]:
    """The interval of a share (Wilson 1927); everything is possible before anything was asked."""
    if not of:
        return 0.0, 1.0
    share, spread = count / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


def _cluster(source: str | None, group: Counter[str], asked: int) -> Cluster:
    low, high = wilson(group.total(), asked)
    spellings = tuple(spelling for spelling, _ in group.most_common(SPELLINGS))
    name = source or _head(spellings[0]).strip(_AROUND) or spellings[0]
    return Cluster(name, group.total(), low, high, spellings, source)


def _joined(groups: Mapping[Key, Counter[str]]) -> dict[Key, Counter[str]]:
    """A surname by itself goes to the one longer answer that ends with it."""
    found = {key: Counter(group) for key, group in groups.items()}
    for key in groups:
        source, said = key
        if source or " " in said or said in _COMMON:
            continue
        longer = [one for one in found if one[1].endswith(f" {said}")]
        if len(longer) == 1:
            found[longer[0]].update(found.pop(key))
    return found


class _Meant:
    """Which source of a set an answer names."""

    def __init__(self, wanted: SourceSet | None) -> None:
        sources = wanted.sources if wanted is not None else ()
        self._aliases = _unique(
            (words, source.name) for source in sources for words in _aliases(source)
        )
        self._parts = _unique((words, s.name) for s in sources for words in _parts(_words(s.name)))

    def source(self, answer: str) -> str:
        """Its name, "" for none: the answer, or what stands before its first break, is a name, or
        the end or the beginning of one name only, or ends with a name of two words or more."""
        for text in (answer, _head(answer)):
            words = _words(text)
            name = self._aliases.get(words) or self._parts.get(words) or self._at_the_end(words)
            if name:
                return name
        return ""

    def _at_the_end(self, words: Words) -> str:
        fitting = [
            (len(alias), name)
            for alias, name in self._aliases.items()
            if 1 < len(alias) < len(words) and words[-len(alias) :] == alias
        ]
        return max(fitting)[1] if fitting else ""


def _aliases(source: Source) -> Iterable[Words]:
    return {_words(name) for name in (source.name, source.short, source.byline)} - {()}


def _parts(words: Words) -> Iterable[Words]:
    """The last word of a name, or the last ones, or the first ones if they are two or more."""
    for length in range(1, len(words)):
        last = words[-length:]
        if length > 1 or (len(last[0]) > 2 and last[0] not in _COMMON):
            yield last
        if length > 1:
            yield words[:length]


def _unique(named: Iterable[tuple[Words, str]]) -> dict[Words, str]:
    """Without those that mean two sources."""
    found: dict[Words, str | None] = {}
    for words, name in named:
        found[words] = name if found.get(words, name) == name else None
    return {words: name for words, name in found.items() if name is not None}


def _head(answer: str) -> str:
    """What stands before the first break that has something before it."""
    text = answer.lstrip(_AROUND)
    return next((part for part in _BREAK.split(text) if part and normalised(part)), text)


def _words(text: str) -> Words:
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter))
    plain = plain.replace("’", "'")
    plain = re.sub(r"'s\b", "s", plain).replace("'", "")
    words = re.findall(r"[^\W_]+", plain)
    while words:
        lead = next((one for one in _LEADS if tuple(words[: len(one)]) == one), ())
        if lead and len(lead) < len(words):
            words = words[len(lead) :]
        elif words[0] in _ARTICLES and len(words) > 1:
            words = words[1:]
        else:
            break
    return tuple(words)
