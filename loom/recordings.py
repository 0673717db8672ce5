"""Recorded sessions that come with the program; they are opened as copies, never themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loom.session import SESSION_SUFFIX
from loom.shelf import Shelved, copied, look_at, unused
from loom.store.errors import SessionMissing

_PACKAGE = Path(__file__).resolve().parent
FOLDERS = (_PACKAGE.parent / "sessions", _PACKAGE / "_bundled" / "sessions")
DEMO = "first-story"


def recordings(folders: Sequence[Path] = FOLDERS) -> list[Shelved]:
    """All that are there, the demo first, then by name."""
    found = {path.stem: path for folder in reversed(folders) for path in _in(folder)}
    paths = sorted(found.values(), key=lambda path: (path.stem != DEMO, path.stem))
    return [shelved for path in paths if (shelved := look_at(path)) is not None]


def _in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*" + SESSION_SUFFIX) if path.is_file()]


def recording(name: str = DEMO, folders: Sequence[Path] = FOLDERS) -> Shelved:
    """The one called `name`. Raises SessionMissing."""
    known = recordings(folders)
    found = next((shelved for shelved in known if shelved.path.stem == name), None)
    if found is None:
        names = ", ".join(shelved.path.stem for shelved in known)
        hint = f"There are {names}." if names else "A release of Loom brings some."
        raise SessionMissing(f"There is no recorded session {name!r}.", hint)
    return found


def taken_out(path: Path, folder: Path) -> Path:
    """A copy of a recorded session in `folder`, to go on with. Raises StoreError."""
    target = unused(folder, path.stem)
    copied(path, target)
    return target
