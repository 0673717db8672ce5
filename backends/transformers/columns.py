"""The sampler, the draw and every column of a span where the logits are: one copy a step.

The same as `loom.core.sampling` and `loom.core.statistics`, on tensors; float64 where those are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from loom.core.recipe import Sampling
from loom.core.span import TEMPERATURES
from loom.engine.arithmetic import Columns, overflow

_NEVER = -1e4  # stands for −inf where it would make 0 × ∞
_INTEGERS = ("ids", "rank", "top_ids")  # float32 holds them exactly as far as 2^24


class DeviceArithmetic:
    """`loom.engine.arithmetic` on a torch device. Tokens that are `banned` are never drawn."""

    def __init__(self, banned: NDArray[np.bool_], device: torch.device) -> None:
        self._banned = torch.from_numpy(np.flatnonzero(banned)).to(device)

    def drawn(
        self,
        logprobs: torch.Tensor,
        sampling: Sampling,
        recent: Sequence[Sequence[int]],
        uniforms: Sequence[float],
        top: int,
        *,
        changed: bool = False,
    ) -> tuple[list[int], Callable[[], Columns]]:
        possible, logs = _sampled(logprobs, sampling, recent, self._banned)
        weights = logs.exp()
        ids = _draws(weights, torch.tensor(uniforms, dtype=torch.float64, device=logs.device))
        parts = {"ids": ids, "possible": possible, **_read(logprobs, ids, top)}
        parts["mass_above"] = weights.where(_above(logs, ids), 0.0).sum(dim=1)
        parts["renyi"] = _renyi(logs)
        if changed or not sampling.neutral or len(self._banned):
            entropy, varentropy = _entropies(logs)
            parts["sampled_logprob"] = logs.gather(1, ids[:, None])[:, 0]
            parts["sampled_entropy"], parts["sampled_varentropy"] = entropy, varentropy
            parts["top_sampled"] = logs.gather(1, parts["top_ids"])
        columns = _copied(parts)
        if not columns.pop("possible").all():
            raise ValueError("a distribution without any possible token can't be sampled")
        return columns.pop("ids").tolist(), lambda: columns

    def on_host(self, logprobs: torch.Tensor) -> NDArray[np.float32]:
        found = logprobs.float().cpu().numpy()
        if np.isnan(found).any():
            raise overflow()
        return found

    def read(self, logprobs: torch.Tensor, chosen: Sequence[int], top: int) -> Columns:
        ids = torch.tensor(chosen, dtype=torch.int64, device=logprobs.device)
        return _copied(_read(logprobs, ids, top))

    def even(self, size: int) -> torch.Tensor:
        return torch.full((1, size), -float(np.log(size)), device=self._banned.device)


def _copied(parts: dict[str, torch.Tensor]) -> Columns:
    """All on the host, in one copy. Raises JobFailed where the model gave no numbers."""
    flat = [part.reshape(len(part), -1).to(torch.float32) for part in parts.values()]
    joined = torch.cat(flat, dim=1).cpu().numpy()
    columns: Columns = {}
    start = 0
    for (name, part), wide in zip(parts.items(), flat, strict=True):
        stop = start + wide.shape[1]
        column = joined[:, start:stop].astype(np.int32 if name in _INTEGERS else np.float32)
        columns[name] = column[:, 0] if part.ndim == 1 else column
        start = stop
    if np.isnan(columns["entropy"]).any():  # a sum over all of the row
        raise overflow()
    return columns


def _read(logs: torch.Tensor, ids: torch.Tensor, top: int) -> dict[str, torch.Tensor]:
    top_ids = _top(logs, top)
    entropy, varentropy = _entropies(logs)
    return {
        "logprob": logs.gather(1, ids[:, None])[:, 0],
        "entropy": entropy,
        "varentropy": varentropy,
        "rank": _above(logs, ids).sum(dim=1),
        "top_ids": top_ids,
        "top_logprobs": logs.gather(1, top_ids),
    }


def _entropies(logs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of the surprise under each row itself."""
    surprise = -logs.clamp(min=_NEVER)
    weights = logs.exp()
    entropy = (weights * surprise).sum(dim=1)
    varentropy = (weights * (surprise - entropy[:, None]).square()).sum(dim=1)
    return entropy, varentropy


