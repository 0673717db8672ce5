"""An optimiser for matrices: Muon (Jordan 2024)."""

from __future__ import annotations

from typing import Any

import torch


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised by Newton-Schulz, same shapes in one batch.

    In float32, or with `half` in bfloat16 as `torch.optim.Muon` does it: faster where a processor
    has instructions for it, 40 times slower where it hasn't.
    """

    def __init__(
        self,
        params: list[torch.nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        *,
        half: bool = False,
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.dtype = torch.bfloat16 if half else torch.float32

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for p in group["params"]:
                shapes.setdefault(p.shape, []).append(p)
            for shape, params in shapes.items():
                moved = torch.stack([self._nesterov(p, group["momentum"]) for p in params])
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for p, update in zip(params, orthogonalised(moved.to(self.dtype)), strict=True):
                    p.add_(update, alpha=-rate)

    def _nesterov(self, p: torch.nn.Parameter, momentum: float) -> torch.Tensor:
        assert p.grad is not None
        buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
        buffer.lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(buffer, momentum)


def orthogonalised(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest semi-orthogonal matrices of `matrices` [N, rows, columns], roughly."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x: torch.Tensor = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
