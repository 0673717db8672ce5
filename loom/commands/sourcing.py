"""`sources`: what a model believes of a text's source; the sets there are, and a session's own."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from loom import shelf
from loom.commands import access, lettering
from loom.commands.belief import estimate_facts, estimate_lines, inquiry_facts, inquiry_lines
from loom.commands.drawing import draw
from loom.commands.layering import sources_picture
from loom.commands.reading import one_line, text_to_read
from loom.commands.weighing import Report, is_there, of_path, of_text, set_named
from loom.console import CommandError, Console, UsageError
from loom.core.text import decode, visible
from loom.facts import Facts
from loom.instruments.sources import finding
from loom.instruments.sources.api import SourceSet
from loom.instruments.sources.sets import SetError
from loom.paths import Paths


async def sources(args: Namespace, console: Console) -> None:
    if args.list:
        _list(args, console)
        return
    if args.text is None:
        raise UsageError("name a text, a text file or a session, or --list.")
    path = Path(args.text)
    is_session = _is_file(args.text) and shelf.is_session(path)
    if args.choose is not None or args.off:
        await _choose(args, path if is_session else None, console)
        return
    if args.node is not None and not is_session:
        raise UsageError("--node is for sessions; a text has no nodes.")
    if args.letters is not None:
        report = await _by_letters(path if is_session else None, args)
    elif is_session:
        report = await of_path(path, args, console)
    else:
        report = await of_text(text_of(args.text), args, console)
    if args.plot is not None:
        name = "text" if report.session is None else report.session.stem
        title = f"{name} · {report.model} · set {report.estimate.wanted.name}"
        draw(args.plot, sources_picture(report.estimate, title), console)
    console.answer(lambda: _facts(report), lambda: _lines(report, console))


async def _by_letters(path: Path | None, args: Namespace) -> Report:
    lettering.refuse_what_asks_a_model(args)
    if path is not None:
        return await lettering.of_path(path, args)
    return await asyncio.to_thread(lettering.of_text, text_of(args.text), args.letters or None)


def _is_file(given: str) -> bool:
    return is_there(given) and Path(given).is_file()


def text_of(given: str) -> bytes:
    """Of a file, of standard input for `-`, or the words themselves: whatever has a space in it
    and is no file."""
    if given == "-" or _is_file(given):
        return text_to_read(given)
    if not given.strip():
        raise CommandError("There is no text in that.", "Give words, a text file or a session.")
    if is_there(given) and Path(given).is_dir():
        raise CommandError(f"{given} is a folder, not a text.", "Name a file in it.")
    if " " not in given.strip() and "\n" not in given:
        raise CommandError(
            f"There is no file {given}.",
            "Name a text file or a session; a text itself stands in quotation marks, or comes from"
            " standard input with `-`.",
        )
    return given.encode("utf-8", "surrogateescape")


# ── what is printed ────────────────────────────────────────────────────────────────────────


def _facts(report: Report) -> Facts:
    return {
        "session": None if report.session is None else str(report.session),
        "node": report.node,
        "model": report.model,
        **estimate_facts(report.estimate),
        "probe": None if report.inquiry is None else inquiry_facts(report.inquiry),
    }


def _lines(report: Report, console: Console) -> Iterator[str]:
    yield from estimate_lines(report.estimate, console)
    if report.inquiry is not None:
        yield ""
        yield from inquiry_lines(report.inquiry, console)
    parts = [report.model, f"set {report.estimate.wanted.name}"]
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
        about = f"{_first_sentence(facts['about'])} ({facts['sources']} sources, {facts['from']})"
        said = facts["error"] or about.strip()
        yield visible(f"{one.name:<{width}}  {said}")


def _first_sentence(text: str) -> str:
    head, stop, _ = " ".join(text.split()).partition(". ")
    return head + stop.strip()


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
