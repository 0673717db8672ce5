"""Lineups: a passage under its own byline, and under others that it could be taken for.

The loss of a lineup is the passage's under its own byline, in nats a token, and `WEIGHT` times the
surprise at that byline in the posterior over the lineup's, equally likely before: in a lineup of
passages as long as `PASSAGE` the label counts for two of its tokens. Both have their least where
the model is right about the text, so this asks for nothing that likelihood alone doesn't; it asks
for it where voices are close, which windows of text say little about. The others are drawn from
those under whose single tokens, counted in the corpus, the passage is likeliest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from corpus import Corpus
from numpy.typing import NDArray
from transformers import LlamaForCausalLM

PASSAGES, SUSPECTS = 12, 4
PASSAGE = 112  # tokens
CLOSEST, CLOSE_SHARE = 8, 0.75  # that share of the others is of so many, the likeliest
READ = (16, 32, 64, 96, PASSAGE)  # tokens after which the posterior is judged
WEIGHT = 2 / PASSAGE
SMOOTHING = 200.0  # tokens of the whole corpus' shares, added to every source's counts


class Lineup(NamedTuple):
    """P passages under S bylines, their own first: `ids` int64[P, S, W], `begins` int64[P, S].

    W is the same for all lineups of a corpus.
    """

    ids: torch.Tensor
    begins: torch.Tensor


class Lineups:
    """Draws lineups from a corpus; keeps log shares float64[sources, V] of its tokens."""

    def __init__(self, corpus: Corpus):
        self.corpus, self.sources = corpus, list(corpus.bylines)
        self.width = 1 + max(map(len, corpus.bylines.values())) + PASSAGE
        counts = np.zeros((len(self.sources), corpus.vocabulary))
        for work in corpus.works:
            row = self.sources.index(work.source)
            counts[row] += np.bincount(work.ids, minlength=corpus.vocabulary)
        overall = (counts.sum(0) + 1) / (counts.sum() + corpus.vocabulary)
        counts += SMOOTHING * overall
        self.log_shares: NDArray[np.float64] = np.log(counts / counts.sum(1, keepdims=True))

    def draw(self, rng: np.random.Generator) -> Lineup:
        heads, bodies = [], []
        for _ in range(PASSAGES):
            source, body = self.corpus.draw_passage(rng, PASSAGE)
            for suspect in (source, *self.others(rng, source, body)):
                heads.append([self.corpus.end_of_text, *self.corpus.bylines[suspect]])
                bodies.append(body)
        ids = torch.full((len(heads), self.width), self.corpus.end_of_text)
        for row, head, body in zip(ids, heads, bodies, strict=True):
            row[: len(head) + len(body)] = torch.tensor(head + body)
        begins = torch.tensor([len(head) for head in heads])
        return Lineup(ids.view(PASSAGES, -1, self.width), begins.view(PASSAGES, -1))

    def others(self, rng: np.random.Generator, source: str, body: list[int]) -> list[str]:
        """Up to SUSPECTS - 1 sources, none of them `source`, most of them close to `body`."""
        order = np.argsort(-self.log_shares[:, body].sum(1))
        ranked = [self.sources[i] for i in order if self.sources[i] != source]
        chosen: list[str] = []
        while len(chosen) < min(SUSPECTS - 1, len(ranked)):
            few = ranked[:CLOSEST] if rng.random() < CLOSE_SHARE else ranked
            left = [name for name in few if name not in chosen]
            chosen.append(left[rng.integers(len(left))])
        return chosen


def lineup_loss(model: LlamaForCausalLM, lineup: Lineup) -> torch.Tensor:
    """Scalar, nats; see the module. Computes on the model's device."""
    logprobs = passage_logprobs(model, lineup)
    after = logprobs.cumsum(2)[:, :, [n - 1 for n in READ]]
    posterior = after.log_softmax(1)
    return -logprobs[:, 0].mean() - WEIGHT * posterior[:, 0].mean()


def passage_logprobs(model: LlamaForCausalLM, lineup: Lineup) -> torch.Tensor:
    """float32[P, SUSPECTS, PASSAGE]: of the passage's tokens under each byline."""
    ids, begins = lineup.ids.flatten(0, 1).to(model.device), lineup.begins.flatten()
    hidden = model.model(input_ids=ids[:, :-1]).last_hidden_state
    places = (begins[:, None] + torch.arange(PASSAGE)).to(model.device)
    before = hidden.gather(1, (places - 1)[:, :, None].expand(-1, -1, hidden.shape[2]))
    logits = model.lm_head(before).float()
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), ids.gather(1, places).flatten(), reduction="none"
    )
    return -losses.view(*lineup.begins.shape, PASSAGE)
