"""`experiment onion|collapse`: what a model believes of who writes, and how a belief collapses."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from loom.asking.estimate import Estimate
from loom.asking.process import Asking
from loom.chart import FILLS, Line, Panel, svg
from loom.commands import access
from loom.commands.belief import (
    NONE,
    estimate_facts,
    estimate_lines,
    inquiry_facts,
    inquiry_lines,
)
from loom.commands.experimenting import give
from loom.commands.layering import NAME, sources_picture
from loom.commands.reading import cut, one_line, text_to_read
from loom.commands.weighing import asked, chosen, meant_for, set_named, weighed
from loom.console import CommandError, Console, UsageError
from loom.core.text import decode, visible
from loom.experiments import collapse as collapsing
from loom.experiments.collapse import MOST, Stage, World
from loom.experiments.onion import OPENING, SET, SOURCE, Found, found_of
from loom.extensions import portable_name, resolve_model
from loom.facts import Facts
from loom.instruments.sources.api import NULL, SourceSet

EXAMPLE = 60  # characters of a text that is named


async def onion(args: Namespace, console: Console) -> None:
    wanted = set_named(args.set or SET)
    source = _named(wanted, args.source or SOURCE)
    text = _text(args)
    async with _asking(args, console) as asking:
        able = await asking.ready()
        console.end_progress()
        estimate = await weighed(asking, able, wanted, text, console)
        inquired = await asked(asking, estimate, args.probe, console, [source], args.seed)
    found = found_of(source, estimate.posterior, inquired)
    facts = {
        "experiment": "onion",
        "model": _model(args),
        "seed": args.seed,
        "text": decode(text),
        **found.facts(),
        **estimate_facts(estimate),
        "probe": inquiry_facts(inquired),
    }

    def lines() -> Iterator[str]:
        yield visible(
            f"{facts['model']} · set {wanted.name} · {cut(one_line(decode(text)), EXAMPLE)}"
        )
        yield from estimate_lines(estimate, console)
        yield ""
        yield from inquiry_lines(inquired, console)
        yield ""
        yield visible(_found_line(found, estimate))

    title = f"{source}? · {facts['model']}"
    give(args, console, facts, sources_picture(estimate, title), lines)


def _text(args: Namespace) -> bytes:
    if args.text is not None:
        return text_to_read(str(args.text))
    text: str = OPENING if args.opening is None else args.opening
    if not text:
        raise UsageError("--opening is empty; give it a text, or leave it out.")
    return text.encode("utf-8", "surrogateescape")


def _named(wanted: SourceSet, name: str) -> str:
    """As the set spells it."""
    for source in wanted.sources:
        if name.casefold() in (source.name.casefold(), source.short.casefold()):
            return source.name
    raise CommandError(
        f"The set {wanted.name} has no source {name}.",
        "Name one of its own with --source, or another set with --set.",
    )


def _asking(args: Namespace, console: Console) -> Asking:
    config = access.config_of(args)
    return Asking(access.model_of(args, config), config.engine, console.progress)


def _found_line(found: Found, estimate: Estimate) -> str:
    low, high = found.interval
    posterior = estimate.posterior
    share = f"{found.probability:.1%}, " if posterior.calibrated else ""
    said = [
        f"{found.source}: by its frames {share}rank {found.rank} of {len(posterior.standings)}"
        f" ({found.bits:+.1f} bits{'' if posterior.calibrated else ', uncalibrated'})",
        f"named by {found.named} of {found.asked} answers"
        f" ({found.share:.0%}, {low:.0%} to {high:.0%})",
    ]
    return " · ".join([*said, *([] if found.delta is None else [f"Δ {found.delta:+.1f} bits"])])


async def collapse(args: Namespace, console: Console) -> None:
    if args.length > MOST:
        raise UsageError(
            f"--length may be {MOST} at most: further on no token sees all of its text."
        )
    wanted = chosen(args, access.config_of(args))

    def report(what: str, fraction: float) -> None:
        console.progress(what, fraction)

    async with _asking(args, console) as asking:
        able = await asking.ready()
        some = collapsing.some_of(wanted or meant_for(able), args.sources, args.seed)
        texts = await collapsing.worlds(asking, some, args.each, args.length, args.seed, report)
    console.end_progress()
    stages = list(collapsing.stages(some, texts, args.length))
    if len(stages) < 2:
        raise CommandError(
            "The model ended texts before their first token, so nothing was read.",
            "Draw more with --each, or choose another model or set.",
        )
    facts = {
        "experiment": "collapse",
        "model": _model(args),
        "seed": args.seed,
        "tokens": args.length,
        "set": some.name,
        "sources": [source.name for source in some.sources],
        "each": args.each,
        "null_prior": some.null_prior,
        "collapse": [_stage_facts(stage) for stage in stages],
    }
    give(args, console, facts, _collapse_picture(stages, texts), lambda: _collapse_lines(facts))


def _stage_facts(stage: Stage) -> Facts:
    """COLLAPSE."""
    return {
        "tokens": stage.tokens,
        "texts": stage.texts,
        "entropy_bits": stage.entropy,
        "worlds": stage.worlds,
        "accuracy": stage.accuracy,
        "log_loss_bits": stage.loss,
    }


def _collapse_lines(facts: Facts) -> Iterator[str]:
    names = ", ".join(facts["sources"])
    yield visible(f"{facts['model']}, {facts['each']} texts each of {names}, and of none of these")
    yield f"{'tokens':>7} {'texts':>6} {'entropy':>8} {'worlds':>7} {'right':>6} {'log loss':>9}"
    for stage in facts["collapse"]:
        yield (
            f"{stage['tokens']:7} {stage['texts']:6} {stage['entropy_bits']:8.2f} "
            f"{stage['worlds']:7.2f} {stage['accuracy']:6.0%} {stage['log_loss_bits']:9.2f}"
        )
    yield "the frames wrote the texts, so that log loss is entropy if all is well; bits"


def _collapse_picture(stages: Sequence[Stage], texts: Sequence[World]) -> str:
    def line(name: str, values: Iterable[float]) -> Line:
        return Line(name, [stage.tokens for stage in stages], list(values))

    panels = [
        Panel(
            "bits",
            [
                line("entropy", (stage.entropy for stage in stages)),
                line("log loss", (stage.loss for stage in stages)),
            ],
        ),
        Panel(
            "share of texts whose source is held likeliest",
            [line("right", (s.accuracy for s in stages))],
        ),
    ]
    longest = max((world for world in texts if world.source != NULL), key=len, default=None)
    if longest is not None:
        panels.append(_example(longest))
    return svg("A distribution over worlds collapses", "tokens", panels)


def _example(world: World) -> Panel:
    """The posterior along one text."""
    course = world.course
    order = np.argsort(-course.shares.mean(axis=0))[: len(FILLS)]
    places = list(range(1, len(world) + 1))
    layers = [
        Line(cut(course.names[column] or NONE, NAME), places, course.shares[:, column].tolist())
        for column in order.tolist()
    ]
    return Panel(f"posterior of a text drawn as {world.source}", layers, stacked=True)


def _model(args: Namespace) -> str:
    return portable_name(resolve_model(access.model_of(args, access.config_of(args))))
