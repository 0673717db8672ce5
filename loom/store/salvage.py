"""A new session file of all that can be saved from a damaged one, which is only read.

Every row whose sum is right is taken, from wherever in the file it lies; then every node stays
whose ancestors stay and whose hash is right, and the rest is listed.
"""

from __future__ import annotations

import json
import mmap
import secrets
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from loom.core.node import ROOT, Node
from loom.store import schema
from loom.store.batch import REPAIRED
from loom.store.errors import SessionDamaged, StoreError
from loom.store.file import connect, place_new, readable
from loom.store.findings import KEPT_DAMAGED, Findings, Tally, gaps, sentences
from loom.store.hashes import Hashes
from loom.store.loading import Row, events_of, mark_of, model_of, nodes_of, recipe_of
from loom.store.log import read_log
from loom.store.numbers import keep_gaps
from loom.store.pages import Found, Pages
from loom.store.rows import TOKENS, read_span, span_of
from loom.store.schema import migrate
from loom.store.sums import COLUMNS, KEYS, insertion, sum_of

Key = tuple[Any, ...]

GREATEST = 2**53  # no session has counted so far


def salvage(path: Path, target: Path, now: Callable[[], float] = time.time) -> Findings:
    """Write what can be saved of `path` into the new file `target`.

    Raises StoreError where there is nothing, or `target` can't be made.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        if target.exists():
            raise FileExistsError
        with closing(connect(temporary, "rwc")) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            migrate(connection, schema.MIGRATIONS)
            connection.execute("BEGIN")
            current = _current(path)  # before the file is opened as a file
            findings = _Salvage(connection, now(), current).run(_pages(path))
            connection.execute("COMMIT")
        if not findings.of("nodes").whole:
            raise SessionDamaged(
                f"{path.name} holds nothing of a session that can be saved.",
                "There may be a copy among the backups; `loom backups` lists them.",
            )
        place_new(temporary, target)
    except FileExistsError as error:
        raise StoreError(f"{target} is there already.", "Choose another name.") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(f"{path.name} can't be saved into {target}: {why}.", "") from error
    except sqlite3.Error as error:
        raise StoreError(f"{target} can't be written: {error}.", "Make room for it.") from error
    finally:
        for suffix in ("", "-journal"):
            temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)
    return findings


def _pages(path: Path) -> Pages:
    """Reading the file itself is harmless here: this process doesn't have it open in SQLite."""
    log_data = _bytes(path.with_name(f"{path.name}-wal"))
    return Pages(_bytes(path), log_data, read_log(log_data))


