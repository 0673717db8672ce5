"""What the lens says of a token, a distribution, a node and a recipe, as facts.

Reads a session; knows nothing of lines, widths or widgets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime

from loom.core.node import ROOT, Author, Ending, Node
from loom.core.recipe import End, Recipe, Sampling
from loom.core.span import Token
from loom.core.text import visible
from loom.engine.api import Following
from loom.session import Session
from loom.ui import glyphs
from loom.ui.widgets.lens_lines import Fact
from loom.ui.widgets.status import REMARK

MOST_BITS = 16.0  # surprise or entropy at which a bar is full
LONGEST = 60  # characters of a frame or a stop string
SAME = 5e-4  # nats by which two probabilities may differ and still be called one

AUTHORS = {Author.WRITER: "you", Author.MODEL: "the model", Author.IMPORT: "imported"}
ENDINGS = {
    Ending.LENGTH: "at its full length",
    Ending.EOS: "the model ended the document",
    Ending.STOP: "at a stop string",
    Ending.EDGE: "at a whole sentence",
    Ending.CANCEL: "you stopped it",
    Ending.CRASH: "cut off: the engine stopped",
}
ENDS = {End.SENTENCE: "a sentence", End.PARAGRAPH: "a paragraph"}
UNITS = (("minute", 60), ("hour", 3600), ("day", 86400), ("week", 604800))


def bits(nats: float) -> float:
    return max(0.0, nats * glyphs.BITS)


def is_odd(text: bytes) -> bool:
    """Whether a token's text doesn't tell its bytes."""
    return any(not 0x20 <= byte < 0x7F for byte in text)


def hexed(text: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in text)


def measured(label: str, nats: float) -> Fact:
    value = bits(nats)
    return Fact(label, f"{value:.1f} bits", value / MOST_BITS)


def of_token(token: Token, text: bytes) -> Iterator[Fact]:
    """How likely it was, how it was drawn, how surprising that is and how surprising any token
    there was bound to be."""
    probability = math.exp(token.logprob)
    yield Fact("probability", glyphs.percent(probability), probability)
    drawn = token.sampled_logprob
    if drawn is not None and abs(drawn - token.logprob) > SAME:
        yield Fact("as drawn", glyphs.percent(math.exp(drawn)), math.exp(drawn))
    yield measured("surprise", -token.logprob)
    yield measured("entropy", token.entropy)
    if is_odd(text):
        yield Fact("bytes", hexed(text))


def of_following(following: Following) -> Iterator[Fact]:
    """How open it is what comes next."""
    yield measured("entropy", following.entropy)
    yield Fact("as open as", choices(math.exp(following.entropy)))


def choices(count: float) -> str:
    """An entropy as the number of equally likely tokens that has it."""
    if count < 1.05:
        return "1 token"
    return f"{count:.1f} tokens" if count < 10 else f"{count:,.0f} tokens".replace(",", " ")


def of_node(session: Session, node: Node, now: float) -> Iterator[Fact]:
    if node.id == ROOT:
        yield Fact("the start", f"of {visible(session.title)}")
        return
    yield Fact("by", AUTHORS[node.author])
    row, recipe = session.model_of(node.id), session.recipe_of(node.id)
    if row is not None:
        label = visible(REMARK.sub("", row.label))
        yield Fact("model" if node.author is Author.MODEL else "read by", label)
    if recipe is not None:
        yield Fact("preset", visible(recipe.preset) or "none")
        if recipe.sampling != session.recipe.sampling:
            yield Fact("sampling", sampling(recipe.sampling))
        if recipe.frame:
            yield Fact("under", _seen(recipe.frame))
        if recipe.begins:
            yield Fact("repeats", f"{glyphs.token_text(recipe.begins)}, cut anew")
    if node.seed is not None:
        yield Fact("seed", str(node.seed))
    yield from _measures(session, node)
    if node.created:
        yield Fact("made", ago(node.created, now))
    if node.growing:
        yield Fact("ended", "still growing")
    elif node.ended in ENDINGS:
        yield Fact("ended", ENDINGS[node.ended])


def _measures(session: Session, node: Node) -> Iterator[Fact]:
    span = session.span(node.id)
    if span is None or not len(span):
        if not node.growing:
            yield Fact("tokens", "not read by a model")
        return
    yield Fact("tokens", str(len(span)))
    if not node.growing:
        mean = bits(-float(span.logprob.mean()))
        yield Fact("surprise", f"{mean:.1f} bits a token")


def in_force(recipe: Recipe, branches: int) -> Iterator[Fact]:
    """What the next `grow` does."""
    many = 1 if recipe.sampling.temperature == 0 else branches
    yield Fact("grows", f"{many} × {recipe.tokens} tokens")
    yield Fact("preset", visible(recipe.preset) or "none")
    if recipe.frame:
        yield Fact("under", _seen(recipe.frame))
    yield Fact("sampling", sampling(recipe.sampling))
    if recipe.end in ENDS:
        yield Fact("ends at", ENDS[recipe.end])
    if not recipe.heal:
        yield Fact("healing", "off")
    if recipe.stop:
        yield Fact("stops at", "  ".join(f"“{_seen(stop)}”" for stop in recipe.stop))


def _seen(text: str) -> str:
    """As much as shows which it is."""
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return glyphs.token_text(text.encode("utf-8", "surrogateescape"))


def sampling(values: Sampling) -> str:
    """What a sampler changes; the words for one that changes nothing."""
    if values.temperature == 0:
        return "always the likeliest"
    parts = [
        ("temperature", values.temperature, 1.0),
        ("top-k", values.top_k, 0),
        ("top-p", values.top_p, 1.0),
        ("min-p", values.min_p, 0.0),
        ("typical-p", values.typical_p, 1.0),
        ("repetition", values.repetition_penalty, 1.0),
    ]
    said = [f"{name}\N{NO-BREAK SPACE}{value:g}" for name, value, off in parts if value != off]
    if values.logit_bias:
        said.append(f"{len(values.logit_bias)}\N{NO-BREAK SPACE}biased")
    return ", ".join(said) or "as the model has it"


def ago(made: float, now: float) -> str:
    """A time in the past as a writer thinks of it."""
    passed = now - made
    if passed < 60:
        return "just now"
    name, seconds = [unit for unit in UNITS if unit[1] <= passed][-1]
    count = int(passed // seconds)
    if name == "week" and count > 8:
        return datetime.fromtimestamp(made).strftime("%-d %B %Y")
    return f"{count} {name}{'' if count == 1 else 's'} ago"
