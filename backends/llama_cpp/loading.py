"""From a GGUF file and settings to a model and its context, or to one clear sentence why not.

Knows no tokens and no jobs.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loom.engine.api import EngineError, ModelUnsupported, options_of

from .library import log

Report = Callable[[int, int], None]

CACHE_MB = 1024  # of read text that is remembered
CONTEXT = 8192  # tokens, where the model could see more and nothing else is asked for
BATCH = 512  # tokens in one forward pass
CELLS = 1 << 24  # log-probabilities of one forward pass
SEQUENCES, STATES = 256, 32  # texts at once; fewer where each takes a state of its own

_DUMMY = b"tokenizer.ggml.add_space_prefix"
_KV_TYPES = {"float32": 0, "f32": 0, "float16": 1, "f16": 1, "bfloat16": 30, "bf16": 30, "q8_0": 8}
_FLASH = {"auto": -1, "off": 0, "on": 1}
_ALL_FLOAT32 = 0  # llama.cpp's number for such a file
_BOOL = 2  # of an override


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run a model; -1 is to be chosen, and all of the layers."""

    threads: int
    context: int
    cache_bytes: int
    gpu_layers: int
    kv_type: int
    flash_attention: int

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Settings:
        """Raises EngineError for a value that means nothing."""
        cores = os.cpu_count() or 1
        threads = _whole(options, "threads", 0)
        return cls(
            threads=min(threads, cores) if threads > 0 else max(1, cores - 1),
            context=_whole(options, "context", 0),
            cache_bytes=_whole(options, "cache_mb", CACHE_MB) * 2**20,
            gpu_layers=_whole(options, "gpu_layers", -1, least=-1),
            kv_type=_choice(options, "kv_type", _KV_TYPES | {"auto": -1}),
            flash_attention=_choice(options, "flash_attention", _FLASH),
        )


def _whole(options: Mapping[str, Any], name: str, default: int, least: int = 0) -> int:
    value: int = options_of(options, name, int, default)
    if value < least:
        raise EngineError(
            f"The engine option {name} is {value}.",
            f"It is a whole number from {least}; leave it out to have one chosen.",
        )
    return value


def _choice(options: Mapping[str, Any], name: str, choices: Mapping[str, int]) -> int:
    value = options.get(name, "auto")
    if isinstance(value, bool):
        value = "on" if value else "off"
    if value not in choices:
        raise EngineError(
            f"The engine option {name} is {value!r}.", f"Choose one of {', '.join(choices)}."
        )
    return choices[value]


class Model:
    """A loaded GGUF. `dummy`: its tokenizer puts a space before a document; here it doesn't, since
    it is loaded without that."""

    def __init__(self, bindings: Any, handle: Any, path: Path, *, dummy: bool) -> None:
        self.bindings, self.handle, self.path, self.dummy = bindings, handle, path, dummy
        self.vocabulary = bindings.llama_model_get_vocab(handle)

    def close(self) -> None:
        self.bindings.llama_model_free(self.handle)


def open_model(bindings: Any, path: Path, settings: Settings, report: Report) -> Model:
    """Reads the vocabulary first, which is quick and finds most of what can be wrong with a file.
    Raises ModelUnsupported."""
    found = open_vocabulary(bindings, path)
    dummy = found.dummy
    found.close()
    parameters = _parameters(bindings, progress=_progress(bindings, path, report))
    parameters.n_gpu_layers = settings.gpu_layers
    handle = _loaded(bindings, path, parameters)
    model = Model(bindings, handle, path, dummy=dummy)
    if not bindings.llama_model_has_decoder(handle) or bindings.llama_model_has_encoder(handle):
        raise _no_writer(path)
    if bindings.llama_model_is_diffusion(handle):
        raise _no_writer(path)
    return model


def open_vocabulary(bindings: Any, path: Path) -> Model:
    """Of the file only its tokenizer, which is as it will be in the whole model."""
    parameters = _parameters(bindings)
    parameters.vocab_only = True
    handle = _loaded(bindings, path, parameters)
    model = Model(bindings, handle, path, dummy=_dummy(bindings, path))
    if model.vocabulary is None or not bindings.llama_vocab_n_tokens(model.vocabulary):
        raise _no_vocabulary(path)
    if not bindings.llama_vocab_type(model.vocabulary):
        raise _no_vocabulary(path)
    return model


def open_context(model: Model, settings: Settings) -> tuple[Any, int]:
    """(the context, how many tokens of one text the model sees). Raises ModelUnsupported."""
    bindings = model.bindings
    trained = bindings.llama_model_n_ctx_train(model.handle)
    context = min(trained, settings.context or CONTEXT) or CONTEXT
    context = max(8, context)
    states = _keeps_states(model)
    sequences = min(STATES if states else SEQUENCES, bindings.llama_max_parallel_sequences())
    kv_type, flash_attention = _attention(model, settings)
    parameters = bindings.llama_context_default_params()
    parameters.n_ctx = _cells(model, context, settings, kv_type)
    parameters.n_batch = parameters.n_ubatch = BATCH
    parameters.n_seq_max = sequences
    parameters.n_outputs_max = max(sequences, outputs_at_once(model))
    parameters.n_outputs_max_per_seq = 0
    parameters.n_threads = parameters.n_threads_batch = settings.threads
    parameters.type_k = parameters.type_v = kv_type
    parameters.flash_attn_type = flash_attention
    parameters.kv_unified = True  # without, going on from part of a text ends the process
    parameters.swa_full = True
    parameters.no_perf = True
    log.forget()
    handle = bindings.llama_init_from_model(model.handle, parameters)
    if not handle:
        raise ModelUnsupported(
            f"The model {model.path.name} can't be started: {log.reason() or 'not enough memory'}.",
            "Try a smaller context, another kv_type, or fewer gpu_layers under [engine].",
        )
    return handle, context


