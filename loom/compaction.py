"""Which nodes of a session nobody can see any more, and taking them out of its file for good."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loom.core.marks import Marks
from loom.core.node import ROOT
from loom.core.tree import Tree
from loom.paths import Paths
from loom.store.backup import Backups
from loom.store.compacting import compact
from loom.store.store import Store


@dataclass(frozen=True, slots=True)
class Compacted:
    """`backup` is the session as it was, None where there was nothing to remove; sizes in bytes."""

    removed: tuple[int, ...]
    before: int
    after: int
    backup: Path | None


def unseen(tree: Tree, marks: Marks) -> set[int]:
    """Hidden nodes on which nothing hangs that can be seen."""
    shown = {ROOT: True}  # node → whether the place it hangs at can be seen
    kept = {ROOT}
    order = list(tree.preorder())
    for number in order[1:]:
        node = tree[number]
        parent = node.parent or ROOT
        cut = marks.hidden_from(parent)
        shown[number] = shown[parent] and (cut is None or node.at <= cut)
        if shown[number] and marks.hidden_from(number) != 0:
            kept.add(number)
    for number in reversed(order[1:]):
        if number in kept:
            kept.add(tree[number].parent or ROOT)
    return set(order) - kept


def compacted(path: Path, now: Callable[[], float] = time.time) -> Compacted:
    """Remove the hidden nodes of a session that nobody has open. Raises StoreError."""
    path = path.resolve()
    store = Store.open(path, read_only=True)
    try:
        loaded = store.load()
    finally:
        store.close()
    tree, marks = Tree(), Marks()
    for node in loaded.nodes:
        tree.add(node)
    for mark, value in loaded.marks:
        marks.set(mark, value)
    before, gone = path.stat().st_size, unseen(tree, marks)
    if not gone:
        return Compacted((), before, before, None)
    moment = datetime.fromtimestamp(now())
    backups, stem = Backups(Paths.default().backups, path), f"compacted-{moment:%Y-%m-%d-%H%M%S}"
    names = (backups.named(stem if n == 1 else f"{stem}-{n}") for n in itertools.count(1))
    backup = next(name for name in names if not name.exists())
    compact(path, gone, backup, now())
    return Compacted(tuple(sorted(gone)), before, path.stat().st_size, backup)
