"""Random bytes in the files of a model, and what looks at them before a library does."""

from __future__ import annotations

import importlib
import json
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import cast

import numpy as np
from safetensors.numpy import save_file

from benchmarks.faults.noise import misread, spoilt
from benchmarks.faults.saying import refused
from loom import extensions
from loom.engine.bytetable import byte_alphabet
from loom.engine.weights import fingerprint, read_config, weight_files
from loom.offers import lack_of

Case = Callable[[random.Random], tuple[str, float]]

WIDTH, LAYERS, HEADS, CONTEXT = 16, 1, 2, 64
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
LLAMA = "llama_cpp"


class ModelFuzz:
    """A folder with a whole model, and one beside it at whose files things are thrown."""

    def __init__(self, folder: Path) -> None:
        self._whole = write_model(folder / "whole")
        self._spoilt = folder / "spoilt"
        self._gguf = folder / "spoilt.gguf"
        self._llama = cast(ModuleType, extensions.load_backend("", name=LLAMA))
        self._files = importlib.import_module(f"{self._llama.__name__}.files")

    def cases(self) -> dict[str, Case]:
        return {"folders of models": self.model_folder, "GGUF files": self.gguf_file}

    def model_folder(self, source: random.Random) -> tuple[str, float]:
        folder = spoil_folder(self._whole, self._spoilt, source)
        return refused("a folder of a model", lambda: _looked_at(folder))

    def gguf_file(self, source: random.Random) -> tuple[str, float]:
        self._gguf.write_bytes(spoilt(gguf_header(), source))
        self._llama.accepts(str(self._gguf))
        return refused("a GGUF file", lambda: self._files.model_files(str(self._gguf)))


def _looked_at(folder: Path) -> None:
    lack_of(str(folder))
    read_config(folder)
    fingerprint(folder, weight_files(folder))


def spoil_folder(whole: Path, target: Path, source: random.Random) -> Path:
    """A copy with one or two of its files spoilt, missing, or said to be elsewhere."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(whole, target)
    if source.random() < 0.2:
        names = {"a": WEIGHTS, "b": source.choice(("../x", "", "other", WEIGHTS))}
        (target / INDEX).write_text(json.dumps({"weight_map": names}))
    for path in source.sample(sorted(target.iterdir()), source.randint(1, 2)):
        raw = path.read_bytes()
        if path.name == WEIGHTS:
            path.write_bytes(_spoilt_weights(raw, source))
        elif source.random() < 0.5:
            path.write_bytes(misread(raw, source))
        elif source.random() < 0.1:
            path.unlink()
        else:
            path.write_bytes(spoilt(raw, source))
    return target


def _spoilt_weights(raw: bytes, source: random.Random) -> bytes:
    """Mostly its header, which is what has to be understood."""
    length = int.from_bytes(raw[:8], "little")
    header, values = raw[8 : 8 + length], raw[8 + length :]
    match source.randrange(4):
        case 0:
            return spoilt(raw, source)
        case 1:
            return raw[: source.randrange(len(raw))]
        case 2:
            return raw[:8] + spoilt(header, source) + values
    other = misread(header, source)
    return len(other).to_bytes(8, "little") + other + values


def write_model(folder: Path) -> Path:
    """A Llama of two thousand random weights with a token a byte, in a new folder."""
    folder.mkdir(parents=True)
    vocab = {"<|end|>": 0} | {letter: i + 1 for i, letter in enumerate(byte_alphabet())}
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": len(vocab),
        "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "rms_norm_eps": 1e-5,
        "max_position_embeddings": CONTEXT, "tie_word_embeddings": True, "hidden_act": "silu",
        "bos_token_id": 0, "eos_token_id": 0, "dtype": "float32",
    }  # fmt: skip
    added = {"id": 0, "content": "<|end|>", "special": True, "normalized": False}
    added |= {"single_word": False, "lstrip": False, "rstrip": False}
    level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [added],
        "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    }  # fmt: skip
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|end|>"}
    settings["eos_token"] = "<|end|>"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    save_file(_weights(len(vocab)), folder / WEIGHTS, {"format": "pt"})
    return folder


def _weights(vocabulary: int) -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(1)
    square = (WIDTH, WIDTH)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocabulary, WIDTH)}
    for layer in range(LAYERS):
        for name in ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o"):
            shapes[f"model.layers.{layer}.{name}_proj.weight"] = square
        for name in ("mlp.gate", "mlp.up", "mlp.down"):
            shapes[f"model.layers.{layer}.{name}_proj.weight"] = square
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"model.layers.{layer}.{name}.weight"] = (WIDTH,)
    shapes["model.norm.weight"] = (WIDTH,)
    return {n: numbers.normal(size=shape).astype(np.float32) for n, shape in shapes.items()}


def gguf_header() -> bytes:
    """How such a file begins: a few settings and no tensor."""

    def text(words: str) -> bytes:
        return struct.pack("<Q", len(words)) + words.encode()

    settings = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2"}
    rows = b"".join(text(k) + struct.pack("<I", 8) + text(v) for k, v in settings.items())
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(settings)) + rows
