"""`sessions`: lists those in the sessions folder; renames, copies or throws away one, anywhere."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from loom import shelf, trash
from loom.config import Paths
from loom.console import Console
from loom.core.text import visible
from loom.facts import Facts
from loom.shelf import Shelved

WORDS = 60  # characters of the first words


def sessions(args: Namespace, console: Console) -> None:
    paths = Paths.default()
    made = _done(args)
    if made is not None:
        console.note(f"{made}")
    deleted = trash.emptied(paths.sessions) if args.empty_trash else None
    if deleted is not None:
        console.note(f"{deleted} session{'' if deleted == 1 else 's'} deleted.")
    folder, found = _listed(args, paths)
    facts: Facts = {
        "folder": str(folder),
        "path": made and str(made),
        "sessions": _facts(found),
        **({} if deleted is None else {"deleted": deleted}),
    }
    console.answer(lambda: facts, lambda: _lines(found, folder))


def _listed(args: Namespace, paths: Paths) -> tuple[Path, list[Shelved]]:
    """The folder asked for, and what lies in it."""
    if args.trashed or args.empty_trash:
        return paths.sessions / trash.TRASH, trash.thrown(paths.sessions)
    last = paths.last_session()
    return paths.sessions, shelf.listed(paths.sessions, [last] if last is not None else [])


def _done(args: Namespace) -> Path | None:
    """What was asked for, and where its result lies. Raises StoreError."""
    if args.rename is not None:
        path, title = args.rename
        shelf.renamed(Path(path), title)
        return Path(path).absolute()
    if args.copy is not None:
        return shelf.duplicated(args.copy.absolute())
    if args.restore is not None:
        return trash.restored(args.restore)
    return None if args.trash is None else trash.trashed(args.trash)


def _facts(found: list[Shelved]) -> list[Facts]:
    return [{**asdict(shelved), "path": str(shelved.path)} for shelved in found]


def _lines(found: list[Shelved], folder: Path) -> Iterator[str]:
    if not found:
        yield f"There are no sessions in {folder}."
    for shelved in found:
        name = shelved.path.name if shelved.path.parent == folder else str(shelved.path)
        words = shelved.problem or shelved.words[:WORDS]
        title = "" if shelved.title == shelved.path.stem else f"“{shelved.title}” "
        nodes = f"{shelved.nodes} node{'' if shelved.nodes == 1 else 's'}"
        yield visible(f"{name}  {title}({nodes})  {words}".rstrip())
