"""`sources`: what a model believes of a text's source; the sets there are, and a session's own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from loom import shelf
from loom.asking import Asking
from loom.chosen import NONE as SWITCHED_OFF
from loom.chosen import SETTING
from loom.commands import access
from loom.commands.belief import estimate_facts, estimate_lines, inquiry_facts, inquiry_lines
from loom.commands.layering import sources_picture
from loom.commands.reading import one_line, text_to_read
from loom.config import Config
from loom.console import CommandError, Console, UsageError
from loom.core.node import Place
from loom.core.text import decode, visible
from loom.engine.api import Capabilities
from loom.estimate import Estimate, cut_up, estimate_of, of_scores
from loom.extensions import resolve_model
from loom.facts import Facts
from loom.inquiry import Inquiry, inquiry
from loom.instruments import calibration
from loom.instruments.sources import finding, sets
from loom.instruments.sources.api import Attribution, SourceSet, Tempering
from loom.instruments.sources.sets import SetError
from loom.paths import Paths
from loom.session import Session
from loom.store.atomic import write_atomically
from loom.store.errors import SessionLocked

CHOOSE = "Name one with --set; `loom sources --list` prints those there are."


@dataclass(frozen=True, slots=True)
class Report:
    """`session` and `node` are None for a text that is in none."""

    estimate: Estimate
    model: Capabilities
    inquiry: Inquiry | None = None
    session: Path | None = None
    node: int | None = None


async def sources(args: Namespace, console: Console) -> None:
    if args.list:
        _list(args, console)
        return
    if args.text is None:
        raise UsageError("name a text, a text file or a session, or --list.")
    path = Path(args.text)
    is_session = args.text != "-" and shelf.is_session(path)
    if args.choose is not None or args.off:
        await _choose(args, path if is_session else None, console)
        return
    if args.node is not None and not is_session:
        raise UsageError("--node is for sessions; a text has no nodes.")
    report = await (_of_session(args, path, console) if is_session else _of_text(args, console))
    if args.plot is not None:
        title = f"{report.session or 'text'} · {report.estimate.wanted.name} · {report.model.label}"
        write_atomically(args.plot, sources_picture(report.estimate, title).encode())
        console.note(f"The picture is {args.plot}.")
    console.answer(lambda: _facts(report), lambda: _lines(report, console))


# ── a text, or a path as one ───────────────────────────────────────────────────────────────


async def _of_text(args: Namespace, console: Console) -> Report:
    wanted = chosen(args, access.config_of(args))  # what is wrong with it is said first
    return await _read_now(args, text_of(args.text), wanted, console)


async def _read_now(
    args: Namespace, text: bytes, wanted: SourceSet | None, console: Console
) -> Report:
    config = access.config_of(args)
    model = resolve_model(args.model or config.model)
    async with Asking(model, config.engine, console.progress) as asking:
        able = await asking.ready()
        console.end_progress()
        estimate = await weighed(asking, able, wanted or meant_for(able), text, console)
        found = None
        if args.probe is not None:
            found = await asked(asking, estimate, args.probe, console)
    return Report(estimate, able, found)


async def asked(
    asking: Asking,
    estimate: Estimate,
    count: int,
    console: Console,
    about: Iterable[str] = (),
    seed: int = 0,
) -> Inquiry:
    """Shows how far it is, and what leads."""

    def show(found: Attribution) -> None:
        first = f", most often {found.clusters[0].name}" if found.clusters else ""
        said = visible(f"asked {found.asked} of {count} times{first}")
        console.progress(said.replace("\n", " "), found.asked / count)

    by = (asking, estimate.wanted, estimate.ids, estimate.scores, count)
    found = await inquiry(*by, about=about, seed=seed, progress=show)
    console.end_progress()
    return found


async def weighed(
    asking: Asking, model: Capabilities, wanted: SourceSet, text: bytes, console: Console
) -> Estimate:
    """Of a text that opens a document; shows how far it is."""

    def show(done: int, total: int) -> None:
        console.progress(f"reading under {len(wanted.frames)} frames", done / max(total, 1))

    known = tempering_of(model, wanted)
    estimate = await estimate_of(asking, wanted, text, known, show)
    console.end_progress()
    if estimate.limits:
        console.note(estimate.limits)
    return estimate


def text_of(given: str) -> bytes:
    """Of a file, of standard input for `-`, or the words themselves: whatever has a space in it
    and is no file."""
    path = Path(given)
    if given == "-" or path.is_file():
        return text_to_read(given)
    if " " not in given.strip() and "\n" not in given:
        raise CommandError(
            f"There is no file {given}.",
            "Name a text file or a session; a text itself stands in quotation marks, or comes from"
            " standard input with `-`.",
        )
    return given.encode("utf-8", "surrogateescape")


def chosen(args: Namespace, config: Config) -> SourceSet | None:
    """With --set, else in loom.toml; None where neither names one."""
    name = args.set or config.sources.set
    return set_named(name) if name else None


def set_named(wanted: str) -> SourceSet:
    try:
        return finding.find(wanted)
    except SetError as error:
        raise CommandError(str(error), error.hint or CHOOSE) from error


def meant_for(model: Capabilities) -> SourceSet:
    """The set that is used with a model where none is chosen."""
    found = finding.default_for(model.fingerprint)
    if found is None:
        raise none_meant_for(model)
    return found


def none_meant_for(model: Capabilities) -> CommandError:
    return CommandError(f"No source set is meant for {model.label}.", CHOOSE)


# ── a path ─────────────────────────────────────────────────────────────────────────────────


async def _of_session(args: Namespace, path: Path, console: Console) -> Report:
    """By the model that has most of the path, unless another is asked for."""
    wanted = None if args.set is None else set_named(args.set)
    async with access.reading(path) as session:
        if wanted is None and session.setting(SETTING) == SWITCHED_OFF:
            raise CommandError(
                f"No sources are weighed in {path.name}: that was switched off.",
                "Name a set with --set for once, or with --choose for good.",
            )
        place = access.end_of(session, args)
        args.model = args.model or access.model_of_path(session, place)
    report = await _path_weighed(path, place, wanted, args, console)
    if args.probe is None:
        return report
    config = access.config_of(args)
    async with Asking(access.model_of(args, config), config.engine, console.progress) as asking:
        await asking.ready()
        found = await asked(asking, report.estimate, args.probe, console)
    return replace(report, inquiry=found)


async def _path_weighed(
    path: Path, place: Place, wanted: SourceSet | None, args: Namespace, console: Console
) -> Report:
    """What is weighed by the session's own set is kept in it, if it isn't open elsewhere."""
    if wanted is None:
        with suppress(SessionLocked):
            async with access.writing(path) as session:
                able = await access.attach(session, args, console)
                await access.read(session, place, console)
                estimate = await _estimate(session, place, able, args, console)
            return Report(estimate, able, None, path, place.node)
    async with access.reading(path) as session:
        if wanted is not None:
            session.set_sources(wanted)
        able = await access.attach(session, args, console)
        return Report(
            await _estimate(session, place, able, args, console), able, None, path, place.node
        )


async def _estimate(
    session: Session, place: Place, model: Capabilities, args: Namespace, console: Console
) -> Estimate:
    config = access.config_of(args)
    passage = await access.weigh(session, place, config, console)
    wanted = session.sources
    if wanted is None:
        raise none_meant_for(model)
    if passage is None or not passage.ids:
        raise CommandError(
            "There is no text to weigh up to there.", "Name another place with --node."
        )
    text, posterior = session.tree.path_bytes(place), session.posterior_at(place)
    ends = [end - passage.start for end in passage.ends]
    return of_scores(
        wanted,
        text[: passage.start],
        passage.ids,
        cut_up(text[passage.start :], ends),
        passage.scores,
        tempering_of(model, wanted),
        None if posterior is None else posterior.following,
    )


def tempering_of(model: Capabilities, wanted: SourceSet) -> Tempering | None:
    known = calibration.load(model.fingerprint)
    return None if known is None else known.tempering(sets.digest(wanted))


# ── what is printed ────────────────────────────────────────────────────────────────────────


def _facts(report: Report) -> Facts:
    return {
        "session": None if report.session is None else str(report.session),
        "node": report.node,
        "model": report.model.label,
        **estimate_facts(report.estimate),
        "probe": None if report.inquiry is None else inquiry_facts(report.inquiry),
    }


def _lines(report: Report, console: Console) -> Iterator[str]:
    yield from estimate_lines(report.estimate, console)
    if report.inquiry is not None:
        yield ""
        yield from inquiry_lines(report.inquiry)
    parts = [report.model.label, f"set {report.estimate.wanted.name}"]
    if report.estimate.byline:
        parts.append(f"after the byline {one_line(decode(report.estimate.byline).strip())}")
    yield console.style(visible(" · ".join(parts)), "dim")


# ── the sets ───────────────────────────────────────────────────────────────────────────────


def _list(args: Namespace, console: Console) -> None:
    found = finding.listed()
    folder = Paths.default().sources
    console.answer(
        lambda: {"sets": [_listed_facts(one) for one in found], "folder": str(folder)},
        lambda: [*_list_lines(found), visible(f"your own: {folder}")],
    )


def _listed_facts(one: finding.Listed) -> Facts:
    """SET."""
    its = one.found if isinstance(one.found, SourceSet) else None
    error = one.found if isinstance(one.found, SetError) else None
    return {
        "name": one.name,
        "about": its.about if its else "",
        "sources": len(its.sources) if its else 0,
        "frames": len(its.frames) - 1 if its else 0,
        "models": list(its.models) if its else [],
        "from": "bundled" if one.path.parent == finding.SHIPPED else "yours",
        "path": str(one.path),
        "error": f"{error} {error.hint}".strip() if error else "",
    }


def _list_lines(found: list[finding.Listed]) -> Iterator[str]:
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        facts = _listed_facts(one)
        said = facts["error"] or f"{facts['about']} ({facts['sources']} sources, {facts['from']})"
        yield visible(f"{one.name:<{width}}  {said}")


async def _choose(args: Namespace, path: Path | None, console: Console) -> None:
    """What the session weighs from now on."""
    if path is None:
        raise UsageError("--choose and --off are for sessions; name one.")
    wanted = None if args.off else set_named(args.choose)
    async with access.writing(path) as session:
        session.set_sources(wanted)
    name = wanted.name if wanted else None
    said = f"{path}: sources of {name}" if name else f"{path}: no sources are weighed"
    console.answer(lambda: {"session": str(path), "set": name}, lambda: [visible(said)])
