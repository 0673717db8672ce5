"""`doctor SESSION`: is a session file whole, and what can be saved of one that isn't?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loom import shelf
from loom.console import CommandError, Console
from loom.core.text import visible
from loom.facts import Facts
from loom.store.examine import examine
from loom.store.findings import Findings, shortened
from loom.store.salvage import salvage


def doctor_session(path: Path, repair: str | None, console: Console) -> int:
    """1 where the file is damaged and nothing was repaired. `repair` names the new file, "" leaves
    the name to us."""
    path = path.absolute()
    target = _target(path, repair)
    if target is not None and target.exists():
        raise CommandError(f"{target} is there already.", "Name a file that isn't.")
    try:
        findings = examine(path, lambda fraction: console.progress("reading", fraction))
    finally:
        console.end_progress()
    repaired = _repaired(path, target, findings, console)
    facts = _facts(path, findings, repaired)
    console.answer(lambda: facts, lambda: _lines(path, findings, repaired, console))
    return 0 if findings.whole or repaired else 1


def _target(path: Path, repair: str | None) -> Path | None:
    """None where nothing is to be repaired; a free name beside it where none is given."""
    if repair is None:
        return None
    return Path(repair).absolute() if repair else shelf.unused(path.parent, f"{path.stem}-repaired")


def _repaired(path: Path, target: Path | None, findings: Findings, console: Console) -> Path | None:
    if target is None:
        return None
    if findings.whole:
        console.note("Nothing is damaged, so there is nothing to repair.")
        return None
    salvage(path, target)
    return target


def _facts(path: Path, findings: Findings, repaired: Path | None) -> Facts:
    return {
        "session": str(path),
        "whole": findings.whole,
        "damage": list(findings.damage),
        "found": [
            {"what": tally.what, "whole": tally.whole, "lost": tally.lost, "ids": list(tally.ids)}
            for tally in findings.tallies
        ],
        "repaired": None if repaired is None else str(repaired),
    }


def _lines(
    path: Path, findings: Findings, repaired: Path | None, console: Console
) -> Iterator[str]:
    yield visible(str(path))
    yield console.style(f"  {'':<15}{'whole':>10}{'lost':>8}", "dim")
    for tally in findings.tallies:
        named = f"   {shortened(tally.ids, 8)}" if tally.ids else ""
        yield f"  {tally.what:<15}{tally.whole:>10,}{tally.lost or '–':>8}{named}"
    for sentence in findings.damage:
        yield visible(f"damage: {sentence}")
    if findings.whole:
        yield "All of it is whole."
    elif repaired is not None:
        yield visible(f"What is whole is now in {repaired}; {path.name} is as it was.")
    else:
        yield visible(f"`loom doctor {path} --repair` writes what is whole into a new file.")
