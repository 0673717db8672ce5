"""`drift`: what the plugins say of a text, as flags, numbers and a picture."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from loom import shelf
from loom.commands import access
from loom.commands.drawing import draw, picture
from loom.commands.reading import cut, one_line, text_to_read
from loom.config import Paths
from loom.console import CommandError, Console, UsageError
from loom.core.node import Place
from loom.core.text import decode, visible
from loom.drift import Drift, Raised, drawn_by, drift_of, model_of_path, path_to
from loom.engine.api import EngineError
from loom.facts import Facts
from loom.instruments.api import Flag, Reading
from loom.reading.arrivals import Arrivals
from loom.reading.stretches import Stretches
from loom.session import Session
from loom.store.errors import SessionLocked

EXCERPT = 60  # characters of a flagged passage that are shown


@dataclass(frozen=True, slots=True)
class Report:
    """`session` and `node` are None for a text that is in none."""

    drift: Drift
    text: str
    model: str
    session: str | None = None
    node: int | None = None


async def drift(args: Namespace, console: Console) -> None:
    if args.file != "-" and shelf.is_session(Path(args.file)):
        report = await _of_session(args, console)
    elif args.node is not None:
        raise UsageError("--node is for sessions; a text has no nodes.")
    else:
        report = await _of_text(args, console)
    if args.plot is not None:
        title = f"{report.session or 'text'} · {report.model}"
        draw(args.plot, picture(report.drift, title), console)
    console.answer(lambda: _facts(report), lambda: _lines(report, console))


async def _of_text(args: Namespace, console: Console) -> Report:
    text = text_to_read(args.file)
    async with access.scratch() as session:
        session.write(text)
        await access.attach(session, args, console)
        await access.read(session, session.place, console)
        return await _report(session, session.place, args, console)


async def _of_session(args: Namespace, console: Console) -> Report:
    """Written text that no model has read is read now, and the reading kept."""
    args.session = Path(args.file)
    with suppress(SessionLocked):  # open elsewhere: as it is
        await _have_read(args, console)
    async with access.reading(args.session) as session:
        place = access.end_of(session, args)
        report = await _report(session, place, args, console)
        return replace(report, session=str(session.path), node=place.node)


async def _have_read(args: Namespace, console: Console) -> None:
    """By the model that has most of the path, unless another is asked for."""
    async with access.reading(args.session) as session:
        place = access.end_of(session, args)
        path = [session.tree[stretch.node] for stretch in session.tree.stretches(place)]
        if not any(node.token_count is None and node.length for node in path):
            return
        known = access.model_of_path(session, place)
    args.model = args.model or known
    try:
        async with access.writing(args.session) as session:
            await access.attach(session, args, console)
            await access.read(session, place, console)
    except EngineError as error:
        if known is None:
            raise
        console.note(f"{error} What no model has read is left out.")


async def _report(session: Session, place: Place, args: Namespace, console: Console) -> Report:
    arrivals = Arrivals(session.tree, session.marks)
    for event in session.events():
        arrivals.happened(event)
    stretches = Stretches(session, arrivals.choice_of)
    model = model_of_path(session, stretches, place)
    if model is None:
        raise CommandError(
            "No model has read this text, so there is nothing to say of it.",
            "Name another place with --node, or another model with --model.",
        )
    path = list(path_to(session, stretches, place, model))
    text, log = session.tree.path_bytes(place), Paths.default().log_file("plugins")

    def show(fraction: float) -> None:
        console.progress("plugins are reading", fraction)

    drawn = drawn_by(session, stretches, place, model)
    found = await drift_of(path, text, model, access.config_of(args), log, show, drawn)
    console.end_progress()
    return Report(found, decode(text), _label(session, place, model))


def _label(session: Session, place: Place, model: str) -> str:
    rows = (session.model_of(stretch.node) for stretch in session.tree.stretches(place))
    return next(row.label for row in rows if row is not None and row.fingerprint == model)


# ── as JSON ────────────────────────────────────────────────────────────────────────────────


def _facts(report: Report) -> Facts:
    drift = report.drift
    return {
        "session": report.session,
        "node": report.node,
        "model": report.model,
        "tokens": drift.tokens,
        "characters": len(report.text),
        "calibrated": report.drift.calibrated,
        "flags": [_flag_facts(raised, report.text) for raised in drift.flags],
        "readings": {
            name: {
                "version": drift.plugins[name].version,
                "summary": dict(reading.summary),
                "series": {key: column.tolist() for key, column in reading.values.items()},
                "units": dict(drift.plugins[name].units),
            }
            for name, reading in drift.readings.items()
        },
        "off": [{"plugin": off.name, "why": off.why} for off in drift.off],
    }


def _flag_facts(raised: Raised, text: str) -> Facts:
    """FLAG."""
    flag = raised.flag
    return {
        "plugin": raised.plugin,
        "level": flag.level,
        "null": flag.null,
        "start": raised.start,
        "stop": raised.stop,
        "start_character": raised.first,
        "stop_character": raised.last,
        "text": text[raised.first : raised.last],
        "bits": flag.bits,
        "alpha": flag.alpha,
        "horizon": flag.horizon,
        "reason": flag.reason,
        "perhaps": flag.perhaps,
    }


# ── as lines ───────────────────────────────────────────────────────────────────────────────


def _lines(report: Report, console: Console) -> Iterator[str]:
    drift = report.drift
    for raised in drift.flags:
        yield from _flag_lines(raised, report.text, console)
    if not drift.flags:
        yield "No flags."
    width = max((len(name) for name in drift.readings), default=0)
    for name, reading in drift.readings.items():
        yield visible(f"{name:<{width}}  {_summary(reading) or 'nothing'}")
    for off in drift.off:
        yield visible(f"The plugin {off.name} is off: {off.why}.")
    known = "" if report.drift.calibrated else " · uncalibrated"
    end = f"{drift.tokens} tokens · {len(report.text)} characters · {report.model}{known}"
    yield console.style(visible(end), "dim")


def _flag_lines(raised: Raised, text: str, console: Console) -> Iterator[str]:
    """Where and why; then the words, what was tested, and what would explain it."""
    flag = raised.flag
    tested = "" if flag.null == "none" else f"  {flag.bits:.1f} bits"
    where = f"{flag.level:<4}  {raised.plugin}  tokens {raised.start}–{raised.stop}{tested}"
    yield console.style(visible(f"{where}  {flag.reason}"), "bold")
    said = [f"“{cut(one_line(text[raised.first : raised.last]), EXCERPT)}”"]
    if flag.null != "none":
        said.append(f"against: {NULLS[flag.null]}{_by_chance(flag)}")
    if flag.perhaps:
        said.append(f"perhaps: {flag.perhaps}")
    yield visible("      " + " · ".join(said))


def _by_chance(flag: Flag) -> str:
    if flag.alpha is None:
        return ""
    within = f" in {flag.horizon} tokens" if flag.horizon else ""
    return f" (by chance {flag.alpha:.0%}{within})"


NULLS = {
    "sampler": "these tokens were drawn from the sampler",
    "reference": "this looks like reference text",
}


def _summary(reading: Reading) -> str:
    """Words first."""
    words = [value for value in reading.summary.values() if isinstance(value, str)]
    numbers = [
        f"{name.replace('_', ' ')} {_number(value)}"
        for name, value in reading.summary.items()
        if not isinstance(value, str)
    ]
    return " · ".join(words + numbers)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
