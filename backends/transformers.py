"""Causal language models that the transformers library loads: a folder or a hub name.

What a model has read is kept as its key-value caches; jobs and text are `loom.engine`'s. Torch and
transformers are imported when a model is loaded, since asking `accepts` must stay cheap.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from loom.engine.api import (
    Capabilities,
    Event,
    Job,
    ModelNotFound,
    ModelUnsupported,
    options_of,
)
from loom.engine.bytetable import ByteExact, Entry, Inexact, Sort, byte_table, spelling_of
from loom.engine.network import Language
from loom.engine.prefixes import Prefixes
from loom.engine.turns import Turns
from loom.engine.weights import fingerprint, progress_in_bytes, read_config, weight_files

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

NAME = "transformers"

CACHE_MB = 1024  # of read text that is remembered
PADDING = 4  # see Memory.padding
CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
NO_CONTEXT = 2048  # tokens, for a model without a bound of its own

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt"]

Report = Callable[[int, int], None]
Layers = list["tuple[torch.Tensor, torch.Tensor] | None"]


def accepts(model: str) -> bool:
    """A folder, or what looks like a path or a hub name; a file is another engine's."""
    path = Path(model).expanduser()
    return path.is_dir() or ("/" in model and not path.exists() and path.suffix != ".gguf")


def load(model: str, options: Mapping[str, Any], progress: Report) -> Engine:
    """Options: `device`, `dtype`, `threads`, `cache_mb`, `context` (at most so many tokens),
    `bos` (whether a document begins with that token), `download` (from the hub)."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    folder = _folder(model, options_of(options, "download", bool, False))
    config = read_config(folder)
    files = weight_files(folder)
    report = progress_in_bytes(files, progress)
    report(0, 1)
    threads = options_of(options, "threads", int, 0) or max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(threads)
    tokenizer = _tokenizer(folder)
    device = _device(options_of(options, "device", str, "auto"))
    dtype = _dtype(options_of(options, "dtype", str, "auto"), device, files, config)
    module = _module(folder, device, dtype, report)
    with torch.inference_mode():
        network = TorchNetwork(module, tokenizer, options)
    return Engine(network, _label(model, folder), fingerprint(folder, files), threads)


def _label(model: str, folder: Path) -> str:
    return model if not Path(model).expanduser().is_dir() else folder.resolve().name


def _folder(model: str, download: bool) -> Path:
    """The model's folder, from the hub's cache or the hub if it is a hub name."""
    path = Path(model).expanduser()
    if path.is_dir() or not _HUB_NAME.fullmatch(model):
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        found = snapshot_download(model, local_files_only=not download, allow_patterns=_WANTED)
        return Path(found)
    except GatedRepoError as error:
        raise ModelUnsupported(
            f"The model {model!r} is given only to those its makers admit.",
            "Ask for access on its page, then sign in with `hf auth login`.",
        ) from error
    except LocalEntryNotFoundError as error:
        if download:
            raise ModelNotFound(
                f"The model {model!r} is not on this computer and the hub can't be reached.",
                "Check the connection, or give the folder of a model.",
            ) from error
        raise ModelNotFound(
            f"The model {model!r} is not on this computer, and downloading is off.",
            "Set the engine option download = true, or give the folder of a model.",
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelNotFound(
            f"The model {model!r} can't be had from the hub: {_reason(error)}.",
            "Check the name and the connection.",
        ) from error


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # the library raises what its parsers raise
        raise ModelUnsupported(
            f"The model has no tokenizer that can be read: {_reason(error)}.",
            "The folder needs the tokenizer.json that belongs to the model.",
        ) from error
    if not getattr(tokenizer, "is_fast", False) or not len(tokenizer):
        raise ModelUnsupported(
            "The model has no tokenizer that can be read.",
            "The folder needs the tokenizer.json that belongs to the model.",
        )
    return tokenizer


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelUnsupported(
            f"The device {name!r} can't be used: {_reason(error)}.",
            'Set the engine option device to "cpu", "cuda" or "mps", or leave it out.',
        ) from error
    return device


def _dtype(
    name: str, device: torch.device, files: Sequence[Path], config: Mapping[str, Any]
) -> torch.dtype:
    """float32 on a CPU, unless that wouldn't fit its memory; half precision elsewhere."""
    import torch

    names = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    stored = names.get(str(config.get("dtype") or config.get("torch_dtype")))
    if name == "auto" and device.type == "cpu":
        return stored or torch.float32 if _too_large(files, stored) else torch.float32
    if name == "auto":
        if stored in (torch.float16, torch.bfloat16):
            return stored
        bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if bfloat16 else torch.float16
    if name not in names:
        raise ModelUnsupported(
            f"The engine option dtype is {name!r}.", f"Choose one of auto, {', '.join(names)}."
        )
    return names[name]


