"""GGUF files on disk: whether they are there and begin as they should, and their digest.

Knows no library that loads them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from loom.engine.api import ModelNotFound, ModelUnsupported
from loom.engine.weights import content_digest

_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")
_MAGIC = b"GGUF"


def model_files(model: str) -> list[Path]:
    """The file, or all the parts of a model that is split, first to last. Raises ModelNotFound or
    ModelUnsupported."""
    path = Path(model).expanduser()
    files = _parts(path)
    for file in files:
        if not file.is_file():
            raise ModelNotFound(
                f"There is no file {str(file)!r}.", "Check the path, or choose another model."
            )
        _check_start(file)
    return files


def fingerprint(files: Iterable[Path]) -> str:
    """blake2b over every byte, 32 hex digits: a GGUF holds weights, tokenizer and settings."""
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        digest.update(content_digest(path))
    return digest.hexdigest()


def _parts(path: Path) -> list[Path]:
    part = _PART.fullmatch(path.name)
    if part is None:
        return [path]
    name, count = part[1], int(part[3])
    return [path.with_name(f"{name}-{n:05}-of-{count:05}.gguf") for n in range(1, count + 1)]


def _check_start(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise ModelUnsupported(
            f"The file {path.name} can't be read: {error.strerror}.", "Check its permissions."
        ) from error
    if start[:4] != _MAGIC:
        raise ModelUnsupported(
            f"The file {path.name} is no GGUF file, or a damaged one: it doesn't begin as one.",
            "Copy or download the model again.",
        )
