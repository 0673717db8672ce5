"""Trains the bundled base model, from a folder of `<source>/*.txt` to weights that Loom loads.

    train.py tokenizer DATA/train --out backends/house
    train.py run DATA/train --state STATE --tokens 48e6      (resumes; stop it whenever)
    train.py finish DATA/train --state STATE --out backends/house

`run` is the constant phase at window 384; `--start MODEL` begins it from exported weights where
there is no state. With `--short` windows are 128 tokens, three quarters of them under a byline:
what a byline means is learnt several times as fast so, once the model can spell. `finish` copies
the state, spends a further fifth of all steps with the rate falling to 2 %, steps at window 1,024
and short ones by turns (long windows alone would show it few bylines) and, from a fifth of the
rate on, every other one a lineup of bylines (`lineup.py`), and exports; the constant phase can then
go on. It begins from exported weights, too (`--start`), and at a lower rate for as many steps as
one says (`--rate`, `--steps`).
Matrices learn by Muon (Jordan 2024), embeddings and norms by AdamW. On a CUDA device it computes in
bfloat16 and is compiled; `--large` is a shape for one. On a processor that has instructions for it
(avx512_bf16, amx_bf16) `--bfloat16 --compile` is three times as fast (README.md); without them
bfloat16 is slower. Loom imports nothing of this.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpus import END_OF_TEXT, kept_apart, read_corpus, texts
from lineup import Lineup, lineup_loss
from muon import Muon
from phases import LONG_WINDOW, Batch, Constant, Falling, Phase
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).parent
VOCABULARY = 8192
SHAPE: dict[str, Any] = {  # 8.5 M parameters, 2.1 M of them embeddings
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
}
LARGE: dict[str, Any] = {  # 25.6 M
    "hidden_size": 448,
    "intermediate_size": 1216,
    "num_hidden_layers": 9,
    "num_attention_heads": 7,
}
RATE_MATRICES, RATE_REST = 0.02, 3e-3
SAVE_EVERY = 20
PLAIN_ATTENTION = 384  # tokens; in so short windows a processor does it faster by matrix products


def train_tokenizer(data: Path, out: Path) -> None:
    """Byte-level BPE with GPT-2's pre-tokenisation, trained on what the model may see."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    files = [str(path) for _, path in texts(data, kept_apart(data))]
    tokenizer.train(files, trainer)
    out.mkdir(parents=True, exist_ok=True)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT
    ).save_pretrained(out)


