"""The tokenizers of well-known models as GGUF, against the vectors that llama.cpp ships with them.

They are in the source archive of llama-cpp-python, which the package client fetches once.
"""

from __future__ import annotations

import fcntl
import importlib
import importlib.util
import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from loom.engine.api import ModelUnsupported
from loom.extensions import load_backend

VECTORS = (
    "command-r", "deepseek-coder", "deepseek-llm", "falcon", "gemma-4", "gpt-2", "llama-bpe",
    "llama-spm", "mpt", "phi-3", "qwen2", "qwen35", "refact", "starcoder",
)  # fmt: skip
BARE = ("aquila", "baichuan", "gpt-neox")  # shipped without vectors
REFUSED = {  # why they can't be written with
    "bert-bge": "no tokens for 142 of the 210 bytes",  # WordPiece: no bytes, no spaces
    "nomic-bert-moe": "no tokens for 115 of the 210 bytes",  # unigrams without byte fallback
}
BETWEEN = "\n__ggml_vocab_test__\n"
NASTY = "a\r\n\t  b\x00 n\u0303 日本語 👩\u200d🚀 ▁x \u00a0".encode() + b"\xc3("

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed"
    ),
    pytest.mark.timeout(600),
]


def fetched(folder: Path) -> None:
    """The vocabularies, unpacked into `folder`; skips the test where they can't be had."""
    requirement = f"llama-cpp-python=={version('llama-cpp-python')}"
    client = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet"]
    choice = ["--no-deps", "--no-binary", "llama-cpp-python", "--retries", "0", "--timeout", "20"]
    try:
        command = [*client, *choice, "--dest", str(folder), requirement]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        pytest.skip(f"the package client can't fetch the source archive of {requirement}")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        for member in packed:
            member.name = Path(member.name).name
            if member.isfile() and member.name.startswith("ggml-vocab-"):
                packed.extract(member, folder, filter="data")
    archive.unlink()


@pytest.fixture(scope="session")
def vocabularies(pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir(f"gguf-vocabularies-{version('llama-cpp-python')}")
    with (folder / "lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            fetched(folder)
            (folder / "complete").touch()
    return folder


@pytest.fixture(scope="module")
def part() -> Callable[[str], ModuleType]:
    name = load_backend("model.gguf").__name__  # type: ignore[attr-defined]
    return lambda module: importlib.import_module(f"{name}.{module}")


def spelling_of(part: Callable[[str], ModuleType], path: Path) -> Any:
    vocabulary = part("vocabulary")
    model = part("loading").open_vocabulary(part("library").library(), path)
    return vocabulary.spelling_of(model, vocabulary.control_tokens(model))


def check_bytes(spelling: Any, text: bytes) -> None:
    for start in (True, False):
        ids = spelling.encode(text, start=start)
        assert b"".join(spelling.spelled(ids, start=start)) == text


@pytest.mark.parametrize("name", VECTORS)
def test_token_ids_and_bytes_are_the_shipped_ones(
    vocabularies: Path, part: Callable[[str], ModuleType], name: str
) -> None:
    path = vocabularies / f"ggml-vocab-{name}.gguf"
    spelling = spelling_of(part, path)
    check_bytes(spelling, NASTY)
    texts = Path(f"{path}.inp").read_bytes().decode().removesuffix(BETWEEN).split(BETWEEN)
    lines = Path(f"{path}.out").read_text().splitlines()
    assert len(lines) == len(texts) > 40
    for text, line in zip(texts, lines, strict=True):
        ids = [int(token) for token in line.split()]
        assert list(spelling.encode(text.encode(), start=True)) == ids
        assert b"".join(spelling.spelled(ids, start=True)) == text.encode()
        check_bytes(spelling, text.encode())


@pytest.mark.parametrize("name", BARE)
def test_whatever_is_written_comes_back(
    vocabularies: Path, part: Callable[[str], ModuleType], name: str
) -> None:
    check_bytes(spelling_of(part, vocabularies / f"ggml-vocab-{name}.gguf"), NASTY)


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_write_every_text_is_refused(
    vocabularies: Path, part: Callable[[str], ModuleType], name: str
) -> None:
    with pytest.raises(ModelUnsupported, match=REFUSED[name]):
        spelling_of(part, vocabularies / f"ggml-vocab-{name}.gguf")


def test_no_shipped_vocabulary_is_left_out(vocabularies: Path) -> None:
    names = {path.stem.removeprefix("ggml-vocab-") for path in vocabularies.glob("*.gguf")}
    assert names == {*VECTORS, *BARE, *REFUSED}
