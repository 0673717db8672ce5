"""A text or a path of a session weighed by a set of sources, and its model asked about it."""

from __future__ import annotations

import asyncio
import signal
from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from loom.asking.estimate import Estimate, asked_too, estimate_of, of_scores
from loom.asking.inquiry import Asked, Inquiry, inquiry
from loom.asking.process import Asking
from loom.asking.questions import Scorer
from loom.commands import access
from loom.config import Config
from loom.console import CommandError, Console
from loom.core.node import Place
from loom.core.span import cut
from loom.core.text import visible
from loom.engine.api import Capabilities
from loom.instruments import calibration
from loom.instruments.sources import finding
from loom.instruments.sources.api import Attribution, SourceSet
from loom.instruments.sources.sets import SetError
from loom.session import Session
from loom.sources.chosen import NONE as SWITCHED_OFF
from loom.sources.chosen import SETTING
from loom.sources.known import Passage
from loom.store.errors import SessionLocked

CHOOSE = "Name one with --set; `loom sources --list` prints those there are."


@dataclass(frozen=True, slots=True)
class Report:
    """`model` is its name; `session` and `node` are None for a text that is in none."""

    estimate: Estimate
    model: str
    inquiry: Inquiry | None = None
    session: Path | None = None
    node: int | None = None


# ── which sources ──────────────────────────────────────────────────────────────────────────


def chosen(args: Namespace, config: Config) -> SourceSet | None:
    """With --set, else in loom.toml; None where neither names one."""
    name = args.set or config.sources.set
    return set_named(name) if name else None


def is_there(given: str) -> bool:
    """Whether it is the path of a file or folder; a text may be longer than any name, or have in it
    what no name has."""
    try:
        return given not in ("", "-") and Path(given).exists()
    except (OSError, ValueError):
        return False


def set_named(wanted: str) -> SourceSet:
    try:
        return finding.find(wanted)
    except SetError as error:
        named = is_there(wanted)  # then it says itself what is wrong in it
        raise CommandError(str(error), error.hint or ("" if named else CHOOSE)) from error


def meant_for(model: Capabilities) -> SourceSet:
    """The set that is used with a model where none is chosen."""
    found = finding.default_for(model.fingerprint)
    if found is None:
        raise _none_meant_for(model.label)
    return found


def _none_meant_for(model: str) -> CommandError:
    return CommandError(f"No source set is meant for {model}.", CHOOSE)


# ── a text ─────────────────────────────────────────────────────────────────────────────────


async def of_text(text: bytes, args: Namespace, console: Console) -> Report:
    config = access.config_of(args)
    wanted = chosen(args, config)  # what is wrong with it is said first
    async with Asking(access.model_of(args, config), config.engine, console.progress) as asking:
        able = await asking.ready()
        console.end_progress()
        estimate = await weighed(asking, able, wanted or meant_for(able), text, console)
        found = await _asked(asking, estimate, args, console)
    return Report(estimate, able.label, found)


async def weighed(
    scorer: Scorer, model: Capabilities, wanted: SourceSet, text: bytes, console: Console
) -> Estimate:
    """Of a text that opens a document, read and, where it is known how that counts, asked about;
    shows how far it is."""

    def show(done: int, total: int) -> None:
        console.progress(f"reading under {len(wanted.frames)} frames", done / max(total, 1))

    known = calibration.tempering_of(model.fingerprint, wanted)
    estimate = await estimate_of(scorer, wanted, text, known, show)
    with console.waiting("asking about each source"):
        estimate = await asked_too(scorer, estimate)
    if estimate.limits:
        console.note(estimate.limits)
    return estimate


async def asked(
    asking: Asked,
    estimate: Estimate,
    count: int,
    console: Console,
    about: Iterable[str] = (),
    seed: int = 0,
) -> Inquiry:
    """Shows how far it is, and what leads. Ctrl+C ends the asking, and what was answered counts;
    once more, or after it, ends the command."""
    asking_goes_on = True

    def interrupt() -> None:
        nonlocal asking_goes_on
        if not asking_goes_on:
            raise KeyboardInterrupt
        asking_goes_on = False

    def go_on(found: Attribution) -> bool:
        nonlocal asking_goes_on
        first = f", most often {found.clusters[0].name}" if found.clusters else ""
        last = "; asking about each source" if found.asked == count else ""
        said = visible(f"asked {found.asked} of {count} times{first}{last}")
        console.progress(said.replace("\n", " "), found.asked / count)
        asking_goes_on = asking_goes_on and found.asked < count
        return asking_goes_on

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        found = await inquiry(asking, estimate, count, about=about, seed=seed, go_on=go_on)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        console.end_progress()
    if found.attribution.asked < count:
        console.note(f"Stopped after {found.attribution.asked} answers.")
    return found


