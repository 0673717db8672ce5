"""`history` and `checkpoint`: the moments of a session, and going back to one."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from loom.chronicle import Moment, checkpoint_named, moments
from loom.commands import access
from loom.console import CommandError, Console
from loom.core.text import visible
from loom.facts import Facts, place_facts
from loom.session import Session


async def history(args: Namespace, console: Console) -> None:
    """--back-to changes the session, without it it is only read."""
    if args.back_to is None:
        async with access.reading(args.session) as session:
            found, place = moments(session), place_facts(session, session.place)
    else:
        async with access.writing(args.session) as session:
            session.return_to(_wanted(session, args.back_to))
            found, place = moments(session), place_facts(session, session.place)
    shown = [m for m in found if m.name] if args.checkpoints else found
    facts = {"session": str(session.path), **place, "moments": [_facts(m) for m in shown]}
    console.answer(lambda: facts, lambda: _lines(shown, console))


def _wanted(session: Session, which: str) -> int:
    """A checkpoint by its name, or any moment by its number."""
    named = checkpoint_named(moments(session), which)
    if named is not None:
        return named.number
    if which.isdecimal():
        return int(which)
    raise CommandError(
        f"{session.path.name} has no checkpoint {which!r}.",
        f"`loom history {session.path}` lists its moments.",
    )


def _facts(moment: Moment) -> Facts:
    return {
        "number": moment.number,
        "time": moment.time,
        "kind": moment.kind,
        "text": moment.text,
        "name": moment.name or None,
        "nodes": list(moment.nodes),
        "reachable": moment.reachable,
    }


def _lines(found: list[Moment], console: Console) -> Iterator[str]:
    for moment in found:
        time = moment.when.isoformat(" ", "minutes")
        text = f"◆ {visible(moment.text)}" if moment.name else f"  {visible(moment.text)}"
        line = f"{moment.number:>6}  {console.style(time, 'dim')}  {text}"
        yield line if moment.reachable else f"{line}  (can't be gone back to)"
    if not found:
        yield "Nothing has happened yet."


async def checkpoint(args: Namespace, console: Console) -> None:
    async with access.writing(args.session) as session:
        try:
            number = session.checkpoint(args.name)
        except ValueError as error:
            raise CommandError(str(error), "Give it one, in quotes.") from error
        name = args.name.strip()
    facts = {"session": str(session.path), "number": number, "name": name}
    back = f"`loom history {session.path} --back-to {number}` goes back there."
    console.answer(lambda: facts, lambda: [visible(f"Checkpoint {number}, {name}; {back}")])
