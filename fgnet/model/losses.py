"""Losses on affinities, balanced between edges inside a neuron and edges across a border.

Every crop is balanced and averaged by itself, and the loss of a batch is the mean over its crops:
so it does not depend on how a batch is split between passes or processes.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

AXES = (1, 2, 3, 4)


def balance(target: Tensor, known: Tensor) -> Tensor:
    """Weight of every edge such that both classes weigh the same in total, crop by crop.

    The positive share is clipped to [0.05, 0.95] so that a crop inside one neuron does not make
    a few edges outweigh all others (the idea of weih527/SuperHuman, ``weight_binary_ratio``).

    Args:
        target: (B, C, D, H, W) in {0, 1}.
        known: same shape; edges that count.

    Returns:
        (B, C, D, H, W), 0 where unknown.
    """
    share = (target * known).sum(AXES, keepdim=True) / known.sum(AXES, keepdim=True).clamp(min=1)
    share = share.clamp(0.05, 0.95)  # (B, 1, 1, 1, 1)
    return known * torch.where(target > 0, 0.5 / share, 0.5 / (1 - share))


def affinity_loss(
    logits: Tensor, target: Tensor, known: Tensor, form: Literal["mse", "bce", "dice_bce"]
) -> Tensor:
    """Mean over the crops of the balanced loss of their known edges.

    Args:
        logits, target, known: (B, C, D, H, W).
        form: squared error, cross entropy, or cross entropy plus :func:`border_dice`.
    """
    weight = balance(target, known)
    if form == "mse":
        error = (torch.sigmoid(logits) - target) ** 2
    else:
        error = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    each = (error * weight).sum(AXES) / weight.sum(AXES).clamp(min=1)  # (B,)
    if form == "dice_bce":
        each = each + border_dice(logits, target, known)
    return each.mean()


def border_dice(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Soft Dice loss (B,) of the edges across a border, the rarer class (Milletari et al. 2016)."""
    found = torch.sigmoid(-logits) * known  # (B, C, D, H, W)
    true = (1 - target) * known
    return 1 - (2 * (found * true).sum(AXES) + 1) / (found.sum(AXES) + true.sum(AXES) + 1)
