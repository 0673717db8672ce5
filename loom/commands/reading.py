"""`show`, `tree`, `score`: what is in a session, and what a model makes of a text."""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from loom import shelf
from loom.commands import access
from loom.commands.comparing import compare
from loom.console import CommandError, Console, UsageError
from loom.context import Context, context_of
from loom.core.node import ROOT, Author
from loom.core.text import decode, visible
from loom.facts import (
    Facts,
    below,
    bits_of,
    bookmarks,
    context_facts,
    node_facts,
    score_facts,
    span_facts,
)
from loom.session import Session
from loom.shelf import text_in
from loom.store.errors import SessionLocked

PREVIEW = 200  # characters of a node's text in `tree`, before it is cut to the terminal


async def show(args: Namespace, console: Console) -> None:
    """With --tokens, a node that no model has read is read now (and the reading kept)."""
    if args.tokens and await _unread(args):
        with suppress(SessionLocked):  # open elsewhere: show it as it is
            await _have_read(args, console)
    async with access.reading(args.session) as session:
        node = access.node_of(session, args)
        context = await _context(session, node, args, console) if args.context else None
        console.answer(
            lambda: shown(session, node, tokens=args.tokens, context=context),
            lambda: _show_lines(session, node, console, tokens=args.tokens, context=context),
        )


def shown(session: Session, node: int, *, tokens: bool, context: Context | None = None) -> Facts:
    facts = node_facts(session, node)
    facts["path_text"] = session.path_text(session.tree[node].end)
    if tokens:
        facts["tokens"] = span_facts(session, node)
    if context is not None:
        facts["context"] = context_facts(context)
    return facts


async def _context(session: Session, node: int, args: Namespace, console: Console) -> Context:
    """The model is asked only where it has to cut text into tokens again."""
    try:
        context = await context_of(session, node)
        if context.tokens is None:
            await access.attach(session, args, console)
            context = await context_of(session, node)
    except ValueError as error:
        raise CommandError(
            str(error), "Name a node that a model has grown, with --node."
        ) from error
    return context


async def _unread(args: Namespace) -> bool:
    async with access.reading(args.session) as session:
        node = session.tree[access.node_of(session, args)]
        return node.token_count is None and node.length > 0 and not node.growing


async def _have_read(args: Namespace, console: Console) -> None:
    async with access.writing(args.session) as session:
        place = session.tree[access.node_of(session, args)].end
        await access.attach(session, args, console)
        await access.read(session, place, console)


def _show_lines(
    session: Session, node: int, console: Console, *, tokens: bool, context: Context | None
) -> Iterable[str]:
    yield console.style(heading(session, node), "dim")
    if tokens:
        yield from _token_lines(session, node)
    if context is not None:
        yield from _context_lines(context)
    if tokens or context is not None:
        return
    hangs = session.tree[node].hangs_at
    yield visible(session.path_text(hangs)) + console.style(visible(session.text(node)), "bold")


def _token_lines(session: Session, node: int) -> Iterable[str]:
    """Surprise and entropy in bits."""
    yield f"{'bits':>7} {'entropy':>7} {'rank':>6}  token"
    for token in span_facts(session, node) or ():
        surprise, entropy = -token["logprob"] / math.log(2), token["entropy"] / math.log(2)
        text = one_line(token["text"])
        yield f"{surprise:7.2f} {entropy:7.2f} {token['rank']:>6}  {text}"


def _context_lines(context: Context) -> Iterable[str]:
    """Id and text of each token, in order; a ruler where sight began."""
    yield f"{'id':>7}  what {visible(context.model)} was given"
    place = 0
    for part in context.parts:
        ids = part.ids or (None,) * len(part.pieces)
        for number, piece in zip(ids, part.pieces, strict=True):
            if place == context.seen_from and place and part.node is not None:
                yield f"{'':>7}  — sight began here —"
            yield f"{'?' if number is None else number:>7}  {one_line(decode(piece)) or '∅'}"
            place += part.node is not None
    if context.doubt:
        yield context.doubt


def heading(session: Session, number: int) -> str:
    """One line about a node: who, how long, how it ended, how surprising."""
    node = session.tree[number]
    model = session.model_of(number)
    parts = [f"node {number}", str(node.author)]
    if node.author is Author.MODEL and model is not None:
        parts.append(model.label)
    span = session.span(number)
    if span is not None and len(span):
        parts += [f"{len(span)} tokens", f"{bits_of(span) / len(span):.2f} bits a token"]
    parts.append("growing" if node.ended is None else str(node.ended))
    if node.seed is not None:
        parts.append(f"seed {node.seed}")
    if session.is_hidden(number):
        parts.append("hidden")
    return visible(" · ".join(parts))


def one_line(text: str) -> str:
    """`text` on one line, with nothing that could steer a terminal."""
    return visible(text).replace("\n", "⏎").replace("\t", "→")


async def tree(args: Namespace, console: Console) -> None:
    async with access.reading(args.session) as session:
        top = ROOT if args.node is None else access.node_of(session, args)
        console.answer(
            lambda: {"nodes": [node_facts(session, n, hidden=h) for n, h in below(session, top)]},
            lambda: _tree_lines(session, top, console, everything=args.all),
        )


def _tree_lines(session: Session, top: int, console: Console, *, everything: bool) -> Iterable[str]:
    """A chain of only children is not indented, so that a long story stays on the page."""
    shown = [(number, hidden) for number, hidden in below(session, top) if everything or not hidden]
    families = Counter(session.tree[number].parent for number, _ in shown)
    depths: dict[int | None, int] = {}
    for number, hidden in shown:
        parent = session.tree[number].parent
        depths[number] = depth = depths.get(parent, 0) + (families[parent] > 1)
        here = "▶" if session.place.node == number else " "
        mark = "✗" if hidden else "★" if bookmarks(session, number) else "·"
        start = f"{here}{'  ' * depth}{number:>4} {mark} "
        room = max(console.width - len(start) - 1, 20) if console.styled else PREVIEW
        yield start + cut(one_line(session.text(number)[: PREVIEW * 2]), room)


def cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


async def score(args: Namespace, console: Console) -> None:
    if args.file != "-" and shelf.is_session(Path(args.file)):
        await compare(args, console)
        return
    if args.node is not None:
        raise UsageError("--node is for sessions; a text has no nodes.")
    text = text_to_read(args.file)
    async with access.scratch() as session:
        node = session.write(text)
        await access.attach(session, args, console)
        await access.read(session, session.place, console)
        span = session.span(node)
        if span is None:
            raise CommandError("The model could not read this text.", "Its tokens don't spell it.")
        console.answer(
            lambda: {**score_facts(session, node, span), "tokens": span_facts(session, node)},
            lambda: [_score_line(score_facts(session, node, span))],
        )


def _score_line(facts: Facts) -> str:
    return (
        f"{facts['bits_per_byte']:.3f} bits a byte · {facts['bits']:.1f} bits · "
        f"{facts['token_count']} tokens · {facts['bytes']} bytes · {visible(facts['model'])}"
    )


def text_to_read(file: str) -> bytes:
    """Of a file, or of standard input for `-`."""
    text = sys.stdin.buffer.read() if file == "-" else text_in(Path(file))
    if not text:
        raise CommandError("There is no text to read.", "Name a file with text in it.")
    return text
