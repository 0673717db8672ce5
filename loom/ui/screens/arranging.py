"""Keeping order: bookmarks, folds, hiding, undo; and what is seen of it all."""

from __future__ import annotations

from collections.abc import Sequence

from loom.chronicle import NAMES
from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT
from loom.ui import navigation
from loom.ui.screens.keyed import Keyed
from loom.ui.widgets.layers import LAYERS


class Arranging(Keyed):
    """Commands that change marks, undo and redo, and the view."""

    def action_bookmark(self) -> None:
        self._toggle(self.segment, Kind.BOOKMARK)

    def action_next_bookmark(self) -> None:
        found = navigation.next_bookmark(self.session, self.segment)
        if found is None:
            self.notify(f"There are no bookmarks; {self.key_of('bookmark')} sets one.")
        self.go_to(found)

    def action_fold(self) -> None:
        if not self.session.display.children(self.segment):
            self.notify("Nothing hangs below this node.")
            return
        self._toggle(self.segment, Kind.FOLDED)

    def action_fold_others(self) -> None:
        """Fold every branch that leads away from this path, and open the path."""
        display = self.session.display
        path = display.path(self.here)
        folds: dict[Mark, str | None] = {}
        for there, on in zip(path, [*path[1:], None], strict=True):
            folds[Mark(there.node, there.start, Kind.FOLDED)] = None
            for child in display.children(there):
                if child != on and display.children(child):
                    folds[Mark(child.node, child.start, Kind.FOLDED)] = "1"
        self.session.mark_all(folds)

    def _toggle(self, segment: Segment, kind: Kind) -> None:
        value = None if navigation.is_marked(self.session, segment, kind) else "1"
        self._set(segment, kind, value=value)

    def _set(self, segment: Segment, kind: Kind, *, value: str | None) -> None:
        self.session.mark(Mark(segment.node, segment.start, kind), value)

    def action_hide(self) -> None:
        segment = self.segment
        if segment.node == ROOT:
            self.notify("The start of the tree can't be hidden.")
            return
        count = self.session.hide(segment)
        self.notify(f"Hid {count} node{'' if count == 1 else 's'}; {self.key_of('undo')} restores.")

    def action_undo(self) -> None:
        self.app.clear_notifications()
        kind = self.session.undo()
        self._ride()
        self.notify(f"Undone: {NAMES.get(kind, kind)}." if kind else self._nothing(), timeout=2)

    def _nothing(self) -> str:
        barrier = self.session.history.barrier
        return f"There is nothing to undo{': ' + barrier if barrier else ''}."

    def action_redo(self) -> None:
        self.app.clear_notifications()
        kind = self.session.redo()
        self._ride()
        self.notify(
            f"Redone: {NAMES.get(kind, kind)}." if kind else "There is nothing to redo.", timeout=2
        )

    @property
    def colour_layers(self) -> Sequence[str]:
        """The colour layers that there are, one after the other."""
        return LAYERS

    def action_layer(self) -> None:
        layers, now = self.colour_layers, self.text_pane.colour_layer
        number = layers.index(now) if now in layers else len(layers) - 1
        self.text_pane.colour_layer = self.status.colours = layers[(number + 1) % len(layers)]

    def action_tree(self) -> None:
        """Beside the text where there is room, over it where there isn't."""
        shown = self.tree_pane.display
        for part in (self.tree_pane, self.query_one("#tree-edge")):
            part.set_class(shown, "-away")
        self.tree_pane.set_class(not shown, "-called")
        if not shown:
            self.tree_pane.show(self.here)
            self.focus_tree()
        elif self.focused is self.tree_pane:
            self.set_focus(None)
