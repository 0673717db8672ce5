"""How much of the screen each part of the page gets, as the writer last had it.

Knows cells and a file; knows nothing of what fits.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from loom.store.atomic import write_atomically

NAME = "proportions.json"


@dataclass(frozen=True, slots=True)
class Proportions:
    """Columns of the tree and of the lens, lines of the cards; None as the stylesheet has it."""

    tree: int | None = None
    lens: int | None = None
    cards: int | None = None

    @classmethod
    def load(cls, folder: Path) -> Proportions:
        """What `save` wrote there; the defaults for what can't be read."""
        try:
            data = json.loads((folder / NAME).read_bytes())
        except (OSError, ValueError, RecursionError):
            return cls()
        if not isinstance(data, dict):
            return cls()
        known = {name: data.get(name) for name in (f.name for f in fields(cls))}
        return cls(**{k: v for k, v in known.items() if type(v) is int and v > 0})

    def save(self, folder: Path) -> None:
        """Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / NAME, json.dumps(asdict(self)).encode())
