"""Which nodes of a large tree may have a word in them, by SQLite's full-text index (FTS5).

Built in a thread when it is first asked, in a database of its own that is gone afterwards: a
session file stays as large as what was written. It names too many nodes rather than too few, and
can't tell where SQLite has no FTS5, while it is being built, and where reading all is as quick.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from itertools import islice

from loom.core.node import Node
from loom.core.search import NEAR
from loom.core.tree import Tree

LEAST = 20_000  # nodes; fewer are read in a few hundredths of a second
FRESH = 1000  # nodes that are read rather than looked up before they are taken in
TOGETHER = 500  # nodes taken in between two looks at whether it is still wanted
LETTERS = 3  # the least that can be looked up
SHARE = 8  # where one in so many nodes has it, all are read

_ASCII = re.compile(rb"[\x01-\x7f]{3,}")


class TextIndex:
    """Of `tree`, whose nodes keep their text once they have ended. `close` it."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._known: set[int] = set()
        self._ready = self._closed = False
        self._lock = threading.Lock()  # of the database
        self._thread: threading.Thread | None = None
        self._database: sqlite3.Connection | None = None

    def among(self, needle: bytes) -> set[int] | None:
        """See core.search.Among; of a longer needle the last NEAR bytes are looked for."""
        if len(self.tree) < LEAST or self._closed:
            return None
        fresh = set(self.tree) - self._known
        if len(fresh) > FRESH:
            self._take_in()
        letters = _trigrams(needle[-NEAR:])
        if not self._ready or not letters:
            return None
        found = self._with_all(letters)
        return None if found is None else found | fresh

    def close(self) -> None:
        """Gives up what is being built."""
        self._closed = True
        self.wait()
        if self._database is not None:
            self._database.close()

    def wait(self) -> None:
        """Until what is being taken in is there."""
        if self._thread is not None:
            self._thread.join()

    def _take_in(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        fresh = set(self.tree) - self._known - self.tree.growing
        nodes = [self.tree[node] for node in sorted(fresh)]
        self._thread = threading.Thread(
            target=self._run, args=(nodes,), name="text index", daemon=True
        )
        self._thread.start()

    def _run(self, nodes: list[Node]) -> None:
        try:
            if self._database is None:
                self._database = _made()
            left = iter(nodes)
            while not self._closed and (some := list(islice(left, TOGETHER))):
                with self._lock:
                    self._database.executemany(
                        "INSERT INTO words (rowid, text) VALUES (?, ?)", self._rows(some)
                    )
                self._known.update(node.id for node in some)
            self._ready = True
        except sqlite3.Error:  # no FTS5, or no room: then all is read
            self._closed = True

    def _rows(self, nodes: Iterable[Node]) -> Iterator[tuple[int, str]]:
        for node in nodes:
            # SQLite's tokenizer ends at a NUL; what is no UTF-8 has no letters to look up.
            text = (self._before(node) + node.text).replace(b"\0", b"\x7f")
            yield node.id, text.decode("utf-8", "replace")

    def _before(self, node: Node) -> bytes:
        before = b""
        while node.parent is not None and len(before) < NEAR:
            at, node = node.at, self.tree[node.parent]
            before = node.text[max(0, at - NEAR + len(before)) : at] + before
        return before

    def _with_all(self, letters: list[bytes]) -> set[int] | None:
        quoted = ('"' + three.decode().replace('"', '""') + '"' for three in letters)
        most = len(self.tree) // SHARE
        with self._lock:
            if self._closed or self._database is None:
                return None
            sql = "SELECT rowid FROM words WHERE words MATCH ? LIMIT ?"
            rows = self._database.execute(sql, (" AND ".join(quoted), most + 1)).fetchall()
        return None if len(rows) > most else {row[0] for row in rows}


def _made() -> sqlite3.Connection:
    """Raises sqlite3.Error where there is no FTS5."""
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode = OFF", "synchronous = OFF"):
        database.execute(f"PRAGMA {setting}")
    database.execute(
        "CREATE VIRTUAL TABLE words"
        " USING fts5 (text, content = '', detail = none, tokenize = 'trigram')"
    )
    database.execute("BEGIN")  # for good: there is nothing to keep
    return database


def _trigrams(needle: bytes) -> list[bytes]:
    """Every three plain letters in a row that a text with the needle has; NUL is left out."""
    found = {
        run[i : i + LETTERS]
        for run in _ASCII.findall(needle)
        for i in range(len(run) - LETTERS + 1)
    }
    return sorted(found)
