"""Losses on masks of objects and classes, and on their edges.

As those on affinities, every crop has a loss of its own and that of a batch is their mean.
"""

import torch
from torch import Tensor
from torch.nn import functional

from fgnet.model.losses import affinity_loss

AXES = (2, 3, 4)
AROUND = 31  # pixels along y and x whose mean a pixel is compared with
FACTOR = 5.0  # of that difference in a pixel's weight


def structure_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Weighted cross entropy plus weighted IoU, which stress pixels near a mask's boundary.

    The weight of a pixel is 1 + 5 |mean of the target over 31 x 31 pixels around it - target|,
    outside of the crop counted as background (F3Net, arXiv 1911.11445). In the code that its many
    users share the cross entropy is averaged before it is weighted, by a slip; here it is not.

    Args:
        logits: (B, C, D, H, W); each of C masks by itself.
        target: same shape, in {0, 1}.
        known: same shape; pixels that count. The mean around a pixel is of known ones.
    """
    weight = known * (1 + FACTOR * (_around(target, known) - target).abs())
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    entropy = (entropy * weight).sum(AXES) / weight.sum(AXES).clamp(min=1)  # (B, C)
    found = torch.sigmoid(logits)
    shared = (found * target * weight).sum(AXES)
    either = ((found + target) * weight).sum(AXES) - shared
    return (entropy + 1 - (shared + 1) / (either + 1)).mean()


def _around(target: Tensor, known: Tensor) -> Tensor:
    """Mean of the known pixels in plane around each, as :func:`structure_loss` says."""

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool3d(x, (1, AROUND, AROUND), 1, (0, AROUND // 2, AROUND // 2))

    return mean(target * known) / (1 - mean(1 - known)).clamp(min=AROUND**-2)


def dice_bce(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016) plus cross entropy, class by class.

    Args:
        logits: (B, C, D, H, W).
        target: same shape, in {0, 1}.
        known: same shape; pixels that count.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    entropy = (entropy * known).sum(AXES) / known.sum(AXES).clamp(min=1)  # (B, C)
    found, true = torch.sigmoid(logits) * known, target * known
    shared = 2 * (found * true).sum(AXES) + 1
    return (entropy + 1 - shared / (found.sum(AXES) + true.sum(AXES) + 1)).mean()


def edges(target: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Which pixels are at an edge: those whose 3x3 places in plane hold another class.

    Args:
        target: (B, C, D, H, W) in {0, 1}; a pixel's class is all C of it.
        known: same shape; pixels that count.

    Returns:
        Edges (B, 1, D, H, W) in {0, 1}, and the same where one can be told of: all 3x3 are known.
    """
    highest, lowest = _extreme(target), -_extreme(-target)
    edge = (highest > lowest).any(dim=1, keepdim=True).to(target.dtype)
    return edge, -_extreme(-known.amin(dim=1, keepdim=True))


def _extreme(x: Tensor) -> Tensor:
    return functional.max_pool3d(x, (1, 3, 3), 1, (0, 1, 1))


def edge_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Class-balanced cross entropy of edge logits (B, 1, D, H, W) with the target's edges.

    ``target`` and ``known`` as for :func:`edges`.
    """
    return affinity_loss(logits, *edges(target, known), "bce")