def _too_large(files: Sequence[Path], stored: torch.dtype | None) -> bool:
    """Whether the weights in float32 take more than 60 % of the computer's memory."""
    wide = 1 if stored is None or stored.itemsize == 4 else 2
    size = sum(path.stat().st_size for path in files) * wide
    try:
        return size > 0.6 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return False


def _module(folder: Path, device: torch.device, dtype: torch.dtype, report: Report) -> Any:
    """The transformers model, complete. Raises ModelUnsupported."""
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import set_tqdm_hook

    previous = set_tqdm_hook(lambda factory, args, keywords: _Counted(report, *args, **keywords))
    try:
        module, info = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        module = module.to(device).eval()
    except Exception as error:  # the library raises what its parsers raise
        raise _unloadable(error) from error
    finally:
        set_tqdm_hook(previous)
    missing = sorted(info["missing_keys"]) + sorted(str(k) for k in info["mismatched_keys"])
    if missing:
        raise ModelUnsupported(
            f"The weights lack {len(missing)} of the model's parts ({missing[0]}, for example).",
            "Copy or download the model again; an adapter alone is no model.",
        )
    report(1, 1)
    return module


class _Counted:
    """Stands in for the library's progress bar."""

    def __init__(self, report: Report, items: Any = None, **keywords: Any) -> None:
        self._report, self._items = report, items
        self._total = keywords.get("total") or (len(items) if hasattr(items, "__len__") else 0)
        self._done = 0

    def __iter__(self) -> Any:
        for item in self._items or ():
            yield item
            self.update()

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *error: object) -> None: ...

    def update(self, count: int = 1) -> None:
        self._done += count
        if self._total:
            self._report(min(self._done, self._total), self._total)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **keywords: None


def _unloadable(error: Exception) -> ModelUnsupported:
    reason = _reason(error)
    if isinstance(error, MemoryError) or "out of memory" in reason.lower():
        return ModelUnsupported(
            "There is not enough memory for this model.",
            'Close other programs, choose a smaller model, or try dtype = "bfloat16".',
        )
    if "trust_remote_code" in reason or "custom code" in reason:
        return ModelUnsupported(
            "The model comes with program code of its own, which is never run.",
            "Choose a model of a kind that the transformers library knows.",
        )
    if "model type" in reason or "Unrecognized" in reason:
        return ModelUnsupported(
            f"The installed transformers library can't load this kind of model: {reason}.",
            "Choose a causal language model, or update transformers.",
        )
    return ModelUnsupported(
        f"The model can't be loaded: {reason}.", "Copy or download the model again."
    )


def _reason(error: BaseException) -> str:
    """The first sentence or so of what a library says."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.split(r"(?<=[.!?])\s", text)[0][:200].rstrip(".")


def _language(tokenizer: Any, config: Any, size: int, options: Mapping[str, Any]) -> Language:
    """Raises ModelUnsupported if the tokenizer can't be made byte-exact."""
    entries = _entries(tokenizer)
    try:
        table = byte_table(entries, size)
        spelling = spelling_of(entries)
    except Inexact as error:
        raise ModelUnsupported(
            f"The model's tokenizer can't write every text: {error}.",
            "Choose a model with a byte-level tokenizer or one with byte fallback.",
        ) from error
    control = {e.id for e in entries if e.sort is Sort.CONTROL}
    ends = _ends(tokenizer, config) & set(range(size))
    plain = _without_prefix(tokenizer.backend_tokenizer)
    text = ByteExact(
        table,
        lambda run: plain.encode(run, add_special_tokens=False).ids,
        usable=lambda token: token not in control,
        dummy=_puts_a_space(tokenizer, table),
        spelling=spelling,
    )
    banned = np.array([not table[i] or i in control for i in range(size)])
    banned[list(ends)] = False
    first = _first(tokenizer, table, options)
    opening = next(
        (i for i in (first, _token(config, "bos_token_id"), *sorted(ends)) if i is not None), None
    )
    return Language(text, _context(config, options), first, opening, frozenset(ends), banned)


