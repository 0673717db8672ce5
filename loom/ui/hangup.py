"""A terminal that is gone: its window was closed.

Then SIGHUP ends a program, unless who started it keeps that to itself, as `make` may. A Loom that
nobody sees would keep its session from the next one.
"""

from __future__ import annotations

import os
import signal
import sys

EVERY = 1.0  # seconds between two looks


def end_without_terminal() -> None:
    """What SIGHUP does, where the terminal is gone; all but the last moment is saved."""
    if sys.__stdin__ is not None and not os.isatty(sys.__stdin__.fileno()):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGHUP)
