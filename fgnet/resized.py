"""Images at the size that a network takes, and what it made of them at theirs."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Size = tuple[int, int]


def image(raw: npt.NDArray[np.uint8], size: Size) -> Tensor:
    """An image (y, x, 3) uint8 as (3, *size) float32 in [0, 1]; its sides may change ratio."""
    values = torch.from_numpy(np.ascontiguousarray(raw.transpose(2, 0, 1))).float() / 255
    # smoothed where it shrinks
    return functional.interpolate(values[None], size, mode="bilinear", antialias=True)[0]


def labels_of(labels: npt.NDArray[np.uint8], size: Size) -> npt.NDArray[np.uint8]:
    """Labels (y, x) at another size, each pixel the nearest one's."""
    places = [
        ((np.arange(wanted) + 0.5) * there / wanted).astype(np.intp)
        for wanted, there in zip(size, labels.shape, strict=True)
    ]
    return labels[np.ix_(*places)]


def back(maps: Tensor, size: Size) -> Tensor:
    """Maps (C, H, W) of a network at an image's own size, (C, *size)."""
    return functional.interpolate(maps[None], size, mode="bilinear")[0]
