"""Muon: an optimizer that moves a layer alike in all directions (Jordan et al. 2024).

The momentum of a weight matrix is replaced by nearly the nearest matrix with orthogonal rows or
columns. Five steps of a Newton-Schulz iteration with the published coefficients find it
(kellerjordan.github.io/posts/muon). It is scaled to the size of AdamW's steps (Liu et al. 2025,
arXiv 2502.16982), so that one learning rate serves both. torch's own Muon takes no kernels of a
convolution, and iterates in bfloat16, which is slow on many processors.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
LIKE_ADAMW = 0.2  # root mean square of AdamW's steps, in learning rates


class Muon(torch.optim.Optimizer):
    """For weights of two axes and more; all axes but the first count as one."""

    def __init__(self, groups: Iterable[dict[str, Any]], weight_decay: float) -> None:
        super().__init__(groups, {"weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            rate = group["lr"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
                ahead = weight.grad.lerp(state["momentum"], MOMENTUM).flatten(1)  # Nesterov's
                moved = orthogonal(ahead).reshape(weight.shape)
                weight.mul_(1 - rate * group["weight_decay"])
                weight.add_(moved, alpha=-rate * LIKE_ADAMW * math.sqrt(max(ahead.shape)))


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the matrix (n, m) with the same singular vectors and singular values of 1.

    The values come out between 0.68 and 1.2, those below 0.15 % of the matrix's norm smaller.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).float()
    x = x / x.norm().clamp(min=1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    found: Tensor = x.T if tall else x
    return found.to(matrix.dtype)


class Together:
    """Several optimizers as one."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all."""
        return [group for one in self.optimizers for group in one.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for one in self.optimizers:
            one.zero_grad(set_to_none)

    def step(self) -> None:
        """One step of each."""
        for one in self.optimizers:
            one.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of all."""
        return {"optimizers": [one.state_dict() for one in self.optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The opposite of :meth:`state_dict`."""
        for one, its in zip(self.optimizers, state["optimizers"], strict=True):
            one.load_state_dict(its)
