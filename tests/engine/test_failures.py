"""What is said of a job that went wrong is one sentence, whatever a library said."""

from __future__ import annotations

import pytest

from loom.engine.api import JobFailed
from loom.engine.failures import failure


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    ],
)
def test_memory_that_ran_out_is_called_so(error: Exception) -> None:
    failed = failure("job", error)
    assert failed.error == "There was not enough memory for this job."
    assert "smaller model" in failed.hint


def test_an_engine_keeps_its_words() -> None:
    failed = failure("job", JobFailed("It is too long.", "Shorten it."))
    assert (failed.job, failed.error, failed.hint) == ("job", "It is too long.", "Shorten it.")


def test_anything_else_is_quoted_in_a_line() -> None:
    assert failure("job", ValueError("a\nb.")).error == "The model failed in this job: a b."
