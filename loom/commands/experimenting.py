"""`experiment absorbing|traps`: a table, a JSON file and a picture of how a model goes wrong."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from loom.asking.process import Asking
from loom.chart import Line, Mark, Panel, svg
from loom.commands import access
from loom.console import CommandError, Console, to_json
from loom.core.text import visible
from loom.experiments import absorbing, loops
from loom.experiments.runs import OPENINGS, Judge
from loom.extensions import TOYS, portable_name, resolve_model
from loom.facts import Facts
from loom.instruments import calibration
from loom.store.atomic import write_atomically

Asked = Callable[[str | None], Asking]
"""An engine for the toy of that name, None for the model by itself."""


async def absorb(args: Namespace, console: Console) -> None:
    text = _text(args)
    model, ask = _engines(args, console)

    def report(what: str, fraction: float) -> None:
        console.progress(what, fraction)

    async with ask("absorbing") as flawed, ask(None) as plain:
        capabilities = await plain.ready()
        runs = await absorbing.entries(
            flawed, args.opening, args.runs, args.length, args.seed, report
        )
        known = calibration.load(capabilities.fingerprint)
        kept = None if known is None else known.of("traps")
        delays, early = None, 0
        if kept is not None:
            judge = Judge("traps", capabilities.fingerprint, kept)
            entered = [run for run in runs if absorbing.entry_of(run)][: args.watch]
            delays, early = await absorbing.watched(flawed, entered, judge, report)
        extra = await absorbing.extra(flawed, plain, text)
    console.end_progress()
    found = absorbing.Absorbed(
        len(runs),
        args.length,
        tuple(map(absorbing.entry_of, runs)),
        extra,
        None if delays is None else tuple(delays),
        early,
    )
    facts = {"experiment": "absorbing", "model": model, "seed": args.seed} | found.facts()
    give(args, console, facts, _absorbing_picture(found), lambda: _absorbing_lines(facts))


async def trap(args: Namespace, console: Console) -> None:
    model, ask = _engines(args, console)

    def report(what: str, fraction: float) -> None:
        console.progress(what, fraction)

    stages: dict[float, list[loops.Stage]] = {}
    async with ask(None) as asking:
        await asking.ready()
        for temperature in loops.TEMPERATURES:
            found = await loops.courses(
                asking, temperature, args.each, args.length, args.seed, report
            )
            stages[temperature] = list(loops.stages(found, args.length))
    console.end_progress()
    facts: dict[str, Any] = {
        "experiment": "traps",
        "model": model,
        "seed": args.seed,
        "openings": list(OPENINGS),
        "tokens": args.length,
        "temperatures": [
            {"temperature": temperature, "stages": [asdict(s) for s in some]}
            for temperature, some in stages.items()
        ],
    }
    give(args, console, facts, _traps_picture(stages), lambda: _traps_lines(facts))


def _engines(args: Namespace, console: Console) -> tuple[str, Asked]:
    """What the model is called, and how to get it, flawed or not."""
    config = access.config_of(args)
    model = resolve_model(access.model_of(args, config))
    if model in TOYS:
        raise CommandError(
            f"{model} is a toy already.", "Name the model underneath with --model, or none."
        )

    def loading(what: str, fraction: float | None) -> None:
        console.progress(what, fraction)

    def ask(toy: str | None) -> Asking:
        options = {**config.engine, **({"of": model} if toy else {})}
        return Asking(toy or model, options, loading)

    return portable_name(model), ask


def _text(args: Namespace) -> bytes:
    if args.text is None:
        return "\n\n".join(OPENINGS).encode()
    try:
        return bytes(args.text.read_bytes())
    except OSError as error:
        raise CommandError(
            f"{args.text} can't be read: {error.strerror}.", "Give a text file with --text."
        ) from error


def give(
    args: Namespace,
    console: Console,
    facts: Facts,
    picture: str,
    lines: Callable[[], Iterable[str]],
) -> None:
    """The files first, so that what is printed is true."""
    stem = args.out / facts["experiment"]
    files = [stem.with_suffix(".json"), stem.with_suffix(".svg")]
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        write_atomically(files[0], (to_json(facts) + "\n").encode())
        write_atomically(files[1], picture.encode())
    except OSError as error:
        raise CommandError(
            f"Nothing can be written in {args.out}: {error.strerror}.",
            "Name another folder with --out.",
        ) from error

    def answer() -> Iterable[str]:
        yield from lines()
        yield visible(f"written: {files[0]}, {files[1]}")

    console.answer(lambda: {**facts, "files": [str(file) for file in files]}, answer)


def _absorbing_lines(facts: Facts) -> Iterable[str]:
    low, high = facts["absorbed_interval"]
    yield visible(f"absorbing, made of {facts['model']}: {facts['runs']} runs")
    yield f"{'':34}{'measured':>12}{'formula':>12}"
    yield _row(f"absorbed within {facts['tokens']} tokens", facts, "absorbed", "absorbed_analytic")
    yield f"{'  95 %':34}{f'{low:.3f}–{high:.3f}':>12}"
    yield _row("entry, median token", facts, "entry_median", "entry_median_analytic", "{:.1f}")
    yield _row("entry, mean token", facts, "entry_mean", "entry_mean_analytic", "{:.1f}")
    name = f"extra loss a token, nats ({facts['loss_tokens']})"
    yield _row(name, facts, "extra_nats", "extra_nats_analytic", "{:.5f}")
    if facts["watched"] is None:
        yield "nothing can be flagged yet: `loom calibrate` has not run for this model"
        return
    yield _row(f"noticed, of {facts['watched']} watched", facts, "flagged", None, "{:.2f}")
    yield _row("tokens from entry to flag, median", facts, "delay_median", None, "{:.1f}")
    yield _row("runs flagged before the entry", facts, "flagged_early", None, "{:d}")


def _row(name: str, facts: Facts, measured: str, formula: str | None, form: str = "{:.6f}") -> str:
    cells = [facts[measured], facts[formula] if formula else None]
    shown = ["" if cell is None else form.format(cell) for cell in cells]
    return f"{name:34}{shown[0]:>12}{shown[1]:>12}".rstrip()


def _traps_lines(facts: Facts) -> Iterable[str]:
    yield visible(f"{facts['model']}, {facts['tokens']} tokens after {len(OPENINGS)} openings")
    yield f"{'T':>4} {'tokens':>11} {'runs':>5} {'loops':>7} {'schemas':>8} {'copies':>7}" + (
        f" {'entropy':>8} {'surprise':>9}"
    )
    for some in facts["temperatures"]:
        for stage in some["stages"]:
            span = f"{stage['start']}–{stage['stop']}"
            yield (
                f"{some['temperature']:4g} {span:>11} {stage['runs']:5} {stage['looped']:7.0%} "
                f"{stage['template']:8.0%} {stage['repeated']:7.0%} {stage['entropy']:8.2f} "
                f"{stage['surprise']:9.2f}"
            )
    yield "loops, schemas: share of the runs by then; entropy and surprise in bits a token"


def _absorbing_picture(found: absorbing.Absorbed) -> str:
    entries = sorted(entry for entry in found.entries if entry is not None)
    places = [*entries, found.length]
    measured = [(i + 1) / found.runs for i in range(len(entries))] + [found.share]
    curve = list(range(0, found.length + 1, max(1, found.length // 100)))
    lines = [
        Line("measured", places, measured),
        Line("formula", curve, [absorbing.absorbed_by(n) for n in curve]),
    ]
    panels = [Panel("share of runs absorbed", lines, [Mark(1 / absorbing.ENTRY, "mean")])]
    seen = sorted(delay for delay in found.delays or () if delay is not None)
    if found.delays:
        shares = [(i + 1) / len(found.delays) for i in range(len(seen))]
        noticed = Line("traps", [0, *seen], [0.0, *shares])
        panels.append(Panel("share noticed, so many tokens after the entry", [noticed]))
    return svg("The absorbing state", "tokens", panels)


def _traps_picture(stages: dict[float, list[loops.Stage]]) -> str:
    def lines(value: Callable[[loops.Stage], float]) -> Sequence[Line]:
        return [
            Line(f"T = {t:g}", [s.stop for s in some], [value(s) for s in some])
            for t, some in stages.items()
        ]

    panels = [
        Panel("share of runs that have looped", lines(lambda stage: stage.looped)),
        Panel("entropy, bits a token", lines(lambda stage: stage.entropy)),
        Panel("surprise, bits a token", lines(lambda stage: stage.surprise)),
    ]
    return svg("Traps against temperature and length", "tokens", panels)
