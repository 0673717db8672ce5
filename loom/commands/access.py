"""How a command gets its session, its place, its text and its model."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from argparse import Namespace
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from loom.changes import Change, EngineChanged, Grew, Notice, Weighing
from loom.config import Config, ConfigError, load_config
from loom.console import CommandError, Console, UsageError
from loom.core.node import ROOT, Place
from loom.engine.api import Capabilities
from loom.extensions import resolve_model
from loom.session import Session
from loom.shelf import text_in
from loom.sources.known import Passage

POLL = 0.02  # seconds between looks at whether the engine has come to a node


@asynccontextmanager
async def writing(path: Path) -> AsyncIterator[Session]:
    """The session, to be changed; whatever grows is sealed when the block ends."""
    async with Session.open(path) as session:
        yield session


@asynccontextmanager
async def reading(path: Path) -> AsyncIterator[Session]:
    """The session, only to be looked at: works while another Loom has it open."""
    async with Session.open(path, read_only=True) as session:
        yield session


@asynccontextmanager
async def scratch() -> AsyncIterator[Session]:
    """An empty session for work that belongs to none; it is removed when the block ends."""
    with tempfile.TemporaryDirectory(prefix="loom-") as folder:
        async with Session.create(Path(folder) / "scratch.loom") as session:
            yield session


def config_of(args: Namespace) -> Config:
    """loom.toml, with the engine options of the command line over it. Raises ConfigError, or
    UsageError for an option that no engine has."""
    config = load_config(args.config)
    try:
        return config.with_engine(engine_options(args))
    except ConfigError as error:
        raise UsageError(str(error), error.hint) from error


def engine_options(args: Namespace) -> dict[str, Any]:
    """Those given with --engine, before the command and after it."""
    return dict([*(args.engine_before or ()), *(getattr(args, "engine", None) or ())])


def model_of(args: Namespace, config: Config) -> str:
    """What --model, else loom.toml, else the installation says."""
    return resolve_model(args.model or config.model)


async def attach(session: Session, args: Namespace, console: Console) -> Capabilities:
    """Load the model for this session, showing how far it is. Raises EngineError."""
    config = config_of(args)
    model = model_of(args, config)

    def show(change: Change) -> None:
        if isinstance(change, EngineChanged) and change.state == "loading":
            console.progress(change.detail, change.fraction)

    unsubscribe = session.subscribe(show)
    try:
        await session.attach(model, config.engine)
        return await session.engine_ready()
    finally:
        unsubscribe()
        console.end_progress()


async def finish(
    session: Session, nodes: Collection[int], total: int, what: str, console: Console
) -> None:
    """Wait until none of `nodes` grows, showing how many of `total` tokens are there."""

    def show(change: Change) -> None:
        if isinstance(change, Grew):
            count = sum(len(session.span(node) or ()) for node in nodes)
            console.progress(f"{what}: {count} of {total} tokens", count / max(total, 1))

    unsubscribe = session.subscribe(show) if console.live else None
    try:
        await session.finished(nodes)
    finally:
        if unsubscribe is not None:
            unsubscribe()
        console.end_progress()


async def read(session: Session, place: Place, console: Console) -> None:
    """Have the model read the written text on the path to `place` that none has read yet.

    Raises EngineError if it can't.
    """
    total = _unread_bytes(session, place)
    try:
        while nodes := session.read(place):
            left = _unread_bytes(session, place)
            console.progress("reading", 1 - left / total if total else None)
            await session.finished(nodes)
            await asyncio.sleep(POLL)  # the engine may be at another node first
    finally:
        console.end_progress()


async def weigh(session: Session, place: Place, config: Config, console: Console) -> Passage | None:
    """Weigh the path to `place` under every frame of the session's sources; None where there are
    none. Raises CommandError with what kept it from being weighed."""
    notices: list[Notice] = []

    def hear(change: Change) -> None:
        if isinstance(change, Weighing):
            console.progress("weighing sources", change.done / max(change.total, 1))
        elif isinstance(change, Notice):
            notices.append(change)

    unsubscribe = session.subscribe(hear)
    try:
        await session.attach_sources(replace(config, sources=replace(config.sources, weigh=False)))
        session.weigh(place)
        await session.weighed()
    finally:
        unsubscribe()
        console.end_progress()
    passage = session.passage(place)
    if passage is None and notices:
        raise CommandError(notices[-1].text, notices[-1].hint)
    return passage


def _unread_bytes(session: Session, place: Place) -> int:
    path = [session.tree[stretch.node] for stretch in session.tree.stretches(place)]
    return sum(node.length for node in path if node.token_count is None)


def node_of(session: Session, args: Namespace) -> int:
    """--node, else where the session is."""
    node: int = session.place.node if args.node is None else args.node
    if node not in session.tree:
        raise CommandError(
            f"{session.path.name} has no node {node}.", f"`loom tree {session.path}` lists them."
        )
    return node


def end_of(session: Session, args: Namespace) -> Place:
    """The end of --node, else where the session is."""
    return session.place if args.node is None else session.tree[node_of(session, args)].end


def model_of_path(session: Session, place: Place) -> str | None:
    """As the model that has most nodes of the path was asked for; None where none has read any."""
    path = session.tree.stretches(place)
    specs = [row.spec for node, _ in path if (row := session.model_of(node)) is not None]
    return max(specs, key=specs.count) if specs else None


def place_of(session: Session, args: Namespace) -> Place:
    """--node with --at or --at-byte; a node alone means its end; nothing: where the session is."""
    if args.node is None and args.at is None and args.at_byte is None:
        return session.place
    node = node_of(session, args)
    if args.at_byte is not None:
        return _checked(session, Place(node, args.at_byte))
    if args.at is not None:
        return token_place(session, node, args.at)
    return session.tree[node].end


def token_place(session: Session, node: int, count: int) -> Place:
    """After the first `count` tokens of the node."""
    if count == 0:
        return Place(node, 0)
    span = session.span(node)
    if span is None:
        raise CommandError(
            f"No model has read node {node} yet, so its tokens can't be counted.",
            f"Use --at-byte, or first `loom show {session.path} --node {node} --tokens`.",
        )
    if not 0 <= count <= len(span):
        raise UsageError(f"node {node} has {len(span)} tokens; --at {count} is not inside it")
    return Place(node, int(span.ends[count - 1]))


def _checked(session: Session, place: Place) -> Place:
    length = session.tree[place.node].length
    if not 0 <= place.at <= length:
        raise UsageError(f"node {place.node} has {length} bytes; byte {place.at} is not inside it")
    return place


def visible_place(session: Session, args: Namespace) -> Place:
    """The place, if one can go there."""
    place = place_of(session, args)
    if place.node != ROOT and session.is_hidden(place.node):
        raise CommandError(f"Node {place.node} is hidden.", "`loom undo` may bring it back.")
    return place


def text_of(args: Namespace) -> bytes:
    """The bytes of --text, --file or standard input; exactly as given."""
    if args.file is not None:
        return text_in(args.file)
    if args.text is None or args.text == "-":
        return sys.stdin.buffer.read()
    text: str = args.text
    return text.encode("utf-8", "surrogateescape")
