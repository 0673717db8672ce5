"""The engine for a model that a session names, and whether it is the same model still.

Knows rows of models and engines; checks no node.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from loom.asking.process import Asking
from loom.engine.api import Capabilities
from loom.extensions import resolve_model
from loom.replay.agreement import tolerance
from loom.store.batch import ModelRow


@dataclass(frozen=True, slots=True)
class Bench:
    """A loaded model beside the row it stands for.

    `mismatch` says in what it differs ("" where it is the same); `tolerance` in nats is that of the
    less exact of the two computations.
    """

    asking: Asking
    capabilities: Capabilities
    mismatch: str
    tolerance: float


@asynccontextmanager
async def bench(
    row: ModelRow,
    model: str | None,
    options: Mapping[str, Any],
    on_loading: Callable[[str, float | None], None],
) -> AsyncIterator[Bench]:
    """`model`, else what the session asked for. Raises EngineError where it can't be loaded."""
    async with Asking(resolve_model(model or row.spec), options, on_loading) as asking:
        found = await asking.ready()
        before = row.runtime.get("dtype", "")
        wide = max(tolerance(before), tolerance(found.dtype))
        yield Bench(asking, found, mismatch(row, found), wide)


def mismatch(row: ModelRow, found: Capabilities) -> str:
    """In what `found` is another model than `row` names; "" where the fingerprints agree."""
    if row.fingerprint == found.fingerprint:
        return ""
    before = row.runtime.get("dtype", "")
    other = f"{found.label} has other weights or another tokenizer than {row.label} had"
    if before and before != found.dtype:
        return f"{other}: it is {found.dtype}, the session was written with {before}"
    return f"{other} ({found.fingerprint[:12]} is not {row.fingerprint[:12]})"
