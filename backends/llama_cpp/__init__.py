"""Language models in GGUF files, run by llama.cpp.

The library is imported when a model is loaded, since asking `accepts` must stay cheap. Jobs and the
bytes of tokens are `loom.engine`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom.engine.api import About

if TYPE_CHECKING:
    from .engine import LlamaEngine

NAME = "llama_cpp"


def accepts(model: str) -> bool:
    """A file that is a GGUF by its name or its first bytes."""
    path = Path(model).expanduser()
    if path.suffix == ".gguf":
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def about() -> About:
    """What is installed, and what it runs on."""
    from .library import devices, installed

    return About(
        models="GGUF files",
        versions=installed(),
        devices=devices(),
        can=(
            "reads given text",
            "branches fork without copying and grow in one pass",
            "a pass under way is broken off",
        ),
    )


def convert(folder: Path, target: Path, precision: str, report: Callable[[int, int], None]) -> None:
    """Writes a folder's model as the GGUF file `target`; precision is f32, f16 or q8_0."""
    from . import conversion

    conversion.convert(folder, target, precision, report)


def load(
    model: str, options: Mapping[str, Any], progress: Callable[[int, int], None]
) -> LlamaEngine:
    """Options: `threads`, `context` (at most so many tokens), `bos` (whether a document begins with
    that token), `cache_mb` (of read text that is remembered), `gpu_layers` (-1: all), `kv_type`,
    `flash_attention`. Numbers that are left out or 0, and "auto", are chosen."""
    from loom.engine import heap

    from .engine import LlamaEngine
    from .files import fingerprint, model_files
    from .library import library
    from .loading import Settings, open_model
    from .network import LlamaNetwork

    heap.keep()
    files = model_files(model)
    settings = Settings.of(options)
    model_handle = open_model(library(), files[0], settings, progress)
    network = LlamaNetwork(model_handle, settings, options)
    return LlamaEngine(network, Path(model).stem, fingerprint(files))
