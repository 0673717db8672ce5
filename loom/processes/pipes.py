"""The child's ends of the pipes: kept away from whatever a library prints or reads.

Knows records, not what they mean.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial

from loom.processes.records import Record, line

Send = Callable[[Record], None]


def private_pipes() -> tuple[int, int]:
    """Moves the protocol off fds 0 and 1, so that nothing printed or read can disturb it."""
    commands_in, events_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    for fd in (commands_in, events_out):  # a forked worker would keep the pipe open after a death
        os.register_at_fork(after_in_child=partial(os.close, fd))
    return commands_in, events_out


def sender(fd: int) -> Send:
    lock = threading.Lock()

    def send(record: Record) -> None:
        data = memoryview(line(record))
        try:
            with lock:
                while data:
                    data = data[os.write(fd, data) :]
        except OSError:
            os._exit(0)

    return send
