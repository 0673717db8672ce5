"""The evaluation's JSON as a page of Markdown; knows the result's keys and nothing else."""

from __future__ import annotations

from typing import Any


def markdown(result: dict[str, Any]) -> str:
    parts = [
        "# The house model, measured\n",
        f"`make evaluate-house` wrote this page and `house-model.json` in {result['seconds']} s; "
        f"{result['parameters'] / 1e6:.1f} M parameters, "
        f"{result['tokens'] / 1e6:.1f} M tokens seen. "
        "Held-out cuts are unseen text of works that were trained on; unseen works were kept apart "
        f"whole. Bits a byte are of {result['cut']:,} bytes from the middle of every text.\n",
        _compression(result["splits"]),
        _genres(result["splits"]),
        _positions(result["positions"]),
        _attribution(result["splits"]),
        _samples(result["samples"]),
    ]
    return "\n".join(parts)


def _compression(splits: dict[str, Any]) -> str:
    lines = [
        "## Bits per byte\n",
        "| split | no byline | byline | gain, bits a token | characters, order 5 | xz -9 |",
        "|---|---|---|---|---|---|",
    ]
    for name, split in splits.items():
        a = split["all"]
        lines.append(
            f"| {name} | {a['bits_per_byte']:.3f} | {a['with_byline']:.3f} "
            f"| {a['gain_bits_per_token']:.3f} | {split['characters']:.3f} | {split['xz']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def _genres(splits: dict[str, Any]) -> str:
    lines = [
        "### By genre\n",
        "| split | genre | no byline | byline | gain | characters, order 5 | xz -9 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, split in splits.items():
        for genre, row in split["genres"].items():
            lines.append(
                f"| {name} | {genre} | {row['bits_per_byte']:.3f} | {row['with_byline']:.3f} "
                f"| {row['gain_bits_per_token']:.3f} | {row['characters']:.3f} | {row['xz']:.3f} |"
            )
    return "\n".join(lines) + "\n"


def _positions(positions: list[dict[str, float]]) -> str:
    lines = ["### By position in the window\n", "| tokens | bits a token |", "|---|---|"]
    lines += [f"| {p['from']}–{p['to']} | {p['bits']:.2f} |" for p in positions]
    return "\n".join(lines) + "\n"


def _attribution(splits: dict[str, Any]) -> str:
    lines = [
        "## Which of the 80 sources? (256-token passages)\n",
        "| split | passages | how | top-1 (± s.e.) | top-3 |",
        "|---|---|---|---|---|",
    ]
    hows = {
        "byline": "likelihood under each byline",
        "suffix": "`— NAME` after the passage",
        "naive_bayes": "character-5-gram naive Bayes",
    }
    for name, split in splits.items():
        for key, how in hows.items():
            row = split[key]
            lines.append(
                f"| {name} | {row['passages']} | {how} "
                f"| {row['top1']:.2f} ± {row['standard_error']:.2f} | {row['top3']:.2f} |"
            )
    return "\n".join(lines) + "\n"


def _samples(samples: list[dict[str, str]]) -> str:
    lines = ["## Ten unedited samples, temperature 0.8\n"]
    for sample in samples:
        quoted = "\n".join(f"> {line}" for line in sample["text"].strip().split("\n"))
        lines.append(f"**{sample['byline']}**\n\n{quoted}\n")
    return "\n".join(lines)
