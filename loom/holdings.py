"""What has been read of a session's nodes: rows in memory over rows in the file.

Knows which nodes hold what would be read now (`sound`) and which have flags; reads nothing itself.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from loom.instruments.api import Flag, Reading
from loom.instruments.keeping import Glance, Kept, glance, pack, unpack, unpack_state
from loom.record import Record
from loom.store.batch import ReadingRow

ROWS_KEPT = 4096  # nodes whose rows are held in memory, of a session that can be written
SETTINGS = "instrument "  # what the names of settings begin with in the file

Rows = dict[str, ReadingRow]


class Holdings:
    """Of all plugins, or of one `instrument` that isn't one; the rows of `room` nodes are held."""

    def __init__(
        self, record: Record, instrument: str | None = None, room: int = ROWS_KEPT
    ) -> None:
        self._record, self._instrument, self._room = record, instrument, room
        self._rows: OrderedDict[int, Rows] = OrderedDict()
        self._sound: dict[int, bytes] = {}
        self._flags: dict[int, dict[str, tuple[Flag, ...]]] = {}
        self._unsaved: dict[tuple[int, str], ReadingRow] = {}
        self._settings: dict[str, Mapping[str, Any]] = {}
        self.inside: dict[tuple[str, str, bytes], str] = {}
        """(instrument, settings, what stands for all before) → state after part of a node."""

    # ── what was read ──────────────────────────────────────────────────────────────────────

    def glance(self, node: int, name: str, key: str) -> Glance | None:
        """None for what was never read with these settings, or is damaged."""
        row = self._row(node, name, key)
        try:
            return None if row is None else glance(row.state, row.data)
        except ValueError:
            return None

    def kept(self, node: int, name: str, key: str) -> Kept | None:
        row = self._row(node, name, key)
        try:
            return None if row is None else unpack(row.state, row.data)
        except ValueError:
            return None

    def state(self, node: int, name: str, key: str) -> str | None:
        """Of what was kept, only the state."""
        row = self._row(node, name, key)
        try:
            return None if row is None else unpack_state(row.state, row.data)
        except ValueError:
            return None

    def readings(self, node: int, keys: Mapping[str, str]) -> dict[str, Reading]:
        """By instrument; those with other settings than `keys` says are left out."""
        found = {name: self.kept(node, name, key) for name, key in keys.items()}
        return {name: kept.reading for name, kept in found.items() if kept is not None}

    def keep(self, node: int, name: str, key: str, kept: Kept) -> None:
        self.keep_row(ReadingRow(node, name, key, *pack(kept)))
        self._note_flags(node, name, kept.reading.flags)

    def keep_row(self, row: ReadingRow) -> None:
        self._rows_of(row.node)[row.instrument] = row
        if not self._record.read_only:
            self._unsaved[row.node, row.instrument] = row

    def _row(self, node: int, name: str, key: str) -> ReadingRow | None:
        row = self._rows_of(node).get(name)
        return row if row is not None and row.settings == key else None

    def _rows_of(self, node: int) -> Rows:
        rows = self._rows.get(node)
        if rows is None:
            found = self._record.reading_rows(node, self._instrument)
            self._rows[node] = rows = {row.instrument: row for row in found}
            self._let_go()
        self._rows.move_to_end(node)
        return rows

    def _let_go(self) -> None:
        """What isn't in the file yet, and never will be of a session for reading only, stays."""
        while len(self._rows) > self._room and not self._record.read_only:
            node, rows = next(iter(self._rows.items()))
            if any((node, name) in self._unsaved for name in rows):
                return
            del self._rows[node]

    # ── what may go into the file ──────────────────────────────────────────────────────────

    def know_settings(self, key: str, spelled: Mapping[str, Any]) -> None:
        if self._record.setting(SETTINGS + key) is None:
            self._settings[key] = spelled

    @property
    def unsaved(self) -> int:
        return len(self._unsaved)

    def take_unsaved(self) -> tuple[tuple[ReadingRow, ...], dict[str, str]]:
        """Rows, and the settings that are new to the file."""
        rows, self._unsaved = tuple(self._unsaved.values()), {}
        used = {row.settings for row in rows} & self._settings.keys()
        return rows, {SETTINGS + key: json.dumps(self._settings.pop(key)) for key in sorted(used)}

    # ── what holds ─────────────────────────────────────────────────────────────────────────

    def after(self, node: int) -> bytes | None:
        """What stands for the states after a sound node; None for another."""
        return self._sound.get(node)

    def is_sound(self, node: int) -> bool:
        return node in self._sound

    def settle(self, node: int, after: bytes) -> None:
        self._sound[node] = after

    def discard(self, node: int) -> None:
        """What is there of it can't be used: it is to be read anew."""
        self._rows[node] = {}
        self.doubt([node])

    def doubt(self, nodes: Iterable[int]) -> None:
        for node in nodes:
            self._sound.pop(node, None)

    def flags(self, node: int) -> Mapping[str, tuple[Flag, ...]]:
        """By instrument, of a node that has been looked at; nothing is read from the file."""
        return self._flags.get(node, {})

    @property
    def flagged(self) -> AbstractSet[int]:
        """Nodes with flags, among those that have been looked at."""
        return self._flags.keys()

    def note_flagged(self, node: int, name: str, key: str, seen: Glance) -> None:
        """Flags of what was found in the file."""
        kept = self.kept(node, name, key) if seen.flagged else None
        self._note_flags(node, name, kept.reading.flags if kept is not None else ())

    def forget_instrument(self, name: str) -> frozenset[int]:
        """It runs no more: its flags are out of sight; the nodes that had some."""
        had = frozenset(node for node, flags in self._flags.items() if name in flags)
        for node in had:
            self._note_flags(node, name, ())
        return had

    def _note_flags(self, node: int, name: str, flags: tuple[Flag, ...]) -> None:
        if flags:
            self._flags.setdefault(node, {})[name] = flags
        elif node in self._flags:
            self._flags[node].pop(name, None)
            if not self._flags[node]:
                del self._flags[node]