def _entries(tokenizer: Any) -> list[Entry]:
    added = tokenizer.added_tokens_decoder
    special = set(tokenizer.all_special_ids)
    entries = []
    for text, token in tokenizer.get_vocab().items():
        sort = Sort.TEXT
        if token in special or (token in added and added[token].special):
            sort = Sort.CONTROL
        elif token in added:
            sort = Sort.LITERAL
        entries.append(Entry(token, text, sort))
    return entries


def _without_prefix(backend: Tokenizer) -> Tokenizer:
    """The tokenizer without what changes text: normalisers, prefixed spaces, control tokens."""
    from tokenizers import Tokenizer

    rules = json.loads(backend.to_str())
    rules |= {"normalizer": _spaces_only(rules["normalizer"]), "post_processor": None}
    rules |= {"truncation": None, "padding": None}
    for step in _steps(rules["pre_tokenizer"], "pretokenizers"):
        step |= {"add_prefix_space": False} if step["type"] == "ByteLevel" else {}
        step |= {"prepend_scheme": "never"} if step["type"] == "Metaspace" else {}
    plain = Tokenizer.from_str(json.dumps(rules))
    plain.encode_special_tokens = True
    return plain


def _spaces_only(normalizer: dict[str, Any] | None) -> dict[str, Any] | None:
    kept = [
        step
        for step in _steps(normalizer, "normalizers")
        if step["type"] == "Replace" and step["pattern"] == {"String": " "}
    ]
    return {"type": "Sequence", "normalizers": kept} if kept else None


def _steps(rule: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    if rule is None:
        return []
    return [s for part in rule[name] for s in _steps(part, name)] if name in rule else [rule]


def _puts_a_space(tokenizer: Any, table: Sequence[bytes]) -> bool:
    ids = tokenizer.backend_tokenizer.encode("a", add_special_tokens=False).ids
    return b"".join(table[i] for i in ids) == b" a"


def _token(config: Any, name: str) -> int | None:
    value = getattr(config.get_text_config(decoder=True), name, None)
    return value if isinstance(value, int) else None


def _ends(tokenizer: Any, config: Any) -> set[int]:
    ends: set[int] = set()
    for value in (config.get_text_config(decoder=True).eos_token_id, tokenizer.eos_token_id):
        ends |= {value} if isinstance(value, int) else set(value or ())
    return ends


def _first(tokenizer: Any, table: Sequence[bytes], options: Mapping[str, Any]) -> int | None:
    """The token before every document: the tokenizer's, unless it also stands for a byte of text."""
    token: int | None = tokenizer.bos_token_id
    if token is None or not token < len(table):
        return None
    return token if options_of(options, "bos", bool, not table[token]) else None


def _context(config: Any, options: Mapping[str, Any]) -> int:
    text = config.get_text_config(decoder=True)
    bounds = (getattr(text, name, None) for name in CONTEXTS)
    context = next((b for b in bounds if isinstance(b, int) and b > 0), NO_CONTEXT)
    return max(8, min(context, options_of(options, "context", int, context) or context))


class Memory(Enum):
    """What can be done with what a model has read; found out at load."""

    SLICED = "any beginning of it can be gone on from"
    WHOLE = "only all of it can be gone on from"
    NONE = "it can't be kept"


class TorchNetwork:
    """A model on its device. `padding`: rows are filled up to a multiple of it, which makes each one's
    result the same bit for bit however many there are (float32 on a CPU; 1 elsewhere)."""

    def __init__(self, module: Any, tokenizer: Any, options: Mapping[str, Any]) -> None:
        import torch

        self.module = module
        self.device: torch.device = module.device
        self.dtype: torch.dtype = module.dtype
        exact = self.device.type == "cpu" and self.dtype == torch.float32
        self.padding = PADDING if exact else 1
        self._keeps = "logits_to_keep" in inspect.signature(module.forward).parameters
        probe = _probe(module)
        expected = _all_finite(self.forward(probe[None], None, len(probe))[0])
        self.language = _language(tokenizer, module.config, expected.shape[-1], options)
        self.memory = self._tested_memory(probe, expected)
        self.reproducible = exact and self._rows_independent(probe)
        limit = options_of(options, "cache_mb", int, CACHE_MB) * 2**20
        self.prefixes: Prefixes[Any] = Prefixes(limit, whole=self.memory is Memory.WHOLE)

    def cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self.module.config)

    def forward(self, tokens: torch.Tensor, cache: Any, keep: int) -> torch.Tensor:
        """logits float[rows, max(1, keep), V] of tokens[rows, n] after what is in `cache`."""
        keep = max(1, keep)
        keywords = {"logits_to_keep": keep} if self._keeps else {}
        if cache is not None:
            keywords["past_key_values"] = cache
        output = self.module(
            input_ids=tokens.to(self.device), use_cache=cache is not None, **keywords
        )
        logits: torch.Tensor = output.logits[:, -keep:]
        return logits

    def rows(self, ids: Sequence[int]) -> TorchRows:
        if self.memory is Memory.NONE:
            return TorchRows(self, None, 0)
        found = self.prefixes.longest(ids)
        if not found:
            return TorchRows(self, self.cache(), 0)
        if self.memory is Memory.WHOLE:
            return TorchRows(self, copy.deepcopy(found[-1].value), found[-1].stop)
        parts = [_cut(s.value, 0, s.stop - s.start) for s in found]
        return TorchRows(self, self.assembled(parts), found[-1].stop)

    def assembled(self, parts: Sequence[Layers]) -> Any:
        """A cache of these stretches, one after the other."""
        import torch

        cache = self.cache()
        for index, layers in enumerate(zip(*parts, strict=True)):
            held = [layer for layer in layers if layer is not None]
            if held:
                keys, values = (torch.cat(column, dim=-2) for column in zip(*held, strict=True))
                cache.update(keys, values, index)
        return cache

    def _tested_memory(self, probe: torch.Tensor, expected: torch.Tensor) -> Memory:
        """Tries what is to be relied on: going on from a cache, from a fork, from part of one."""
        import torch

        middle, cut = len(probe) // 2, len(probe) // 4
        near = 1e-3 if self.dtype == torch.float32 else 0.25
        memory = Memory.NONE
        with suppress(Exception):  # what a kind of cache can't do, it raises in its own way
            cache = self.cache()
            self.forward(probe[None, :middle], cache, 1)
            layers = sliced(cache, 0, 0, middle)
            cache.reorder_cache(torch.zeros(2, dtype=torch.long, device=self.device))
            after = self.forward(probe[None, middle:].repeat(2, 1), cache, len(probe) - middle)
            if not _close(after, expected[middle:], near):
                return memory
            memory = Memory.WHOLE
            if layers is None:
                return memory
            cache = self.assembled([_cut(layers, 0, cut)])
            after = self.forward(probe[None, cut:], cache, len(probe) - cut)
            if _close(after, expected[cut:], near):
                memory = Memory.SLICED
        return memory

    def _rows_independent(self, probe: torch.Tensor) -> bool:
        """Whether padded rows come out the same bit for bit among few and many."""
        results = []
        for count in (PADDING, 2 * PADDING):
            cache = None if self.memory is Memory.NONE else self.cache()
            read = self.forward(probe[None, :-1].repeat(count, 1), cache, 1)
            if cache is not None:
                read = self.forward(probe[None, -1:].repeat(count, 1), cache, 1)
            results.append(read[0])
        return bool((results[0] == results[1]).all())


