"""A text weighed against one's own by counting letters: who writes like that, without any model."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np

from loom.asking.estimate import of_scores
from loom.commands import access
from loom.commands.weighing import Report
from loom.console import CommandError, UsageError
from loom.core.span import cut
from loom.core.text import visible
from loom.instruments.sources import finding, voices
from loom.instruments.sources.sets import SetError
from loom.paths import Paths

_WORD = re.compile(rb"\s*\S+")


def of_text(text: bytes, folder: Path | None) -> Report:
    """`folder` has a file or a folder for each voice; None: the one beside the user's sets. Words
    stand for tokens. How much such evidence is worth was never fitted: it is uncalibrated."""
    place = Paths.default().sources / "voices" if folder is None else folder
    try:
        wanted = finding.of_voices(place)
    except SetError as error:
        hint = "One file (.txt, .md) or one folder of them for each voice."
        raise CommandError(visible(str(error)), hint) from error
    ends = [found.end() for found in _WORD.finditer(text)]
    if not ends:
        raise CommandError("There is no text to weigh.", "Give a text with words in it.")
    counted = voices.Counted.of(wanted, voices.texts_in(place))
    scores = counted.scores(text, np.array(ends))
    estimate = of_scores(wanted, b"", (), cut(text, ends), scores, None)
    return Report(estimate, f"letters of {place.name}, no model")


async def of_path(path: Path, args: Namespace) -> Report:
    """The text of a session up to a place."""
    async with access.reading(path) as session:
        place = access.end_of(session, args)
        text = session.tree.path_bytes(place)
    return replace(of_text(text, args.letters or None), session=path, node=place.node)


def refuse_what_asks_a_model(args: Namespace) -> None:
    for option in ("set", "probe", "model"):
        if getattr(args, option) is not None:
            raise UsageError(f"--letters asks no model: leave out --{option}.")
