"""Beginning a text under somebody's name, as the model has read texts begin."""

from __future__ import annotations

from loom.bylines import bylines, heading
from loom.core.node import ROOT, Author, Place
from loom.ui.screens.byline import BylineScreen
from loom.ui.screens.writing import Writing


class Beginning(Writing):
    """What the palette offers beside the table of keys."""

    async def action_byline(self) -> None:
        """Ask for a name; what is in the editor is committed first."""
        if self._refuses():
            return
        if self.editor.is_open:
            await self._commit()
        await self.app.push_screen(BylineScreen(bylines()), self._begin_under)

    def _begin_under(self, name: str | None) -> None:
        if name is not None and self.attempt(lambda: self.write_byline(name)):
            many, key = self.session.branches, self.key_of("grow")
            texts = f"{many} text{'' if many == 1 else 's'}"
            self.notify(f"{key} grows {texts} by {name}.", markup=False)

    def write_byline(self, name: str) -> None:
        """Go to the byline at the root; written if it isn't there. Raises StoreError."""
        session, text = self.session, heading(name).encode()
        for child in session.tree.children(ROOT):
            node = session.tree[child]
            if node.author is Author.WRITER and node.text == text and not session.is_hidden(child):
                self.go(node.end)
                return
        session.write(text, Place(ROOT, 0))
