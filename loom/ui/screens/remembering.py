"""The history of the session: moments to name, and to go back to."""

from __future__ import annotations

from loom.ui.screens.history import History
from loom.ui.screens.keyed import Keyed


class Remembering(Keyed):
    """Commands that open the list of moments."""

    async def action_history(self) -> None:
        await self.app.push_screen(History(self.session), self._return)

    async def action_checkpoint(self) -> None:
        await self.app.push_screen(History(self.session, naming=True), self._return)

    def _return(self, number: int | None) -> None:
        if number is None:
            return
        if self.attempt(lambda: self.session.return_to(number)):
            self._ride()
            self.notify(f"Went back; {self.key_of('undo')} takes it back.", timeout=4)
