"""How Textual takes the terminal over from a first look: without a moment at which it is empty.

Where its driver is another than expected, the first look goes before Textual comes.
"""

from __future__ import annotations

from textual.driver import Driver

from loom.ui.glimpse import OPEN, Glimpse

try:
    from textual.drivers.linux_driver import LinuxDriver
except ImportError:  # another platform
    LinuxDriver = Driver  # type: ignore[assignment, misc]


def taking_over(glimpse: Glimpse) -> type[Driver] | None:
    """The driver for a terminal on which a first look stands; None for Textual's own."""
    if not glimpse.stands or LinuxDriver is Driver:
        return None

    class TakingOver(LinuxDriver):
        def start_application_mode(self) -> None:
            super().start_application_mode()  # type: ignore[no-untyped-call]
            if glimpse.stands:
                glimpse.stands = False
                self.attrs_before = glimpse.attributes

        def write(self, data: str) -> None:
            if not (glimpse.stands and data == OPEN):  # which would clear it
                super().write(data)

    return TakingOver