def outputs_at_once(model: Model) -> int:
    """Tokens of one forward pass after which it is asked what follows."""
    size = int(model.bindings.llama_vocab_n_tokens(model.vocabulary))
    return max(16, min(BATCH, CELLS // size))


def _parameters(bindings: Any, progress: Any = None) -> Any:
    """Without the dummy space: encoding in the middle of a document must not have one."""
    parameters = bindings.llama_model_default_params()
    parameters.n_gpu_layers = 0
    overrides = (bindings.llama_model_kv_override * 2)()
    overrides[0].tag, overrides[0].key = _BOOL, _DUMMY
    overrides[0].value.val_bool = False
    parameters.kv_overrides = overrides
    if progress is not None:
        parameters.progress_callback = progress
    return parameters


def _progress(bindings: Any, path: Path, report: Report) -> Any:
    size = path.stat().st_size

    def reported(share: float, data: object) -> bool:
        report(int(share * size), size)
        return True

    return bindings.llama_progress_callback(reported)


def _loaded(bindings: Any, path: Path, parameters: Any) -> Any:
    log.forget()
    handle = bindings.llama_model_load_from_file(os.fsencode(path), parameters)
    if handle:
        return handle
    reason = log.reason() or "llama.cpp gives no reason"
    if "unknown model architecture" in reason or "unknown pre-tokenizer" in reason:
        raise ModelUnsupported(
            f"The installed llama.cpp can't run the model in {path.name}: {reason}.",
            "Choose another model, or update llama-cpp-python.",
        )
    raise ModelUnsupported(
        f"The model in {path.name} can't be loaded: {reason}.",
        "The file may be damaged or incomplete: copy or download it again.",
    )


def _dummy(bindings: Any, path: Path) -> bool:
    """Whether the tokenizer as it is in the file puts a space before a text."""
    parameters = bindings.llama_model_default_params()
    parameters.n_gpu_layers, parameters.vocab_only = 0, True
    handle = _loaded(bindings, path, parameters)
    try:
        vocabulary = bindings.llama_model_get_vocab(handle)
        ids = (ctypes.c_int32 * 8)()
        count = bindings.llama_tokenize(vocabulary, b"a", 1, ids, len(ids), False, False)
        piece = ctypes.create_string_buffer(64)
        length = bindings.llama_token_to_piece(vocabulary, ids[0], piece, len(piece), 0, False)
        return count > 0 and length > 0 and piece.raw[:1] == b" "
    finally:
        bindings.llama_model_free(handle)


def _keeps_states(model: Model) -> bool:
    bindings = model.bindings
    return bool(
        bindings.llama_model_is_recurrent(model.handle)
        or bindings.llama_model_is_hybrid(model.handle)
    )


def _attention(model: Model, settings: Settings) -> tuple[int, int]:
    """(type of keys and values, flash attention): as asked for, or as exact as the weights are.

    Flash attention computes in float16, whatever the type, and passes over what other texts hold;
    without it every text that is remembered makes every step slower.
    """
    kv_type, flash_attention = settings.kv_type, settings.flash_attention
    float32 = model.bindings.llama_model_ftype(model.handle) == _ALL_FLOAT32
    exact = float32 and placed(model, settings) == "cpu"
    if kv_type < 0:
        kv_type = _KV_TYPES["float32" if exact else "float16"]
    if flash_attention < 0 and exact and kv_type == _KV_TYPES["float32"]:
        flash_attention = _FLASH["off"]
    return kv_type, flash_attention


def _cells(model: Model, context: int, settings: Settings, kv_type: int) -> int:
    """Tokens that the context holds: two whole texts and some room, more where `cache_mb` allows,
    but no more than helps, since every step passes over what is held."""
    least, most = 2 * context + 1024, 4 * context + 4096
    wanted = settings.cache_bytes // max(1, _cell_bytes(model, kv_type))
    cells = max(least, min(most, wanted))
    return -(-cells // 256) * 256


def _cell_bytes(model: Model, kv_type: int) -> int:
    bindings, handle = model.bindings, model.handle
    heads = max(1, bindings.llama_model_n_head(handle))
    width = bindings.llama_model_n_embd(handle) * bindings.llama_model_n_head_kv(handle) // heads
    size = {0: 4.0, 8: 34 / 32}.get(kv_type, 2.0)
    return int(2 * bindings.llama_model_n_layer(handle) * width * size)


def _no_writer(path: Path) -> ModelUnsupported:
    return ModelUnsupported(
        f"The model in {path.name} doesn't predict one token after the other.",
        "Choose a causal language model.",
    )


def _no_vocabulary(path: Path) -> ModelUnsupported:
    return ModelUnsupported(
        f"The file {path.name} has no vocabulary in it.", "Choose a complete language model."
    )


def file_type(model: Model) -> str:
    """How precise the weights are, as llama.cpp says it."""
    bindings = model.bindings
    name = bindings.llama_ftype_name(bindings.llama_model_ftype(model.handle))
    return name.decode("utf-8", "replace") if name else "unknown"


def placed(model: Model, settings: Settings) -> str:
    """Where it runs."""
    gpu = settings.gpu_layers and model.bindings.llama_supports_gpu_offload()
    return "gpu" if gpu else "cpu"
