"""Converting a folder's model to GGUF: the same model in other words, or a sentence why not."""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loom import cli, extensions
from loom.core.span import Span
from loom.engine.api import EngineError, ModelUnsupported, Score
from loom.extensions import load_backend
from loom.replay.agreement import tolerance
from loom.testing import drive, span_in
from tests.backends import tiny_models

TEXT = "The lighthouse  keeper had not spoken. 日本 é\r\n\nNobody asked the keeper".encode()
HOUSE = extensions.models().get("house")

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf")),
    reason="llama-cpp-python and gguf are not installed",
)

Convert = Callable[..., None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.byte_level(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def convert() -> Convert:
    name = load_backend("model.gguf").__name__  # type: ignore[attr-defined]
    found: Convert = importlib.import_module(f"{name}.conversion").convert
    return found


def changed(folder: Path, target: Path, name: str, **settings: Any) -> Path:
    """A copy of the folder with other settings in one of its files."""
    shutil.copytree(folder, target)
    path = target / name
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return target


def scored(model: Path, text: bytes = TEXT) -> Span:
    engine = load_backend(str(model)).load(str(model), {}, lambda done, total: None)
    try:
        return span_in(drive(engine, Score("a", (), text)), "a")
    finally:
        engine.close()


@pytest.mark.parametrize(("precision", "near"), [("f32", 1e-4), ("f16", 0.02), ("q8_0", 0.5)])
def test_the_file_says_what_the_folder_says(
    convert: Convert, folder: Path, tmp_path: Path, precision: str, near: float
) -> None:
    reports: list[tuple[int, int]] = []
    target = tmp_path / "tiny.gguf"
    convert(folder, target, precision, lambda done, total: reports.append((done, total)))
    mine, others = scored(target), scored(folder)
    assert mine.ids.tolist() == others.ids.tolist()
    assert np.abs(mine.logprob - others.logprob).max() < near
    assert reports and all(0 <= done < total for done, total in reports)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.gguf"]


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_may_be_shared_or_not(
    convert: Convert, folder: Path, tmp_path: Path, tied: bool
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    source = changed(folder, tmp_path / "source", "config.json", tie_word_embeddings=tied)
    config = LlamaConfig.from_pretrained(source)
    LlamaForCausalLM(config).save_pretrained(source)
    convert(source, tmp_path / "tied.gguf", "f32")
    apart = np.abs(scored(tmp_path / "tied.gguf").logprob - scored(source).logprob)
    assert apart.max() < 1e-4


def test_a_file_that_is_there_stays(convert: Convert, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"mine")
    with pytest.raises(EngineError, match="there already"):
        convert(folder, tmp_path / "a.gguf", "f16")
    assert (tmp_path / "a.gguf").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"model_type": "gpt_neox"}, "gpt_neox"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "positions"),
        ({"attention_bias": True}, "biases"),
        ({"hidden_act": "gelu"}, "gelu"),
    ],
)
def test_models_of_other_kinds_are_refused(
    convert: Convert, folder: Path, tmp_path: Path, settings: dict[str, Any], why: str
) -> None:
    source = changed(folder, tmp_path / "source", "config.json", **settings)
    with pytest.raises(ModelUnsupported, match=why):
        convert(source, tmp_path / "a.gguf", "f16")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"model": {"type": "WordPiece", "vocab": {}}}, "WordPiece"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "GPT-2"),
        ({"normalizer": {"type": "Lowercase"}}, "changes text"),
    ],
)
def test_tokenizers_of_other_kinds_are_refused(
    convert: Convert, folder: Path, tmp_path: Path, settings: dict[str, Any], why: str
) -> None:
    source = changed(folder, tmp_path / "source", "tokenizer.json", **settings)
    with pytest.raises(ModelUnsupported, match=why):
        convert(source, tmp_path / "a.gguf", "f16")


def test_a_folder_that_is_not_there_is_named(
    convert: Convert, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="can't be written"):
        convert(folder, tmp_path / "no" / "a.gguf", "f16")


def test_the_command_converts_and_scores(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "tiny.gguf"
    command = ["models", "convert", str(folder), "--to", str(target), "--precision", "f32"]
    assert cli.main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    size = target.stat().st_size
    assert answer == {"model": str(target), "precision": "f32", "bytes": size}
    assert cli.main(command) == 1
    assert "there already" in capsys.readouterr().err


@pytest.mark.parametrize(("model", "target"), [("nowhere", "a.gguf"), (".", "a.bin")])
def test_the_command_says_what_is_wrong(
    model: str, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models", "convert", model, "--to", target, "--json"]) == 1
    assert {"error", "hint"} == json.loads(capsys.readouterr().err).keys()


@pytest.mark.skipif(HOUSE is None, reason="the bundled model is not in this copy")
@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_the_bundled_model_says_the_same(convert: Convert, tmp_path: Path, precision: str) -> None:
    assert HOUSE is not None
    convert(HOUSE, tmp_path / "house.gguf", precision)
    text = Path(__file__).read_bytes()[:600] + TEXT * 3
    mine, others = scored(tmp_path / "house.gguf", text), scored(HOUSE, text)
    assert mine.ids.tolist() == others.ids.tolist()
    near = tolerance("float16") if precision == "f16" else 0.02
    assert np.abs(mine.logprob - others.logprob).max() < near
    assert (mine.top_ids[:, 0] == others.top_ids[:, 0]).mean() >= 0.995
