"""The write-ahead log beside a session that was not closed, read frame by frame.

Knows bytes only (sqlite.org/walformat.html); nothing is written, no SQLite is asked.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

MAGIC = {0x377F0682: "little", 0x377F0683: "big"}
HEADER, FRAME = 32, 24  # bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """A page as it became; `commits` where a transaction ends with it."""

    page: int
    start: int  # of the page's bytes in the log
    commits: bool


@dataclass(frozen=True, slots=True)
class Log:
    """`frames` of the log's last filling, in order; the first `sound` of them SQLite takes."""

    page_size: int
    frames: tuple[Frame, ...]
    sound: int

    @property
    def lost(self) -> int:
        """Transactions that were on the disk and that SQLite leaves out, damaged as they are.

        The last one doesn't count: a power cut leaves it so, and nobody was told it was saved.
        """
        return max(0, sum(frame.commits for frame in self.frames[self.sound :]) - 1)


def lost_in_log(session: Path) -> int:
    """How many changes the log beside `session` holds that nobody can take over."""
    path = session.with_name(f"{session.name}-wal")
    log = read_log(path.read_bytes()) if path.is_file() else None
    return 0 if log is None else log.lost


def read_log(data: bytes) -> Log | None:
    """None where there is no log, or its head can't be read."""
    if len(data) < HEADER:
        return None
    magic, _, size, _, *salts = struct.unpack_from(">6I", data)
    if magic not in MAGIC or size < 512 or size & (size - 1):
        return None
    order = MAGIC[magic]
    sums = _summed(data, 0, HEADER - 8, order, (0, 0))
    sound = 0
    whole = sums == struct.unpack_from(">2I", data, HEADER - 8)
    frames: list[Frame] = []
    for at in range(HEADER, len(data) - FRAME - size + 1, FRAME + size):
        page, pages, *own = struct.unpack_from(">4I", data, at)
        if own != salts:
            whole = False
            if frames and not _again(data, at, size, salts):
                break
            continue
        frames.append(Frame(page, at + FRAME, pages > 0))
        if whole:
            sums = _summed(data, at, 8, order, sums)
            sums = _summed(data, at + FRAME, size, order, sums)
            whole = sums == struct.unpack_from(">2I", data, at + 16)
            sound = len(frames) if whole and pages else sound
    return Log(size, tuple(frames), sound)


def _again(data: bytes, at: int, size: int, salts: list[int]) -> bool:
    """Whether the frame after the one at `at` is of this filling again."""
    after = at + FRAME + size
    return len(data) >= after + FRAME and list(struct.unpack_from(">2I", data, after + 8)) == salts


def _summed(
    data: bytes, start: int, length: int, order: str, sums: tuple[int, int]
) -> tuple[int, int]:
    """SQLite's running checksum over `length` bytes."""
    words = array("I", data[start : start + length])
    if order == "big":
        words.byteswap()
    first, second = sums
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
