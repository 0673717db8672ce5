"""Asks the C library to keep the memory that arrays leave behind.

By default every array above some hundred kilobytes is taken from the system anew, which clears it
page by page; of the statistics of a step that takes longer than the arithmetic.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_TRIM, _TOP_PAD, _MMAP = -1, -2, -3  # names of glibc's mallopt
_KEPT, _PAD, _LARGE = 1 << 28, 1 << 24, 1 << 25  # bytes


def keep() -> None:
    """For the whole process; where the C library is another than glibc, nothing."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for name, value in ((_MMAP, _LARGE), (_TRIM, _KEPT), (_TOP_PAD, _PAD)):
            mallopt(name, value)
