"""What lies over the page and is closed with an answer; knows nothing of what it asks."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType


class Dialog(ModalScreen[ScreenResultType]):
    """Closes once, also when the key that closes it was pressed twice before it was gone.

    Textual would close what lies below it as well, in the end the program.
    """

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        return super().dismiss(result) if self.is_active else AwaitComplete()