def _bytes(path: Path) -> bytes:
    """The file's, without taking memory for them."""
    if not path.is_file() or not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return cast("bytes", mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _current(path: Path) -> dict[str, set[Key]]:
    """Which rows there are by SQLite's word, of tables from which rows are removed, as far as it
    can be asked: pages that are in use no more may hold others."""
    found: dict[str, set[Key]] = {}
    for table in ("mark", "meta"):
        sql = f"SELECT {', '.join(KEYS[table])} FROM {table}"
        with suppress(sqlite3.Error, ValueError, OSError), closing(readable(path)) as connection:
            found[table] = set(connection.execute(sql))
    return found


class _Salvage:
    """One pass to take rows in, one to see which of them hold together."""

    def __init__(
        self, connection: sqlite3.Connection, now: float, current: Mapping[str, set[Key]]
    ) -> None:
        self._connection, self._now, self._current = connection, now, current
        self._keys: dict[str, set[Key]] = defaultdict(set)
        self._bad: dict[str, set[Key]] = defaultdict(set)
        self._unsummed: list[Found] = []
        self._damaged: dict[int, Row] = {}

    def run(self, pages: Iterable[Found]) -> Findings:
        for found in pages:
            self._take(found)
        if not any(self._keys[table] for table in COLUMNS):  # of version 1: there are no sums
            for found in self._unsummed:
                self._put(found)
        nodes, lost, damaged = self._kept_nodes()
        spans = self._kept_spans(nodes)
        self._mend(nodes)
        tallies = (
            Tally("nodes", len(nodes) - len(damaged), len(lost), tuple(sorted(lost))),
            *([Tally(KEPT_DAMAGED, 0, len(damaged), tuple(damaged))] if damaged else []),
            spans,
            *self._others(nodes),
        )
        self._say(tallies)
        keep_gaps(self._connection, max([*nodes, *self._told["added"]], default=ROOT))
        return Findings(tallies, sentences(tallies))

    # ── taking rows in, the older ones first ───────────────────────────────────────────────

    def _take(self, found: Found) -> None:
        if found.table == "tokens":
            self._take_tokens(found)
        elif found.sound is None:
            self._unsummed.append(found)
        elif found.sound:
            self._put(found)
        else:
            self._bad[found.table].add(_key(found))
            if found.table == "node":
                self._damaged[found.row[0]] = found.row

    def _put(self, found: Found) -> None:
        row, key = found.row[:-1], _key(found)
        if key not in self._current.get(found.table, {key}) or _is_beyond(key):
            return
        if found.table == "node" and key in self._keys["node"] and self._is_older(row):
            return
        self._keys[found.table].add(key)
        self._connection.execute(insertion(found.table), (*row, sum_of(found.table, row)))

    def _is_older(self, row: Row) -> bool:
        """Whether the node in the new file has grown further than this state of it."""
        sql = "SELECT ended, token_count, length(text) FROM node WHERE id = ?"
        ended, count, length = self._connection.execute(sql, (row[0],)).fetchone()
        ours = (row[7] is not None, row[9] or 0, len(row[10]))
        return ours < (ended is not None, count or 0, length)

    def _take_tokens(self, found: Found) -> None:
        key = (found.row[0],)
        sql = "SELECT count FROM tokens WHERE node = ?"
        have = self._connection.execute(sql, key).fetchone()
        if have is not None and have[0] > found.row[1]:
            return
        with suppress(ValueError, TypeError):
            span_of(found.row)
            self._connection.execute(TOKENS, found.row)

    # ── what holds together ────────────────────────────────────────────────────────────────

    def _rows(self, table: str) -> list[Row]:
        columns = ", ".join(COLUMNS[table])
        order = ", ".join(KEYS[table])
        sql = f"SELECT {columns}, sum FROM {table} ORDER BY {order}"
        return self._connection.execute(sql).fetchall()

    def _kept_nodes(self) -> tuple[dict[int, Node], set[int], list[int]]:
        """The nodes that stay; the ids of those that don't or are only heard of; and of those that
        stay, the ones of which only what can be read is left."""
        fingerprints = {row.id: row.fingerprint for row in self._values("model", model_of)}
        hashes = Hashes(fingerprints, lambda node: read_span(self._connection, node))
        kept: dict[int, Node] = {}
        lengths = {ROOT: 0}
        damaged = {i: row for i, row in self._damaged.items() if (i,) not in self._keys["node"]}
        rows = {row[0]: row for row in self._rows("node")} | damaged
        for number in sorted(rows):
            node = self._node(rows[number])
            if node is None or not 0 <= node.at <= lengths.get(node.parent or ROOT, -1):
                continue
            if number in damaged:
                node = replace(node, hash=b"")  # children hang on it, and the writer may read it
                self._put_damaged(rows[number])
            if node.id != ROOT and hashes.add(node):
                kept[node.id], lengths[node.id] = node, node.length
        self._remove("node", "id", [i for i in rows if i not in kept])
        return kept, self._heard_of() - kept.keys() - {ROOT}, sorted(damaged.keys() & kept.keys())

    def _put_damaged(self, row: Row) -> None:
        values = (*row[:-2], b"")
        self._connection.execute(insertion("node"), (*values, sum_of("node", values)))

    def _node(self, row: Row) -> Node | None:
        try:
            return nodes_of([row])[0]
        except ValueError:
            return None

    def _values(self, table: str, value_of: Callable[[Row], Any]) -> list[Any]:
        found = []
        for row in self._rows(table):
            try:
                found.append(value_of(row))
            except (ValueError, TypeError):
                self._bad[table].add(tuple(row[COLUMNS[table].index(k)] for k in KEYS[table]))
        return found

    def _heard_of(self) -> set[int]:
        """Ids of all the nodes there were, as far as anything tells; removed ones left out."""
        heard = {key[0] for key in self._keys["node"] | self._bad["node"]}
        heard |= {key[0] for key in self._keys["mark"]}
        heard |= {row[0] for row in self._connection.execute("SELECT node FROM tokens")}
        heard |= self._told["added"]
        numbers = {number for number in heard if isinstance(number, int) and number > 0}
        return numbers - self._told["removed"]

    @cached_property
    def _told(self) -> Mapping[str, set[int]]:
        """Nodes of which events say that they were added, or removed."""
        told: dict[str, set[int]] = {"added": set(), "removed": set()}
        for event in self._values("event", lambda row: next(events_of([row]))):
            data = event.data if isinstance(event.data, dict) else {}
            for what, numbers in told.items():
                listed = data.get(what)
                if isinstance(listed, list):
                    numbers.update(number for number in listed if isinstance(number, int))
        return told

    def _kept_spans(self, nodes: dict[int, Node]) -> Tally:
        there = dict(self._connection.execute("SELECT node, count FROM tokens"))
        wanted = {node.id: node.token_count for node in nodes.values() if node.token_count}
        whole = {number for number, count in wanted.items() if there.get(number) == count}
        self._remove("tokens", "node", [number for number in there if number not in whole])
        lost = sorted(wanted.keys() - whole)
        return Tally("token columns", len(whole), len(lost), tuple(lost))

    def _mend(self, nodes: dict[int, Node]) -> None:
        """References to what is lost become none; where the writer was is a node that is there."""
        recipes = {number for number, _ in self._values("recipe", recipe_of)}
        models = {row.id for row in self._values("model", model_of)}
        for row in self._rows("node"):
            mended = list(row[:-1])
            mended[4] = row[4] if row[4] in recipes else None
            mended[5] = row[5] if row[5] in models else None
            if mended != list(row[:-1]):
                self._connection.execute(insertion("node"), (*mended, sum_of("node", mended)))
        meta = {key: value for key, value, _ in self._rows("meta")}
        if not _is_place(meta.get("place", "[0,0]"), nodes):
            last = max(nodes.values(), key=lambda node: node.id, default=None)
            row = ("place", json.dumps(list(last.end) if last else [ROOT, 0]))
            self._connection.execute(insertion("meta"), (*row, sum_of("meta", row)))

    def _others(self, nodes: dict[int, Node]) -> list[Tally]:
        marks = self._values("mark", mark_of)
        stray = [mark for mark, _ in marks if mark.node not in nodes and mark.node != ROOT]
        for mark in stray:
            self._connection.execute(
                "DELETE FROM mark WHERE node = ? AND start = ? AND kind = ?", mark
            )
        for table in ("recipe", "model", "event", "mark", "meta"):
            self._drop_bad(table)
        names = {
            "mark": "marks",
            "recipe": "recipes",
            "model": "models",
            "piece": "token bytes",
            "meta": "settings",
            "event": "events",
        }
        return [self._tally(table, what) for table, what in names.items()]

    def _drop_bad(self, table: str) -> None:
        where = " AND ".join(f"{key} = ?" for key in KEYS[table])
        for key in self._bad[table] & self._keys[table]:
            self._connection.execute(f"DELETE FROM {table} WHERE {where}", key)

    def _tally(self, table: str, what: str) -> Tally:
        (count,) = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        lost = self._bad[table] - self._keys[table]
        if table in ("event", "recipe", "model"):  # numbered from 1 without gaps
            rows = self._connection.execute(f"SELECT id FROM {table}")
            gone = gaps(number for (number,) in rows)
            return Tally(what, count, len(gone), gone)
        return Tally(what, count, len(lost))

    def _remove(self, table: str, column: str, keys: Iterable[int]) -> None:
        self._connection.executemany(
            f"DELETE FROM {table} WHERE {column} = ?", [(key,) for key in keys]
        )

    def _say(self, tallies: tuple[Tally, ...]) -> None:
        """In the record, so that nothing is undone that hangs on what is lost."""
        (last,) = self._connection.execute("SELECT max(id) FROM event").fetchone()
        lost = {tally.what: list(tally.ids) for tally in tallies if tally.lost}
        row = ((last or 0) + 1, self._now, REPAIRED, json.dumps({"lost": lost}))
        self._connection.execute(insertion("event"), (*row, sum_of("event", row)))


def _key(found: Found) -> Key:
    columns = COLUMNS[found.table]
    return tuple(found.row[columns.index(name)] for name in KEYS[found.table])


def _is_beyond(key: Key) -> bool:
    """Whether a number in it was never given, and there may be none after it."""
    return any(isinstance(value, int) and abs(value) > GREATEST for value in key)


def _is_place(text: str, nodes: dict[int, Node]) -> bool:
    try:
        node, at = json.loads(text)
    except (ValueError, TypeError):
        return False
    return node == ROOT or (node in nodes and 0 <= at <= nodes[node].length)
