"""A mistake of Loom's own in work that goes on beside the writer's: said, and the rest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loom.changes import Change, Notice


def admit(emit: Callable[[Change], None], what: str, error: Exception) -> None:
    """`what` is the sentence's beginning: what has stopped. The trace goes where the loop's go."""
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": what, "exception": error})
    notice = f"{what}: {type(error).__name__}: {error}."
    emit(Notice(notice, "This is a mistake in Loom; the text is safe.", "error"))