def make_model(window: int, shape: dict[str, Any]) -> LlamaForCausalLM:
    """A Llama with tied embeddings."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=window,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        attention_bias=False,
        use_cache=False,
        **shape,
    )
    return LlamaForCausalLM(config)


class Run:
    """A model, its optimisers and what they have seen; saved and loaded as one file."""

    def __init__(
        self,
        window: int,
        seed: int,
        shape: dict[str, Any] | None = None,
        device: str = "cpu",
        *,
        half: bool = False,
        compiled: bool = False,
    ):
        torch.manual_seed(seed)
        self.shape, self.device = shape or SHAPE, torch.device(device)
        self.model = make_model(window, self.shape)
        self.model.to(device)  # type: ignore[arg-type]
        on_card = self.device.type == "cuda"
        self.half = half or on_card
        self.forward: Any = self._forward
        self.lineup_loss: Any = lineup_loss
        if compiled or on_card:
            self.forward = torch.compile(self._forward)
            self.lineup_loss = torch.compile(lineup_loss)
        inner = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        rest = [p for n, p in self.model.named_parameters() if p.ndim < 2 or "embed" in n]
        self.muon = Muon(inner, lr=RATE_MATRICES, half=self.half)
        self.adam = torch.optim.AdamW(rest, lr=RATE_REST, betas=(0.9, 0.95), weight_decay=0.0)
        self.seed, self.step, self.tokens = seed, 0, 0
        self.curve: list[dict[str, float]] = []

    def learn(self, batch: Batch, rate: float) -> float:
        """One step on a lineup or on windows int64[B, W]; the loss in nats a token.

        A lineup's tokens count as seen once, not under every byline.
        """
        for optimiser, base in ((self.muon, RATE_MATRICES), (self.adam, RATE_REST)):
            for group in optimiser.param_groups:
                group["lr"] = base * rate
        loss = self.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.adam.param_groups[0]["params"], 1.0)
        self.muon.step()
        self.adam.step()
        self.model.zero_grad(set_to_none=True)
        seen = batch.ids[:, 0] if isinstance(batch, Lineup) else batch
        self.step, self.tokens = self.step + 1, self.tokens + seen.numel()
        return float(loss.detach())

    def loss(self, batch: Batch) -> torch.Tensor:
        width = (batch.ids if isinstance(batch, Lineup) else batch).shape[-1]
        plain = self.device.type == "cpu" and width <= PLAIN_ATTENTION
        self.model.set_attn_implementation("eager" if plain else "sdpa")
        found: torch.Tensor
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            if isinstance(batch, Lineup):
                found = self.lineup_loss(self.model, batch)
            else:
                found = self.forward(batch.to(self.device))
        return found

    def _forward(self, batch: torch.Tensor) -> torch.Tensor:
        hidden = self.model.model(input_ids=batch[:, :-1]).last_hidden_state
        logits = self.model.lm_head(hidden).float()
        found: torch.Tensor = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), batch[:, 1:].flatten()
        )
        return found

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = {
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "counts": (self.seed, self.step, self.tokens),
            "curve": self.curve,
            "shape": self.shape,
        }
        torch.save(whole, file.with_suffix(".new"))
        file.with_suffix(".new").replace(file)

    def load(self, file: Path) -> None:
        whole = torch.load(file, map_location=self.device, weights_only=True)
        if whole.get("shape", SHAPE) != self.shape:
            raise SystemExit(f"{file} is of another shape; choose it with or without --large.")
        self.model.load_state_dict(whole["model"])
        self.muon.load_state_dict(whole["muon"])
        self.adam.load_state_dict(whole["adam"])
        self.seed, self.step, self.tokens = whole["counts"]
        self.curve = whole["curve"]


def begin_from(run: Run, folder: Path) -> None:
    """Weights and counts of an exported model; the optimisers begin anew."""
    weights = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    run.model.load_state_dict(weights)
    seen = json.loads((folder / "loss.json").read_text())
    run.tokens, run.curve = seen["tokens"], seen["curve"]


class Threads:
    """All cores while the machine is otherwise idle, one fewer while somebody works on it."""

    def __init__(self, fixed: int | None):
        self.fixed, self.cores = fixed, os.cpu_count() or 1
        self.before = self._jiffies()
        torch.set_num_threads(fixed or max(1, self.cores - 1))

    @staticmethod
    def _jiffies() -> tuple[int, int]:
        fields = [int(x) for x in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        return fields[0] + fields[2], sum(fields)  # user and system without nice; everything

    def adapt(self) -> None:
        if self.fixed:
            return
        now = self._jiffies()
        busy = (now[0] - self.before[0]) / max(1, now[1] - self.before[1])
        self.before = now
        torch.set_num_threads(self.cores if busy < 0.1 else max(1, self.cores - 1))


def train(run: Run, phase: Phase, file: Path, threads: Threads) -> None:
    """Steps until the phase has ended; saves, logs and keeps the loss curve on the way.

    Step number n of a run with a seed draws the same in every run.
    """
    recent: list[float] = []
    began, begun_at = time.monotonic(), run.tokens
    while not phase.ended(run):
        threads.adapt()
        batch = phase.draw(run, np.random.default_rng([run.seed, run.step]))
        recent.append(run.learn(batch, phase.rate(run)))
        if run.step % 20 == 0:
            loss, speed = sum(recent) / len(recent), time.monotonic() - began
            recent = []
            run.curve.append({"step": run.step, "tokens": run.tokens, "loss": round(loss, 4)})
            print(
                f"step {run.step}  {run.tokens / 1e6:.2f} M tokens  loss {loss:.3f}"
                f"  {(run.tokens - begun_at) / speed:.0f} tok/s",
                flush=True,
            )
        if run.step % SAVE_EVERY == 0:
            run.save(file)
    run.save(file)


def export(run: Run, out: Path, window: int, shard: str = "25MB") -> None:
    """Weights in float16, configuration and loss curve, for `LlamaForCausalLM.from_pretrained`."""
    model = make_model(window, run.shape)
    model.load_state_dict(run.model.state_dict())
    model.config.use_cache = True
    model.generation_config.use_cache = True
    model.half().save_pretrained(out, max_shard_size=shard)
    seen = {"tokens": run.tokens, "curve": run.curve}
    (out / "loss.json").write_text(json.dumps(seen) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("what", choices=["tokenizer", "run", "finish"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--names", type=Path, default=HERE / "names.tsv")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--start", type=Path, help="exported weights to begin from")
    parser.add_argument("--tokens", type=float, default=48e6)
    parser.add_argument("--rate", type=float, default=1.0, help="that finish falls from")
    parser.add_argument("--steps", type=int, help="of finish; without it a fifth of all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--short", action="store_true", help="short windows, most with a byline")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--bfloat16", action="store_true", help="compute in it on a processor, too")
    parser.add_argument(
        "--compile", action="store_true", help="on a processor, too (with a C++ compiler)"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--shard", default="25MB", help="of the weights, at most")
    options = parser.parse_args()
    if options.what == "tokenizer":
        train_tokenizer(options.data, options.out)
        return
    tokenizer = Tokenizer.from_file(str(options.out / "tokenizer.json"))
    corpus = read_corpus(options.data, options.names, tokenizer, options.state / "ids")
    threads, stable = Threads(options.threads), options.state / "stable.pt"
    shape = LARGE if options.large else SHAPE
    run = Run(
        LONG_WINDOW,
        options.seed,
        shape,
        options.device,
        half=options.bfloat16,
        compiled=options.compile,
    )
    if stable.exists():
        run.load(stable)
    elif options.start:
        begin_from(run, options.start)
    elif options.what == "finish":
        raise SystemExit(f"There is no {stable} to finish: run first, or name weights by --start.")
    if options.what == "run":
        train(run, Constant(corpus, int(options.tokens), short=options.short), stable, threads)
        return
    phase = Falling(corpus, run, highest=options.rate, steps=options.steps)
    decay = options.state / "decay.pt"
    if decay.exists():
        run.load(decay)
    train(run, phase, decay, threads)
    export(run, options.out, LONG_WINDOW, options.shard)
    decay.unlink()


if __name__ == "__main__":
    main()
