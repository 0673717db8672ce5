"""`go`, `take`, `next`: walking the tree, and into what the model considered."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Iterable

from loom.commands import access
from loom.commands.writing import written
from loom.console import CommandError, Console, UsageError
from loom.core.node import Place
from loom.core.text import decode, visible
from loom.engine.api import Following
from loom.facts import Facts, place_facts
from loom.session import Session


async def go(args: Namespace, console: Console) -> None:
    async with access.writing(args.session) as session:
        session.go(access.visible_place(session, args))
        facts = {"session": str(session.path), **place_facts(session, session.place)}
        place = session.place
    console.answer(lambda: facts, lambda: [f"At node {place.node}, after byte {place.at}."])


async def take(args: Namespace, console: Console) -> None:
    """Another token inside a node needs no model; one after its end asks for the distribution."""
    async with access.writing(args.session) as session:
        node = access.node_of(session, args)
        if args.token is None:
            taken = await _take_next(session, node, args, console)
        else:
            taken = _take_inside(session, node, args)
        text = session.text(taken)
    console.answer(
        lambda: written(session.path, taken),
        lambda: [f"{session.path}: node {taken} {visible(text)!r}"],
    )


def _take_inside(session: Session, node: int, args: Namespace) -> int:
    span = session.span(node)
    if not session.tree[node].length:
        raise CommandError(f"Node {node} has no tokens.", "Name another with --node.")
    if span is None:
        raise CommandError(
            f"No model has read node {node} yet.",
            f"Have it read with `loom show {session.path} --node {node} --tokens`.",
        )
    if not 0 <= args.token < len(span):
        raise UsageError(f"node {node} has {len(span)} tokens; there is no token {args.token}")
    index: int = args.token
    ids = [number for number, _ in span[index].alternatives]
    return session.take_alternative(node, index, _chosen(ids, args))


async def _take_next(session: Session, node: int, args: Namespace, console: Console) -> int:
    place = session.place if args.node is None else session.tree[node].end
    await access.attach(session, args, console)
    following = await session.next_tokens(place, top=100)
    return session.take_next(following, _chosen(following.ids, args), place)


def _chosen(ids: Iterable[int], args: Namespace) -> int:
    known = list(ids)
    for rank, number in enumerate(known):
        if args.rank == rank or args.id == number:
            return number
    asked = f"rank {args.rank}" if args.id is None else f"token {args.id}"
    raise CommandError(
        f"There is no {asked} among the {len(known)} alternatives.",
        "`loom show --tokens --json` and `loom next --json` list them.",
    )


async def following(args: Namespace, console: Console) -> None:
    async with access.writing(args.session) as session:
        place = access.visible_place(session, args)
        await access.attach(session, args, console)
        found = await session.next_tokens(place, top=args.top)
        facts = following_facts(session, place, found)
    console.answer(lambda: facts, lambda: _following_lines(found))


def following_facts(session: Session, place: Place, found: Following) -> Facts:
    rows = zip(found.ids, found.pieces, found.logprobs, strict=True)
    return {
        **place_facts(session, place),
        "entropy": found.entropy,
        "alternatives": [
            {"id": number, "text": decode(piece), "logprob": logprob}
            for number, piece, logprob in rows
        ],
    }


def _following_lines(found: Following) -> Iterable[str]:
    rows = zip(found.ids, found.pieces, found.logprobs, strict=True)
    for rank, (number, piece, logprob) in enumerate(rows):
        text = visible(decode(piece)).replace("\n", "⏎")
        yield f"{rank:>3}  {math.exp(logprob):6.1%}  {number:>7}  {text}"
