"""What a long check has found so far, kept in a file so that an interrupted one goes on.

One JSON line a node; a line that can't be read, or that is about a node which has changed since, is
left out and the node checked again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from loom.replay.checks import Check, Verdict

_NUMBER = (int, float, type(None))
_TYPES: dict[str, type | tuple[type, ...]] = {
    "node": int,
    "tokens": int,
    "reason": str,
    "difference": _NUMBER,
    "index": (int, type(None)),
    "gap": _NUMBER,
}


class Notebook:
    """Checks by node; `with` closes the file, `finish` removes it.

    `stamp` gives what a node's check rests on, in few bytes: another stamp, and it counts no more.
    """

    def __init__(self, folder: Path, stamp: Callable[[int], bytes], *key: str) -> None:
        name = hashlib.blake2b("\0".join(key).encode(), digest_size=12).hexdigest()
        self._file = folder / "replay" / f"{name}.jsonl"
        self._stamp = stamp
        self._known: dict[int, tuple[str, Check]] = {}
        self._lines = contextlib.ExitStack()
        self._out: TextIO | None = None
        with contextlib.suppress(OSError):
            for line in self._file.read_text(encoding="utf-8", errors="replace").splitlines():
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
        with contextlib.suppress(OSError):  # what a full disk didn't take is checked again
            self._lines.close()

    def known(self, node: int) -> Check | None:
        stamp, check = self._known.get(node, ("", None))
        return check if check is not None and stamp == self._stamp(node).hex() else None

    def add(self, check: Check) -> None:
        stamp = self._stamp(check.node).hex()
        self._known[check.node] = (stamp, check)
        if self._out is not None:
            with contextlib.suppress(OSError):
                self._out.write(json.dumps({"stamp": stamp, **asdict(check)}) + "\n")

    def finish(self) -> None:
        """Everything has been checked: next time it begins anew."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _take(self, line: str) -> None:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            data = dict(json.loads(line))
            stamp, verdict = str(data.pop("stamp")), Verdict(data.pop("verdict"))
            if all(isinstance(value, _TYPES[name]) for name, value in data.items()):
                check = Check(verdict=verdict, **data)
                self._known[check.node] = (stamp, check)
