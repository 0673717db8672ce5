"""Tiny models with random weights, made on the fly, as folders that the engine loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)

from loom.engine.bytetable import byte_alphabet

CONTEXT = 128
WORDS = ["the", " the", " lighthouse", " keeper", "\n\n", "  ", "é", "日本", " had", " not", "ing"]


def byte_level(folder: Path, *, layers: int = 2, context: int = CONTEXT) -> Path:
    """A Llama with byte-level BPE; <|endoftext|> begins and ends documents; one banned token."""
    letters = byte_alphabet()
    written = {byte: letter for letter, byte in letters.items()}
    vocab = {"<|endoftext|>": 0} | {letter: i + 1 for i, letter in enumerate(letters)}
    merges = _merged(vocab, ["".join(written[b] for b in word.encode()) for word in WORDS])
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|pad|>"])
    _save_tokenizer(folder, tokenizer, bos="<|endoftext|>", eos="<|endoftext|>")
    return _save(folder, _llama(tokenizer.get_vocab_size(), layers, context, bos=0, eos=0))


def sentencepiece(folder: Path, *, context: int = CONTEXT) -> Path:
    """A Llama with BPE over ▁ and byte fallback, a dummy space and <s> before every document."""
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
    vocab |= {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    for letter in "▁abcdefghijklmnopqrstuvwxyzTé日本":
        vocab[letter] = len(vocab)
    merges = _merged(vocab, [word.replace(" ", "▁") for word in WORDS if "\n" not in word])
    tokenizer = Tokenizer(
        models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")]
    )
    _save_tokenizer(folder, tokenizer, bos="<s>", eos="</s>", unk="<unk>")
    return _save(folder, _llama(tokenizer.get_vocab_size(), 2, context, bos=1, eos=2))


def raw_bytes(folder: Path, *, context: int = CONTEXT) -> Path:
    """A GPT-2 over 256 raw bytes, of which NUL is <|nul|>, the end of a document."""
    vocab = {letter: byte for letter, byte in byte_alphabet().items() if byte}
    tokenizer = Tokenizer(models.BPE(vocab={"<|nul|>": 0} | vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|nul|>"])
    _save_tokenizer(folder, tokenizer, bos="<|nul|>", eos="<|nul|>")
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=256, n_positions=context, n_embd=32, n_layer=2, n_head=4,
        bos_token_id=0, eos_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    return _save(folder, GPT2LMHeadModel(config))


def sliding(folder: Path) -> Path:
    """A Mistral that sees 12 tokens back, so that part of what it read can't be gone on from."""
    byte_level(folder)
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    torch.manual_seed(4)
    config = MistralConfig(
        vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=CONTEXT,
        sliding_window=12, bos_token_id=0, eos_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    return _save(folder, MistralForCausalLM(config))


def _merged(vocab: dict[str, int], words: list[str]) -> list[tuple[str, str]]:
    """Merges that build each word from left to right, or put a space before one that is there; adds
    what comes between to `vocab`."""
    merges: list[tuple[str, str]] = []
    for word in words:
        if word[1:] in vocab and len(word) > 2:
            vocab.setdefault(word, len(vocab))
            merges.append((word[0], word[1:]))
            continue
        for stop in range(2, len(word) + 1):
            pair = (word[: stop - 1], word[stop - 1])
            if word[:stop] not in vocab:
                vocab[word[:stop]] = len(vocab)
                merges.append(pair)
    return merges


def _llama(size: int, layers: int, context: int, *, bos: int, eos: int) -> PreTrainedModel:
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=context,
        bos_token_id=bos, eos_token_id=eos, initializer_range=0.3,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def _save(folder: Path, model: PreTrainedModel) -> Path:
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def _save_tokenizer(folder: Path, tokenizer: Tokenizer, **tokens: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {f"{name}_token": token for name, token in tokens.items()}
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
