"""What a GGUF's tokenizer says about a model's tokens, and encoding with it; knows no weights."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from loom.engine.api import ModelUnsupported, options_of
from loom.engine.bytetable import ByteExact, Inexact, Spelling, completed
from loom.engine.network import Language

from .loading import Model

_UNKNOWN, _UNUSED, _CONTROL = 1, 2, 8  # attributes of a token
_SENTENCEPIECE, _UNIGRAM = 1, 4  # types of vocabulary
_PROBE = " The  quick\tbrown\n\nfox's — naïve 日本語 👩‍🚀 1234567 {x}_y();"


def language_of(model: Model, context: int, options: Mapping[str, Any]) -> Language:
    """The token that begins a document also ends the one before. Raises ModelUnsupported if the
    tokenizer can't be made byte-exact."""
    bindings, vocabulary = model.bindings, model.vocabulary
    size = int(bindings.llama_vocab_n_tokens(vocabulary))
    control = control_tokens(model)
    text = spelling_of(model, control)
    first = _first(model, text.table, options)
    ends = {i for i in range(size) if bindings.llama_vocab_is_eog(vocabulary, i)}
    ends |= set() if first is None else {first}
    banned = np.array([not text.table[i] or i in control for i in range(size)])
    banned[list(ends)] = False
    end = bindings.llama_vocab_eos(vocabulary)
    opening = end if end in ends else min(ends, default=None)
    return Language(text, context, first, opening, frozenset(ends), banned)


def control_tokens(model: Model) -> set[int]:
    """Those that stand for no text."""
    size = model.bindings.llama_vocab_n_tokens(model.vocabulary)
    sorts = (model.bindings.llama_vocab_get_attr(model.vocabulary, i) for i in range(size))
    return {i for i, sort in enumerate(sorts) if sort & (_CONTROL | _UNKNOWN | _UNUSED)}


def spelling_of(model: Model, control: set[int]) -> ByteExact:
    """The bytes of every token, checked on a text with a bit of everything."""
    size = model.bindings.llama_vocab_n_tokens(model.vocabulary)
    pieces = [b"" if i in control else piece_of(model, i) for i in range(size)]
    kind = model.bindings.llama_vocab_type(model.vocabulary)
    spaced = kind in (_SENTENCEPIECE, _UNIGRAM)
    try:
        table = completed(pieces, control)
        text = ByteExact(
            table,
            encoder(model),
            usable=lambda token: token not in control,
            dummy=model.dummy,
            spelling=Spelling.SENTENCEPIECE if spaced else Spelling.BYTE_LEVEL,
        )
    except Inexact as error:
        raise ModelUnsupported(
            f"The tokenizer in {model.path.name} can't write every text: {error}.",
            "Choose a model with a byte-level tokenizer or one with byte fallback.",
        ) from error
    ids = text.encode(_PROBE.encode(), start=False)
    if b"".join(text.spelled(ids, start=False)) != _PROBE.encode():
        raise ModelUnsupported(
            f"The tokenizer in {model.path.name} doesn't give back the text it was given.",
            "Choose another model.",
        )
    return text


def piece_of(model: Model, token: int) -> bytes:
    """The bytes that llama.cpp writes for a token."""
    room = 64
    while True:
        buffer = ctypes.create_string_buffer(room)
        length = model.bindings.llama_token_to_piece(
            model.vocabulary, token, buffer, room, 0, False
        )
        if length >= 0:
            return bytes(buffer.raw[:length])
        room = -length


def encoder(model: Model) -> Callable[[str], Sequence[int]]:
    """The tokenizer, which takes nothing in a text for a control token."""

    def encode(text: str) -> Sequence[int]:
        data = text.encode()
        room = len(data) + 8
        while True:
            ids = np.empty(room, np.int32)
            count = model.bindings.llama_tokenize(
                model.vocabulary,
                data,
                len(data),
                ids.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
                room,
                False,
                False,
            )
            if count >= 0:
                found: list[int] = ids[:count].tolist()
                return found
            room = -count

    return encode


def _first(model: Model, table: Sequence[bytes], options: Mapping[str, Any]) -> int | None:
    """The token before every document: as the file says, unless that stands for a byte of text."""
    bindings, vocabulary = model.bindings, model.vocabulary
    token = bindings.llama_vocab_bos(vocabulary)
    if not 0 <= token < len(table):
        return None
    usual = bool(bindings.llama_vocab_get_add_bos(vocabulary)) and not table[token]
    return token if options_of(options, "bos", bool, usual) else None
