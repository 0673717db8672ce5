"""`replay`: how a session came to be, on the screen or told as events in their order."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Coroutine, Iterable, Iterator

from loom.commands import access
from loom.commands.checking import check
from loom.commands.screen import need_terminal
from loom.console import Console
from loom.core.text import visible
from loom.facts import Facts
from loom.replay.playback import Playback
from loom.replay.schedule import Pace
from loom.replay.story import Moment, story
from loom.session import Session

QUOTED = 60  # characters of a node's text


def replay(args: Namespace, console: Console) -> int | Coroutine[None, None, int]:
    """What was asked for: one of the two checks, the events, or the screen."""
    if args.verify or args.regrow:
        return check(args, console)
    if args.headless or args.json:
        return tell(args, console)
    return play(args)


def play(args: Namespace) -> int:
    """On the screen, until one leaves it."""
    need_terminal()
    config = access.config_of(args)
    playback = Playback.open(args.session)
    from loom.ui.player import Player  # deferred: the checks don't wait for Textual
    from loom.ui.replaying import ReplayApp

    app = ReplayApp(Player(playback, Pace(args.pace), args.speed), config, args.model)
    app.run()
    return app.return_code or 0


async def tell(args: Namespace, console: Console) -> int:
    async with access.reading(args.session) as session:
        moments = story(session)
        facts = {"session": str(session.path), "events": [_event(session, m) for m in moments]}
        console.answer(lambda: facts, lambda: _event_lines(session, moments, console))
    return 0


def _event(session: Session, moment: Moment) -> Facts:
    """EVENT of docs/json.md."""
    return {
        "id": moment.id,
        "time": moment.time,
        "kind": moment.kind,
        "added": [_new_node(session, node) for node in moment.added],
        "sealed": list(moment.sealed),
        "marks": [
            {"node": mark.node, "at_byte": mark.start, "kind": str(mark.kind), "value": value}
            for mark, value in moment.marks
        ],
        "node": None if moment.place is None else moment.place.node,
        "at_byte": None if moment.place is None else moment.place.at,
    }


def _new_node(session: Session, number: int) -> Facts:
    node = session.tree[number]
    return {
        "id": number,
        "parent": node.parent,
        "at_byte": node.at,
        "author": str(node.author),
        "text": session.text(number),
    }


def _event_lines(session: Session, moments: Iterable[Moment], console: Console) -> Iterator[str]:
    began: float | None = None
    for moment in moments:
        began = moment.time if began is None else began
        seconds = console.style(f"{moment.time - began:9.1f} s", "dim")
        yield f"{seconds}  {moment.kind:<9}{_told(session, moment)}"


def _told(session: Session, moment: Moment) -> str:
    nodes = moment.added or moment.sealed
    if nodes:
        text = (
            visible(session.text(nodes[0])).replace("\n", "⏎")[:QUOTED] if len(nodes) == 1 else ""
        )
        return (
            f"{'nodes' if len(nodes) > 1 else 'node'} {', '.join(map(str, nodes))}  {text}".rstrip()
        )
    if moment.place is not None:
        return f"to node {moment.place.node}, byte {moment.place.at}"
    return ", ".join(sorted({str(mark.kind) for mark, _ in moment.marks}))
