"""Tiny GGUF files of random weights whose models keep something else than keys and values of all
tokens: a state, a state beside attention, a sliding window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.backends import tiny_models

WIDTH, INNER, STATE, RANK, KERNEL = 32, 64, 8, 4, 4
HEADS, FEED, LAYERS, CONTEXT, WINDOW = 4, 64, 2, 128, 12


class Draft:
    """A file being written: its tensors come from one random stream."""

    def __init__(self, backend: Any, tokens: Any, target: Path, kind: str, size: int) -> None:
        self.writer = gguf.GGUFWriter(target, kind)
        self._random = np.random.default_rng(7)
        self.size = size
        for name, value in {
            "context_length": CONTEXT,
            "embedding_length": WIDTH,
            "block_count": LAYERS,
            "vocab_size": size,
        }.items():
            self.writer.add_uint32(f"{kind}.{name}", value)
        self.writer.add_float32(f"{kind}.attention.layer_norm_rms_epsilon", 1e-5)
        self.writer.add_file_type(gguf.LlamaFileType.ALL_F32)
        backend._add_tokens(self.writer, tokens)
        self.kind = kind

    def number(self, name: str, value: int) -> None:
        self.writer.add_uint32(f"{self.kind}.{name}", value)

    def tensor(self, name: str, *shape: int, scale: float = 0.3) -> None:
        values = self._random.normal(scale=scale, size=shape).astype(np.float32)
        self.writer.add_tensor(name, values)

    def ones(self, name: str, size: int = WIDTH) -> None:
        self.writer.add_tensor(name, np.ones(size, np.float32))

    def done(self) -> None:
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def write(backend: Any, tokens_of: Any, folder: Path, target: Path, kind: str) -> Path:
    """`kind` is mamba, jamba or gemma2; `folder` gets the model whose tokenizer is taken."""
    tiny_models.byte_level(folder)
    size = int(json.loads((folder / "config.json").read_text())["vocab_size"])
    draft = Draft(backend, tokens_of(folder, size), target, kind, size)
    draft.tensor("token_embd.weight", size, WIDTH)
    draft.ones("output_norm.weight")
    if kind != "gemma2":  # it goes out by the way it came in
        draft.tensor("output.weight", size, WIDTH)
    {"mamba": _mamba, "jamba": _jamba, "gemma2": _gemma2}[kind](draft)
    draft.done()
    return target


def _state_numbers(draft: Draft) -> None:
    for name, value in (
        ("conv_kernel", KERNEL), ("inner_size", INNER), ("state_size", STATE),
        ("time_step_rank", RANK),
    ):  # fmt: skip
        draft.number(f"ssm.{name}", value)


def _state_layer(draft: Draft, layer: str) -> None:
    draft.tensor(f"{layer}.ssm_in.weight", 2 * INNER, WIDTH)
    draft.tensor(f"{layer}.ssm_conv1d.weight", INNER, KERNEL)
    draft.tensor(f"{layer}.ssm_conv1d.bias", INNER)
    draft.tensor(f"{layer}.ssm_x.weight", RANK + 2 * STATE, INNER)
    draft.tensor(f"{layer}.ssm_dt.weight", INNER, RANK)
    draft.tensor(f"{layer}.ssm_dt.bias", INNER)
    values = -np.tile(np.arange(1, STATE + 1, dtype=np.float32), (INNER, 1))
    draft.writer.add_tensor(f"{layer}.ssm_a", values)
    draft.ones(f"{layer}.ssm_d", INNER)
    draft.tensor(f"{layer}.ssm_out.weight", WIDTH, INNER)


def _attention(draft: Draft, layer: str) -> None:
    for part in ("q", "k", "v", "output"):
        draft.tensor(f"{layer}.attn_{part}.weight", WIDTH, WIDTH)


def _feed(draft: Draft, layer: str) -> None:
    draft.ones(f"{layer}.ffn_norm.weight")
    for part in ("gate", "up"):
        draft.tensor(f"{layer}.ffn_{part}.weight", FEED, WIDTH)
    draft.tensor(f"{layer}.ffn_down.weight", WIDTH, FEED)


def _mamba(draft: Draft) -> None:
    draft.number("feed_forward_length", 0)
    draft.number("attention.head_count", 0)
    _state_numbers(draft)
    for number in range(LAYERS):
        draft.ones(f"blk.{number}.attn_norm.weight")
        _state_layer(draft, f"blk.{number}")


def _jamba(draft: Draft) -> None:
    """A layer with a state, then one with attention."""
    draft.number("feed_forward_length", FEED)
    draft.number("attention.head_count", HEADS)
    draft.writer.add_array("jamba.attention.head_count_kv", [0, HEADS])
    _state_numbers(draft)
    for number in range(LAYERS):
        layer = f"blk.{number}"
        draft.ones(f"{layer}.attn_norm.weight")
        if number:
            _attention(draft, layer)
        else:
            _state_layer(draft, layer)
            draft.ones(f"{layer}.ssm_dt_norm.weight", RANK)
            draft.ones(f"{layer}.ssm_b_norm.weight", STATE)
            draft.ones(f"{layer}.ssm_c_norm.weight", STATE)
        _feed(draft, layer)


def _gemma2(draft: Draft) -> None:
    """Every second layer sees WINDOW tokens back."""
    draft.number("feed_forward_length", FEED)
    draft.number("attention.head_count", HEADS)
    draft.number("attention.head_count_kv", HEADS)
    draft.number("attention.key_length", WIDTH // HEADS)
    draft.number("attention.value_length", WIDTH // HEADS)
    draft.number("attention.sliding_window", WINDOW)
    for number in range(LAYERS):
        layer = f"blk.{number}"
        draft.ones(f"{layer}.attn_norm.weight")
        _attention(draft, layer)
        draft.ones(f"{layer}.post_attention_norm.weight")
        _feed(draft, layer)
        draft.ones(f"{layer}.post_ffw_norm.weight")
