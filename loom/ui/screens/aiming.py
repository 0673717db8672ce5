"""Going to a token: the writer to the end of its node, the token cursor on it."""

from __future__ import annotations

from loom.core.node import Place
from loom.ui.screens.keyed import Keyed


class Aiming(Keyed):
    """`aimed_at`: where the writer went, and the place on the way there that was meant; None once
    they are elsewhere."""

    aimed_at: tuple[Place, Place] | None = None

    async def aim(self, end: Place, cursor: Place) -> None:
        self.aimed_at = end, cursor
        if self.here == end:
            await self.show_place()
        else:
            self.go(end)
        self.set_focus(self.text_pane)

    async def show_place(self, *, keep_row: bool = False) -> None:
        await super().show_place(keep_row=keep_row)
        if self.aimed_at is not None and self.aimed_at[0] == self.here:
            self.text_pane.cursor = self.aimed_at[1]
        else:
            self.aimed_at = None
