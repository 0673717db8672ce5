"""`calibrate [MODEL] [TEXT…]`: a model reads human text; what instruments make of it is kept.

With `--sources` it is what evidence about sources is worth; see `tempering`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loom import __version__, extensions
from loom.asking.process import Asking
from loom.commands import access
from loom.commands.tempering import temper
from loom.config import Config
from loom.console import CommandError, Console
from loom.core.text import visible
from loom.discovery import module_of
from loom.engine.api import Capabilities
from loom.facts import Facts
from loom.instruments.api import Passage
from loom.instruments.calibration import Calibration, load, save
from loom.instruments.loading import declared, fitted
from loom.instruments.reference import facts_of
from loom.passages import SUFFIXES, Readings, cuts_of, passages, window_length, works_in
from loom.paths import Paths

HORIZON = 512  # tokens that a detector's α speaks of
ENOUGH, FEWEST = 250_000, 20_000  # tokens: what is best, and what must be there


async def calibrate(args: Namespace, console: Console) -> None:
    """Without a text: what is known of the model."""
    config = access.config_of(args)
    name, texts = _told_apart(args.words, args.model)
    model = extensions.resolve_model(name or config.model)
    if args.sources is not None:
        tempered, kept, file = await temper(args, model, texts, console)
        console.answer(
            lambda: {**_facts(kept, file), "fitted": tempered.facts()},
            lambda: [*tempered.lines(), *_where(file)],
        )
        return
    async with Asking(model, config.engine, console.progress) as asking:
        capabilities = await asking.ready()
        console.end_progress()
        if not texts:
            _show(capabilities, console)
            return
        readings, found = await _read(asking, capabilities, texts, args.tokens or ENOUGH, console)
    with console.waiting("calibrating"):
        kept = await asyncio.to_thread(_calibrated, capabilities, found, config, console)
    before = load(capabilities.fingerprint, None if args.out is None else [args.out])
    if before is not None and before.fingerprint == kept.fingerprint:
        kept = replace(kept, sources=before.sources)
    file = save(kept, args.out)
    readings.files.clear()
    console.answer(lambda: _facts(kept, file), lambda: _lines(kept, file))


def _told_apart(words: Sequence[str], model: str | None) -> tuple[str | None, list[Path]]:
    """The model, which comes first if it comes at all, and the texts."""
    if model is None and words and not _is_text(Path(words[0]).expanduser()):
        model, words = words[0], words[1:]
    return model, [Path(word).expanduser() for word in words]


def _is_text(path: Path) -> bool:
    if path.is_dir():
        return not (path / "config.json").exists()
    return path.suffix in SUFFIXES


async def _read(
    asking: Asking, model: Capabilities, texts: Sequence[Path], tokens: int, console: Console
) -> tuple[Readings, list[Passage]]:
    if not model.scores:
        raise CommandError(
            f"The engine of {model.label} can't read given text.", "Choose another engine or model."
        )
    for path in texts:
        if not path.exists():
            raise CommandError(f"There is no {path}.", "Name files or folders of human writing.")
    window, length = window_length(model.context, HORIZON)
    cuts = cuts_of(works_in(texts), tokens, length)
    mark = hashlib.blake2b(model.fingerprint.encode(), digest_size=8).hexdigest()
    folder = Paths.default().state / "calibrating" / mark
    readings = Readings(folder, model.fingerprint, length)
    done = 0

    def advanced(count: int) -> None:
        nonlocal done
        done = count
        console.progress(f"reading: {count} of {len(cuts)} passages", count / len(cuts))

    try:
        found = await passages(asking, readings, cuts, window, length, advanced)
    except asyncio.CancelledError:
        console.end_progress()
        console.note(f"{done} of {len(cuts)} passages are kept; the same command goes on there.")
        raise
    console.end_progress()
    if (there := sum(len(passage.span) for passage in found)) < FEWEST:
        raise CommandError(
            f"{there:,} tokens in passages of at least {window:,} are too few to calibrate on.",
            f"Name files or folders with more human writing: {FEWEST:,} tokens, better {ENOUGH:,}.",
        )
    return readings, found


def _calibrated(
    model: Capabilities, found: Sequence[Passage], config: Config, console: Console
) -> Calibration:
    facts = {"loom": __version__, "passages": len(found), **facts_of(found)}
    plugins = dict(_kept_by_plugins(found, config, console))
    return Calibration(model.fingerprint, model.label, facts, plugins)


def _kept_by_plugins(
    found: Sequence[Passage], config: Config, console: Console
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Of each plugin that calibrates; what it raises is said and spoils nothing else."""
    for each in extensions.plugins():
        if not each.usable:
            continue
        try:
            module = module_of(each)
            _, its = declared(module)
            fit = getattr(module, "calibrate", None)
            if fit is None:
                continue
            options = fitted(its.options, config.plugin(its.name).options)
            kept = json.loads(json.dumps(fit(found, options), allow_nan=False))
            yield its.name, {"version": its.version, "kept": kept}
        except Exception as error:
            said = visible(f"{type(error).__name__}: {error}")
            console.note(f"The plugin {each.name} could not be calibrated: {said}")


