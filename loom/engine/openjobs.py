"""Which branches of which jobs are still open; the same book is kept on both sides of the pipe.

Knows events, not engines. What comes for a branch that is closed is not admitted, so a branch ends
exactly once whatever races.
"""

from __future__ import annotations

from loom.core.node import Ending
from loom.engine.api import Ended, Event, Failed, Following, Generate, Grown, Job

_FOLLOWING = -1  # stands among the branches for the distribution that a Score still owes


class OpenJobs:
    def __init__(self) -> None:
        self._open: dict[str, set[int]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, job: str) -> bool:
        return job in self._open

    def ids(self) -> tuple[str, ...]:
        """Oldest first."""
        return tuple(self._open)

    def branches(self, job: str) -> tuple[int, ...]:
        """The open ones, in order; empty for a job that is over."""
        return tuple(sorted(b for b in self._open.get(job, ()) if b != _FOLLOWING))

    def add(self, job: Job) -> None:
        if isinstance(job, Generate):
            branches = set(range(len(job.seeds)))
        else:
            branches = {0, _FOLLOWING} if job.following else {0}
        if branches:
            self._open[job.id] = branches

    def admit(self, event: Event) -> bool:
        """Whether the event belongs to something open; closes what it ends."""
        branches = self._open.get(event.job)
        if branches is None:
            return False
        if isinstance(event, Failed):
            del self._open[event.job]
            return True
        if isinstance(event, Grown) and event.branch not in branches:
            return False
        if isinstance(event, Ended | Following):
            branch = event.branch if isinstance(event, Ended) else _FOLLOWING
            if branch not in branches:
                return False
            branches.discard(branch)
            if isinstance(event, Ended) and event.reason is Ending.CANCEL:
                branches.discard(_FOLLOWING)
        if not branches:
            del self._open[event.job]
        return True

    def clear(self) -> None:
        self._open.clear()
