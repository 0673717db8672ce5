"""Growing and stopping: what asks the engine for continuations or for its opinion."""

from __future__ import annotations

from loom.core.node import Place
from loom.engine.api import Following
from loom.ui import navigation
from loom.ui.choices import Choice, following_choices, token_choices
from loom.ui.screens.alternatives import Alternatives
from loom.ui.screens.keyed import Keyed

MOST_BRANCHES = 32


class Growing(Keyed):
    """Commands that need a model."""

    _stopped_here = False
    _postponed: Place | None = None  # a grow asked for before there was an engine to ask

    def action_grow(self) -> None:
        self.grow_at(self.cursor)

    def grow_at(self, place: Place) -> None:
        """Continuations at `place`, where the writer is then. Raises EngineError, StoreError."""
        self._stopped_here = False
        if not self.engine_settled.is_set():
            self._postponed = place
            return
        self.stay(place)
        self.session.grow(self.session.place)

    def engine_attached(self) -> None:
        """There is an engine now, or there won't be one."""
        self.engine_settled.set()
        place, self._postponed = self._postponed, None
        if place is not None:
            self.attempt(lambda: self.grow_at(place))

    def action_grow_siblings(self) -> None:
        parent = navigation.parent(self.session, self.segment)
        self.grow_at(navigation.end_of(parent) if parent is not None else self.here)

    def action_more(self) -> None:
        self._set_branches(self.session.branches + 1)

    def action_fewer(self) -> None:
        self._set_branches(self.session.branches - 1)

    def _set_branches(self, count: int) -> None:
        if 1 <= count <= MOST_BRANCHES:
            self.session.set_sampling(branches=count)

    def action_stop(self) -> None:
        """Here first, then everything; with nothing to stop, out of the text."""
        growing = set(self.session.growing())
        here = growing & self._growing_here()
        if here:
            self.session.cancel(here)
            self._stopped_here = True
            self._say_rest(len(growing - here))
        elif growing and self._stopped_here:
            self.session.cancel()
            self._stopped_here = False
        elif growing:
            self._stopped_here = True
            self._say_rest(len(growing))
        elif self.status.busy and self.session.stop_reading():
            self.notify("The model reads no further; in the text, a lets it go on.")
        elif self.in_text:
            self.focus_tree()
        elif self.session.stop_weighing():
            self.notify("Sources are weighed no further until you move.", timeout=3)

    def _say_rest(self, count: int) -> None:
        if count:
            branches = "branch grows" if count == 1 else "branches grow"
            self.notify(f"{count} {branches} elsewhere; {self.key_of('stop')} again stops all.")

    def _growing_here(self) -> set[int]:
        """The writer's own node and all after it."""
        return {there.node for there in navigation.below(self.session, self.segment)}

    # ── alternatives ───────────────────────────────────────────────────────────────────────

    async def action_alternatives(self) -> None:
        found = self.text_pane.token_at_cursor() if self.in_text else None
        if found is not None and self.session.span(found[0]) is not None:
            await self._show_alternatives(*found)
        elif self.cursor == self.here:
            await self._show_following(self.here)
        else:
            self.notify("The model has not read this yet; it does so when nothing grows.")
            self.session.read(self.here)

    async def _show_alternatives(self, node: int, index: int) -> None:
        choices = token_choices(self.session, node, index)

        def take(token: int | None) -> None:
            if token is not None:
                self.attempt(lambda: self.session.take_alternative(node, index, token))

        await self.app.push_screen(Alternatives("Instead of this token", choices), take)

    async def _show_following(self, place: Place) -> None:
        answer: list[Following] = []

        async def ask() -> list[Choice]:
            await self.engine_settled.wait()
            answer.append(await self.session.next_tokens(place))
            return following_choices(answer[0])

        def take(token: int | None) -> None:
            if token is not None and answer:
                self.attempt(lambda: self.session.take_next(answer[0], token, place))

        await self.app.push_screen(Alternatives("The next token", ask), take)
