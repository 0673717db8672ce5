"""The models that engines are compared on: the bundled one, and one of random weights made on the
spot, each as a folder and as a GGUF file in 16 bits."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loom.engine.bytetable import byte_alphabet
from loom.extensions import HOUSE, load_backend, models

RANDOM = "random"
VOCABULARY = 32_000
END = "<|endoftext|>"
SHARPNESS = 6.0  # by which the last matrix is scaled: some 4 bits a token, as of a language model
_SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_key_value_heads": 12,
    "max_position_embeddings": 2048,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model in both forms; `gguf` is None where the llama.cpp engine isn't installed."""

    name: str
    folder: Path
    gguf: Path | None


def subjects(ending: ExitStack, names: Iterable[str]) -> Iterator[Subject]:
    """Those of `names` that can be had; their files are removed when `ending` closes."""
    place = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="loom-bench-")))
    for name in names:
        folder = models().get(HOUSE) if name == HOUSE else random_model(place / RANDOM)
        if folder is not None:
            yield Subject(name, folder, _converted(folder, place / f"{name}.gguf"))


def _converted(folder: Path, target: Path) -> Path | None:
    try:
        import gguf  # noqa: F401 - it comes with the engine
        import llama_cpp  # noqa: F401
    except ImportError:
        return None
    backend: Any = load_backend(str(target))
    backend.convert(folder, target, "f16", lambda done, total: None)
    return target


def random_model(folder: Path) -> Path:
    """A Llama of 134 million random weights with a tokenizer of single bytes and pairs."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir()
    _write_tokenizer(folder)
    torch.manual_seed(0)
    config = LlamaConfig(**_SHAPE, bos_token_id=0, eos_token_id=0)
    model: Any = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight.mul_(SHARPNESS)
    model.half().save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = list(byte_alphabet())
    pairs = [(one, other) for one in letters for other in letters]
    pairs = pairs[: VOCABULARY - len(letters) - 1]
    words = [END, *letters, *("".join(pair) for pair in pairs)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"bos_token": END, "eos_token": END, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
