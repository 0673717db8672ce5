"""A model's folder on disk: what is missing or broken in it, and the digest of its content.

Reads safetensors headers; knows no library that loads them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from loom.engine.api import ModelNotFound, ModelUnsupported

LEAF = 1 << 24  # bytes hashed at once
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt")

_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
_CONTENT_ADDRESS = re.compile(r"[0-9a-f]{64}")
_UNIMPORTANT = {"transformers_version", "_name_or_path", "torch_dtype", "dtype", "architectures"}
_LARGEST_HEADER = 100_000_000  # the format's own limit


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises ModelNotFound or ModelUnsupported."""
    if not folder.is_dir():
        raise ModelNotFound(
            f"There is no folder {str(folder)!r}.", "Check the path, or choose another model."
        )
    path = folder / "config.json"
    if not path.is_file():
        raise ModelNotFound(
            f"The folder {str(folder)!r} holds no model: it has no config.json.",
            "Point to the folder that has config.json, the .safetensors and the tokenizer in it.",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnsupported(
            f"The model's config.json can't be read: {error}.", "Copy or download the model again."
        ) from error
    if not isinstance(config, dict):
        raise ModelUnsupported("The model's config.json is no table of settings.")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files, each whole. Raises ModelUnsupported otherwise."""
    files = _listed(folder)
    if not files:
        raise _without_weights(folder)
    for path in files:
        if not path.is_file():
            raise ModelUnsupported(
                f"The file {path.name} of the model's weights is missing.",
                "Copy or download the model again.",
            )
        _check_whole(path)
    return files


def fingerprint(folder: Path, files: Iterable[Path]) -> str:
    """blake2b over the weights, the tokenizer's files and the settings that matter, 32 hex digits.

    Every byte of the weights counts: a file is hashed in leaves of 16 MiB on a few threads, and
    the digests are hashed. A file of a hub's cache is not read: its name is its SHA-256.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        digest.update(content_digest(path))
    for name in TOKENIZERS:
        if (folder / name).is_file():
            digest.update(name.encode() + content_digest(folder / name))
    config = {k: v for k, v in read_config(folder).items() if k not in _UNIMPORTANT}
    digest.update(json.dumps(config, sort_keys=True).encode())
    return digest.hexdigest()


def progress_in_bytes(
    files: Iterable[Path], report: Callable[[int, int], None]
) -> Callable[[int, int], None]:
    """Reports a share of the weights (done, total: anything) as bytes of `files`."""
    size = sum(path.stat().st_size for path in files)

    def share(done: int, total: int) -> None:
        report(size * done // max(1, total), size)

    return share


def _listed(folder: Path) -> list[Path]:
    """The files that the index names, or the single one."""
    index = folder / _INDEX
    if not index.is_file():
        single = folder / "model.safetensors"
        return [single] if single.is_file() else sorted(folder.glob("*.safetensors"))
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [folder / Path(str(name)).name for name in sorted(names)]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ModelUnsupported(
            f"The list of the model's weights, {_INDEX}, can't be read.",
            "Copy or download the model again.",
        ) from error


def _without_weights(folder: Path) -> ModelUnsupported:
    if any(next(folder.glob(pattern), None) for pattern in _PICKLES):
        return ModelUnsupported(
            "The model's weights are there only in a format that can run code (pickle).",
            "Use a copy with .safetensors files, or convert it with the safetensors library.",
        )
    if next(folder.glob("*.gguf"), None):
        return ModelUnsupported(
            "The folder holds GGUF files, which this engine doesn't read.",
            "Give the path of the .gguf file itself, so that the llama.cpp engine takes it.",
        )
    return ModelUnsupported(
        f"The folder {str(folder)!r} has no weights (.safetensors) in it.",
        "Copy or download the model again.",
    )


def _check_whole(path: Path) -> None:
    size = path.stat().st_size
    expected = _size_by_header(path, size)
    if expected is None:
        raise ModelUnsupported(
            f"The file {path.name} is damaged: it doesn't begin as a safetensors file does.",
            "Copy or download the model again.",
        )
    if expected != size:
        raise ModelUnsupported(
            f"The file {path.name} is damaged: it has {size:,} bytes instead of {expected:,}.",
            "Copy or download the model again.",
        )


def _size_by_header(path: Path, size: int) -> int | None:
    """Bytes that the file should have; None if its header is none."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, _LARGEST_HEADER):
            return None
        try:
            header = json.loads(file.read(length))
            tensors = [v for k, v in header.items() if k != "__metadata__"]
            return 8 + length + max((int(t["data_offsets"][1]) for t in tensors), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            return None


def content_digest(path: Path) -> bytes:
    """Of every byte of a file, read in leaves on a few threads; of a hub's cache, of its name."""
    name = path.resolve().name
    if path.is_symlink() and _CONTENT_ADDRESS.fullmatch(name):
        return name.encode()
    starts = range(0, path.stat().st_size, LEAF)
    digest = hashlib.blake2b(digest_size=32)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for leaf in pool.map(lambda start: _leaf(path, start), starts):
            digest.update(leaf)
    return digest.digest()


def _leaf(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return hashlib.blake2b(file.read(LEAF), digest_size=32).digest()