def _show(model: Capabilities, console: Console) -> None:
    kept = load(model.fingerprint)
    if kept is None:
        raise CommandError(
            f"{model.label} has not been calibrated.",
            "Name files or folders of human writing: loom calibrate MODEL TEXT…",
        )
    console.answer(lambda: _facts(kept, None), lambda: _lines(kept, None))


def _facts(kept: Calibration, file: Path | None) -> Facts:
    """CALIBRATION."""
    return {
        "model": kept.model,
        "fingerprint": kept.fingerprint,
        "file": None if file is None else str(file),
        **{name: kept.facts.get(name) for name in _TOLD},
        "genres": [{"genre": name, **row} for name, row in kept.facts.get("genres", {}).items()],
        "plugins": {name: entry["kept"] for name, entry in kept.plugins.items()},
        "sources": [
            {"digest": digest, "pooling": None, **entry} for digest, entry in kept.sources.items()
        ],
    }


_TOLD = (
    "passages",
    "works",
    "tokens",
    "surprise",
    "surprise_error",
    "entropy",
    "excess",
    "excess_error",
    "temperature",
    "temperature_error",
    "ece",
    "ece_adaptive",
)


def _lines(kept: Calibration, file: Path | None) -> Iterator[str]:
    yield visible(f"{kept.model} ({kept.fingerprint})")
    if kept.facts:
        yield from _read_text(kept.facts)
    for name, entry in kept.plugins.items():
        yield visible(f"calibrated: {name} {entry['version']}")
    for entry in kept.sources.values():
        works, name = entry["works"], entry["set"]
        yield visible(
            f"calibrated: sources of {name}, on {entry['tokens']:,} tokens of {works} works"
        )
    yield from _where(file)


def _where(file: Path | None) -> Iterator[str]:
    if file is not None:
        yield visible(f"kept in {file}")


def _read_text(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"{facts['tokens']:,} tokens of {facts['works']} works in {facts['passages']} passages"
    yield f"{'':<14}{'bits a token':>16}{'excess':>17}{'temperature':>16}{'ECE':>8}"
    yield _row("all", facts)
    for name, row in facts["genres"].items():
        yield _row(name, row)


def _row(name: str, row: Mapping[str, Any]) -> str:
    bits = f"{row['surprise']:.3f} ± {row['surprise_error']:.3f}"
    excess = f"{row['excess']:+.3f} ± {row['excess_error']:.3f}"
    known = row["temperature"] is not None
    temperature = f"{row['temperature']:.3f} ± {row['temperature_error']:.3f}" if known else "–"
    return visible(f"{name:<14.14}{bits:>16}{excess:>17}{temperature:>16}{row['ece']:8.3f}")
