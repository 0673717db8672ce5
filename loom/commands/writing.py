"""`new`, `write`, `hide`, `bookmark`, `undo`, `redo`: what a writer does to the tree by hand."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from loom import bylines
from loom.commands import access
from loom.console import CommandError, Console, UsageError
from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Place
from loom.core.text import visible
from loom.facts import Facts, place_facts
from loom.session import Session


async def new(args: Namespace, console: Console) -> None:
    """An empty session at a terminal, else one whose first node is the text."""
    asked = args.text is not None or args.file is not None or not sys.stdin.isatty()
    text = access.text_of(args) if asked else b""
    byline = _byline(args.byline, console) if args.byline is not None else ""
    config = access.config_of(args)
    async with Session.create(args.session) as session:
        session.set_sampling(recipe=config.recipe, branches=config.branches)
        node = session.write(bylines.heading(byline)) if byline else ROOT
        node = session.write(text) if text else node
    console.answer(lambda: written(session.path, node), lambda: [_said(session.path, node)])


def _byline(name: str, console: Console) -> str:
    """The name as the house model knows it; what is like it is said where it knows none such."""
    known = bylines.bylines()
    try:
        found = bylines.canonical(name, known)
    except ValueError as error:
        raise UsageError(str(error)) from error
    close = bylines.completions(found, known)
    if found not in known and close:
        console.note(f"The house model knows {', '.join(close[:5])}; kept {found} as given.")
    return found


async def write(args: Namespace, console: Console) -> None:
    text = access.text_of(args)
    if not text:
        raise CommandError("There is no text to write.", "Give --text, or text on standard input.")
    async with access.writing(args.session) as session:
        node = session.write(text, access.visible_place(session, args))
    console.answer(lambda: written(session.path, node), lambda: [_said(session.path, node)])


def written(path: Path, node: int) -> Facts:
    return {"session": str(path), "node": node}


def _said(path: Path, node: int) -> str:
    return visible(f"{path}: node {node}" if node else f"{path}: empty")


async def hide(args: Namespace, console: Console) -> None:
    async with access.writing(args.session) as session:
        segment = _segment(session, args)
        count = session.hide(segment)
        place = place_facts(session, session.place)
    facts = {"session": str(session.path), "hidden": count, **place}
    noun = "node" if count == 1 else "nodes"
    console.answer(lambda: facts, lambda: [f"{count} {noun} hidden; `loom undo` restores."])


async def bookmark(args: Namespace, console: Console) -> None:
    async with access.writing(args.session) as session:
        segment = _segment(session, args)
        mark = Mark(segment.node, segment.start, Kind.BOOKMARK)
        session.mark(mark, None if args.off else "1")
        place = place_facts(session, Place(segment.node, segment.start))
    facts = {"session": str(session.path), "bookmark": not args.off, **place}
    verb = "removed from" if args.off else "set on"
    console.answer(lambda: facts, lambda: [f"Bookmark {verb} node {segment.node}."])


def _segment(session: Session, args: Namespace) -> Segment:
    """From the place to the next cut of the node; by default the part in which the session is."""
    if args.node is None and args.at is None and args.at_byte is None:
        segment = session.display.segment_of(session.place)
    else:
        segment = _segment_from(session, _start(session, args))
    if segment.node == ROOT:
        raise CommandError(
            "The session is at its empty root, where there is nothing to mark.",
            "Name a node with --node.",
        )
    return segment


def _start(session: Session, args: Namespace) -> Place:
    if args.at is None and args.at_byte is None:
        return Place(access.node_of(session, args), 0)
    return access.place_of(session, args)


def _segment_from(session: Session, start: Place) -> Segment:
    if start.node != ROOT and session.is_hidden(start.node):
        raise CommandError(f"Node {start.node} is hidden.", "`loom undo` may bring it back.")
    length = session.tree[start.node].length
    if start.node != ROOT and start.at >= length:
        raise CommandError(
            f"Nothing of node {start.node} comes after byte {start.at}.",
            "Name an earlier place with --at or --at-byte.",
        )
    stop = session.display.segment_of(Place(start.node, min(start.at + 1, length))).stop
    return Segment(start.node, start.at, stop)


async def undo(args: Namespace, console: Console) -> None:
    async with access.writing(args.session) as session:
        _answer_undone(session, session.undo(), "undone", console)


async def redo(args: Namespace, console: Console) -> None:
    async with access.writing(args.session) as session:
        _answer_undone(session, session.redo(), "redone", console)


def _answer_undone(session: Session, what: str | None, done: str, console: Console) -> None:
    if what is None:
        barrier = session.history.barrier if done == "undone" else ""
        raise CommandError(f"There is nothing to be {done}{': ' + barrier if barrier else ''}.")
    place = place_facts(session, session.place)

    def lines() -> Iterable[str]:
        yield f"{what} {done}; now at node {session.place.node}."

    console.answer(lambda: {"session": str(session.path), done: what, **place}, lines)
