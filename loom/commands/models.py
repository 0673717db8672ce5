"""`models`: prints what --model finds on this machine, and the card of one of them."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from loom import extensions
from loom.commands import access
from loom.config import Paths
from loom.console import CommandError, Console
from loom.core.text import visible
from loom.facts import Facts
from loom.offers import CARD, Offer, lack_of, offers, read_card


def models(args: Namespace, console: Console) -> None:
    chosen = access.model_of(args, access.config_of(args))
    found = _with(chosen)
    console.answer(
        lambda: {"models": [_facts(offer, chosen) for offer in found]},
        lambda: _lines(found, chosen),
    )


def card(args: Namespace, console: Console) -> None:
    named = extensions.resolve_model(args.name) if args.name else None
    chosen = named or access.model_of(args, access.config_of(args))
    offer = next(offer for offer in _with(chosen) if offer.is_model(chosen))
    if offer.card is None:
        raise CommandError(
            f"There is no card of the model {offer.name} on this machine.",
            f"A card is the {CARD} in a model's folder; `loom models` says which have one.",
        )
    file = offer.card
    text = read_card(file)
    console.answer(lambda: {"model": offer.name, "card": str(file), "text": text}, text.splitlines)


def _with(chosen: str) -> list[Offer]:
    """What there is, `chosen` (see `resolve_model`) among it also where it lies elsewhere."""
    found = offers(Paths.default(), os.environ)
    if not any(offer.is_model(chosen) for offer in found):
        found.append(Offer(chosen, "as configured", chosen if Path(chosen).is_dir() else None))
    return found


def _facts(offer: Offer, chosen: str) -> Facts:
    its_card = None if offer.card is None else str(offer.card)
    return {**asdict(offer), "card": its_card, "default": offer.is_model(chosen)}


def _lines(found: list[Offer], chosen: str) -> Iterator[str]:
    width = max(len(offer.name) for offer in found)
    for offer in found:
        star = "*" if offer.is_model(chosen) else " "
        lack = lack_of(offer.path or offer.name)
        its_card = (
            "" if offer.card is None else f"its card: loom models card {shlex.quote(offer.name)}"
        )
        said = "; ".join(filter(None, (offer.source, lack, its_card)))
        yield visible(f"{star} {offer.name:<{width}}  {said}")
