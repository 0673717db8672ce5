"""From a name and options to a loaded model and its tokenizer, or to one clear sentence why not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from loom.engine.api import ModelNotFound, ModelUnsupported
from loom.engine.failures import lacks_memory
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import set_tqdm_hook

Report = Callable[[int, int], None]

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt"]


def model_folder(model: str, *, download: bool) -> Path:
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


def tokenizer(folder: Path) -> Any:
    try:
        found = AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # the library raises what its parsers raise
        raise ModelUnsupported(
            f"The model has no tokenizer that can be read: {_reason(error)}.",
            "The folder needs the tokenizer.json that belongs to the model.",
        ) from error
    if not getattr(found, "is_fast", False) or not len(found):
        raise ModelUnsupported(
            "The model has no tokenizer that can be read.",
            "The folder needs the tokenizer.json that belongs to the model.",
        )
    return found


def device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        found = torch.device(name)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelUnsupported(
            f"The device {name!r} can't be used: {_reason(error)}.",
            'Set the engine option device to "cpu", "cuda" or "mps", or leave it out.',
        ) from error
    return found


def devices() -> list[str]:
    """What torch was built for and finds here."""
    found = [f"CPU, {os.cpu_count()} cores"]
    if torch.backends.mps.is_available():
        found.append("MPS")
    return found + [
        f"CUDA: {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())
    ]


def dtype(
    name: str, device: torch.device, files: Sequence[Path], config: Mapping[str, Any]
) -> torch.dtype:
    """float32 on a CPU, unless that wouldn't fit its memory; half precision elsewhere."""
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


def module(folder: Path, device: torch.device, dtype: torch.dtype, report: Report) -> Any:
    """The transformers model, complete. Raises ModelUnsupported."""
    previous = set_tqdm_hook(lambda factory, args, keywords: _Counted(report, *args, **keywords))
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        found, info = loaded
        found = found.to(device).eval()
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
    return found


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
    if lacks_memory(error):
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
