"""What a long check has found so far, kept in a file so that an interrupted one goes on.

One JSON line a node; a line that can't be read, or that is about a node which has changed since, is
left out and the node checked again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from loom.replay.checks import Check, Verdict


class Notebook:
    """Checks by node; `with` closes the file, `finish` removes it."""

    def __init__(self, folder: Path, *key: str) -> None:
        name = hashlib.blake2b("\0".join(key).encode(), digest_size=12).hexdigest()
        self._file = folder / "replay" / f"{name}.jsonl"
        self._known: dict[tuple[int, str], Check] = {}
        self._lines = contextlib.ExitStack()
        self._out: TextIO | None = None
        with contextlib.suppress(OSError):
            for line in self._file.read_text(encoding="utf-8").splitlines():
                self._take(line)

    def __len__(self) -> int:
        return len(self._known)

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):  # then it begins anew next time
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lines = self._file.open("a", encoding="utf-8", buffering=1)
            self._out = self._lines.enter_context(lines)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()

    def known(self, node: int, digest: bytes) -> Check | None:
        return self._known.get((node, digest.hex()))

    def add(self, check: Check, digest: bytes) -> None:
        self._known[check.node, digest.hex()] = check
        if self._out is not None:
            self._out.write(json.dumps({"hash": digest.hex(), **asdict(check)}) + "\n")

    def finish(self) -> None:
        """Everything has been checked: next time it begins anew."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _take(self, line: str) -> None:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            data = json.loads(line)
            digest = data.pop("hash")
            check = Check(**{**data, "verdict": Verdict(data["verdict"])})
            self._known[check.node, digest] = check
