"""A tokenizer.json in the terms of a GGUF file; knows neither weights nor the format itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loom.engine.api import ModelUnsupported

_NORMAL, _UNKNOWN, _CONTROL, _LITERAL, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6
_BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")
_SPACE = "▁"
_NO_MERGE = "ÿ þ"  # of bytes that no text holds, where the format wants at least one


@dataclass(frozen=True, slots=True)
class Tokens:
    """`first` stands before every document, `last` ends one; `dummy`: a space is put before it."""

    model: str
    pre: str
    texts: list[str]
    types: list[int]
    merges: list[str]
    scores: list[float]
    first: int | None
    last: int | None
    unknown: int | None
    dummy: bool


def read_tokens(folder: Path, size: int) -> Tokens:
    """Of a vocabulary of `size`. Raises ModelUnsupported for what GGUF would spell differently."""
    rules = _read(folder / "tokenizer.json")
    settings = _read(folder / "tokenizer_config.json")
    model = rules.get("model") or {}
    if model.get("type") != "BPE" or model.get("ignore_merges"):
        raise _unknown(f"it is of the kind {model.get('type')}")
    sentencepiece = bool(model.get("byte_fallback"))
    if not sentencepiece:
        _check_byte_level(rules)
    added = {entry["content"]: entry for entry in rules.get("added_tokens") or ()}
    ids = model["vocab"] | {text: entry["id"] for text, entry in added.items()}
    texts, types = _laid_out(ids, added, model.get("unk_token"), size)
    merges = [_pair(merge) for merge in model.get("merges") or ()]
    return Tokens(
        model="llama" if sentencepiece else "gpt2",
        pre="default" if sentencepiece else "gpt-2",
        texts=texts,
        types=types,
        merges=[] if sentencepiece else [" ".join(pair) for pair in merges] or [_NO_MERGE],
        scores=_scores(texts, merges) if sentencepiece else [],
        first=ids.get(_named(settings, "bos_token")),
        last=ids.get(_named(settings, "eos_token")),
        unknown=ids.get(model.get("unk_token")),
        dummy=sentencepiece and _puts_a_space(rules),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnsupported(
            f"The model's {path.name} can't be read.", "Copy or download the model again."
        ) from error
    return found if isinstance(found, dict) else {}


def _check_byte_level(rules: Mapping[str, Any]) -> None:
    step = rules.get("pre_tokenizer") or {}
    if step.get("type") != "ByteLevel" or step.get("add_prefix_space"):
        raise _unknown("it doesn't cut text as GPT-2 does")
    if not step.get("use_regex", True) and rules["model"].get("merges"):
        raise _unknown("it doesn't cut text into words first")
    if rules.get("normalizer"):
        raise _unknown("it changes text before it cuts it")


def _laid_out(
    ids: Mapping[str, int], added: Mapping[str, Any], unknown: str | None, size: int
) -> tuple[list[str], list[int]]:
    """Texts and types by id; ids of no token are filled up."""
    texts, types = [f"[PAD{i}]" for i in range(size)], [_UNUSED] * size
    for text, token in ids.items():
        if not 0 <= token < size:
            raise _unknown(f"the token {token} is beyond the model's {size}")
        texts[token] = text
        types[token] = _type(text, added.get(text), unknown)
    return texts, types


def _type(text: str, added: Mapping[str, Any] | None, unknown: str | None) -> int:
    if text == unknown:
        return _UNKNOWN
    if added is not None:
        return _CONTROL if added.get("special") else _LITERAL
    return _BYTE if _BYTE_TOKEN.fullmatch(text) else _NORMAL


def _pair(merge: Any) -> tuple[str, str]:
    """Newer files have pairs, older ones texts with a space in between."""
    left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
    return left, right


def _scores(texts: list[str], merges: list[tuple[str, str]]) -> list[float]:
    """The earlier a merge, the higher the score of what comes of it."""
    ranks: dict[str, int] = {}
    for rank, (left, right) in enumerate(merges):
        ranks.setdefault(left + right, rank)
    return [-1.0 - ranks[text] if text in ranks else 0.0 for text in texts]


def _named(settings: Mapping[str, Any], name: str) -> Any:
    value = settings.get(name)
    return value.get("content") if isinstance(value, dict) else value


def _puts_a_space(rules: Mapping[str, Any]) -> bool:
    steps = [rules.get("normalizer") or {}, rules.get("pre_tokenizer") or {}]
    steps += [
        s for step in steps for key in ("normalizers", "pretokenizers") for s in step.get(key, ())
    ]
    return any(
        step.get("prepend") == _SPACE or step.get("prepend_scheme") in ("first", "always")
        for step in steps
    )


def _unknown(why: str) -> ModelUnsupported:
    return ModelUnsupported(
        f"The model's tokenizer can't be written as GGUF: {why}.",
        "llama.cpp's convert_hf_to_gguf.py knows more kinds of models.",
    )
