"""`calibrate --sources SET [MODEL] TEXT…`: what a model's evidence of a source is worth is kept."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loom.arrays import ArrayFiles
from loom.asking.coherence import anyway_of, by_name, frame_bits, pmi
from loom.asking.process import Asking
from loom.bylines import by_folder
from loom.commands import access
from loom.console import CommandError, Console
from loom.core.text import visible
from loom.engine.api import Capabilities
from loom.facts import Facts
from loom.instruments import calibration
from loom.instruments.calibration import Calibration
from loom.instruments.sources import filtering, finding, pooling, sets, tempering
from loom.instruments.sources.api import Pooling, SourceSet, Tempering
from loom.instruments.sources.layout import layout
from loom.labelled import (
    ASKED_AFTER,
    LENGTH,
    Kept,
    Read,
    answer_files,
    ask_all,
    evenly,
    keys,
    labelled,
    read_all,
)
from loom.paths import Paths

Floats = NDArray[np.float64]

USUAL = 25_600  # tokens
FEWEST = 12  # passages
RAW, SILENT = (1.0, 0.0), (tempering.LEAST_ETA, 0.0)
BITS = 1.4426950408889634  # of a nat


@dataclass(frozen=True, slots=True)
class Fitted:
    wanted: SourceSet
    its: Tempering
    passages: int
    sources: int
    losses: tuple[float, float, float]  # bits: all evidence as it is, tempered, next to none
    together: tuple[float, float]  # bits after a whole passage: by reading, and by asking, too

    def facts(self) -> Facts:
        """FITTED."""
        raw, tempered, none = (round(loss, 4) for loss in self.losses)
        return {
            "set": self.wanted.name,
            "passages": self.passages,
            "sources": self.sources,
            "raw": raw,
            "tempered": tempered,
            "prior": none,
            "read": round(self.together[0], 4),
            "together": round(self.together[1], 4),
        }

    def lines(self) -> Iterator[str]:
        its, (raw, tempered, none) = self.its, self.losses
        yield visible(
            f"{self.wanted.name}: {its.tokens:,} tokens of {its.works} works by {self.sources} of"
            f" {len(self.wanted.sources)} sources, in {self.passages} passages"
        )
        yield f"token t counts {its.eta:.3g} · (t/256)^{-its.gamma:+.2f}, at most 1"
        losses = f"{tempered:.2f} tempered, {raw:.2f} not, {none:.2f} of the prior alone"
        yield f"log loss in bits, on average over 16 to 256 tokens: {losses}"
        if its.pooling is not None:
            read, both = self.together
            yield f"after {LENGTH} tokens: {read:.2f} by reading, {both:.2f} by asking, too"
            counts = f"{its.pooling.read:.2f} and {its.pooling.asked:.2f}"
            said = f"{counts} · (t/{LENGTH})^{its.pooling.rise:.2f}"
            yield f"together the log-odds of the one and the bits of the other count {said}"


async def temper(
    args: Namespace, model: str, texts: Sequence[Path], console: Console
) -> tuple[Fitted, Calibration, Path]:
    """What was found, and where it is kept with all else that is known of the model.

    Texts lie as FOLDER/<source>/*.txt: a file's folder says whose it is.
    """
    try:
        wanted = finding.find(args.sources)
    except sets.SetError as error:
        raise CommandError(str(error), error.hint) from error
    if not texts:
        raise CommandError(
            "There is no text to calibrate on.", "Name folders of text, one for each source."
        )
    for path in [*texts, *(args.names_after or ())]:
        if not path.exists():
            raise CommandError(f"There is no {path}.", "Name folders of text, one for each source.")
    config = access.config_of(args)
    async with Asking(model, config.engine, console.progress) as asking:
        capabilities = await asking.ready()
        console.end_progress()
        kept, reads = await _read(asking, capabilities, wanted, texts, args.tokens, console)
        files = answer_files(kept.files.folder, capabilities.fingerprint, wanted)
        others = await _others(asking, wanted, args.names_after or (), reads)
        begun = [read.ids[:tokens] for tokens in ASKED_AFTER for read in reads]
        passages = [*begun, *(ids for _, ids in others)]
        asked = await _asked(asking, wanted, files, passages, console)
    with console.waiting("fitting"):
        bits, anyway = _bits(wanted, asked, len(begun), [source for source, _ in others])
        bits = bits.reshape(len(ASKED_AFTER), len(reads), -1)
        fitted = await asyncio.to_thread(_fitted, wanted, reads, bits, anyway)
    known = _with(capabilities, fitted, args.out)
    file = calibration.save(known, args.out)
    kept.files.clear()
    return fitted, known, file


async def _read(
    asking: Asking,
    model: Capabilities,
    wanted: SourceSet,
    texts: Sequence[Path],
    tokens: int | None,
    console: Console,
) -> tuple[Kept, list[Read]]:
    works, strange = labelled(texts, keys(wanted, by_folder()))
    if strange:
        console.note(f"Left out, for the set {wanted.name} has none of these: {', '.join(strange)}")
    if len(works) < 2:
        raise CommandError(
            f"Texts of {len(works)} of the sources in {wanted.name} are too few to calibrate on.",
            "Put the texts of each source into a folder that is called like it.",
        )
    each = max(1, (tokens or USUAL) // (LENGTH * len(works)))
    passages = evenly(works, each)
    folder = _folder(model.fingerprint, wanted)
    kept = Kept(folder, model.fingerprint, wanted)
    done = 0

    def advanced(count: int) -> None:
        nonlocal done
        done = count
        said = f"reading under {len(wanted.frames)} frames: {count} of {len(passages)} passages"
        console.progress(said, count / len(passages))

    try:
        reads = await read_all(asking, kept, passages, advanced=advanced)
    except asyncio.CancelledError:
        console.end_progress()
        console.note(
            f"{done} of {len(passages)} passages are kept; the same command goes on there."
        )
        raise
    console.end_progress()
    if len(reads) < FEWEST or len({read.source for read in reads}) < 2:
        raise CommandError(
            f"{len(reads)} passages of {LENGTH} tokens are too few to calibrate on.",
            f"Name more text by more of the sources: {FEWEST} passages at least, better 100.",
        )
    return kept, reads


def _folder(fingerprint: str, wanted: SourceSet) -> Path:
    text = f"{fingerprint} {sets.digest(wanted)}"
    mark = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return Paths.default().state / "calibrating" / mark


async def _asked(
    asking: Asking,
    wanted: SourceSet,
    files: ArrayFiles,
    passages: Sequence[Sequence[int]],
    console: Console,
) -> Floats:
    """float64[N, S, phrasings], see `ask_all`."""

    def advanced(done: int) -> None:
        console.progress(f"asking after {done} of {len(passages)} passages", done / len(passages))

    try:
        return await ask_all(asking, wanted, files, passages, advanced)
    finally:
        console.end_progress()


async def _others(
    asking: Asking, wanted: SourceSet, texts: Sequence[Path], reads: Sequence[Read]
) -> list[tuple[str, tuple[int, ...]]]:
    """(source, token ids) of what stands for any text: a passage of every source in `texts`, or
    where none are named what was read."""
    works, _ = labelled(texts, keys(wanted, by_folder()))
    if texts and not works:
        raise CommandError(
            f"There is no text by a source of {wanted.name} for names to stand after.",
            "Give --names-after folders that are called like sources of the set.",
        )
    found = []
    for passage in evenly(works, 1):
        ids, _ = await asking.encode(passage.cut.text, start=True)
        found.append((passage.source, ids[:LENGTH]))
    return found or [(read.source, read.ids) for read in reads]


def _bits(
    wanted: SourceSet, asked: Floats, count: int, others: Sequence[str]
) -> tuple[Floats, Floats]:
    """PMI by probe of the first `count` of what was asked, float64[count, S], and what the names
    are after any text, of which the rest are, by the sources `others`: float64[S, phrasings], nats.
    """
    names = [source.name for source in wanted.sources]
    anyway = anyway_of(asked[count:], [names.index(source) for source in others])
    return pmi(asked[:count], anyway).mean(axis=2), anyway


def _fitted(wanted: SourceSet, reads: Sequence[Read], asked: Floats, anyway: Floats) -> Fitted:
    """`asked` float64[lengths, N, S] bits."""
    examples = [tempering.Example(read.scores, read.source, read.work) for read in reads]
    its = tempering.fit(wanted, examples)
    both = [list(_both(wanted, read, asked[:, n], its)) for n, read in enumerate(reads)]
    whole = [every[-1] for every in both]
    apart = [
        frame_bits(wanted, read.scores)[read.source] - one.bits[one.truth - 1]
        for read, one in zip(reads, whole, strict=True)
    ]
    weights = replace(
        pooling.fit([one for every in both for one in every]),
        questions=sets.questions(wanted),
        anyway=by_name(wanted, anyway),
    )
    its = replace(its, delta=statistics.median(map(abs, apart)), pooling=weights)
    loss = pooling.losses(whole)
    together = loss(Pooling(read=1.0, asked=0.0)), loss(weights)
    losses = tempering.Losses.of(wanted, examples)
    raw, tempered, none = (BITS * losses(*at) for at in (RAW, (its.eta, its.gamma), SILENT))
    sources = len({read.source for read in reads})
    return Fitted(wanted, its, len(reads), sources, (raw, tempered, none), together)


def _both(wanted: SourceSet, read: Read, bits: Floats, its: Tempering) -> Iterator[pooling.Example]:
    """What is believed along a passage by reading, and what it is worth when asked, `bits`
    float64[lengths, S]."""
    shares = filtering.shares_after(wanted, read.scores, its, ASKED_AFTER)
    truth = layout(wanted).names.index(read.source)
    for each, asked, tokens in zip(shares, bits, ASKED_AFTER, strict=True):
        yield pooling.Example(each, asked, truth, read.work, tokens)


def _with(model: Capabilities, fitted: Fitted, out: Path | None) -> Calibration:
    """It beside whatever else is known of the model."""
    known = calibration.load(model.fingerprint, None if out is None else [out])
    if known is None or known.fingerprint != model.fingerprint:
        known = Calibration(model.fingerprint, model.label)
    return known.tempered(sets.digest(fitted.wanted), fitted.wanted.name, fitted.its)
