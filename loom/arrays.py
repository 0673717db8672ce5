"""Arrays kept in a folder, a file for each thing they are of, so that a pass that was interrupted
goes on where it stopped.

Knows files; not what is in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile)
"""What comes of a file that isn't what was written, here and where its arrays are looked at."""


class ArrayFiles:
    """`mark` stands for all that files of this folder have in common: one with another is none."""

    def __init__(self, folder: Path, mark: bytes) -> None:
        self.folder, self._mark = folder, mark

    def read(self, what: bytes) -> dict[str, NDArray[Any]]:
        """What was kept under a name. Raises one of DAMAGED where there is nothing, or no sense."""
        with np.load(self._file(what)) as columns:
            return {name: columns[name] for name in columns}

    def keep(
        self, what: bytes, columns: Mapping[str, NDArray[Any]], *, squeezed: bool = False
    ) -> None:
        """Whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(what)
        part = file.with_suffix(".part.npz")
        save: Any = np.savez_compressed if squeezed else np.savez
        save(part, **columns)
        part.replace(file)

    def clear(self) -> None:
        """Forgets everything that is kept in the folder."""
        for file in self.folder.glob("*.npz"):
            file.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _file(self, what: bytes) -> Path:
        mark = hashlib.blake2b(self._mark + what, digest_size=16).hexdigest()
        return self.folder / f"{mark}.npz"
