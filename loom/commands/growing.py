"""`generate`: continuations by the model, waited for."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from loom.commands import access
from loom.commands.reading import heading
from loom.config import Config
from loom.console import CommandError, Console, UsageError
from loom.core.node import ROOT, Place
from loom.core.recipe import PRESETS, End, Recipe
from loom.core.text import visible
from loom.engine.api import EngineError
from loom.facts import node_facts
from loom.session import Session
from loom.tables import among

READ_AT_MOST = 64 * 1024  # bytes; longer text is read when its tokens are asked for
MOST = 1024  # continuations at a time
SAMPLER = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "repetition_window",
)


async def generate(args: Namespace, console: Console) -> None:
    if args.count is not None and not 1 <= args.count <= MOST:
        raise UsageError(f"-n must be between 1 and {MOST}, not {args.count}")
    async with access.writing(args.session) as session:
        recipe = recipe_of(session.recipe, args, access.config_of(args))
        place = _place(session, args)
        await access.attach(session, args, console)
        await session.attach_sources(access.config_of(args), idle=False)
        if args.under is not None:
            recipe = replace(recipe, frame=_frame_of(session, args.under), instead=0)
        nodes = session.grow(place, count=args.count, recipe=recipe, seed=args.seed)
        total = len(nodes) * recipe.tokens
        await access.finish(session, nodes, total, "growing", console)
        if not args.no_read:
            await _read(session, place, console)
        console.answer(
            lambda: {"nodes": [node_facts(session, node) for node in nodes]},
            lambda: _lines(session, nodes, console),
        )


def _frame_of(session: Session, name: str) -> str:
    """Of a source of the set in force. Raises CommandError."""
    wanted = session.sources
    if wanted is None:
        what = "There is no source set in force, so nobody is known by a name."
        raise CommandError(what, "Choose one with `loom sources`, or give the text with --frame.")
    for source in wanted.sources:
        if name.casefold() in (source.name.casefold(), source.short.casefold()):
            return source.frames[0]
    names = [source.name for source in wanted.sources]
    raise CommandError(f"The set {wanted.name} has no source {name!r}.", among(name, names))


def _place(session: Session, args: Namespace) -> Place:
    place = access.visible_place(session, args)
    if not args.siblings:
        return place
    if place.node == ROOT:
        raise CommandError("The empty root has no siblings.", "Name a node with --node.")
    segment = session.display.segment_of(place)
    if segment.start:
        return Place(segment.node, segment.start)
    return session.asked_at(place.node)


async def _read(session: Session, place: Place, console: Console) -> None:
    """Have the model read a parent that a writer wrote, so that places in it count tokens."""
    node = session.tree[place.node]
    if node.length > READ_AT_MOST:
        return
    try:
        await access.read(session, place, console)
    except EngineError as error:
        console.note(f"The model could not read node {place.node}: {error}")


def recipe_of(recipe: Recipe, args: Namespace, config: Config) -> Recipe:
    """`recipe` with what the command line says about it. Raises UsageError."""
    sampling = recipe.sampling
    try:
        if args.preset is not None:
            sampling = _preset(args.preset, config)
        sampling = replace(sampling, **_given(args, SAMPLER))
        if args.logit_bias is not None:
            sampling = replace(sampling, logit_bias=tuple(args.logit_bias))
        changes = _given(args, ("tokens", "top", "heal"))
        if args.end is not None:
            changes["end"] = End(args.end)
        if args.frame is not None:
            changes |= {"frame": args.frame, "instead": 0}
        if args.stop is not None:
            changes["stop"] = tuple(args.stop)
        if sampling != recipe.sampling:
            changes["preset"] = args.preset or ""
        return replace(recipe, sampling=sampling, **changes)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _preset(name: str, config: Config) -> Any:
    presets = {**PRESETS, **config.presets}
    if name not in presets:
        raise UsageError(f"there is no preset {name!r}", f"There are {', '.join(sorted(presets))}.")
    return presets[name]


def _given(args: Namespace, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _lines(session: Session, nodes: Sequence[int], console: Console) -> Iterable[str]:
    for number in nodes:
        yield console.style(heading(session, number), "dim")
        yield visible(session.text(number))
        yield ""
