"""Where source sets lie: those that came with the program, the user's, or a file or folder named.

A name that both have is the user's.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import tomli

from loom.discovery import BUNDLED, CHECKOUT
from loom.instruments import calibration
from loom.instruments.sources.api import SourceSet
from loom.instruments.sources.sets import SetError, checked, read
from loom.instruments.sources.voices import sources_in
from loom.paths import Paths
from loom.tables import among, texts_of

SHIPPED = Path(__file__).resolve().parent / "shipped"
SUFFIX = ".toml"


class Listed(NamedTuple):
    """A set by the name of its file, or what is wrong with it."""

    name: str
    path: Path
    found: SourceSet | SetError


def listed() -> list[Listed]:
    """All that there are, by name."""
    files = _files()
    return [Listed(name, files[name], _read(files[name])) for name in sorted(files)]


def find(name_or_path: str) -> SourceSet:
    """The set of that name, or in that file; a folder is one of voices. Raises SetError."""
    files = _files()
    if name_or_path in files:
        return read(files[name_or_path], _home())
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return of_voices(path)
    if path.suffix == SUFFIX or path.is_file():
        return read(path)
    raise SetError(f"There is no source set {name_or_path!r}.", among(name_or_path, files))


def of_voices(folder: Path) -> SourceSet:
    """Each text file or folder in it is a voice. Raises SetError."""
    try:
        sources = sources_in({"folder": str(folder.absolute())}, folder)
    except ValueError as error:
        raise SetError(f"The folder {folder} {str(error).partition(' ')[2]}.") from error
    about = f"The texts in {folder.name}, each by its beginning."
    return checked(SourceSet(folder.absolute().name or "voices", about, sources))


def default_for(fingerprint: str) -> SourceSet | None:
    """The set that a model has where nothing else is chosen. A model made of another, whose
    fingerprint is NAME-OTHER, goes by the other's."""
    mine = {fingerprint, fingerprint.partition("-")[2]} - {""}
    for file in _files().values():
        if any(model in mine or _fingerprint(model) in mine for model in _models(file)):
            found = _read(file)
            if isinstance(found, SourceSet):
                return found
    return None


def _models(file: Path) -> tuple[str, ...]:
    """Whose set it is by default, as far as the file says so; nothing else is looked at."""
    try:
        return texts_of(tomli.loads(file.read_text(encoding="utf-8-sig")).get("models", []))
    except (OSError, ValueError, RecursionError):
        return ()


def _fingerprint(name: str) -> str | None:
    """Of a model that came with the program, as it was calibrated; its weights needn't be read."""
    if Path(name).name != name:
        return None
    for folder in (CHECKOUT, BUNDLED):
        known = calibration.read(folder / "backends" / name / calibration.SHIPPED)
        if known is not None:
            return known.fingerprint
    return None


def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in (SHIPPED, Paths.default().sources):
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        found |= {e.stem: e for e in entries if e.suffix == SUFFIX and not e.name.startswith(".")}
    return found


def _read(file: Path) -> SourceSet | SetError:
    try:
        return read(file, _home())
    except SetError as error:
        return error


def _home() -> Path:
    """Folders that a set names are looked for beside the user's sets."""
    return Paths.default().sources
