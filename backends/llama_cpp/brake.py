"""Lets another thread break off a forward pass on the CPU. Knows no model."""

from __future__ import annotations

import ctypes
from typing import Any


class Brake:
    """llama.cpp asks before each operation whether to stop. What it asks is C's strlen, of a text
    that is empty until the brake is pulled: a Python function would cost more than the operation.
    """

    def __init__(self, bindings: Any, context: Any) -> None:
        self._text = ctypes.create_string_buffer(2)
        self._asked = ctypes.cast(ctypes.CDLL(None).strlen, bindings.ggml_abort_callback)
        address = ctypes.cast(self._text, ctypes.c_void_p)
        bindings.llama_set_abort_callback(context, self._asked, address)

    def pull(self) -> None:
        self._text[0] = b"x"

    def release(self) -> None:
        self._text[0] = b"\0"
