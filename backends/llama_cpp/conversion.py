"""A folder with a Llama model (safetensors) as one GGUF file; the package gguf writes it.

Other kinds of models are refused: llama.cpp's own converter knows them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.engine.api import EngineError, ModelUnsupported
from loom.engine.weights import read_config, weight_files

from .library import install_command
from .tokens import Tokens, read_tokens

PRECISIONS = ("f32", "f16", "q8_0")

_NONSENSE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)
_ELSEWHERE = "llama.cpp's convert_hf_to_gguf.py knows more kinds of models."
_HIDDEN = ("rotary_emb.inv_freq",)  # computed, not learned
_BLOCK = 32  # weights that share a scale in q8_0

Report = Callable[[int, int], None]


def convert(
    folder: Path, target: Path, precision: str, report: Report = lambda done, total: None
) -> None:
    """Writes `target`, whole or not at all; `report` gets (tensors done, of how many). Raises
    ModelUnsupported, or EngineError for a file that is there or can't be written."""
    if target.exists():
        raise EngineError(f"The file {target} is there already.", "Choose another name.")
    gguf = _package()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        _write(gguf, folder, temporary, precision, report)
        _settle(temporary, target)
    except _NONSENSE as error:
        raise ModelUnsupported(
            f"The model's files make no sense: {_in_a_line(error)}.",
            "Copy or download the model again.",
        ) from error
    except OSError as error:
        raise EngineError(
            f"The file {target} can't be written: {error.strerror or error}.",
            "Choose a folder that can be written to, with room for the model.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _write(gguf: Any, folder: Path, target: Path, precision: str, report: Report) -> None:
    config = read_config(folder)
    _check(config)
    tokens = read_tokens(folder, int(config["vocab_size"]))
    writer = gguf.GGUFWriter(target, "llama")
    _describe(gguf, writer, folder, config, precision)
    _add_tokens(writer, tokens)
    _add_weights(gguf, writer, folder, config, precision, report)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _in_a_line(error: Exception) -> str:
    """A missing name says by itself only what it is called."""
    text = " ".join(str(error).split())[:200].rstrip(".")
    return f"{text} is missing" if isinstance(error, KeyError) else text or type(error).__name__


def _package() -> Any:
    try:
        import gguf
    except ImportError as error:
        raise EngineError(
            "The package gguf, which writes such files, is not installed.",
            f"Install it with: {install_command()}",
        ) from error
    return gguf


def _check(config: Mapping[str, Any]) -> None:
    """Raises ModelUnsupported for what would come out as another model."""
    kind = config.get("model_type")
    if kind != "llama":
        raise ModelUnsupported(
            f"Only models of the kind llama are converted, and this one is {kind!r}.", _ELSEWHERE
        )
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    odd = {
        "stretched positions": rope.get("rope_type", rope.get("type", "default")) != "default",
        "biases": config.get("attention_bias") or config.get("mlp_bias"),
        f"the activation {config.get('hidden_act')}": config.get("hidden_act", "silu") != "silu",
    }
    found = next((name for name, there in odd.items() if there), None)
    if found:
        raise ModelUnsupported(
            f"The model has {found}, which this conversion doesn't know.", _ELSEWHERE
        )


def _describe(
    gguf: Any, writer: Any, folder: Path, config: Mapping[str, Any], precision: str
) -> None:
    heads = int(config["num_attention_heads"])
    width = _head_width(config)
    rope = config.get("rope_parameters") or config
    types = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0"}
    writer.add_name(folder.resolve().name)
    writer.add_file_type(gguf.LlamaFileType[types[precision]])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(int(config["vocab_size"]))
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(_key_heads(config))
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or 10000.0))
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))


def _add_tokens(writer: Any, tokens: Tokens) -> None:
    writer.add_tokenizer_model(tokens.model)
    writer.add_tokenizer_pre(tokens.pre)
    writer.add_token_list(tokens.texts)
    writer.add_token_types(tokens.types)
    if tokens.merges:
        writer.add_token_merges(tokens.merges)
    if tokens.scores:
        writer.add_token_scores(tokens.scores)
    if tokens.first is not None:
        writer.add_bos_token_id(tokens.first)
    if tokens.last is not None:
        writer.add_eos_token_id(tokens.last)
    if tokens.unknown is not None:
        writer.add_unk_token_id(tokens.unknown)
    writer.add_add_bos_token(tokens.first is not None)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(tokens.dummy)


def _add_weights(
    gguf: Any,
    writer: Any,
    folder: Path,
    config: Mapping[str, Any],
    precision: str,
    report: Report,
) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, int(config["num_hidden_layers"]))
    tied = bool(config.get("tie_word_embeddings"))
    for done, total, name, values in _weights(folder):
        report(done, total)
        if name.endswith(_HIDDEN) or (tied and name == "lm_head.weight"):
            continue
        known = names.get_name(name, try_suffixes=(".weight",))
        if known is None:
            raise ModelUnsupported(
                f"The model has a part that this conversion doesn't know: {name}.", _ELSEWHERE
            )
        arranged = _arranged(name, values, config)
        kind = _kind(gguf, arranged, precision)
        writer.add_tensor(known, gguf.quants.quantize(arranged, kind), raw_dtype=kind)


def _weights(folder: Path) -> Iterator[tuple[int, int, str, NDArray[np.float32]]]:
    """(tensors before this one, of how many in its file, name, values)."""
    from safetensors import SafetensorError, safe_open

    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                names = list(file.keys())
                for done, name in enumerate(names):
                    yield done, len(names), name, file.get_tensor(name).float().numpy()
        except SafetensorError as error:
            raise ValueError(error) from error


def _arranged(
    name: str, values: NDArray[np.float32], config: Mapping[str, Any]
) -> NDArray[np.float32]:
    """Queries and keys in llama.cpp's order: it turns neighbours where the other turns halves."""
    heads = 0
    if name.endswith("q_proj.weight"):
        heads = int(config["num_attention_heads"])
    elif name.endswith("k_proj.weight"):
        heads = _key_heads(config)
    if not heads:
        return values
    rows, columns = values.shape
    halves = values.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, columns))


def _kind(gguf: Any, values: NDArray[np.float32], precision: str) -> Any:
    """Vectors stay exact; rows that don't fall into blocks are not quantised."""
    kinds = gguf.GGMLQuantizationType
    if values.ndim == 1 or precision == "f32":
        return kinds.F32
    return kinds.Q8_0 if precision == "q8_0" and values.shape[-1] % _BLOCK == 0 else kinds.F16


def _key_heads(config: Mapping[str, Any]) -> int:
    return int(config.get("num_key_value_heads") or config["num_attention_heads"])


def _head_width(config: Mapping[str, Any]) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def _settle(temporary: Path, target: Path) -> None:
    """The finished file under its name, to stay."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
