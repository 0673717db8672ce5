"""`models convert`: a folder with a model as one GGUF file, for the engine that reads those."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from loom import extensions
from loom.console import CommandError, Console
from loom.core.text import visible

ENGINE = "llama_cpp"
GGUF = ".gguf"


class Converter(Protocol):
    """What this engine's backend has beside what every backend has."""

    def convert(
        self, folder: Path, target: Path, precision: str, report: Callable[[int, int], None]
    ) -> None: ...


def convert(args: Namespace, console: Console) -> None:
    source, target = Path(extensions.resolve_model(args.name)), Path(args.to).expanduser()
    if not source.is_dir():
        raise CommandError(
            f"{args.name} is no model in a folder.", "Give house, or a folder with a model in it."
        )
    if target.suffix != GGUF:
        raise CommandError(
            f"The file {target} would not be known as a model.", f"End its name in {GGUF}."
        )
    backend = cast(Converter, extensions.load_backend("", name=ENGINE))

    def report(done: int, total: int) -> None:
        console.progress(f"converting {args.name}", done / max(1, total))

    try:
        backend.convert(source, target, args.precision, report)
    finally:
        console.end_progress()
    size = target.stat().st_size
    console.answer(
        lambda: {"model": str(target), "precision": args.precision, "bytes": size},
        lambda: [visible(f"{target}: {size / 1e6:.1f} MB, {args.precision}")],
    )
