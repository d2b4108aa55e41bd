"""Losses on affinities, balanced between edges inside a neuron and edges across a border."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


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
    axes = (1, 2, 3, 4)
    share = (target * known).sum(axes, keepdim=True) / known.sum(axes, keepdim=True).clamp(min=1)
    share = share.clamp(0.05, 0.95)  # (B, 1, 1, 1, 1)
    return known * torch.where(target > 0, 0.5 / share, 0.5 / (1 - share))


def affinity_loss(
    logits: Tensor, target: Tensor, known: Tensor, form: Literal["bce", "mse"]
) -> Tensor:
    """Mean balanced loss of affinity logits (B, C, D, H, W) over the known edges."""
    weight = balance(target, known)
    if form == "bce":
        error = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    else:
        error = (torch.sigmoid(logits) - target) ** 2
    return (error * weight).sum() / weight.sum().clamp(min=1)
