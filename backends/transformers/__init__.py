"""Causal language models that the transformers library loads: a folder or a hub name.

Torch and transformers are imported when a model is loaded, since asking `accepts` must stay cheap.
Jobs and the bytes of tokens are `loom.engine`'s.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom.engine.api import About, options_of
from loom.engine.weights import fingerprint, progress_in_bytes, read_config, weight_files

if TYPE_CHECKING:
    from .engine import TransformersEngine

NAME = "transformers"


def accepts(model: str) -> bool:
    """A folder, or what looks like a path or a hub name; a file is another engine's."""
    path = Path(model).expanduser()
    return path.is_dir() or ("/" in model and not path.exists() and path.suffix != ".gguf")


def about() -> About:
    """What is installed, and what it runs on."""
    import torch

    import transformers

    from . import loading

    return About(
        models="causal language models in safetensors: folders, hub names",
        versions={"transformers": transformers.__version__, "torch": torch.__version__},
        devices=loading.devices(),
        can=(
            "reads given text",
            "branches share their trunk, where the model has full attention",
            "the same seed draws the same tokens, in float32 on a CPU",
        ),
    )


def load(
    model: str, options: Mapping[str, Any], progress: Callable[[int, int], None]
) -> TransformersEngine:
    """Options: `device`, `dtype`, `threads`, `cache_mb`, `context` (at most so many tokens),
    `bos` (whether a document begins with that token), `download` (from the hub), `attention` (of
    branches to what they share: `packed`, `rows`, or what is faster here, `auto`), `statistics`
    (computed on the `device`, on the `host`, or where it is faster, `auto`)."""
    import torch

    from . import loading
    from .engine import TransformersEngine
    from .network import TorchNetwork

    folder = loading.model_folder(model, download=options_of(options, "download", bool, False))
    config = read_config(folder)
    files = weight_files(folder)
    report = progress_in_bytes(files, progress)
    report(0, 1)
    mark = fingerprint(folder, files)
    threads = options_of(options, "threads", int, 0) or max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(threads)
    tokenizer = loading.tokenizer(folder)
    device = loading.device(options_of(options, "device", str, "auto"))
    dtype = loading.dtype(options_of(options, "dtype", str, "auto"), device, files, config)
    module = loading.module(folder, device, dtype, report)
    with torch.inference_mode():
        network = TorchNetwork(module, tokenizer, options)
    return TransformersEngine(network, _label(model, folder), mark, threads)


def _label(model: str, folder: Path) -> str:
    """The hub name, or the last of the path: with the folder around it where that says little."""
    if not Path(model).expanduser().is_dir():
        return model
    path = folder.resolve()
    return path.name if len(path.name) > 3 else f"{path.parent.name}/{path.name}"