async def _asked(
    asking: Asked, estimate: Estimate, args: Namespace, console: Console
) -> Inquiry | None:
    return None if args.probe is None else await asked(asking, estimate, args.probe, console)


# ── a path ─────────────────────────────────────────────────────────────────────────────────


async def of_path(path: Path, args: Namespace, console: Console) -> Report:
    """By the model that has most of it, unless another is asked for."""
    wanted = None if args.set is None else set_named(args.set)
    async with access.reading(path) as session:
        if wanted is None and session.setting(SETTING) == SWITCHED_OFF:
            raise CommandError(
                f"No sources are weighed in {path.name}: that was switched off.",
                "Name a set with --set for once, or with --choose for good.",
            )
        place = access.end_of(session, args)
        if not session.tree.path_bytes(place):
            raise CommandError("There is no text up to there.", "Name another place with --node.")
        if args.model is None and args.probe is None:
            kept = await _kept(session, place, wanted, args, console)
            if kept is not None:
                return kept
        args.model = args.model or access.model_of_path(session, place)
    return await _now(path, place, wanted, args, console)


async def _kept(
    session: Session, place: Place, wanted: SourceSet | None, args: Namespace, console: Console
) -> Report | None:
    """From what was weighed and asked before; None where that isn't all, or of several models."""
    nodes = [*session.tree.stretches(place), *session.tree.stretches(session.place)]
    rows = [row for node, _ in nodes if (row := session.model_of(node)) is not None]
    if len({row.fingerprint for row in rows}) != 1:
        return None
    if wanted is not None:
        session.set_sources(wanted)
    passage = await access.weigh(session, place, access.config_of(args), console)
    if passage is None or not passage.ids or np.isnan(passage.scores.ratio).any():
        return None
    estimate = _estimate(session, place, passage, rows[0].fingerprint)
    if estimate.posterior.unasked:
        return None
    return Report(estimate, rows[0].label, None, session.path, place.node)


async def _now(
    path: Path, place: Place, wanted: SourceSet | None, args: Namespace, console: Console
) -> Report:
    """What is weighed by the session's own set is kept in it, if it isn't open elsewhere."""
    if wanted is None:
        with suppress(SessionLocked):
            async with access.writing(path) as session:
                await access.attach(session, args, console)
                await access.read(session, place, console)
                return await _weighed_in(session, place, args, console)
    async with access.reading(path) as session:
        if wanted is not None:
            session.set_sources(wanted)
        await access.attach(session, args, console)
        return await _weighed_in(session, place, args, console)


async def _weighed_in(session: Session, place: Place, args: Namespace, console: Console) -> Report:
    """By the engine that is attached."""
    able = await session.engine_ready()
    passage = await access.weigh(session, place, access.config_of(args), console)
    if session.sources is None:
        raise _none_meant_for(able.label)
    if passage is None or not passage.ids:
        raise CommandError(
            "There is no text to weigh up to there.", "Name another place with --node."
        )
    estimate = _estimate(session, place, passage, able.fingerprint)
    found = await _asked(session.asking(), estimate, args, console)
    return Report(estimate, able.label, found, session.path, place.node)


def _estimate(session: Session, place: Place, passage: Passage, fingerprint: str) -> Estimate:
    wanted, text = session.sources, session.tree.path_bytes(place)
    assert wanted is not None
    posterior = session.posterior_at(place)
    ends = [end - passage.start for end in passage.ends]
    found = of_scores(
        wanted,
        text[: passage.start],
        passage.ids,
        cut(text[passage.start :], ends),
        passage.scores,
        calibration.tempering_of(fingerprint, wanted),
    )
    return found if posterior is None else replace(found, posterior=posterior)
