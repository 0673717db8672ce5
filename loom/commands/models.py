"""`models`: prints what --model finds on this machine."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from loom.commands import access
from loom.config import Paths
from loom.console import Console
from loom.core.text import visible
from loom.facts import Facts
from loom.offers import Offer, lack_of, offers


def models(args: Namespace, console: Console) -> None:
    chosen = access.model_of(args, access.config_of(args))
    found = offers(Paths.default(), os.environ)
    if not any(offer.is_model(chosen) for offer in found):
        found.append(Offer(chosen, "as configured", chosen if Path(chosen).is_dir() else None))
    console.answer(
        lambda: {"models": [_facts(offer, chosen) for offer in found]},
        lambda: _lines(found, chosen),
    )


def _facts(offer: Offer, chosen: str) -> Facts:
    return {**asdict(offer), "default": offer.is_model(chosen)}


def _lines(found: list[Offer], chosen: str) -> Iterator[str]:
    width = max(len(offer.name) for offer in found)
    for offer in found:
        star = "*" if offer.is_model(chosen) else " "
        lack = lack_of(offer.path or offer.name)
        source = f"{offer.source}; {lack}" if lack else offer.source
        yield visible(f"{star} {offer.name:<{width}}  {source}")
