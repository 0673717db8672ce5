"""Nodes as they come to be: what is drawn or read of them goes into the tree and the file here.

Knows what tokens are, and no engine: `Generation` says what has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from loom.changes import Moved, TreeChanged
from loom.core.marks import Kind, Mark
from loom.core.node import Author, Ending, Node, Place, place_hash
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.engine.api import Capabilities
from loom.history import DROP, SEAL
from loom.journal import Journal
from loom.past import EMPTY
from loom.seams import Cut
from loom.store.batch import Batch, ModelRow


class Nursery(Journal):
    """See the module's docstring."""

    def engine_wanted(self, wanted: bool) -> None:
        """For what goes before everything that can wait; or not any more."""

    def set_grown(
        self, node: Node, span: Span | None, pieces: Mapping[int, bytes] | None = None
    ) -> None:
        """Replace a node by what it has become; with the bytes of new tokens it is written, too."""
        self.tree.replace(node)
        self.display.invalidate(node.id)
        if span is not None and not node.growing:
            self._keep_span(node.id, span)
        if pieces is not None:
            rows = tuple((node.model or 0, number, piece) for number, piece in pieces.items())
            self._post(Batch(nodes=((node, span),), pieces=rows))

    def set_sealed(self, node: Node, span: Span | None, pieces: Mapping[int, bytes]) -> None:
        """The final form of a grown or read node, with the bytes of every token it mentions.

        When a node was complete is an event too: it is what replay knows the speed from.
        """
        sealed = None
        if node.author is Author.MODEL:
            sealed = self._event(SEAL, {"node": node.id})
            row = self.model_of(node.id) if node.model is None else self._models[node.model]
            before = self.hash_at(node.hangs_at)
            node = replace(
                node, hash=place_hash(before, node, span, row.fingerprint if row else "")
            )
        self.set_grown(node, span)
        rows = tuple((node.model or 0, number, piece) for number, piece in pieces.items())
        self._post(Batch(nodes=((node, span),), pieces=rows, event=sealed))

    def hang_before(self, number: int, cut: Cut) -> None:
        """A node that hasn't begun begins with a writer's last bytes, in other tokens."""
        node, recipe = self.tree[number], self.recipe_of(number)
        assert recipe is not None and node.parent is not None
        recipe_id = self._recipe_id(replace(recipe, begins=cut.begins))
        self.display.invalidate(number)
        self.tree.hang(replace(node, at=cut.place.at, recipe=recipe_id))
        for touched in (number, node.parent):
            self.display.invalidate(touched)
        self._emit(TreeChanged(frozenset({number, node.parent})))

    def drop_empty(self, nodes: Iterable[int]) -> None:
        """Hide nodes that got no text before they ended."""
        marks = tuple((Mark(node, 0, Kind.HIDDEN), EMPTY) for node in nodes)
        if not marks:
            return
        self._set_marks(marks)
        changes = [[m.node, m.start, str(m.kind), value] for m, value in marks]
        before, self.place = self.place, self._visible_place(self.place)
        event = self._event(DROP, {"set": changes})
        self._post(Batch(marks=marks, meta=self._place_meta(), event=event))
        self._emit(TreeChanged(frozenset(mark.node for mark, _ in marks)))
        if before != self.place:
            self._emit(Moved(self.place))

    def add_model(self, capabilities: Capabilities, spec: str) -> ModelRow:
        """The row of a model, made when it is new to the session."""
        runtime = {"engine": capabilities.name, **capabilities.runtime}
        for row in self._models.values():
            if row.fingerprint == capabilities.fingerprint and row.runtime == runtime:
                return row
        row = ModelRow(
            len(self._models) + 1, capabilities.fingerprint, capabilities.label, spec, runtime
        )
        self._models[row.id] = row
        self._post(Batch(models=(row,)))
        return row

    def _new_node(self, place: Place, author: Author, text: bytes, offset: int = 0) -> Node:
        if place.node not in self.tree:
            raise KeyError(place.node)
        if self.tree[place.node].growing and not self.tree[place.node].length:
            place = self.tree[place.node].hangs_at  # it may have to hang elsewhere yet
        number = self.tree.next_id + offset
        return Node(number, place.node, place.at, author, text, created=self._now())

    def _recipe_id(self, recipe: Recipe) -> int:
        for number, known in self._recipes.items():
            if known == recipe:
                return number
        number = len(self._recipes) + 1
        self._recipes[number] = recipe
        self._post(Batch(recipes=((number, recipe.to_json()),)))
        return number

    def _seal_leftovers(self) -> None:
        """Nodes that grew when the program was killed keep what they had."""
        left = [self.tree[node] for node in sorted(self.tree.growing)]
        for node in left:
            self.set_sealed(replace(node, ended=Ending.CRASH), self.span(node.id), {})
        self.drop_empty([node.id for node in left if not node.length])
        self.place = self._visible_place(self.place)
