"""What a tokenizer and a configuration say about a model's tokens; knows no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from loom.engine.api import ModelUnsupported, options_of
from loom.engine.bytetable import ByteExact, Entry, Inexact, Sort, byte_table, spelling_of
from loom.engine.network import Language

CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
NO_CONTEXT = 2048  # tokens, for a model without a bound of its own


def language_of(tokenizer: Any, config: Any, size: int, options: Mapping[str, Any]) -> Language:
    """Of a vocabulary of `size`. The token that begins a document also ends the one before. Raises
    ModelUnsupported if the tokenizer can't be made byte-exact."""
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
    first = _first(tokenizer, table, options)
    ends = {*_ends(tokenizer, config), *(() if first is None else (first,))} & set(range(size))
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
    opening = min(ends, default=_token(config, "bos_token_id"))
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
    """The token before every document: the tokenizer's, unless that stands for a byte of text."""
    token: int | None = tokenizer.bos_token_id
    if token is None or not token < len(table):
        return None
    return token if options_of(options, "bos", bool, not table[token]) else None


def _context(config: Any, options: Mapping[str, Any]) -> int:
    text = config.get_text_config(decoder=True)
    bounds = (getattr(text, name, None) for name in CONTEXTS)
    context = next((b for b in bounds if isinstance(b, int) and b > 0), NO_CONTEXT)
    return max(8, min(context, options_of(options, "context", int, context) or context))
