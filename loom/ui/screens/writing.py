"""Writing: the editor, the writer's own editor, paste; and what committing does."""

from __future__ import annotations

import asyncio
import re

from textual import events, on

from loom.core.display import Segment
from loom.core.node import Place
from loom.ui import outside
from loom.ui.glyphs import first_words
from loom.ui.revision import Revision, Task
from loom.ui.screens.growing import Growing
from loom.ui.widgets.editor import Editor

TITLE_CELLS = 32
LINE_END = re.compile(r"\r\n?")
LARGE = 100_000  # characters; an editor for more would be slow at every key


class Writing(Growing):
    """Commands that put the writer's own words into the tree."""

    def begin(self) -> None:
        """At the start: back to what was being written, or to the empty page."""
        draft = self.session.draft
        if draft is not None and draft.text:
            self.open_editor(Task(self._known(draft.place), draft.text), "Where you left off")
        elif len(self.session.tree) == 1 and not self.session.read_only:
            self.open_editor(Task(self.here), "A new session")

    def _known(self, place: Place) -> Place:
        return place if place.node in self.session.tree else self.here

    def action_write(self) -> None:
        self.open_editor(Task(self.cursor), "Write")

    async def action_edit(self) -> None:
        task = self._revision()
        if task is None:
            self.notify("There is nothing here to edit yet.")
            return
        if len(task.text) <= LARGE:
            self.open_editor(task, "A new branch")
            return
        await self._announce("opening the editor …")
        self.open_editor(task, "A new branch")
        self.status.awaited = ""

    async def _announce(self, what: str) -> None:
        """Have it on the screen before something begins during which nothing can be drawn."""
        drawn = asyncio.get_running_loop().create_future()
        self.status.awaited = what
        self.call_after_refresh(drawn.set_result, None)
        await drawn

    def _revision(self) -> Task | None:
        """The writer's node, or what of it comes after the cursor."""
        place = self.cursor
        segment = self.session.display.segment_of(place)
        start = segment.start
        if self.in_text and place != self.here:
            segment, start = self._after(segment, place)
        old = self.session.tree[segment.node].text[start : segment.stop]
        if not old:
            return None
        text = old.decode("utf-8", "replace")
        return Task(self._hang(segment.node, start), text, Revision(segment.node, start, old))

    def _after(self, segment: Segment, place: Place) -> tuple[Segment, int]:
        """The segment of the path that goes on at `place`, and where in it."""
        if place.at < segment.stop:
            return segment, place.at
        path = self.session.display.path(self.here)
        on = next(
            (there for there in path if self.session.display.parent(there) == segment), segment
        )
        return on, on.start

    def _hang(self, node: int, start: int) -> Place:
        """Where a branch that begins at byte `start` of `node` hangs."""
        there = self.session.tree[node]
        if start or there.parent is None:
            return Place(node, start)
        return Place(there.parent, there.at)

    def open_editor(self, task: Task, title: str) -> None:
        if self._refuses():
            return
        empty = not self.session.tree.path_bytes(task.place)
        self.text_pane.show(task.place)
        self.text_pane.display = not empty
        self.cards.display = self.query_one("#cards-edge").display = False
        self.editor.set_class(empty, "-alone")
        grow = self.key_of("commit_and_grow")
        keys = f"{self.key_of('commit')} commits · {grow} commits and grows"
        first = f"Begin with a sentence. {grow} lets the model go on." if empty else ""
        self.editor.open(task, title, keys, first)
        self.refresh_bindings()

    def _refuses(self) -> bool:
        """Whether nothing can be written here; says so."""
        if self.session.read_only:
            self.notify("This session is open for reading only.", severity="warning")
        return self.session.read_only

    async def action_commit(self) -> None:
        await self._commit()

    async def action_commit_and_grow(self) -> None:
        await self._commit()
        self.grow_at(self.here)

    async def _commit(self) -> None:
        """Put the text into the tree, then close the editor. Raises StoreError."""
        task, text = self.editor.job, self.editor.text
        if task is not None:
            self.put(task, text.encode("utf-8", "surrogateescape"))
            self.session.save_draft(None, task.place)
            await self._close_editor()

    async def _close_editor(self) -> None:
        self.editor.close()
        self.text_pane.display = self.cards.display = True
        self.query_one("#cards-edge").display = True
        await self.show_place()
        self.focus_tree()
        self.refresh_bindings()

    def put(self, task: Task, text: bytes) -> None:
        """Write, or branch off where the new text begins to differ from the old."""
        if task.revision is None:
            if text:
                self.session.write(text, task.place)
            return
        if task.revision.unchanged(text):
            return
        at, new = task.revision.outcome(text)
        place = self._hang(task.revision.node, at)
        if new:
            self.session.write(new, place)
        else:
            self.go(place)

    @on(Editor.DraftChanged)
    def keep_draft(self, event: Editor.DraftChanged) -> None:
        if self.editor.is_open:
            self.session.save_draft(event.text or None, event.place)

    # ── other ways in ──────────────────────────────────────────────────────────────────────

    def action_edit_outside(self) -> None:
        if self._refuses():
            return
        task = self._revision() or Task(self.cursor)
        try:
            text = outside.edit(self.app, task.text)
        except outside.EditorFailed as error:
            self.complain(error)
            return
        if text != task.text:
            self.put(task, text.encode("utf-8", "surrogateescape"))

    def _with_pasted(self, pasted: str) -> tuple[Task, bytes]:
        """What is to be put where, with all that the editor holds if it is open."""
        text, task = pasted, Task(self.cursor)
        if self.editor.job is not None:
            before, after = self.editor.around
            text, task = before + pasted + after, self.editor.job
        return task, text.encode("utf-8", "surrogateescape")

    async def paste(self, event: events.Paste) -> None:
        """Into the editor; outside it, and where it is long, straight into the tree.

        Terminals send a line end as the key Enter, which is a carriage return.
        """
        if self.editor.is_open and len(event.text) <= LARGE:
            await self.editor.pasted(event)
            return
        if not event.text:
            return
        task, text = self._with_pasted(LINE_END.sub("\n", event.text))
        if self.attempt(lambda: self.put(task, text)):
            if self.editor.is_open:
                self.session.save_draft(None, task.place)
                await self._close_editor()
            words = first_words(text, TITLE_CELLS)
            self.notify(f"Pasted “{words}”; {self.key_of('undo')} takes it back.", markup=False)
