"""Bytes flipped, files and logs cut, the last writes dropped."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.faults.outcome import Outcome, emptied
from benchmarks.faults.witness import Lie, Witness, opened_or_saved
from loom.store.log import read_log
from loom.store.store import SessionDamaged

PAGE, HEAD = 4096, 120  # bytes; every second flip hits the head of a page, where it hurts most


def flips(story: Path, folder: Path, source: random.Random, count: int) -> Outcome:
    """One byte changed anywhere."""
    outcome, raw, before = (
        Outcome("one byte flipped in the file"),
        story.read_bytes(),
        Witness.of(story),
    )
    for index in range(count):
        offset = source.randrange(len(raw))
        if index % 2:
            offset = offset // PAGE * PAGE + source.randrange(HEAD)
        data = bytearray(raw)
        data[offset] ^= source.randrange(1, 256)
        path = folder / f"{index}.loom"
        path.write_bytes(data)
        outcome.attempt(f"byte {offset}", partial(opened_or_saved, path, before))
        emptied(folder)
    return outcome


def cuts(story: Path, folder: Path, source: random.Random, count: int) -> Outcome:
    """The end of the file is gone."""
    outcome, raw, before = Outcome("the file cut"), story.read_bytes(), Witness.of(story)
    for index in range(count):
        size = source.randrange(len(raw))
        path = folder / f"{index}.loom"
        path.write_bytes(raw[:size])
        outcome.attempt(f"at byte {size}", partial(opened_or_saved, path, before))
        emptied(folder)
    return outcome


def logs(killed: Path, folder: Path, source: random.Random, count: int) -> list[Outcome]:
    """The log of a killed Loom cut at any byte, cut between two writes, and with a byte flipped."""
    raw, log_raw = killed.read_bytes(), _log(killed).read_bytes()
    log = read_log(log_raw)
    assert log is not None
    before = Witness.of(killed)
    ends = [frame.start + log.page_size for frame in log.frames]
    found = []
    for fault in ("the log cut", "the last writes dropped", "one byte flipped in the log"):
        outcome = Outcome(fault)
        for index in range(count):
            data = bytearray(log_raw)
            if fault == "the log cut":
                at = source.randrange(len(data))
                del data[at:]
            elif fault == "the last writes dropped":
                at = source.choice(ends)
                del data[at:]
            else:
                at = source.randrange(len(data))
                data[at] ^= source.randrange(1, 256)
            path = folder / f"{index}.loom"
            path.write_bytes(raw)
            _log(path).write_bytes(data)
            outcome.attempt(f"at byte {at}", partial(_earlier, path, before))
            emptied(folder)
        found.append(outcome)
    return found


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _earlier(path: Path, before: Witness) -> tuple[str, float]:
    """An earlier state of the session, whole; or damage that is said, and saved from."""
    try:
        now = Witness.of(path, read_only=False)
    except SessionDamaged:
        return opened_or_saved(path, before)
    count = len(now.loaded.nodes)
    first = before.loaded.nodes[:count]
    if now.loaded.nodes != first or now.loaded.events != before.loaded.events[:count]:
        raise Lie(f"opened with {count} nodes that are not the first {count}")
    spans = {node.id: before.spans[node.id] for node in first if node.id in before.spans}
    if replace(now, pieces={}).spans != spans:
        raise Lie("opened, but the token columns are others")
    return ("whole" if count == len(before.loaded.nodes) else "an earlier state"), count / max(
        1, len(before.loaded.nodes)
    )
