"""The house model's report: `docs/house-model.json` and `docs/house-model.md`, by one command.

    evaluate.py CORPUS [--model backends/house] [--passages 2] [--out docs]

CORPUS holds train/, heldout/ and manifest.tsv. Unseen works are those kept apart in training. All
figures are of this run; the baselines are trained and tested on the same text in the same run.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baselines import CharacterModel, NaiveBayes, xz_bits_per_byte
from corpus import kept_apart, read_names, texts
from numpy.typing import NDArray
from report import markdown
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from loom.engine.weights import fingerprint, weight_files

HERE = Path(__file__).parent
PASSAGE = 256  # tokens of a passage whose source is asked for
LONGEST = 4000  # characters that hold a passage
BATCH = 20
LN2 = float(np.log(2))
SAMPLED: tuple[str, ...] = (
    "austen",
    "dickens",
    "poe",
    "pepys",
    "kjv_bible",
    "shakespeare",
    "python_peps",
)
SAMPLED += ("twain", "us_cookery", "nasa_transcripts")


@dataclass(frozen=True, slots=True)
class Text:
    split: str
    source: str
    genre: str
    work: str
    content: str


class Reader:
    """The model as a measuring instrument: log probabilities of token sequences."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.start: int = self.model.config.bos_token_id
        self.window: int = self.model.config.max_position_embeddings

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text).ids
        return ids

    @torch.inference_mode()
    def logprobs(self, rows: Sequence[Sequence[int]], keep: int) -> NDArray[np.float32]:
        """Of the last `keep` tokens of each row; lengths may differ. float32[N, keep], nats."""
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self.start)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        found = []
        for place, row in enumerate(rows):
            logits = self.model.lm_head(hidden[place, len(row) - keep - 1 : len(row) - 1])
            picked = torch.log_softmax(logits.float(), -1)
            found.append(picked.gather(1, torch.tensor(row[-keep:])[:, None])[:, 0].numpy())
        return np.stack(found)

    @torch.inference_mode()
    def tails(self, prefix: Sequence[int], tails: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """log p of each tail after one shared prefix, which is read once. float64[N], nats."""
        read = self.model(torch.tensor([prefix]), use_cache=True)
        cache = read.past_key_values
        cache.batch_repeat_interleave(len(tails))
        longest = max(map(len, tails))
        padded = torch.tensor([[*tail, *[self.start] * (longest - len(tail))] for tail in tails])
        after = self.model(padded, past_key_values=cache).logits
        first = read.logits[:, -1:].expand(len(tails), 1, -1)
        logs = torch.log_softmax(torch.cat([first, after[:, :-1]], 1).float(), -1)
        each = logs.gather(2, padded[:, :, None])[:, :, 0].double()
        return np.array([each[i, : len(tail)].sum().item() for i, tail in enumerate(tails)])


def read_texts(corpus: Path) -> list[Text]:
    """Held-out cuts and unseen works, whole."""
    with (corpus / "manifest.tsv").open(encoding="utf-8", newline="") as lines:
        genres = {
            row["source"]: row["genre_coarse"] for row in csv.DictReader(lines, delimiter="\t")
        }
    apart = kept_apart(corpus / "train")
    held = [("held-out cuts", p) for _, p in texts(corpus / "heldout", [])]
    unseen = [("unseen works", path) for path in apart]
    return [
        Text(split, p.parent.name, genres[p.parent.name], p.stem, p.read_text(encoding="utf-8"))
        for split, p in held + unseen
        if split == "unseen works" or p.stem not in {q.stem for q in apart}
    ]


def middle(text: str, size: int) -> str:
    """About `size` bytes from the middle, from a paragraph's start."""
    if len(text) <= size:
        return text
    start = text.find("\n\n", (len(text) - size) // 2) + 2
    return text[start : start + size]


def compression(
    reader: Reader, found: list[Text], names: dict[str, str], size: int
) -> dict[str, Any]:
    """Bits, bytes and tokens per split and genre, without and with the byline; loss by position."""
    rows: dict[tuple[str, str], NDArray[np.float64]] = defaultdict(lambda: np.zeros(4))
    by_position = [np.zeros(reader.window), np.zeros(reader.window)]
    for text in found:
        cut = middle(text.content, size)
        for window in windows(reader.encode(cut), reader.window - 24):
            bare = -reader.logprobs([[reader.start, *window]], len(window))[0] / LN2
            head = [reader.start, *reader.encode(f"{names[text.source]}\n\n")]
            lined = -reader.logprobs([[*head, *window]], len(window))[0] / LN2
            length = len(reader.tokenizer.decode(window).encode())
            rows[text.split, text.genre] += (bare.sum(), lined.sum(), length, len(window))
            by_position[0][: len(bare)] += bare
            by_position[1][: len(bare)] += 1
    means = by_position[0] / np.maximum(by_position[1], 1)
    return {"rows": rows, "positions": grouped(means, by_position[1])}


def windows(ids: list[int], size: int) -> list[list[int]]:
    return [ids[i : i + size] for i in range(0, len(ids), size) if len(ids[i : i + size]) > 32]


def grouped(means: NDArray[np.float64], counts: NDArray[np.float64]) -> list[dict[str, float]]:
    """Bits a token by ranges of position, weighted by how many windows reach it."""
    edges = [0, 4, 16, 50, 100, 200, 300, 384, 512, 700, 900, len(means)]
    return [
        {
            "from": a,
            "to": b,
            "bits": float(np.average(means[a:b], weights=counts[a:b])),
        }
        for a, b in zip(edges, edges[1:], strict=False)
        if counts[a:b].sum() > 0
    ]


def passages(
    reader: Reader, found: Iterable[Text], split: str, each: int, rng: np.random.Generator
) -> list[tuple[str, list[int]]]:
    """(source, 256 token ids), `each` of every source of the split, from where sentences begin."""
    by_source: dict[str, list[Text]] = defaultdict(list)
    for text in found:
        if text.split == split and len(text.content) > LONGEST:
            by_source[text.source].append(text)
    drawn = []
    for source, texts_there in by_source.items():
        for _ in range(each):
            content = texts_there[int(rng.integers(len(texts_there)))].content
            start = int(rng.integers(len(content) - LONGEST))
            start = content.find(". ", start) + 2
            ids = reader.encode(content[start : start + LONGEST])[:PASSAGE]
            if len(ids) == PASSAGE:
                drawn.append((source, ids))
    return drawn


def ranks_by_byline(
    reader: Reader, drawn: list[tuple[str, list[int]]], names: dict[str, str]
) -> list[int]:
    """Rank of the right source among all, by likelihood of the passage under each byline."""
    heads = [[reader.start, *reader.encode(f"{name}\n\n")] for name in names.values()]
    ranks = []
    for source, ids in drawn:
        rows = [[*head, *ids] for head in heads]
        scores = np.concatenate(
            [
                reader.logprobs(rows[i : i + BATCH], len(ids)).sum(1)
                for i in range(0, len(rows), BATCH)
            ]
        )
        ranks.append(rank_of(source, scores, list(names)))
    return ranks


def ranks_by_suffix(
    reader: Reader, drawn: list[tuple[str, list[int]]], names: dict[str, str]
) -> list[int]:
    """The same by the attribution after the passage: log p(NAME and the line's end | … — )."""
    mark = reader.encode("\n\n—")
    tails = [reader.encode(f"\n\n— {name}\n")[len(mark) :] for name in names.values()]
    return [
        rank_of(source, reader.tails([reader.start, *ids, *mark], tails), list(names))
        for source, ids in drawn
    ]


def rank_of(source: str, scores: NDArray[Any], sources: list[str]) -> int:
    return int((scores > scores[sources.index(source)]).sum())


def shares(ranks: list[int]) -> dict[str, float]:
    found = np.array(ranks)
    top1 = float((found < 1).mean())
    error = float(np.sqrt(top1 * (1 - top1) / len(found)))
    return {
        "top1": top1,
        "top3": float((found < 3).mean()),
        "standard_error": error,
        "passages": len(found),
    }


@torch.inference_mode()
def sample(reader: Reader, name: str, seed: int, tokens: int = 120) -> str:
    """One unedited sample at temperature 0.8 under a byline."""
    torch.manual_seed(seed)
    ids = torch.tensor([[reader.start, *reader.encode(f"{name}\n\n")]])
    made = reader.model.generate(
        ids, do_sample=True, temperature=0.8, top_k=0, max_new_tokens=tokens, pad_token_id=0
    )
    return str(reader.tokenizer.decode(made[0, ids.shape[1] :].tolist()))


def evaluate(corpus: Path, model: Path, each: int, cut: int, seed: int) -> dict[str, Any]:
    began = time.monotonic()
    names, reader = read_names(HERE / "names.tsv"), Reader(model)
    found = read_texts(corpus)
    seen = dict.fromkeys(names, "")
    for source, path in texts(corpus / "train", kept_apart(corpus / "train")):
        seen[source] += path.read_text(encoding="utf-8")
    training = {source: text.encode() for source, text in seen.items()}
    print("character models …", flush=True)
    characters, bayes = CharacterModel(b"\n".join(training.values())), NaiveBayes(training)
    print("bits a byte …", flush=True)
    squeezed = compression(reader, found, names, cut)
    result: dict[str, Any] = {
        "seed": seed,
        "cut": cut,
        "positions": squeezed["positions"],
        "splits": {},
    }
    for split in ("held-out cuts", "unseen works"):
        without = without_model(characters, [text for text in found if text.split == split], cut)
        rows = {genre: row for (s, genre), row in squeezed["rows"].items() if s == split}
        total = np.sum(list(rows.values()), axis=0)
        rng = np.random.default_rng(seed)
        count = each if split == "held-out cuts" else 2 * each
        drawn = passages(reader, found, split, count, rng)
        print(f"{split}: {len(drawn)} passages …", flush=True)
        as_bytes = [(s, reader.tokenizer.decode(ids).encode()) for s, ids in drawn]
        result["splits"][split] = {
            "all": bits_of(total),
            "genres": {
                genre: {**bits_of(row), **without[genre]} for genre, row in sorted(rows.items())
            },
            **without[""],
            "byline": shares(ranks_by_byline(reader, drawn, names)),
            "suffix": shares(ranks_by_suffix(reader, drawn, names)),
            "naive_bayes": shares(
                [rank_of(s, bayes.scores(text), list(names)) for s, text in as_bytes]
            ),
        }
    result["samples"] = [
        {"byline": names[source], "text": sample(reader, names[source], seed + i)}
        for i, source in enumerate(SAMPLED)
    ]
    result["parameters"] = sum(p.numel() for p in reader.model.parameters())
    result["seconds"] = round(time.monotonic() - began)
    return result


def without_model(
    characters: CharacterModel, found: Sequence[Text], size: int
) -> dict[str, dict[str, float]]:
    """Bits a byte by genre, and of all under "": of the character model, and of xz over the cuts
    joined."""
    cuts: dict[str, list[bytes]] = defaultdict(list)
    for text in found:
        cut = middle(text.content, size).encode()
        cuts[""].append(cut)
        cuts[text.genre].append(cut)
    return {
        genre: {
            "characters": sum(map(characters.bits, its)) / sum(map(len, its)),
            "xz": xz_bits_per_byte(its),
        }
        for genre, its in cuts.items()
    }


def bits_of(row: NDArray[np.float64]) -> dict[str, float]:
    bare, lined, size, count = row.tolist()
    return {
        "bits_per_byte": bare / size,
        "with_byline": lined / size,
        "gain_bits_per_token": (bare - lined) / count,
        "bytes": size,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", type=Path, default=HERE)
    parser.add_argument(
        "--passages", type=int, default=3, help="of every source; twice as many of unseen ones"
    )
    parser.add_argument("--cut", type=int, default=24_000, help="bytes read of every text")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    result = evaluate(options.corpus, options.model, options.passages, options.cut, options.seed)
    result["fingerprint"] = fingerprint(options.model, weight_files(options.model))
    result["tokens"] = json.loads((options.model / "loss.json").read_text())["tokens"]
    (options.out / "house-model.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.out / "house-model.md").write_text(markdown(result), encoding="utf-8")


if __name__ == "__main__":
    main()
