"""All that is in a session, to hold a damaged copy of it against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loom.core.node import Node
from loom.store.batch import Loaded
from loom.store.findings import KEPT_DAMAGED, Findings
from loom.store.salvage import salvage
from loom.store.store import SessionDamaged, Store, StoreError

Columns = tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """`spans` by node, `pieces` by model and token."""

    loaded: Loaded
    spans: Mapping[int, Columns | None]
    pieces: Mapping[int, Mapping[int, bytes] | None]

    @classmethod
    def of(cls, path: Path, *, read_only: bool = True) -> Witness:
        """Reads everything there is; raises StoreError."""
        store = Store.open(path, read_only=read_only)
        try:
            loaded = store.load()
            spans = {n.id: _columns(store, n.id) for n in loaded.nodes if n.token_count}
            pieces = {row.id: _pieces(store, row.id) for row in loaded.models}
        finally:
            store.close()
        return cls(loaded, spans, pieces)


def _columns(store: Store, node: int) -> Columns | None:
    """None where they can't be had, which a session says: the node has a number of tokens."""
    try:
        span = store.span(node)
    except SessionDamaged:
        return None
    if span is None:
        return None
    return tuple(None if column is None else column.tobytes() for _, column in span.columns())


def _pieces(store: Store, model: int) -> Mapping[int, bytes] | None:
    try:
        return store.pieces(model, range(2000))
    except SessionDamaged:
        return None


class Lie(AssertionError):
    """Something was lost or changed without a word."""


def opened_or_saved(path: Path, before: Witness) -> tuple[str, float]:
    """`whole` or `saved`, and which share of the nodes is there.

    Raises Lie where something is wrong and nothing says so, or the damaged file was touched.
    """
    raw = path.read_bytes()
    try:
        now = Witness.of(path, read_only=False)
    except StoreError as error:
        if "\n" in str(error) or not str(error).endswith("."):
            raise Lie(f"not one sentence: {error}") from error
        if path.read_bytes() != raw:
            raise Lie(f"the damaged file was changed; {error}") from error
        return _saved(path, before)
    if now == before:
        return "whole", 1.0
    if _difference(before, now):
        raise Lie(f"opened without a word, but {_difference(before, now)}")
    _saved(path, before)
    return "whole but for token columns", 1.0


def _saved(path: Path, before: Witness) -> tuple[str, float]:
    target = path.with_name(f"{path.stem}-saved.loom")
    target.unlink(missing_ok=True)
    raw = path.read_bytes()
    try:
        findings = salvage(path, target)
    except StoreError as nothing:
        if "nothing of a session" not in str(nothing):
            raise Lie(str(nothing)) from nothing
        return "nothing left to save", 0.0
    if path.read_bytes() != raw:
        raise Lie("salvaging changed the damaged file")
    now = Witness.of(target, read_only=False)
    _check_kept(before, now, findings)
    kept = len(now.loaded.nodes) - findings.of(KEPT_DAMAGED).lost
    return "saved", kept / max(1, len(before.loaded.nodes))


def _check_kept(before: Witness, now: Witness, findings: Findings) -> None:
    old = {node.id: node for node in before.loaded.nodes}
    damaged = set(findings.of(KEPT_DAMAGED).ids)
    for node in now.loaded.nodes:
        if node.id in damaged:
            continue
        if node.id not in old or _content(node) != _content(old[node.id]):
            raise Lie(f"node {node.id} was changed by saving it")
        if now.spans.get(node.id) not in (None, before.spans.get(node.id)):
            raise Lie(f"the columns of node {node.id} were changed by saving them")
    missing = set(old) - {node.id for node in now.loaded.nodes}
    said = set(findings.of("nodes").ids)
    last_heard_of = max([*said, *(node.id for node in now.loaded.nodes)])
    if any(node not in said and node <= last_heard_of for node in missing):
        raise Lie(f"nodes {sorted(missing - said)} are gone, and only {sorted(said)} said to be")
    bare = {node for node in before.spans if now.spans.get(node) is None} - missing
    if bare - set(findings.of("token columns").ids):
        raise Lie(f"the columns of {sorted(bare)} are gone without a word")


def _content(node: Node) -> tuple[object, ...]:
    """All but references, which become none where what they name is lost."""
    return (
        *(node.id, node.parent, node.at, node.author, node.text, node.seed, node.ended),
        *(node.created, node.token_count, node.hash),
    )


def _difference(before: Witness, now: Witness) -> str:
    for name in ("nodes", "marks", "recipes", "models", "events", "meta"):
        if getattr(before.loaded, name) != getattr(now.loaded, name):
            return f"its {name} are others"
    spans = [i for i, columns in now.spans.items() if columns not in (None, before.spans[i])]
    if spans:
        return f"the columns of nodes {spans} are others"
    for model, known in now.pieces.items():  # one that can't be found is shown as unknown
        if known and not known.items() <= (before.pieces[model] or {}).items():
            return f"the token bytes of model {model} are others"
    return ""
