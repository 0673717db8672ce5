"""The history of a session as a reader sees it: one moment a change, in words.

Reads a session, never changes one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.core.text import decode, visible
from loom.history import (
    BARRIERS,
    CHECKPOINT,
    DROP,
    REDO,
    RETURN,
    SEAL,
    SET,
    UNDO,
    History,
    Operation,
)
from loom.session import Session
from loom.sources.chosen import SETTING as SOURCES
from loom.store.batch import EventRow
from loom.store.errors import NONSENSE, damaged

SILENT = {"go", SEAL, DROP}
WORDS = 40  # characters of a text that are told

NAMES = {
    "grow": "growing",
    "write": "writing",
    "take": "taking a token",
    "hide": "hiding",
    "mark": "a mark",
    SET: "a setting",
    RETURN: "going back",
}
"""What is undone, in words."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The session after event `number`. `name` of a checkpoint, else empty; `nodes` that came with
    it; `reachable` where one can go back to it."""

    number: int
    time: float
    kind: str
    text: str
    name: str = ""
    nodes: tuple[int, ...] = ()
    reachable: bool = True

    @property
    def when(self) -> datetime:
        """Here, by the clock on the wall; the first of all times for one that no clock shows."""
        try:
            return datetime.fromtimestamp(self.time)
        except (ValueError, OverflowError, OSError):
            return datetime.min


def moments(session: Session) -> list[Moment]:
    """All of them, the oldest first; moving about is none, nor is a setting that was changed again
    at once. Raises StoreError."""
    try:
        return _moments(session)
    except NONSENSE as error:  # of a file whose version had no checksums
        raise damaged(session.path, f"its history makes no sense ({error!r})") from error


def _moments(session: Session) -> list[Moment]:
    found: list[Moment] = []
    history, names = History(), dict[int, str]()
    for event in session.events():
        before = (history.last, history.last_undone)
        history.read(event.kind, event.data)
        if event.kind in SILENT:
            continue
        if event.kind in BARRIERS:
            found = [replace(moment, reachable=False) for moment in found]
        moment = _moment(session, event, before, names)
        names[event.id] = moment.name or moment.text
        if _is_again(found, event):
            found.pop()
        found.append(moment)
    return found


def _is_again(found: list[Moment], event: EventRow) -> bool:
    return bool(found) and event.kind == found[-1].kind == SET


def checkpoint_named(found: Iterable[Moment], name: str) -> Moment | None:
    """The newest checkpoint of that name."""
    return next((m for m in reversed(list(found)) if m.name == name), None)


def _moment(
    session: Session,
    event: EventRow,
    before: tuple[Operation | None, Operation | None],
    names: dict[int, str],
) -> Moment:
    operation = None
    if event.kind == UNDO:
        text = f"undid {_told(session, before[0])}"
    elif event.kind == REDO:
        text = f"redid {_told(session, before[1])}"
    elif event.kind == CHECKPOINT:
        text = event.data["name"]
    elif event.kind in BARRIERS:
        text = BARRIERS[event.kind]
    else:
        operation = Operation.from_json(event.kind, event.data)
        text = _told(session, operation)
        if event.kind == RETURN:
            text = f"went back to {names.get(event.data['to'], 'an earlier moment')}"
    name = text if event.kind == CHECKPOINT else ""
    nodes = operation.added if operation else ()
    return Moment(event.id, event.time, event.kind, text, name, nodes)


def _told(session: Session, operation: Operation | None) -> str:
    if operation is None:
        return "what is gone"
    if operation.kind == "grow":
        count = len(operation.added)
        return f"grew {count} continuation{'' if count == 1 else 's'}{_after(session, operation)}"
    if operation.kind in ("write", "take"):
        verb = "wrote" if operation.kind == "write" else "took"
        return f"{verb} {_quoted(session, operation.added[0])}"
    if operation.kind == "hide":
        return f"hid {_marked(session, operation)}"
    if operation.kind == "mark":
        return _marks_told(session, operation)
    if operation.kind == SET:
        return ", ".join(_setting_told(name, new) for name, _, new in operation.settings)
    return NAMES.get(operation.kind, operation.kind)


def _after(session: Session, operation: Operation) -> str:
    if not operation.added or operation.added[0] not in session.tree:
        return ""
    node = session.tree[operation.added[0]]
    if node.parent is None or not session.tree[node.parent].length:
        return ""
    place = Place(node.parent, node.at)
    words = _flat(session.tree.path_bytes(place)[-4 * WORDS :])
    return f" after “…{words[-WORDS // 2 :].lstrip()}”"


def _quoted(session: Session, node: int, start: int = 0) -> str:
    if node not in session.tree:
        return f"node {node}, which is gone"
    words = _flat(session.tree[node].text[start : start + 4 * WORDS]).strip()
    return f"“{words[: WORDS - 1] + '…' if len(words) > WORDS else words}”"


def _flat(text: bytes) -> str:
    return visible(decode(text)).replace("\n", "⏎").replace("\t", " ")


def _marked(session: Session, operation: Operation) -> str:
    mark = operation.marks[0][0]
    return _quoted(session, mark.node, mark.start)


def _marks_told(session: Session, operation: Operation) -> str:
    if len(operation.marks) > 1:
        return f"changed {len(operation.marks)} {_kind(operation.marks[0][0])}s"
    mark, _, new = operation.marks[0]
    if mark.kind is Kind.FOLDED:
        return f"{'un' if new is None else ''}folded {_marked(session, operation)}"
    verb = "removed" if new is None else "set"
    return f"{verb} a {_kind(mark)} at {_marked(session, operation)}"


def _kind(mark: Mark) -> str:
    return "fold" if mark.kind is Kind.FOLDED else str(mark.kind)


def _sources_told(value: str | None) -> str:
    if not value:
        return "the model's own sources"
    wanted = json.loads(value)
    return f"the sources of {visible(str(wanted['name']))}" if wanted else "no sources"


def _setting_told(name: str, value: str | None) -> str:
    if name == "recipe":
        recipe = Recipe.from_json(json.loads(value or "{}"))
        return f"sampling {recipe.preset or 'changed'}, {recipe.tokens} tokens"
    if name == SOURCES:
        return _sources_told(value)
    if name == "title":
        return f"title “{visible(value)}”" if value else "no title"
    return f"{name} {value or 'as before'}"