def _above(logs: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """bool[T, V]: the tokens ranked higher; of equal ones those with lower ids."""
    own = logs.gather(1, ids[:, None])
    before = torch.arange(logs.shape[1], device=logs.device) < ids[:, None]
    return (logs > own) | ((logs == own) & before)


def _top(logs: torch.Tensor, top: int) -> torch.Tensor:
    """int64[T, top]: the likeliest, falling; of equal ones the lower id first, which `topk` by
    itself doesn't promise: it is asked about whole numbers of which no two are equal."""
    bits = (logs.float() + 0.0).contiguous().view(torch.int32)  # there is no −0 now
    rising = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(torch.int64)
    keys = (rising << 32) - torch.arange(logs.shape[1], device=logs.device)
    return keys.topk(top, dim=1).indices


def _renyi(logs: torch.Tensor) -> torch.Tensor:
    """log Σ q^(1/T) at each of TEMPERATURES, [T, 8]."""
    peaks = logs.amax(dim=1)
    shifted = (logs - peaks[:, None]).float()
    found = [
        (shifted / temperature).exp().sum(dim=1).double().log() + peaks / temperature
        for temperature in TEMPERATURES
    ]
    return torch.stack(found, dim=1)


def _draws(weights: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The token of each row whose stretch of the cumulative sum, in order of ids, holds u."""
    cumulative = weights.cumsum(dim=1)
    total = cumulative[:, -1:]
    place = torch.searchsorted(cumulative, uniforms[:, None] * total, right=True)
    last = torch.searchsorted(cumulative, total.contiguous())
    return torch.minimum(place, last)[:, 0].clamp(max=weights.shape[1] - 1)


def _sampled(
    logprobs: torch.Tensor,
    sampling: Sampling,
    recent: Sequence[Sequence[int]],
    banned: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(whether a row allows anything, log q float64[B, V])."""
    logs = logprobs.double()
    if len(banned):
        logs = logs.index_fill(1, banned, -torch.inf)
    logs = _biased(logs, sampling)
    logs = _penalised(logs, sampling, recent)
    possible = (logs > -torch.inf).any(dim=1)
    if sampling.temperature == 0:
        first = _above_all(logs)
        return possible, torch.full_like(logs, -torch.inf).scatter(1, first, 0.0)
    logs = (logs / sampling.temperature).log_softmax(dim=1)
    if 0 < sampling.top_k < logs.shape[1]:
        least = logs.topk(sampling.top_k, dim=1).values[:, -1:]
        above, tied = logs > least, logs == least
        places = sampling.top_k - above.sum(dim=1, keepdim=True)
        logs = _kept(logs, above | (tied & (tied.cumsum(dim=1) <= places)))
    if sampling.top_p < 1:
        logs = _kept(logs, _cheapest(logs, -logs, sampling.top_p))
    if sampling.min_p > 0:
        floor = logs.amax(dim=1, keepdim=True) + float(np.log(sampling.min_p))
        logs = _kept(logs, logs >= floor)
    if sampling.typical_p < 1:
        entropy = _entropies(logs)[0][:, None]
        logs = _kept(logs, _cheapest(logs, (-logs - entropy).abs(), sampling.typical_p))
    return possible, logs


def _kept(logs: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    return logs.where(keep, -torch.inf).log_softmax(dim=1)


def _above_all(logs: torch.Tensor) -> torch.Tensor:
    """int64[B, 1]: the likeliest, of equal ones the lowest id."""
    places = torch.arange(logs.shape[1], device=logs.device)
    best = logs == logs.amax(dim=1, keepdim=True)
    return torch.where(best, places, logs.shape[1] - 1).amin(dim=1, keepdim=True)


def _cheapest(logs: torch.Tensor, cost: torch.Tensor, mass: float) -> torch.Tensor:
    """The fewest tokens of least cost whose probabilities reach `mass`, bool[B, V]."""
    order = cost.sort(dim=1, stable=True).indices
    reached = logs.gather(1, order).exp().cumsum(dim=1)
    wanted = torch.nn.functional.pad(reached[:, :-1] < mass, (1, 0), value=True)
    return torch.zeros_like(wanted).scatter(1, order, wanted)


def _biased(logs: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Ids that this model doesn't have are passed over; so is a bias that would ban everything."""
    bias = [(token, by) for token, by in sampling.logit_bias if 0 <= token < logs.shape[1]]
    if not bias:
        return logs
    ids, amounts = zip(*bias, strict=True)
    where = torch.tensor(ids, device=logs.device)
    by = torch.tensor(amounts, dtype=logs.dtype, device=logs.device).expand(len(logs), -1)
    biased = logs.scatter_add(1, where.expand(len(logs), -1), by)
    return biased.where((biased > -torch.inf).any(dim=1, keepdim=True), logs)


def _penalised(
    logs: torch.Tensor, sampling: Sampling, recent: Sequence[Sequence[int]]
) -> torch.Tensor:
    """Recent tokens have their log-probability multiplied."""
    window = sampling.repetition_window
    if sampling.repetition_penalty == 1 or not window:
        return logs
    hit = np.zeros(logs.shape, dtype=np.bool_)
    for row, ids in zip(hit, recent, strict=True):
        row[[i for i in ids[-window:] if 0 <= i < len(row)]] = True
    logs = logs.log_softmax(dim=1)
    return torch.where(
        torch.from_numpy(hit).to(logs.device), logs * sampling.repetition_penalty, logs
    )