class TorchRows:
    """Equal-length texts in one cache. The first `count` rows are real, the others fill up and
    repeat the first one."""

    def __init__(self, network: TorchNetwork, cache: Any, length: int) -> None:
        self.length = length
        self._network = network
        self._cache = cache
        self._count = 1
        self._forked = False
        self._texts: list[list[int]] = [[]]

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> NDArray[np.float32]:
        import torch

        rows = [*tokens, *[tokens[0]] * self._filling(len(tokens))]
        if self._cache is None:
            self._texts = [[*t, *new] for t, new in zip(self._texts, rows, strict=True)]
            rows = self._texts
        self.length += len(tokens[0])
        logits = self._network.forward(torch.tensor(rows), self._cache, keep)
        if not keep:
            return np.empty((len(tokens), 0, self._network.language.size), np.float32)
        logs = torch.log_softmax(logits[: len(tokens)].float(), dim=-1)
        return np.asarray(logs.cpu().numpy(), dtype=np.float32)

    def fork(self, count: int) -> None:
        self._forked = True
        self._arrange([0] * count)

    def select(self, rows: Sequence[int]) -> None:
        self._arrange(list(rows))

    def save(self, row: int, ids: Sequence[int]) -> None:
        network = self._network
        if self._cache is None:
            return
        start = network.prefixes.known(ids)
        if start == len(ids):
            network.prefixes.longest(ids)
            return
        if network.memory is Memory.WHOLE:
            value = copy.deepcopy(self._cache)
            value.reorder_cache(self._index([row]))
            network.prefixes.put(ids, 0, value, _size(value))
            return
        layers = sliced(self._cache, row, start, self.length)
        if layers is not None:
            size = sum(k.nbytes + v.nbytes for k, v in filter(None, layers))
            network.prefixes.put(ids, start, layers, size)

    def _arrange(self, rows: list[int]) -> None:
        self._count = len(rows)
        rows = rows + rows[:1] * self._filling(len(rows))
        if self._cache is None:
            self._texts = [list(self._texts[row]) for row in rows]
        else:
            self._cache.reorder_cache(self._index(rows))

    def _filling(self, count: int) -> int:
        """Rows to be added; a single text that is not yet forked stays single."""
        return -count % self._network.padding if self._forked else 0

    def _index(self, rows: list[int]) -> torch.Tensor:
        import torch

        return torch.tensor(rows, dtype=torch.long, device=self._network.device)


