"""`score SESSION`: a path's probabilities on record, and under the model that was asked for."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from loom.commands import access
from loom.comparison import Comparison, compared
from loom.console import Console
from loom.core.beside import Stretch
from loom.core.text import decode, visible
from loom.engine.api import Event
from loom.engine.client import Loading, Signal
from loom.facts import Facts
from loom.session import Session


async def compare(args: Namespace, console: Console) -> None:
    config = access.config_of(args)
    model = access.model_of(args, config)

    def show(event: Event | Signal) -> None:
        if isinstance(event, Loading):
            console.progress(
                f"{event.what} {model}", event.done / event.total if event.total else None
            )

    async with access.reading(Path(args.file)) as session:
        place = (
            session.place if args.node is None else session.tree[access.node_of(session, args)].end
        )
        try:
            found = await compared(session, place, model, config.engine, show)
        finally:
            console.end_progress()
        facts = comparison_facts(session, place.node, found)
        console.answer(lambda: facts, lambda: _lines(facts))


def comparison_facts(session: Session, node: int, found: Comparison) -> Facts:
    """COMPARISON."""
    size, first, second = found.totals()
    return {
        "session": str(session.path),
        "node": node,
        "first": list(found.first),
        "second": found.second,
        "bytes": len(found.text),
        "bytes_of_both": size,
        "first_bits": first,
        "second_bits": second,
        "stretches": [_stretch_facts(found.text, stretch) for stretch in found.stretches],
    }


def _stretch_facts(text: bytes, stretch: Stretch) -> Facts:
    return {
        "at_byte": stretch.start,
        "text": decode(text[stretch.start : stretch.stop]),
        "first": stretch.first,
        "second": stretch.second,
    }


def _lines(facts: Facts) -> Iterable[str]:
    names = (", ".join(facts["first"]) or "nothing on record", facts["second"])
    yield visible(f"on record: {names[0]} · beside it: {names[1]}")
    yield f"{'record':>7} {'beside':>7}  bits"
    for stretch in facts["stretches"]:
        text = visible(stretch["text"]).replace("\n", "⏎").replace("\t", "→")
        yield f"{_bits(stretch['first'])} {_bits(stretch['second'])}  {text}"
    size = facts["bytes_of_both"]
    if size:
        yield (
            f"{facts['first_bits'] / size:7.3f} {facts['second_bits'] / size:7.3f}  bits a byte, "
            f"of the {size} bytes that both have read"
        )


def _bits(logprob: float | None) -> str:
    return f"{'–':>7}" if logprob is None else f"{-logprob / math.log(2):7.2f}"
