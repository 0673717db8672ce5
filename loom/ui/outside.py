"""The writer's own editor: $VISUAL or $EDITOR on a temporary file, with the screen put away."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from textual.app import App, SuspendNotSupported


class EditorFailed(Exception):
    """What failed (the message) and what to do (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def edit(app: App[object], text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` as it comes back. Raises EditorFailed.

    The event loop stands still meanwhile: repainting while the screen is put away could hang.
    """
    command = environment.get("VISUAL") or environment.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="loom-") as folder:
        file = Path(folder) / "text.txt"
        file.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
        try:
            with app.suspend():
                done = subprocess.run([*shlex.split(command), str(file)], check=False)
        except SuspendNotSupported as error:
            raise EditorFailed("This terminal can't lend the screen to another program.") from error
        except OSError as error:
            hint = "Set $EDITOR to a program that is there."
            raise EditorFailed(
                f"{command!r} could not be started: {error.strerror}.", hint
            ) from error
        if done.returncode:
            raise EditorFailed(f"{command!r} ended with {done.returncode}; nothing was changed.")
        with file.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return without_added_newline(stream.read(), text)


def without_added_newline(new: str, old: str) -> str:
    """Editors end a file with a line end; it isn't the writer's unless it was there before."""
    return new[:-1] if new.endswith("\n") and not old.endswith("\n") else new
