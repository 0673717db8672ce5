"""From what went wrong in a job to what is said of it."""

from __future__ import annotations

import re

from loom.engine.api import EngineError, Failed

FAULTS = (EngineError, RuntimeError, ValueError, MemoryError)
"""What a job may end in without any harm to the others."""

_SHORT = re.compile("out of memory|not enough memory", re.IGNORECASE)  # torch's two ways to say it


def failure(job: str, error: Exception) -> Failed:
    if isinstance(error, EngineError):
        return Failed(job, str(error), error.hint)
    reason = " ".join(str(error).split())[:200].rstrip(".")
    if lacks_memory(error):
        return Failed(
            job,
            "There was not enough memory for this job.",
            "Grow fewer continuations at once, close other programs, or use a smaller model.",
        )
    return Failed(job, f"The model failed in this job: {reason}.", "Try again.")


def lacks_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or _SHORT.search(str(error)) is not None
