"""Saving the text up to where the writer is: a path is asked for, nothing is replaced unasked."""

from __future__ import annotations

from pathlib import Path

from loom import shelf
from loom.store.errors import StoreError
from loom.ui.screens.lookup import Lookup

LABEL = "Save the text as (.md: Markdown, else plain)"


class Target:
    """Where a writer wants a file; one that is there already has to be asked for twice."""

    def __init__(self) -> None:
        self._confirmed: Path | None = None

    def at(self, answer: str) -> Path:
        """Raises StoreError for no path, ValueError before something would be replaced."""
        path = typed_path(answer)
        if path.exists() and path != self._confirmed:
            self._confirmed = path
            raise ValueError(f"There is a file {path.name} already; Enter again replaces it.")
        return path


def typed_path(answer: str) -> Path:
    """Raises StoreError for nothing."""
    if not answer.strip():
        raise StoreError("There is no path.", "Type one, such as ~/draft.txt.")
    return Path(answer.strip()).expanduser().absolute()


def suggested(session: Path) -> str:
    return str(Path.home() / f"{session.stem}.md")


class SaveText(Lookup[Path]):
    """Writes `text`; answers with the file."""

    HEADING = LABEL
    HINT = "a path such as ~/story.md"
    KEYS = "Enter saves · Esc closes"

    def __init__(self, text: bytes, title: str, path: str) -> None:
        super().__init__(path)
        self._content, self._title, self._target = text, title, Target()

    def changed(self, text: str) -> None:
        self.subtitle(self.KEYS)

    def entered(self, text: str, index: int | None) -> None:
        try:
            path = self._target.at(text)
            shelf.save_text(self._content, self._title, path)
        except ValueError as error:
            self.subtitle(str(error))
        except StoreError as error:
            self.subtitle(f"{error} {error.hint}".strip())
        else:
            self.dismiss(path)