def sliced(cache: Any, row: int, start: int, stop: int) -> Layers | None:
    """Copies of tokens start..stop of one row; None if some layer doesn't hold them all.

    Copying what is wanted takes the place of `DynamicCache.crop`, which silently keeps too much
    when it is asked for more than there is.
    """
    layers: Layers = []
    for layer in cache.layers:
        if getattr(layer, "is_sliding", False) or not hasattr(layer, "keys"):
            return None
        if layer.keys is None:
            layers.append(None)
            continue
        if layer.keys.ndim != 4 or layer.keys.shape[-2] != stop:
            return None
        keys, values = (t[row : row + 1, :, start:stop].clone() for t in (layer.keys, layer.values))
        layers.append((keys, values))
    return layers


def _cut(layers: Layers, start: int, stop: int) -> Layers:
    return [
        None if layer is None else (layer[0][:, :, start:stop], layer[1][:, :, start:stop])
        for layer in layers
    ]


def _size(cache: Any) -> int:
    """Bytes of the tensors in a cache of any kind."""
    return sum(
        int(value.nbytes)
        for layer in cache.layers
        for value in vars(layer).values()
        if hasattr(value, "nbytes")
    )


def _probe(module: Any) -> torch.Tensor:
    """A few ids that every vocabulary has."""
    import torch

    size = int(module.get_input_embeddings().weight.shape[0])
    return (torch.arange(24) * 7 + 3) % size


def _close(found: torch.Tensor, expected: torch.Tensor, near: float) -> bool:
    return bool(((found.float() - expected.float()).abs().amax() <= near).item())


def _all_finite(logits: torch.Tensor) -> torch.Tensor:
    if not bool(logits.isfinite().all()):
        raise ModelUnsupported(
            "The model gives no numbers: its weights are damaged or overflow.",
            'Copy or download the model again, or set the engine option dtype = "float32".',
        )
    return logits


class Engine:
    """The Engine protocol over a TorchNetwork."""

    def __init__(self, network: TorchNetwork, label: str, mark: str, threads: int) -> None:
        self._network = network
        self._turns = Turns(network)
        self._label, self._fingerprint, self._threads = label, mark, threads

    def submit(self, job: Job) -> None:
        self._turns.submit(job)

    def cancel(self, job: str, branch: int | None = None) -> None:
        import torch

        with torch.inference_mode():
            self._turns.cancel(job, branch)

    def step(self) -> Sequence[Event]:
        import torch

        with torch.inference_mode():
            return self._turns.step()

    def encode(self, text: bytes, *, start: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        spelling = self._network.language.spelling
        ids = spelling.encode(text, start=start)
        ends = np.cumsum([len(p) for p in spelling.spelled(ids, start=start)], dtype=np.int64)
        return ids, tuple(ends.tolist())

    def can(self) -> Capabilities:
        import torch
        import transformers

        network = self._network
        dtype = str(network.dtype).removeprefix("torch.")
        return Capabilities(
            name=NAME,
            label=self._label,
            fingerprint=self._fingerprint,
            vocabulary=network.language.size,
            context=network.language.context,
            device=str(network.device),
            dtype=dtype,
            reproducible=network.reproducible,
            runtime={
                "engine": NAME,
                "transformers": transformers.__version__,
                "torch": torch.__version__,
                "device": str(network.device),
                "dtype": dtype,
                "threads": str(self._threads),
            },
        )

    def pieces(self, ids: Sequence[int]) -> tuple[bytes, ...]:
        table = self._network.language.spelling.table
        return tuple(table[i] for i in ids)

    def close(self) -> None:
        self._turns.clear()
        self._network.prefixes.clear()
