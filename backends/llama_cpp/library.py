"""The C library: imported once, its log on stderr, the last errors kept to tell people why."""

from __future__ import annotations

import ctypes
import importlib
import os
import re
from collections import deque
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from loom.engine.api import ModelUnsupported

_DEBUG, _ERROR, _CONTINUED = 1, 4, 5
_SPEAKERS = re.compile(r"^(?:\w+: |error loading model(?: \w+)*: )*")
_CHECKOUT = Path(__file__).resolve().parents[2]


class Log:
    """What llama.cpp says goes to stderr, which is the engine's log; debugging is left out."""

    def __init__(self) -> None:
        self._level = 0
        self._errors: deque[str] = deque(maxlen=8)

    def take(self, level: int, text: bytes, data: object) -> None:
        self._level = self._level if level == _CONTINUED else level
        if self._level == _DEBUG:
            return
        if self._level == _ERROR and text.strip():
            self._errors.append(" ".join(text.decode("utf-8", "replace").split()))
        os.write(2, text)

    def forget(self) -> None:
        self._errors.clear()

    def reason(self) -> str:
        """The first error since `forget`, without the name of the function that it comes from."""
        for line in self._errors:
            reason = _SPEAKERS.sub("", line).rstrip(".")
            if reason:
                return reason
        return ""


log = Log()


@cache
def library() -> Any:
    """The bindings. Raises ModelUnsupported where they aren't installed or don't load."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")  # it would start a debugger
    try:
        bindings = importlib.import_module("llama_cpp.llama_cpp")
    except ImportError as error:
        raise ModelUnsupported(
            "This is a GGUF file, and the llama.cpp engine that reads it is not installed.",
            f"Install it with: {install_command()}",
        ) from error
    except (OSError, RuntimeError) as error:
        raise ModelUnsupported(
            f"The llama.cpp library does not load: {' '.join(str(error).split())[:200]}.",
            f"Install it again with: {install_command()}",
        ) from error
    _keep_log(bindings)
    bindings.llama_backend_init()
    return bindings


def installed() -> dict[str, str]:
    """The versions of what belongs to it. Raises ModelUnsupported where it isn't there."""
    library()
    return {name: version(name) for name in ("llama-cpp-python", "gguf")}


def devices() -> list[str]:
    """What llama.cpp was built for and finds here."""
    functions = library()._lib
    for name, result in (("count", ctypes.c_size_t), ("get", ctypes.c_void_p)):
        getattr(functions, f"ggml_backend_dev_{name}").restype = result
    functions.ggml_backend_dev_description.restype = ctypes.c_char_p
    found = []
    for index in range(functions.ggml_backend_dev_count()):
        device = ctypes.c_void_p(functions.ggml_backend_dev_get(ctypes.c_size_t(index)))
        found.append(functions.ggml_backend_dev_description(device).decode("utf-8", "replace"))
    return found


def install_command() -> str:
    if (_CHECKOUT / "Makefile").is_file() and (_CHECKOUT / "pyproject.toml").is_file():
        return "make llama"
    return "pip install 'cyborg-loom[llama]'"


def _keep_log(bindings: Any) -> None:
    callback = bindings.llama_log_callback(log.take)
    bindings.llama_log_set(callback, ctypes.c_void_p(0))
    log.callback = callback  # type: ignore[attr-defined]
